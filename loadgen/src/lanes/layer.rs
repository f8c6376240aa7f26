//! What lies above TCP or TLS on a lean connection: one stream, or the streams of HTTP/2; still
//! opening, or open. No I/O.
//!
//! The seam between `lean.rs`, which knows sockets, and the wires: a carrier with streams is a variant
//! here, and no lane file.

use scenarios::{Carrier, Http2};

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

/// An open connection.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "most connections are one stream; a box would only add to it")]
pub enum Layer {
    /// It is one stream.
    One(Decoder),
    /// It carries streams.
    Many(Box<H2>),
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
        }
    }

    /// Bytes received by layer.
    #[must_use]
    pub fn counts(&self) -> Bytes {
        match self {
            Self::One(decoder) => decoder.counts(),
            Self::Many(h2) => h2.counts(),
        }
    }

    /// What waits to be sent; the caller removes what it has sent.
    pub fn outbox(&mut self) -> Option<&mut Vec<u8>> {
        match self {
            Self::One(decoder) => decoder.outbox(),
            Self::Many(h2) => Some(h2.outbox()),
        }
    }

    /// What answers the peer's first words, and belongs to the handshake like them.
    pub fn reply(&mut self) -> Option<&mut Vec<u8>> {
        match self {
            Self::One(_) => None,
            Self::Many(h2) => Some(h2.outbox()),
        }
    }

    /// From now on events have their exact place also where that costs something.
    pub fn pinpoint(&mut self) {
        match self {
            Self::One(decoder) => decoder.pinpoint(),
            Self::Many(h2) => h2.pinpoint(),
        }
    }

    /// Its time has come; whether it must be told again.
    pub fn due(&mut self, unless: Option<u64>) -> bool {
        match self {
            Self::One(decoder) => decoder.due(unless),
            Self::Many(_) => false,
        }
    }

    /// Whether the answer to something it sent is awaited.
    #[must_use]
    pub fn is_asking(&self) -> bool {
        match self {
            Self::One(decoder) => decoder.is_asking(),
            Self::Many(h2) => h2.is_asking(),
        }
    }

    /// Whether streams are still to open.
    #[must_use]
    pub fn is_opening(&self) -> bool {
        match self {
            Self::One(_) => false,
            Self::Many(h2) => h2.is_opening(),
        }
    }

    /// The streams that have not been told to be over.
    #[must_use]
    pub fn live(&self) -> Vec<usize> {
        match self {
            Self::One(_) => vec![0],
            Self::Many(h2) => h2.live().collect(),
        }
    }

    /// What this end told the other of HTTP/2.
    #[must_use]
    pub fn settings(&self) -> Option<Http2> {
        match self {
            Self::One(_) => None,
            Self::Many(h2) => Some(h2.settings()),
        }
    }
}
