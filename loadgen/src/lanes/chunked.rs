//! The chunked transfer coding of HTTP/1.1 (RFC 9112 7.1), incremental and without I/O.
//!
//! Own code rather than hyper's, because the lean client counts chunk lines as a layer of their
//! own, needs the socket offset of every body byte, and hands chunk data on without a copy.

use crate::failure::Failure;

/// The longest chunk line (size and extensions) and the longest trailer section taken.
const MAX_LINES: u32 = 16 * 1024;

/// What the next byte is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// The first digit of a size.
    #[default]
    Size,
    /// A further digit, or what follows the size.
    MoreSize,
    /// In extensions, which are ignored.
    Extension,
    /// The LF of a size line.
    SizeLf,
    /// Chunk data.
    Data,
    /// The CR behind chunk data.
    DataCr,
    /// The LF behind chunk data.
    DataLf,
    /// The start of a trailer line.
    Trailer,
    /// Inside a trailer line, which is ignored.
    InTrailer,
    /// The LF of a trailer line.
    TrailerLf,
    /// The LF of the last, empty line.
    LastLf,
    /// Behind the message.
    Done,
}

/// The decoder's state between reads.
#[derive(Clone, Debug, Default)]
pub struct Chunked {
    at: At,
    left: u64,
    line: u32,
}

impl Chunked {
    /// Splits off the next piece: how many bytes of framing come first, and the chunk data behind
    /// them (as much of it as there is). Call again with the rest until nothing is left.
    ///
    /// # Errors
    /// The framing breaks the grammar or a bound.
    pub fn next<'a>(&mut self, input: &'a [u8]) -> Result<(usize, &'a [u8]), Failure> {
        let mut framing = 0;
        while self.at != At::Data && !self.is_done() {
            let Some(byte) = input.get(framing) else { return Ok((framing, &[])) };
            self.step(*byte).map_err(|what| Failure::Protocol(format!("chunked body: {what}")))?;
            framing += 1;
        }
        if self.is_done() {
            return Ok((input.len(), &[]));
        }
        let rest = &input[framing..];
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
        self.left -= length as u64;
        if self.left == 0 {
            self.at = At::DataCr;
        }
        Ok((framing, &rest[..length]))
    }

    /// Whether the last chunk and the trailer have been read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.at == At::Done
    }

    fn step(&mut self, byte: u8) -> Result<(), &'static str> {
        self.line += 1;
        if self.line > MAX_LINES {
            return Err("a line is longer than 16 KiB");
        }
        self.at = match (self.at, byte) {
            (At::Size | At::MoreSize, digit) if digit.is_ascii_hexdigit() => self.digit(digit)?,
            (At::MoreSize, b';' | b' ' | b'\t') => At::Extension,
            (At::MoreSize | At::Extension, b'\r') => At::SizeLf,
            (At::Extension, other) if other != b'\n' => At::Extension,
            (At::SizeLf, b'\n') => self.open(),
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => self.begin(At::Size),
            (At::Trailer, b'\r') => At::LastLf,
            (At::Trailer | At::InTrailer, other) if other != b'\n' && other != b'\r' => At::InTrailer,
            (At::InTrailer, b'\r') => At::TrailerLf,
            (At::TrailerLf, b'\n') => At::Trailer,
            (At::LastLf, b'\n') => At::Done,
            (At::Size | At::MoreSize | At::Extension | At::SizeLf, _) => return Err("not a chunk size line"),
            (At::DataCr | At::DataLf, _) => return Err("chunk data does not end in CR LF"),
            (At::Trailer | At::InTrailer | At::TrailerLf | At::LastLf, _) => {
                return Err("not a trailer line");
            }
            (At::Data | At::Done, _) => unreachable!("data and what is behind the end are not framing"),
        };
        Ok(())
    }

    fn digit(&mut self, digit: u8) -> Result<At, &'static str> {
        let value = char::from(digit).to_digit(16).expect("a hexadecimal digit");
        self.left = self
            .left
            .checked_mul(16)
            .and_then(|left| left.checked_add(u64::from(value)))
            .ok_or("a chunk size does not fit 64 bits")?;
        Ok(At::MoreSize)
    }

    /// Behind a size line: data, or the trailer of the last chunk.
    fn open(&mut self) -> At {
        let next = if self.left == 0 { At::Trailer } else { At::Data };
        self.begin(next)
    }

    fn begin(&mut self, at: At) -> At {
        self.line = 0;
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(wire: &[u8], split: usize) -> Result<(Vec<u8>, usize, bool), Failure> {
        let (mut chunked, mut body, mut framing) = (Chunked::default(), Vec::new(), 0);
        for mut read in wire.chunks(split) {
            while !read.is_empty() {
                let (skipped, data) = chunked.next(read)?;
                body.extend_from_slice(data);
                framing += skipped;
                read = &read[skipped + data.len()..];
            }
        }
        Ok((body, framing, chunked.is_done()))
    }

    /// RFC 9112 7.1: "chunked-body = *chunk last-chunk trailer-section CRLF; chunk = chunk-size
    /// [ chunk-ext ] CRLF chunk-data CRLF; chunk-size = 1*HEXDIG; last-chunk = 1*("0") [ chunk-ext ] CRLF".
    /// <https://www.rfc-editor.org/rfc/rfc9112#section-7.1>
    #[test]
    fn every_split_gives_the_same_body() {
        let cases: [(&[u8], &[u8], usize, bool); 6] = [
            (b"3\r\nabc\r\n", b"abc", 5, false),
            (b"3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n", b"abc0123456789", 16, true),
            (b"3;name=value\r\nabc\r\n000;last\r\n\r\n", b"abc", 28, true),
            (b"1 ; q=\"x\"\r\na\r\n0\r\nexpires: never\r\nx: y\r\n\r\n", b"a", 40, true),
            (b"1\r\na\r\n0\r\n\r\nbehind", b"a", 16, true),
            (b"5\r\n\r\n\r\n\n\r\n", b"\r\n\r\n\n", 5, false),
        ];
        for (wire, body, framing, done) in cases {
            for split in 1..=wire.len() {
                assert_eq!(decode(wire, split), Ok((body.to_vec(), framing, done)), "{split}");
            }
        }
    }

    #[test]
    fn broken_framing_is_an_error() {
        let endless = [&b"1;"[..], &[b'x'; 20_000]].concat();
        let trailer = [&b"0\r\n"[..], &b"a: b\r\n".repeat(4_000)].concat();
        let cases: [&[u8]; 11] = [
            b"\r\n",
            b"g\r\n",
            b"-1\r\n",
            b"3\nabc",
            b"3\rx",
            b"3;x\n",
            b"3\r\nabcd\r\n",
            b"3\r\nabc\rx",
            b"10000000000000000\r\n",
            &endless,
            &trailer,
        ];
        for wire in cases {
            for split in [1, 7, wire.len()] {
                assert_eq!(decode(wire, split).unwrap_err().kind(), "protocol");
            }
        }
    }
}
