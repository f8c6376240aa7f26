//! The Huffman code of HPACK (RFC 7541 Appendix B), from the lengths of its codes alone.
//!
//! The code is canonical: within a length codes follow the order of symbols, and each length goes on
//! where the one before ended. So 257 lengths are the whole table, and a test holds it to the RFC's
//! examples.

/// Length of each symbol's code, bits; the last is the end of the string, which never travels.
#[rustfmt::skip]
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

const SYMBOLS: usize = 257;

/// The longest code, bits.
const LONGEST: usize = 30;

/// The end of the string.
const END: u16 = 256;

/// The codes by length, and the symbols in their order.
struct Codes {
    /// How many codes have each length.
    count: [u32; LONGEST + 1],
    symbols: [u16; SYMBOLS],
    /// Each symbol's code.
    code: [u32; SYMBOLS],
}

static CODES: Codes = codes();

const fn codes() -> Codes {
    let mut codes = Codes { count: [0; LONGEST + 1], symbols: [0; SYMBOLS], code: [0; SYMBOLS] };
    let (mut length, mut next, mut place) = (1, 0, 0);
    while length <= LONGEST {
        let mut symbol = 0;
        next <<= 1;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == length {
                codes.count[length] += 1;
                codes.symbols[place] = symbol as u16;
                codes.code[symbol] = next;
                next += 1;
                place += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    codes
}

/// Decodes a string.
///
/// # Errors
/// RFC 7541 5.2: "A padding strictly longer than 7 bits MUST be treated as a decoding error. A padding
/// not corresponding to the most significant bits of the code for the EOS symbol MUST be treated as a
/// decoding error. A Huffman-encoded string literal containing the EOS symbol MUST be treated as a
/// decoding error."
pub fn decode(coded: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
    // Of the code so far: its bits, how many, the first code of that length, and the place of its symbol.
    let (mut code, mut length, mut first, mut place) = (0u32, 0usize, 0u32, 0u32);
    for bit in coded.iter().flat_map(|byte| (0..8).rev().map(move |shift| byte >> shift & 1)) {
        code = code << 1 | u32::from(bit);
        length += 1;
        first <<= 1;
        let count = CODES.count[length];
        if code < first + count {
            let symbol = CODES.symbols[(place + code - first) as usize];
            if symbol == END {
                return Err("a string holds its own end");
            }
            out.push(symbol as u8);
            (code, length, first, place) = (0, 0, 0, 0);
        } else {
            first += count;
            place += count;
        }
    }
    match length {
        8.. => Err("a string has more than 7 bits of padding"),
        _ if code + 1 != 1 << length => Err("a string is padded with other bits than ones"),
        _ => Ok(()),
    }
}

/// Appends a string's code, padded with ones.
pub fn encode(text: &[u8], out: &mut Vec<u8>) {
    let (mut held, mut bits) = (0u64, 0);
    for byte in text.iter().copied().map(usize::from) {
        held = held << LENGTHS[byte] | u64::from(CODES.code[byte]);
        bits += u32::from(LENGTHS[byte]);
        while bits >= 8 {
            bits -= 8;
            out.push((held >> bits) as u8);
        }
    }
    if bits > 0 {
        out.push((held << (8 - bits)) as u8 | 0xFF >> bits);
    }
}

/// Bytes of a string's code.
#[must_use]
pub fn encoded_bytes(text: &[u8]) -> usize {
    text.iter().map(|byte| usize::from(LENGTHS[usize::from(*byte)])).sum::<usize>().div_ceil(8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(coded: &[u8]) -> Result<Vec<u8>, &'static str> {
        let mut out = Vec::new();
        decode(coded, &mut out).map(|()| out)
    }

    /// RFC 7541 Appendix B: "'0' ( 48)  |00000", "(  0)  |11111111|11000", "EOS (256)
    /// |11111111|11111111|11111111|111111"; the examples are those of C.4.1 and C.6.1.
    #[test]
    fn the_codes_are_those_of_the_rfc() {
        assert_eq!((CODES.code[48], CODES.code[0], CODES.code[256]), (0, 0x1ff8, 0x3fff_ffff));
        for (text, coded) in [
            ("www.example.com", &b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"[..]),
            ("no-cache", b"\xa8\xeb\x10\x64\x9c\xbf"),
            ("302", b"\x64\x02"),
            ("private", b"\xae\xc3\x77\x1a\x4b"),
            ("", b""),
        ] {
            assert_eq!(decoded(coded).unwrap(), text.as_bytes());
            let mut out = Vec::new();
            encode(text.as_bytes(), &mut out);
            assert_eq!((out.as_slice(), out.len()), (coded, encoded_bytes(text.as_bytes())));
        }
    }

    #[test]
    fn what_is_no_code_is_an_error() {
        for (coded, why) in [
            (&b"\x64\x02\xff"[..], "more than 7 bits"),
            (b"\x64\x00\x00", "other bits than ones"),
            (b"\xff\xff\xff\xff", "holds its own end"),
        ] {
            assert!(decoded(coded).unwrap_err().contains(why), "{why}: {:?}", decoded(coded));
        }
    }

    proptest! {
        #[test]
        fn every_string_comes_back_and_no_bytes_panic(text: Vec<u8>) {
            let mut coded = Vec::new();
            encode(&text, &mut coded);
            prop_assert_eq!(decoded(&coded).unwrap(), text.clone());
            let _whatever_it_is = decoded(&text);
        }
    }
}
