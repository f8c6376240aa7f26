//! The decoder of a lean connection: bytes in, events and byte counts out, no I/O.
//!
//! It owns what all wires share: the running offset, the layer that is the remainder of the
//! others (so that every byte is counted exactly once), and that nothing follows the end.

use scenarios::{Envelope, Event, Identity, envelope};

use super::poll::Poll;
use super::raw::Raw;
use super::sse::Sse;
use super::ws::Ws;
use super::{Bytes, MAX_EVENT};
use crate::failure::Failure;

/// The wire of a lane.
#[derive(Debug)]
pub enum Wire {
    /// An HTTP body of `text/event-stream`.
    Sse(Sse),
    /// WebSocket frames.
    Ws(Ws),
    /// Length-prefixed frames.
    Raw(Raw),
    /// Answers to polls, each an event stream of its own.
    Poll(Box<Poll>),
}

/// One connection's decoder.
#[derive(Debug)]
pub struct Decoder {
    wire: Wire,
    handshake_down: u64,
    received: u64,
    over: Option<Failure>,
}

impl Decoder {
    /// A decoder for what follows a handshake of so many bytes.
    #[must_use]
    pub const fn new(wire: Wire, handshake_down: u64) -> Self {
        Self { wire, handshake_down, received: 0, over: None }
    }

    /// Takes the bytes of one read and gives every event that they complete, with the offset behind
    /// its last byte (handshake included).
    ///
    /// # Errors
    /// The stream ended or broke; it stays so, and later bytes are only counted.
    pub fn feed(&mut self, input: &[u8], mut emit: impl FnMut(&Event<'_>, u64)) -> Result<(), Failure> {
        let base = self.handshake_down + self.received;
        self.received += input.len() as u64;
        if let Some(failure) = &self.over {
            return Err(failure.clone());
        }
        let mut placed = |event: &Event<'_>, end: usize| emit(event, base + end as u64);
        let fed = match &mut self.wire {
            Wire::Sse(sse) => sse.feed(input, &mut placed),
            Wire::Ws(ws) => ws.feed(input, &mut placed),
            Wire::Raw(raw) => raw.feed(input, &mut placed),
            Wire::Poll(poll) => poll.feed(input, &mut placed),
        };
        fed.inspect_err(|failure| self.over = Some(failure.clone()))
    }

    /// Bytes received by layer; what was sent is not known here.
    #[must_use]
    pub fn counts(&self) -> Bytes {
        let counts = match &self.wire {
            Wire::Sse(sse) => sse.counts(),
            Wire::Ws(ws) => ws.counts(),
            Wire::Raw(raw) => raw.counts(),
            Wire::Poll(poll) => poll.counts(),
        };
        // Nothing of the rest is counted yet, so what is counted is all that is not it.
        let transport_framing = self.received - counts.down();
        Bytes { transport_framing, handshake_down: self.handshake_down, ..counts }
    }

    /// Why the stream is over when its carrier ends in good order.
    #[must_use]
    pub fn at_end(&self) -> Failure {
        match &self.wire {
            Wire::Sse(sse) => sse.at_end(),
            Wire::Ws(_) | Wire::Raw(_) | Wire::Poll(_) => Failure::Ended,
        }
    }

    /// From now on events have their exact place also where that costs something.
    pub fn pinpoint(&mut self) {
        match &mut self.wire {
            Wire::Sse(sse) => sse.pinpoint(),
            Wire::Ws(_) | Wire::Raw(_) | Wire::Poll(_) => {}
        }
    }

    /// Its time has come; whether it must be told again.
    pub fn due(&mut self, unless: Option<u64>) -> bool {
        match &mut self.wire {
            Wire::Poll(poll) => poll.due(unless),
            Wire::Sse(_) | Wire::Ws(_) | Wire::Raw(_) => false,
        }
    }

    /// The polls whose answers it reads.
    pub fn polls(&mut self) -> Option<&mut Poll> {
        match &mut self.wire {
            Wire::Poll(poll) => Some(poll),
            Wire::Sse(_) | Wire::Ws(_) | Wire::Raw(_) => None,
        }
    }

    /// Whether the answer to something it sent is awaited.
    #[must_use]
    pub const fn is_asking(&self) -> bool {
        match &self.wire {
            Wire::Poll(poll) => poll.is_asking(),
            Wire::Sse(_) | Wire::Ws(_) | Wire::Raw(_) => false,
        }
    }

    /// The code with which the server said goodbye, where there are such.
    #[must_use]
    pub const fn close_code(&self) -> Option<u16> {
        match &self.wire {
            Wire::Ws(ws) => ws.close_code(),
            Wire::Sse(_) | Wire::Raw(_) | Wire::Poll(_) => None,
        }
    }

    /// The reconnection time that the stream asked for last, milliseconds, where there is such.
    #[must_use]
    pub const fn retry(&self) -> Option<u64> {
        match &self.wire {
            Wire::Sse(sse) => sse.events().retry(),
            Wire::Ws(_) | Wire::Raw(_) | Wire::Poll(_) => None,
        }
    }

    /// Whether its stream has come to an end that it tells itself.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match &self.wire {
            Wire::Sse(sse) => sse.is_complete(),
            Wire::Ws(ws) => ws.close_code().is_some(),
            Wire::Raw(_) | Wire::Poll(_) => false,
        }
    }

    /// Says goodbye with this code, unless that was said; whether the server then ends the connection.
    pub fn leave(&mut self, code: u16) -> bool {
        match &mut self.wire {
            Wire::Ws(ws) => {
                ws.peer().close(&code.to_be_bytes());
                true
            }
            Wire::Sse(_) | Wire::Raw(_) | Wire::Poll(_) => false,
        }
    }

    /// What waits to be sent (pongs, a close frame, a poll); the caller removes what it has sent.
    pub fn outbox(&mut self) -> Option<&mut Vec<u8>> {
        match &mut self.wire {
            Wire::Ws(ws) => Some(ws.outbox()),
            Wire::Poll(poll) => Some(poll.outbox()),
            Wire::Sse(_) | Wire::Raw(_) => None,
        }
    }
}

