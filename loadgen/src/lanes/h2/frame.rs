//! The frames of HTTP/2 (RFC 9113 4 and 6): the nine bytes before each, what may stand in them, and the
//! few that a client writes.
//!
//! Apart from `h2.rs`, which knows streams: this is the table of kinds.

use scenarios::http2::FRAME_BYTES;

/// What every connection begins with (RFC 9113 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes before a frame's payload.
pub const HEADER: usize = 9;

/// DATA, HEADERS: the stream ends here. SETTINGS, PING: an acknowledgement.
pub const END_STREAM: u8 = 0x1;
/// See [`END_STREAM`].
pub const ACK: u8 = 0x1;
/// HEADERS, CONTINUATION: the head ends here.
pub const END_HEADERS: u8 = 0x4;
/// DATA, HEADERS: a length of padding comes first, and the padding last.
pub const PADDED: u8 = 0x8;
/// HEADERS: five bytes of priority come first.
pub const PRIORITY: u8 = 0x20;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A piece of a body.
    Data,
    /// A head, or its first part.
    Headers,
    /// Deprecated advice.
    Priority,
    /// The end of a stream, by force.
    RstStream,
    /// How the peer wants to be spoken to.
    Settings,
    /// A response that nobody asked for.
    PushPromise,
    /// To be answered.
    Ping,
    /// No further streams.
    GoAway,
    /// More may be sent.
    WindowUpdate,
    /// A further part of a head.
    Continuation,
}

/// Which streams a kind belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    Connection,
    Stream,
    Either,
}

/// `(type, kind, on, least and most bytes of payload)`.
const KINDS: [(u8, Kind, On, u32, u32); 10] = [
    (0x0, Kind::Data, On::Stream, 0, FRAME_BYTES),
    (0x1, Kind::Headers, On::Stream, 0, FRAME_BYTES),
    (0x2, Kind::Priority, On::Stream, 5, 5),
    (0x3, Kind::RstStream, On::Stream, 4, 4),
    (0x4, Kind::Settings, On::Connection, 0, FRAME_BYTES),
    (0x5, Kind::PushPromise, On::Stream, 4, FRAME_BYTES),
    (0x6, Kind::Ping, On::Connection, 8, 8),
    (0x7, Kind::GoAway, On::Connection, 8, FRAME_BYTES),
    (0x8, Kind::WindowUpdate, On::Either, 4, 4),
    (0x9, Kind::Continuation, On::Stream, 0, FRAME_BYTES),
];

/// Why a connection is failed: the error code to send (RFC 9113 7), and the reason.
pub type Broken = (u32, &'static str);

/// `PROTOCOL_ERROR`.
pub const PROTOCOL_ERROR: u32 = 0x1;
/// `FLOW_CONTROL_ERROR`.
pub const FLOW_CONTROL_ERROR: u32 = 0x3;
/// `STREAM_CLOSED`.
pub const STREAM_CLOSED: u32 = 0x5;
/// `FRAME_SIZE_ERROR`.
pub const FRAME_SIZE_ERROR: u32 = 0x6;
/// `CANCEL`.
pub const CANCEL: u32 = 0x8;
/// `COMPRESSION_ERROR`.
pub const COMPRESSION_ERROR: u32 = 0x9;
/// `ENHANCE_YOUR_CALM`.
pub const ENHANCE_YOUR_CALM: u32 = 0xB;

/// Names of the error codes, in order.
const ERRORS: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// The name of an error code; one that is not known has no meaning of its own (RFC 9113 7).
#[must_use]
pub fn error_name(code: u32) -> &'static str {
    usize::try_from(code).ok().and_then(|code| ERRORS.get(code).copied()).unwrap_or("an unknown error")
}

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of payload.
    pub length: u32,
    /// What it is; `None` is to be ignored (RFC 9113 4.1).
    pub kind: Option<Kind>,
    /// Flags, whose meaning depends on the kind.
    pub flags: u8,
    /// The stream, 0 for the connection.
    pub stream: u32,
}

impl Head {
    /// Reads and checks what is true of a frame whatever came before it.
    ///
    /// # Errors
    /// Its size is not one of its kind, or it stands on the wrong stream.
    pub fn read(bytes: [u8; HEADER]) -> Result<Self, Broken> {
        let [a, b, c, kind, flags, stream @ ..] = bytes;
        let length = u32::from_be_bytes([0, a, b, c]);
        // "The R bit [...] MUST be ignored when receiving."
        let stream = u32::from_be_bytes(stream) & 0x7FFF_FFFF;
        if length > FRAME_BYTES {
            return Err((FRAME_SIZE_ERROR, "a frame is larger than was agreed"));
        }
        let row = KINDS.into_iter().find(|row| row.0 == kind);
        if let Some((_, _, on, least, most)) = row {
            if on != On::Either && (on == On::Connection) != (stream == 0) {
                return Err((PROTOCOL_ERROR, "a frame stands on a stream where it may not"));
            }
            if !(least..=most).contains(&length) {
                return Err((FRAME_SIZE_ERROR, "a frame has a size that its kind does not have"));
            }
        }
        Ok(Self { length, kind: row.map(|row| row.1), flags, stream })
    }

