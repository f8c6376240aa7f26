//! What lies above TCP or TLS on a lean connection: one stream, or the streams of HTTP/2; still
//! opening, or open. No I/O.
//!
//! The seam between `lean.rs`, which knows sockets, and the wires: a carrier with streams is a variant
//! here, and no lane file.

use scenarios::{Carrier, Http2, Transport};

use super::decoder::Decoder;
use super::h2::{H2, Told};
use super::handshake::Handshake;
use super::scratch::Stamp;
use super::{Arrival, Bytes, Sink, Target};
use crate::failure::Failure;

/// A connection that is not open yet.
#[derive(Debug)]
pub enum Opening {
    /// It will be one stream.
    One(Handshake),
    /// It will carry streams.
    Many(Box<H2>),
}

/// A connection that was one stream, and is asked for it once more.
#[derive(Debug)]
pub struct Asking {
    handshake: Handshake,
    target: Target,
    request: Vec<u8>,
    received: Vec<u8>,
}

/// An open connection.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "most connections are one stream; a box would only add to it")]
pub enum Layer {
    /// It is one stream.
    One(Decoder),
    /// It carries streams.
    Many(Box<H2>),
    /// It is to be one stream once more.
    Again(Box<Asking>),
}

impl Opening {
    /// What opens a connection of so many streams, and what it says first.
    #[must_use]
    pub fn new(target: &Target) -> (Self, Vec<u8>) {
        match target.lane.carrier {
            Carrier::H1 | Carrier::Tcp => {
                let handshake = Handshake::new(target.lane);
                let request = handshake.request(target);
                (Self::One(handshake), request)
            }
            Carrier::H2 => {
                let mut h2 = H2::new(target);
                let first = std::mem::take(h2.outbox());
                (Self::Many(Box::new(h2)), first)
            }
        }
    }

    /// Takes the answer out of what was received, once it is complete; what came behind it stays.
    ///
    /// # Errors
    /// The answer is none, or not the one that opens the stream.
    pub fn accept(self, received: &mut Vec<u8>, target: &Target) -> Result<Result<Layer, Self>, Failure> {
        match self {
            Self::One(handshake) => Ok(match handshake.accept(received, target)? {
                None => Err(Self::One(handshake)),
                Some((head, wire)) => {
                    received.drain(..head);
                    Ok(Layer::One(Decoder::new(wire, head as u64)))
                }
            }),
            Self::Many(mut h2) => Ok(match h2.open(received)? {
                None => {
                    received.clear();
                    Err(Self::Many(h2))
                }
                Some(taken) => {
                    received.drain(..taken);
                    Ok(Layer::Many(h2))
                }
            }),
        }
    }

    /// What is to be sent before the connection can open.
    pub fn outbox(&mut self) -> Option<&mut Vec<u8>> {
        match self {
            Self::One(_) => None,
            Self::Many(h2) => Some(h2.outbox()),
        }
    }
}