/// Messages that carry an envelope: how to read them, and their bytes.
#[derive(Clone, Copy, Debug)]
pub struct Messages {
    identity: Identity,
    envelope: Envelope,
    payload: u64,
    event_framing: u64,
}

impl Messages {
    /// Messages written with this identity and envelope.
    #[must_use]
    pub const fn new(identity: Identity, envelope: Envelope) -> Self {
        Self { identity, envelope, payload: 0, event_framing: 0 }
    }

    /// Reads one message. One without its envelope is an event that is all data, so that the ledger
    /// sees it and can call it corrupted.
    pub fn take(&mut self, message: &[u8], emit: impl FnOnce(&Event<'_>)) {
        let event = envelope::decode(self.identity, self.envelope, message).unwrap_or(Event {
            id: None,
            name: None,
            data: message.into(),
        });
        self.payload += event.data.len() as u64;
        self.event_framing += (message.len() - event.data.len()) as u64;
        emit(&event);
    }

    /// Their bytes.
    #[must_use]
    pub fn counts(&self) -> Bytes {
        Bytes { payload: self.payload, event_framing: self.event_framing, ..Bytes::default() }
    }
}

/// Walks over the unfinished rest of earlier reads and this one's bytes. `walk` gets both as one
/// slice (without a copy when there is no rest) and tells how many bytes of it are finished.
///
/// # Errors
/// Those of `walk`, or the rest outgrew [`MAX_EVENT`].
pub fn carry(
    rest: &mut Vec<u8>,
    input: &[u8],
    mut walk: impl FnMut(&[u8]) -> Result<usize, Failure>,
) -> Result<(), Failure> {
    if rest.is_empty() {
        let finished = walk(input)?;
        rest.extend_from_slice(&input[finished..]);
    } else {
        rest.extend_from_slice(input);
        let finished = walk(rest)?;
        rest.drain(..finished);
    }
    if rest.is_empty() {
        // Rests are rare: a subscriber that once had one should not hold its memory for good.
        *rest = Vec::new();
    }
    if rest.len() > MAX_EVENT + 16 {
        return Err(Failure::Protocol("an event is larger than 16 MiB".into()));
    }
    Ok(())
}