    /// Whether a flag is set.
    #[must_use]
    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Appends a frame.
pub fn write(out: &mut Vec<u8>, kind: Kind, flags: u8, stream: u32, payload: &[u8]) {
    let bits = KINDS.iter().find(|row| row.1 == kind).expect("every kind has its row").0;
    let length = u32::try_from(payload.len()).expect("a frame is no larger than was agreed").to_be_bytes();
    out.extend_from_slice(&length[1..]);
    out.extend([bits, flags]);
    out.extend(stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// What a HEADERS frame says of the head: its payload without padding and priority.
///
/// # Errors
/// The padding is as long as the frame.
pub fn without_padding(head: Head, payload: &[u8]) -> Result<&[u8], Broken> {
    const TOO_LONG: Broken = (PROTOCOL_ERROR, "padding is as long as its frame");
    let mut rest = payload;
    let mut padding = 0;
    if head.has(PADDED) {
        let (first, behind) = rest.split_first().ok_or(TOO_SHORT)?;
        (padding, rest) = (usize::from(*first), behind);
    }
    if head.has(PRIORITY) {
        rest = rest.get(5..).ok_or(TOO_SHORT)?;
    }
    rest.len().checked_sub(padding).map(|length| &rest[..length]).ok_or(TOO_LONG)
}

/// "too small to contain mandatory frame data" (RFC 9113 4.2).
pub const TOO_SHORT: Broken = (FRAME_SIZE_ERROR, "a frame is too small for what its flags promise");

/// The 31 bits of a stream or an increment at the front of a payload whose size was checked.
#[must_use]
pub fn number(payload: &[u8]) -> u32 {
    payload.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8; HEADER]) -> Result<Head, Broken> {
        Head::read(*bytes)
    }

    /// RFC 9113 4.1: "Length (24), Type (8), Flags (8), Reserved (1), Stream Identifier (31)".
    #[test]
    fn golden_bytes() {
        let head = read(b"\0\0\x12\0\x01\x80\0\0\x03").unwrap();
        assert_eq!(head, Head { length: 18, kind: Some(Kind::Data), flags: 1, stream: 3 });
        let mut out = Vec::new();
        write(&mut out, Kind::WindowUpdate, 0, 1, &[0, 0, 1, 0]);
        assert_eq!(out, b"\0\0\x04\x08\0\0\0\0\x01\0\0\x01\0");
        let mut out = Vec::new();
        write(&mut out, Kind::Ping, ACK, 0, b"12345678");
        assert_eq!(out, b"\0\0\x08\x06\x01\0\0\0\x0012345678");
    }

    /// RFC 9113 4.2: "An endpoint MUST send an error code of FRAME_SIZE_ERROR if a frame exceeds the
    /// size defined in SETTINGS_MAX_FRAME_SIZE, exceeds any limit defined for the frame type, or is too
    /// small to contain mandatory frame data"; 6.1: "If a DATA frame is received whose Stream Identifier
    /// field is 0x00, the recipient MUST respond with a connection error [...] of type PROTOCOL_ERROR";
    /// 6.5: "If an endpoint receives a SETTINGS frame whose Stream Identifier field is anything other
    /// than 0x00, the endpoint MUST respond with a connection error [...] of type PROTOCOL_ERROR"; 5.5:
    /// "Implementations MUST discard frames that have unknown or unsupported types."
    #[test]
    fn what_a_frame_may_not_be_is_refused_by_its_head() {
        for (bytes, code) in [
            (b"\0\x40\x01\0\0\0\0\0\x01", FRAME_SIZE_ERROR),
            (b"\0\0\x07\x06\0\0\0\0\0", FRAME_SIZE_ERROR),
            (b"\0\0\x05\x03\0\0\0\0\x01", FRAME_SIZE_ERROR),
            (b"\0\0\x03\x08\0\0\0\0\x01", FRAME_SIZE_ERROR),
            (b"\0\0\x07\x07\0\0\0\0\0", FRAME_SIZE_ERROR),
            (b"\0\0\0\0\0\0\0\0\0", PROTOCOL_ERROR),
            (b"\0\0\0\x01\0\0\0\0\0", PROTOCOL_ERROR),
            (b"\0\0\0\x04\0\0\0\0\x01", PROTOCOL_ERROR),
            (b"\0\0\x08\x06\0\0\0\0\x01", PROTOCOL_ERROR),
        ] {
            assert_eq!(read(bytes).unwrap_err().0, code, "{bytes:?}");
        }
        assert_eq!(read(b"\0\0\x05\xF0\0\0\0\0\0").unwrap().kind, None);
        assert_eq!(read(b"\0\x40\0\0\0\0\0\0\x01").unwrap().length, 16_384);
    }

    /// RFC 9113 6.2: "If the length of the padding is the length of the frame payload or greater, the
    /// recipient MUST treat this as a connection error [...] of type PROTOCOL_ERROR."
    #[test]
    fn padding_and_priority_are_cut_off() {
        let head = |flags| Head { length: 0, kind: Some(Kind::Headers), flags, stream: 1 };
        assert_eq!(without_padding(head(0), b"abc"), Ok(&b"abc"[..]));
        assert_eq!(without_padding(head(PADDED), b"\x02abc\0\0"), Ok(&b"abc"[..]));
        assert_eq!(without_padding(head(PADDED | PRIORITY), b"\x01prioabc\0"), Ok(&b"bc"[..]));
        assert_eq!(without_padding(head(PADDED), b"\x03ab").unwrap_err().0, PROTOCOL_ERROR);
        assert_eq!(without_padding(head(PADDED), b"").unwrap_err().0, FRAME_SIZE_ERROR);
        assert_eq!(without_padding(head(PRIORITY), b"abcd").unwrap_err().0, FRAME_SIZE_ERROR);
    }
}
