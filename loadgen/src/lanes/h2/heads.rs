//! The heads of requests: written with HPACK as a browser would, so that the second request of a
//! connection names what the first one said.

use super::hpack::{self, ENTRY_BYTES, TABLE_BYTES};

/// An encoder of the heads of one connection.
#[derive(Debug)]
pub struct Heads {
    /// What the peer's table holds, the oldest first; it is never filled so far that an entry goes.
    table: Vec<(&'static str, String)>,
    bytes: usize,
    limit: usize,
    /// The peer's table is smaller than was thought: the next head has to say so.
    shrunk: bool,
    /// The name of a field whose values pass: they are not entered.
    passing: Option<&'static str>,
}

impl Default for Heads {
    fn default() -> Self {
        Self { table: Vec::new(), bytes: 0, limit: TABLE_BYTES, shrunk: false, passing: None }
    }
}

impl Heads {
    /// From now on no value of this field is entered into the peer's table: none of them comes again.
    pub const fn pass(&mut self, name: &'static str) {
        self.passing = Some(name);
    }

    /// The peer's `SETTINGS_HEADER_TABLE_SIZE`: a table that is smaller than the first one is not used.
    pub fn limit(&mut self, bytes: u32) {
        if (bytes as usize) < self.limit {
            *self = Self { limit: 0, shrunk: true, ..Self::default() };
        }
    }

    /// Writes a head.
    #[must_use]
    pub fn encode(&mut self, fields: &[(&'static str, String)]) -> Vec<u8> {
        let mut out = Vec::new();
        if std::mem::take(&mut self.shrunk) {
            hpack::write_no_table(&mut out);
        }
        for (name, value) in fields {
            match hpack::static_index(name, value).or_else(|| self.index(name, value)) {
                Some(index) => hpack::write_indexed(index, &mut out),
                None => hpack::write_literal(name, value, self.enter(name, value), &mut out),
            }
        }
        out
    }

    /// RFC 7541 2.3.3: the dynamic table follows the static one, newest first.
    fn index(&self, name: &str, value: &str) -> Option<usize> {
        let place = self.table.iter().rev().position(|entry| entry.0 == name && entry.1 == value)?;
        Some(hpack::FIRST + place)
    }

    fn enter(&mut self, name: &'static str, value: &str) -> bool {
        let bytes = name.len() + value.len() + ENTRY_BYTES;
        let fits = self.bytes + bytes <= self.limit && self.passing != Some(name);
        if fits {
            self.bytes += bytes;
            self.table.push((name, value.to_owned()));
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Vec<(&'static str, String)> {
        let fields = [
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/sse"),
            (":authority", "a"),
            ("accept", "text/event-stream"),
        ];
        fields.map(|(name, value)| (name, value.to_owned())).to_vec()
    }

    fn decoded(decoder: &mut hpack::Decoder, head: &[u8]) -> Vec<(&'static str, String)> {
        let fields = decoder.decode(head, 16_384).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let known = |name: String| request().iter().map(|field| field.0).find(|one| *one == name).unwrap();
        fields.iter().map(|(name, value)| (known(text(name)), text(value))).collect()
    }

    #[test]
    fn a_second_request_names_what_the_first_one_said() {
        let (mut heads, mut decoder) = (Heads::default(), hpack::Decoder::default());
        let (first, second) = (heads.encode(&request()), heads.encode(&request()));
        assert_eq!(second, b"\x82\x86\xC0\xBF\xBE");
        for head in [first, second] {
            assert_eq!(decoded(&mut decoder, &head), request());
        }
    }

    /// RFC 7541 4.2: "A change in the maximum size of the dynamic table is signaled via a dynamic table
    /// size update [...] This dynamic table size update MUST occur at the beginning of the first header
    /// block following the change to the dynamic table size."
    #[test]
    fn a_smaller_table_is_given_up_and_said_so() {
        let (mut heads, mut decoder) = (Heads::default(), hpack::Decoder::default());
        assert_eq!(decoded(&mut decoder, &heads.encode(&request())), request());
        heads.limit(4_096);
        heads.limit(100);
        let (second, third) = (heads.encode(&request()), heads.encode(&request()));
        assert_eq!((second[0], &second[1..]), (0x20, &third[..]));
        for head in [second, third] {
            assert_eq!(decoded(&mut decoder, &head), request());
        }
    }
}
