//! HPACK (RFC 7541), as far as a client needs it: a decoder with both tables, and the representations
//! that a request's head is written in.
//!
//! Own code: what is on the registry builds a hash map for every string or can panic, and a head is
//! decoded in every connection that is measured.

use std::collections::VecDeque;

use super::huffman;

/// RFC 7541 Appendix A, from index 1.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// The largest dynamic table: what `SETTINGS_HEADER_TABLE_SIZE` is when nobody says otherwise.
pub const TABLE_BYTES: usize = 4096;

/// What an entry costs beside its bytes (RFC 7541 4.1).
pub const ENTRY_BYTES: usize = 32;

/// The first index of the dynamic table.
pub const FIRST: usize = STATIC.len() + 1;

/// A name and its value.
pub type Field = (Box<[u8]>, Box<[u8]>);

/// A decoder of the heads of one connection.
#[derive(Debug)]
pub struct Decoder {
    /// The newest first.
    table: VecDeque<Field>,
    bytes: usize,
    limit: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { table: VecDeque::new(), bytes: 0, limit: TABLE_BYTES }
    }
}

impl Decoder {
    /// Decodes a whole field block of at most `most` bytes, counted as RFC 9113 6.5.2 does.
    ///
    /// # Errors
    /// It breaks RFC 7541, or is larger.
    pub fn decode(&mut self, block: &[u8], most: usize) -> Result<Vec<Field>, &'static str> {
        let (mut reader, mut fields, mut bytes) = (Reader(block), Vec::new(), 0);
        while let Some(first) = reader.0.first().copied() {
            let field = match first {
                0x80.. => self.at(reader.number(7)?)?,
                0x40..0x80 => {
                    let field = self.literal(&mut reader, 6)?;
                    self.insert(field.clone());
                    field
                }
                0x20..0x40 if fields.is_empty() => {
                    self.resize(reader.number(5)?)?;
                    continue;
                }
                0x20..0x40 => return Err("the table changes its size between fields"),
                0..0x20 => self.literal(&mut reader, 4)?,
            };
            bytes += field.0.len() + field.1.len() + ENTRY_BYTES;
            if bytes > most {
                return Err("a head is larger than 16 KiB");
            }
            fields.push(field);
        }
        Ok(fields)
    }

    fn at(&self, index: usize) -> Result<Field, &'static str> {
        let copy = |(name, value): (&str, &str)| (name.as_bytes().into(), value.as_bytes().into());
        let fixed = index.checked_sub(1).and_then(|place| STATIC.get(place).copied()).map(copy);
        let found =
            fixed.or_else(|| index.checked_sub(FIRST).and_then(|place| self.table.get(place)).cloned());
        found.ok_or("an index lies outside the tables")
    }

    fn literal(&self, reader: &mut Reader<'_>, prefix: u32) -> Result<Field, &'static str> {
        let name = match reader.number(prefix)? {
            0 => reader.string()?,
            index => self.at(index)?.0,
        };
        Ok((name, reader.string()?))
    }

    fn insert(&mut self, field: Field) {
        self.bytes += field.0.len() + field.1.len() + ENTRY_BYTES;
        self.table.push_front(field);
        self.evict();
    }

    fn resize(&mut self, limit: usize) -> Result<(), &'static str> {
        if limit > TABLE_BYTES {
            return Err("the table is larger than was agreed");
        }
        self.limit = limit;
        self.evict();
        Ok(())
    }

    /// An entry larger than the table empties it, and that is no error (RFC 7541 4.4).
    fn evict(&mut self) {
        while self.bytes > self.limit {
            let (name, value) = self.table.pop_back().expect("what is counted is in the table");
            self.bytes -= name.len() + value.len() + ENTRY_BYTES;
        }
    }
}

/// The rest of a field block.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// RFC 7541 5.1: an integer with so many bits in its first byte; at most four more are taken.
    fn number(&mut self, prefix: u32) -> Result<usize, &'static str> {
        const CUT: &str = "a head ends inside a field";
        let most = (1usize << prefix) - 1;
        let (first, mut rest) = self.0.split_first().ok_or(CUT)?;
        let mut value = usize::from(*first) & most;
        let mut shift = 0;
        while value >= most {
            let (byte, behind) = rest.split_first().ok_or(CUT)?;
            rest = behind;
            value += usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
            if shift > 21 {
                return Err("an integer is too long");
            }
        }
        self.0 = rest;
        Ok(value)
    }

    fn string(&mut self) -> Result<Box<[u8]>, &'static str> {
        let coded = self.0.first().is_some_and(|first| first & 0x80 != 0);
        let length = self.number(7)?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or("a head ends inside a string")?;
        self.0 = rest;
        if !coded {
            return Ok(bytes.into());
        }
        let mut text = Vec::new();
        huffman::decode(bytes, &mut text)?;
        Ok(text.into())
    }
}

/// Appends an indexed field.
pub fn write_indexed(index: usize, out: &mut Vec<u8>) {
    write_number(0x80, 7, index, out);
}

/// Appends a field with a new value, to be entered into the peer's table (RFC 7541 6.2.1) or not
/// (6.2.2).
pub fn write_literal(name: &str, value: &str, entered: bool, out: &mut Vec<u8>) {
    let index = STATIC.iter().position(|row| row.0 == name).map_or(0, |place| place + 1);
    let (bits, prefix) = if entered { (0x40, 6) } else { (0, 4) };
    write_number(bits, prefix, index, out);
    if index == 0 {
        write_string(name.as_bytes(), out);
    }
    write_string(value.as_bytes(), out);
}

