//! The framing of WebSocket (RFC 6455 5.2): headers read by the rules of who receives them, and frames
//! written.
//!
//! Apart from `peer.rs`, which puts frames together to messages: this is the table of bits.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// What a frame is (RFC 6455 11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// A further fragment of a message.
    Continuation,
    /// A message, or its first fragment, of UTF-8 text.
    Text,
    /// A message, or its first fragment, of bytes.
    Binary,
    /// The closing handshake.
    Close,
    /// To be answered by a pong.
    Ping,
    /// An answer to a ping.
    Pong,
}

/// `(bits, opcode, control frame?)`
const OPCODES: [(u8, Opcode, bool); 6] = [
    (0x0, Opcode::Continuation, false),
    (0x1, Opcode::Text, false),
    (0x2, Opcode::Binary, false),
    (0x8, Opcode::Close, true),
    (0x9, Opcode::Ping, true),
    (0xA, Opcode::Pong, true),
];

/// Why a connection is failed: the close code to send (RFC 6455 7.4.1), and the reason.
pub type Broken = (u16, &'static str);

/// The close code of a connection that has served its purpose.
pub const NORMAL: u16 = 1000;
/// The close code of an end that leaves, such as a server going down.
pub const GOING_AWAY: u16 = 1001;
/// The service is restarted, and may be asked again (the registry of RFC 6455 11.7).
pub const SERVICE_RESTART: u16 = 1012;
/// The server ends this client, which may come again (IANA's registry of close codes).
pub const TRY_AGAIN_LATER: u16 = 1013;
/// The close code of a broken frame.
pub const PROTOCOL_ERROR: u16 = 1002;
/// The close code of text that is not UTF-8.
pub const INVALID_DATA: u16 = 1007;
/// The close code of a message that is too large.
pub const TOO_BIG: u16 = 1009;

/// Which end of a connection one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It reads frames in the clear, and masks its own.
    Client,
    /// It reads masked frames, and writes its own in the clear.
    Server,
}

/// A frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The last fragment of its message.
    pub fin: bool,
    /// What it is.
    pub opcode: Opcode,
    /// Its message is compressed: RSV1, where permessage-deflate was agreed on.
    pub compressed: bool,
    /// The key its payload is masked with, on frames to a server.
    pub mask: Option<[u8; 4]>,
    /// Bytes of the header itself: 2, 4 or 10, and 4 for the key.
    pub size: usize,
    /// Bytes of payload behind it.
    pub length: u64,
}

impl Header {
    /// Reads a header as `role` receives it; `deflate` says whether messages may be compressed. `None`
    /// while it is incomplete.
    ///
    /// # Errors
    /// A bit that the other end may not set, an unknown opcode, or a length not written in the fewest
    /// bytes.
    pub fn read(bytes: &[u8], role: Role, deflate: bool) -> Result<Option<Self>, Broken> {
        let broken = |reason| Err((PROTOCOL_ERROR, reason));
        let Some(&first) = bytes.first() else { return Ok(None) };
        let (fin, compressed) = (first & 0x80 != 0, first & 0x40 != 0);
        if first & 0x30 != 0 || (compressed && !deflate) {
            return broken("a reserved bit is set without an extension");
        }
        let Some((_, opcode, control)) = OPCODES.into_iter().find(|row| row.0 == first & 0x0F) else {
            return broken("the opcode is reserved");
        };
        if compressed && (control || opcode == Opcode::Continuation) {
            return broken("a frame that starts no message says that it is compressed");
        }
        if control && !fin {
            return broken("a control frame is fragmented");
        }
        let Some(&second) = bytes.get(1) else { return Ok(None) };
        let masked = second & 0x80 != 0;
        match (role, masked) {
            (Role::Client, true) => return broken("a server's frame is masked"),
            (Role::Server, false) => return broken("a client's frame is not masked"),
            (Role::Client, false) | (Role::Server, true) => {}
        }
        if control && second & 0x7F > 125 {
            return broken("a control frame is longer than 125 bytes");
        }
        let (size, length, least) = match second & 0x7F {
            126 => (4, bytes.get(2..4).map(number), 126),
            127 => (10, bytes.get(2..10).map(number), 65_536),
            short => (2, Some(u64::from(short)), 0),
        };
        let key = bytes.get(size..).and_then(<[u8]>::first_chunk).copied();
        match length {
            None => Ok(None),
            Some(length) if length < least => broken("a length is not written in the fewest bytes"),
            Some(length) if length >> 63 != 0 => broken("a length has its highest bit set"),
            Some(_) if masked && key.is_none() => Ok(None),
            Some(length) => {
                let (mask, size) = if masked { (key, size + 4) } else { (None, size) };
                Ok(Some(Self { fin, opcode, compressed, mask, size, length }))
            }
        }
    }
}

fn number(big_endian: &[u8]) -> u64 {
    big_endian.iter().fold(0, |n, byte| n << 8 | u64::from(*byte))
}

/// Writes a frame that is the whole of a message, or a control frame, as `role` sends it.
pub fn write(out: &mut Vec<u8>, role: Role, opcode: Opcode, compressed: bool, payload: &[u8]) {
    let bits = OPCODES.iter().find(|row| row.1 == opcode).expect("every opcode has its row").0;
    out.push(0x80 | if compressed { 0x40 } else { 0 } | bits);
    let masked = if role == Role::Client { 0x80 } else { 0 };
    match payload.len() {
        length @ ..126 => out.push(masked | length as u8),
        length @ 126..0x1_0000 => {
            out.push(masked | 126);
            out.extend((length as u16).to_be_bytes());
        }
        length => {
            out.push(masked | 127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    match role {
        Role::Server => out.extend_from_slice(payload),
        Role::Client => {
            let key = key();
            out.extend(key);
            let start = out.len();
            out.extend_from_slice(payload);
            mask(&mut out[start..], key);
        }
    }
}

/// Masks a payload, or takes the mask off (RFC 6455 5.3: "transformed-octet-i = original-octet-i XOR
/// masking-key-octet-j").
pub fn mask(payload: &mut [u8], key: [u8; 4]) {
    payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
}

/// RFC 6455 5.3: "The masking key needs to be unpredictable"; the standard library's hash keys come
/// from the system's random numbers.
fn key() -> [u8; 4] {
    let [a, b, c, d, ..] = RandomState::new().build_hasher().finish().to_be_bytes();
    [a, b, c, d]
}

/// Checks the payload of a close frame (RFC 6455 5.5.1, 7.4): nothing, or a code that may travel
/// and a reason in UTF-8.
///
/// # Errors
/// It is none of these.
pub fn check_close(payload: &[u8]) -> Result<(), Broken> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(()) } else { Err((PROTOCOL_ERROR, "a close code is cut off")) };
    };
    match u16::from_be_bytes(*code) {
        1000..=1003 | 1007..=1014 | 3000..=4999 => {}
        _ => return Err((PROTOCOL_ERROR, "a close code may not travel")),
    }
    std::str::from_utf8(reason).map(|_| ()).map_err(|_| (INVALID_DATA, "a close reason is not UTF-8"))
}