impl Layer {
    /// Gives `sink` what these bytes complete; `end` is the place on the wire where TLS hides it.
    ///
    /// # Errors
    /// The connection is over.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        stamp: Stamp,
        end: Option<u64>,
        sink: &mut impl Sink,
    ) -> Result<(), Failure> {
        let arrival = |end_offset| {
            let end_offset = end.unwrap_or(end_offset);
            Arrival { read: stamp.read, kernel: stamp.kernel, end_offset }
        };
        match self {
            Self::One(decoder) => decoder.feed(bytes, |event, place| sink.event(0, event, arrival(place))),
            Self::Many(h2) => h2.feed(bytes, &mut |told| match told {
                Told::Open(stream) => sink.opened(stream),
                Told::Event(stream, event, place) => sink.event(stream, event, arrival(place)),
                Told::Over(stream, failure) => sink.over(stream, failure),
            }),
            Self::Again(asking) => {
                let Some((decoder, rest)) = asking.take(bytes)? else { return Ok(()) };
                *self = Self::One(decoder);
                sink.opened(0);
                self.feed(&rest, stamp, end, sink)
            }
        }
    }

    /// Bytes received by layer.
    #[must_use]
    pub fn counts(&self) -> Bytes {
        match self {
            Self::One(decoder) => decoder.counts(),
            Self::Many(h2) => h2.counts(),
            Self::Again(asking) => asking.counts(),
        }
    }

    /// What waits to be sent; the caller removes what it has sent.
    pub fn outbox(&mut self) -> Option<&mut Vec<u8>> {
        match self {
            Self::One(decoder) => decoder.outbox(),
            Self::Many(h2) => {
                h2.poll();
                Some(h2.outbox())
            }
            Self::Again(asking) => Some(&mut asking.request),
        }
    }

    /// What answers the peer's first words, and belongs to the handshake like them.
    pub fn reply(&mut self) -> Option<&mut Vec<u8>> {
        match self {
            Self::One(_) | Self::Again(_) => None,
            Self::Many(h2) => Some(h2.outbox()),
        }
    }

    /// From now on events have their exact place also where that costs something.
    pub fn pinpoint(&mut self) {
        match self {
            Self::One(decoder) => decoder.pinpoint(),
            Self::Many(h2) => h2.pinpoint(),
            // Streams of one's own are not compressed: every place is exact.
            Self::Again(_) => {}
        }
    }

    /// Its time has come; whether it must be told again.
    pub fn due(&mut self, unless: Option<u64>) -> bool {
        match self {
            Self::One(decoder) => decoder.due(unless),
            Self::Many(h2) => h2.due(unless),
            Self::Again(_) => false,
        }
    }

    /// Whether the answer to something it sent is awaited.
    #[must_use]
    pub fn is_asking(&self) -> bool {
        match self {
            Self::One(decoder) => decoder.is_asking(),
            Self::Many(h2) => h2.is_asking(),
            Self::Again(_) => false,
        }
    }

    /// Whether streams are still to open.
    #[must_use]
    pub fn is_opening(&self) -> bool {
        match self {
            Self::One(_) => false,
            Self::Many(h2) => h2.is_opening(),
            Self::Again(_) => true,
        }
    }

    /// The streams that have not been told to be over.
    #[must_use]
    pub fn live(&self) -> Vec<usize> {
        match self {
            Self::One(_) | Self::Again(_) => vec![0],
            Self::Many(h2) => h2.live().collect(),
        }
    }

    /// What this end told the other of HTTP/2.
    #[must_use]
    pub fn settings(&self) -> Option<Http2> {
        match self {
            Self::One(_) | Self::Again(_) => None,
            Self::Many(h2) => Some(h2.settings()),
        }
    }

    /// The code with which the server said goodbye, where there are such.
    #[must_use]
    pub const fn close_code(&self) -> Option<u16> {
        match self {
            Self::One(decoder) => decoder.close_code(),
            Self::Many(h2) => h2.close_code(),
            Self::Again(_) => None,
        }
    }

    /// The reconnection time that its stream asked for last, milliseconds.
    #[must_use]
    pub fn retry(&self) -> Option<u64> {
        match self {
            Self::One(decoder) => decoder.retry(),
            Self::Many(h2) => h2.retry(),
            Self::Again(_) => None,
        }
    }

    /// Whether its stream has come to an end that it tells itself, and did not just stop.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match self {
            Self::One(decoder) => decoder.is_complete(),
            Self::Many(h2) => h2.live().next().is_none(),
            Self::Again(_) => false,
        }
    }

    /// Says goodbye where the transport has words for it; whether the server then ends the connection.
    pub fn leave(&mut self, code: u16) -> bool {
        match self {
            Self::One(decoder) => decoder.leave(code),
            Self::Many(h2) => {
                h2.cancel();
                false
            }
            Self::Again(_) => false,
        }
    }

    /// From now on it lives on when its stream is over, to be asked again.
    pub const fn keep(&mut self) {
        match self {
            Self::Many(h2) => h2.keep(),
            Self::One(_) | Self::Again(_) => {}
        }
    }

    /// Asks for its stream once more, which is over; gives what is counted no longer, and `None` where this
    /// connection cannot be asked.
    pub fn again(&mut self, target: &Target) -> Option<Bytes> {
        match self {
            Self::One(decoder) if target.lane.transport == Transport::Sse => {
                let past = decoder.counts();
                *self = Self::Again(Box::new(Asking::new(target)));
                Some(past)
            }
            Self::Many(h2) => h2.again(&target.after).then(Bytes::default),
            Self::One(_) | Self::Again(_) => None,
        }
    }
}

impl Asking {
    fn new(target: &Target) -> Self {
        let handshake = Handshake::new(target.lane);
        let request = handshake.request(target);
        Self { handshake, request, target: target.clone(), received: Vec::new() }
    }

    /// Takes what was received; once the answer is complete, its decoder and what came behind it.
    fn take(&mut self, bytes: &[u8]) -> Result<Option<(Decoder, Vec<u8>)>, Failure> {
        self.received.extend_from_slice(bytes);
        let Some((head, wire)) = self.handshake.accept(&self.received, &self.target)? else {
            return Ok(None);
        };
        let rest = self.received.split_off(head);
        Ok(Some((Decoder::new(wire, head as u64), rest)))
    }

    /// An answer that is none yet, or not the one that opens the stream, is all handshake.
    fn counts(&self) -> Bytes {
        Bytes { handshake_down: self.received.len() as u64, ..Bytes::default() }
    }
}