/// The static table's index of a whole field.
#[must_use]
pub fn static_index(name: &str, value: &str) -> Option<usize> {
    STATIC.iter().position(|row| *row == (name, value)).map(|place| place + 1)
}

/// Appends what says that the peer's table holds nothing from now on (RFC 7541 6.3).
pub fn write_no_table(out: &mut Vec<u8>) {
    write_number(0x20, 5, 0, out);
}

fn write_string(text: &[u8], out: &mut Vec<u8>) {
    let coded = huffman::encoded_bytes(text);
    if coded < text.len() {
        write_number(0x80, 7, coded, out);
        huffman::encode(text, out);
    } else {
        write_number(0, 7, text.len(), out);
        out.extend_from_slice(text);
    }
}

fn write_number(bits: u8, prefix: u32, value: usize, out: &mut Vec<u8>) {
    let most = (1usize << prefix) - 1;
    if value < most {
        return out.push(bits | value as u8);
    }
    out.push(bits | most as u8);
    let mut rest = value - most;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Hexadecimal digits as the RFC prints them.
    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    }

    fn decoded(decoder: &mut Decoder, hex: &str) -> Result<Vec<String>, &'static str> {
        let fields = decoder.decode(&bytes(hex), 16_384)?;
        let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
        Ok(fields.iter().map(|(name, value)| format!("{}: {}", text(name), text(value))).collect())
    }

    /// RFC 7541 C.3 and C.4 (<https://www.rfc-editor.org/rfc/rfc7541#appendix-C>): three requests on one
    /// connection, plain and coded.
    #[test]
    fn the_requests_of_appendix_c() {
        let plain = [
            "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            "8286 84be 5808 6e6f 2d63 6163 6865",
            "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
        ];
        let coded = [
            "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
            "8286 84be 5886 a8eb 1064 9cbf",
            "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
        ];
        for blocks in [plain, coded] {
            let mut decoder = Decoder::default();
            let lists = blocks.map(|block| decoded(&mut decoder, block).unwrap().join(", "));
            let expected = [
                ":method: GET, :scheme: http, :path: /, :authority: www.example.com",
                ":method: GET, :scheme: http, :path: /, :authority: www.example.com, cache-control: no-cache",
                ":method: GET, :scheme: https, :path: /index.html, :authority: www.example.com, custom-key: custom-value",
            ];
            assert_eq!(lists, expected);
            assert_eq!((decoder.bytes, decoder.table.len()), (164, 3));
        }
    }

    /// RFC 7541 C.6: three responses with a table of 256 bytes, from which entries have to go.
    #[test]
    fn the_responses_of_appendix_c() {
        let mut decoder = Decoder::default();
        decoder.resize(256).unwrap();
        let blocks = [
            (
                "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
                ":status: 302, cache-control: private, date: Mon, 21 Oct 2013 20:13:21 GMT, location: https://www.example.com",
                222,
            ),
            (
                "4883 640e ffc1 c0bf",
                ":status: 307, cache-control: private, date: Mon, 21 Oct 2013 20:13:21 GMT, location: https://www.example.com",
                222,
            ),
            (
                "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
                ":status: 200, cache-control: private, date: Mon, 21 Oct 2013 20:13:22 GMT, location: https://www.example.com, content-encoding: gzip, set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
                215,
            ),
        ];
        for (block, fields, size) in blocks {
            assert_eq!(decoded(&mut decoder, block).unwrap().join(", "), fields);
            assert_eq!(decoder.bytes, size);
        }
    }

    /// RFC 7541 2.3.3: "Indices strictly greater than the sum of the lengths of both tables MUST be
    /// treated as a decoding error"; 6.1: "The index value of 0 is not used. It MUST be treated as a
    /// decoding error"; 6.3: "The new maximum size MUST be lower than or equal to the limit"; 5.1:
    /// "Integer encodings that exceed implementation limits -- in value or octet length -- MUST be treated
    /// as decoding errors."
    #[test]
    fn what_is_no_head_is_an_error() {
        let bomb = format!("4001 6182 ffff {} {}", "ff".repeat(0), "be".repeat(600));
        for (block, why) in [
            ("80", "outside the tables"),
            ("be", "outside the tables"),
            ("ff ff ff ff 7f", "outside the tables"),
            ("ff ff ff ff ff 7f", "integer is too long"),
            ("3f e2 1f", "larger than was agreed"),
            ("82 20", "between fields"),
            ("00 03 61", "inside a string"),
            ("ff", "inside a field"),
            ("00", "inside a field"),
            (&bomb, "padding"),
        ] {
            let error = decoded(&mut Decoder::default(), block).unwrap_err();
            assert!(error.contains(why), "{block}: {error}");
        }
        let many = format!("4001 6101 62 {}", "be".repeat(600));
        assert!(decoded(&mut Decoder::default(), &many).unwrap_err().contains("larger than 16 KiB"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(blocks: Vec<Vec<u8>>) {
            let mut decoder = Decoder::default();
            for block in blocks {
                let _whatever_it_is = decoder.decode(&block, 16_384);
                prop_assert!(decoder.bytes <= TABLE_BYTES);
            }
        }
    }
}
