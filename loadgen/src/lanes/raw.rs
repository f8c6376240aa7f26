//! The raw lane's wire: a big-endian u32 length, then so many bytes of message.
//!
//! The yardstick: the least framing that keeps messages apart. A client's first frame is its number, the
//! server's is empty, a hello, so that "connected" means the same as on the lanes with a response head.

use scenarios::{Envelope, Event, Identity};

use super::decoder::{Messages, carry};
use super::{Bytes, MAX_EVENT};
use crate::failure::Failure;

const PREFIX: usize = 4;

/// The decoder's state between reads.
#[derive(Debug)]
pub struct Raw {
    rest: Vec<u8>,
    messages: Messages,
    /// Whether an empty frame is a heartbeat: without identity it may be an event.
    beats: bool,
    /// Bytes of heartbeats.
    control: u64,
}

impl Raw {
    /// A stream behind its hello.
    #[must_use]
    pub const fn new(identity: Identity, envelope: Envelope) -> Self {
        let beats = !matches!(identity, Identity::None);
        Self { rest: Vec::new(), messages: Messages::new(identity, envelope), beats, control: 0 }
    }

    /// Takes one read; `emit` gets the index behind the event's last byte.
    ///
    /// # Errors
    /// A frame above [`MAX_EVENT`].
    pub fn feed(&mut self, input: &[u8], emit: &mut impl FnMut(&Event<'_>, usize)) -> Result<(), Failure> {
        let before = self.rest.len();
        let Self { rest, messages, beats, control } = self;
        carry(rest, input, |bytes| {
            let mut at = 0;
            while let Some(message) = frame(&bytes[at..])? {
                at += PREFIX + message.len();
                if *beats && message.is_empty() {
                    *control += PREFIX as u64;
                    continue;
                }
                messages.take(message, |event| emit(event, at - before));
            }
            Ok(at)
        })
    }

    /// Bytes of what was decoded.
    #[must_use]
    pub fn counts(&self) -> Bytes {
        Bytes { control: self.control, ..self.messages.counts() }
    }
}

/// The frame by which a client names itself.
#[must_use]
pub fn name(client: u64) -> Vec<u8> {
    let client = u32::try_from(client).expect("the scenario bounds its subscribers");
    [4, client].map(u32::to_be_bytes).concat()
}

/// The first frame's message; `None` while it is incomplete.
///
/// # Errors
/// Its length is above [`MAX_EVENT`].
pub fn frame(bytes: &[u8]) -> Result<Option<&[u8]>, Failure> {
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(*prefix)).unwrap_or(usize::MAX);
    if length > MAX_EVENT {
        return Err(Failure::Protocol(format!("raw frame of {length} bytes")));
    }
    Ok(rest.get(..length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let mut raw = Raw::new(Identity::IdEvent, Envelope::Lines);
        let wire = b"\x00\x00\x00\x0a7\nquote\n{}\x00\x00\x00\x00\x00\x00\x00\x0b10\nquote\n{}";
        let mut events = Vec::new();
        raw.feed(wire, &mut |event, end| events.push((event.seq(), event.data.to_vec(), end))).unwrap();
        assert_eq!(events, [(Some(7), b"{}".to_vec(), 14), (Some(10), b"{}".to_vec(), 33)]);
        let counts = raw.counts();
        assert_eq!((counts.payload, counts.event_framing, counts.control), (4, 17, 4));
    }

    #[test]
    fn an_absurd_length_is_an_error() {
        assert!(frame(b"HTTP/1.1 400 Bad Request").is_err());
        assert_eq!(frame(b"\x01\x00\x00\x00"), Ok(None));
        assert!(frame(b"\x01\x00\x00\x01").is_err());
    }
}
