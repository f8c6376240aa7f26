//! The client half of each transport, behind one seam: the fleet has one loop for every lane.
//!
//! Enum dispatch, so that nothing is boxed per event. The lean stack (`lean.rs`, read by `crowd.rs`, over
//! the sans-IO decoders `sse.rs`, `ws.rs`, `raw.rs`) counts every byte it reads; the ecosystem's own
//! stacks (`reqwest.rs`, `tungstenite.rs`) hide their bytes, and then nothing is reported for them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub use results::run::Bytes;
use results::run::Sockets;
use scenarios::{ClientStack, Event, Lane, Moment, Scenario};
use tokio_rustls::rustls::ClientConfig;

use crate::dial::facts;
use crate::failure::Failure;
use crowd::Crowd;
use voice::Voice;

pub mod base64;
pub mod chunked;
pub mod crowd;
pub mod decoder;
pub mod gunzip;
pub mod h2;
pub mod handshake;
pub mod layer;
pub mod lean;
pub mod poll;
pub mod post;
pub mod raw;
pub mod reqwest;
pub mod scratch;
pub mod sse;
pub mod sse_event;
pub mod tls;
pub mod tungstenite;
pub mod voice;
pub mod ws;

#[cfg(test)]
mod tests;

/// Bytes one read can return: one buffer a thread, the same size on every lean lane.
pub const READ_BUFFER: usize = 16 * 1024;

/// The largest event, message or frame a lean client takes; larger ones are a protocol error.
pub const MAX_EVENT: usize = 16 << 20;

/// Where a subscriber connects to, and as what.
#[derive(Clone, Debug)]
pub struct Target {
    /// The compared column: chooses transport and client stack.
    pub lane: Lane,
    /// The server.
    pub address: SocketAddr,
    /// The path to ask for, in place of the lane's own: where an event stream was redirected to.
    pub path: Option<Arc<str>>,
    /// The source address, where the ports of one do not suffice; `None` leaves it to the kernel.
    pub source: Option<IpAddr>,
    /// The number it names itself by.
    pub client: u64,
    /// Identity, envelope and socket options.
    pub scenario: Arc<Scenario>,
    /// Event streams that the connection is to carry.
    pub streams: usize,
    /// Whom to trust, on a lane inside TLS.
    pub tls: Option<Arc<ClientConfig>>,
    /// The id of the last event that it got in an earlier stream, for `Last-Event-ID`; empty for none.
    pub after: Vec<u8>,
}

/// The kernel's receive stamp of the last segment of a read: `CLOCK_REALTIME`, ns since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelStamp(pub u64);

/// When and where an event ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The clock, read once after each successful read.
    pub read: Moment,
    /// The kernel's stamp of that read, on sampled connections.
    pub kernel: Option<KernelStamp>,
    /// Bytes received on this connection, handshake included, up to and including the last byte of
    /// this event (inside a compressed body, on sampled connections exactly); 0 where the stack hides it.
    pub end_offset: u64,
}

/// What a connection's streams yield to: called synchronously and in order, and on lean lanes
/// without an allocation. Streams are numbered from 0; most connections are one.
pub trait Sink {
    /// A further stream of the connection is open; the first one opens with the connection.
    fn opened(&mut self, stream: usize);
    /// One complete event.
    fn event(&mut self, stream: usize, event: &Event<'_>, arrival: Arrival);
    /// A message of a stream's client was to be sent so late, ns; whether the client took it.
    fn spoke(&mut self, _stream: usize, _late_ns: u64, _taken: bool) {}
    /// After the events of a read: bytes of the connection by layer so far; `None` if the stack hides
    /// them.
    fn counted(&mut self, counts: Option<Bytes>);
    /// Whether it reads slowly when slow readers do.
    fn is_slow(&self) -> bool {
        false
    }
    /// Last of a stream: it is over, [`Failure::Ended`] if in good order.
    fn over(&mut self, stream: usize, failure: &Failure);
}

/// Hears nothing more: of a client that only waits for the end of its connection.
pub struct Deaf;

impl Sink for Deaf {
    fn opened(&mut self, _stream: usize) {}
    fn event(&mut self, _stream: usize, _event: &Event<'_>, _arrival: Arrival) {}
    fn counted(&mut self, _counts: Option<Bytes>) {}
    fn over(&mut self, _stream: usize, _failure: &Failure) {}
}

/// One open connection.
#[expect(clippy::large_enum_variant, reason = "nearly every subscriber is lean; a box would only add to it")]
pub enum Subscriber {
    /// This project's spec-exact decoders over a bare socket.
    Lean(lean::Lean),
    /// reqwest with eventsource-stream.
    Reqwest(reqwest::Reqwest),
    /// tokio-tungstenite with its defaults.
    Tungstenite(Box<tungstenite::Tungstenite>),
}

impl Subscriber {
    /// Connects and completes the handshake: response head, 101 or hello frame. What arrives behind
    /// it in the same read is delivered by the first [`Subscriber::next`].
    ///
    /// # Errors
    /// No connection, or no valid handshake.
    pub async fn connect(target: &Target) -> Result<Self, Failure> {
        Ok(match target.lane.client {
            ClientStack::Lean => Self::Lean(lean::Lean::connect(target).await?),
            ClientStack::Reqwest => Self::Reqwest(reqwest::Reqwest::connect(target).await?),
            ClientStack::Tungstenite => {
                Self::Tungstenite(Box::new(tungstenite::Tungstenite::connect(target).await?))
            }
        })
    }

    /// Gives `sink` every event until the stream is over: a lean stream is left to the crowd, any
    /// other is read here to its end.
    pub async fn attend<S: Sink + Send + 'static>(self, mut sink: S, crowd: &Crowd<S>) {
        let failure = match self {
            Self::Lean(lean) => return crowd.join(lean, sink),
            Self::Reqwest(mut reqwest) => loop {
                if let Err(failure) = reqwest.next(&mut sink).await {
                    break failure;
                }
            },
            Self::Tungstenite(mut tungstenite) => loop {
                if let Err(failure) = tungstenite.next(&mut sink).await {
                    break failure;
                }
            },
        };
        sink.over(0, &failure);
    }

    /// Gives it a voice to send messages with; the ecosystem's clients have none here.
    pub fn speak(&mut self, voice: Voice) {
        match self {
            Self::Lean(lean) => lean.speak(voice),
            Self::Reqwest(_) | Self::Tungstenite(_) => {}
        }
    }

    /// Turns on the kernel's receive stamps; false if the stack hides its socket.
    ///
    /// # Errors
    /// The kernel refuses the option.
    pub fn sample(&mut self) -> io::Result<bool> {
        match self {
            Self::Lean(lean) => lean.sample().map(|()| true),
            Self::Reqwest(_) | Self::Tungstenite(_) => Ok(false),
        }
    }

    /// Bytes by layer so far; `None` if the stack hides them.
    #[must_use]
    pub fn counts(&self) -> Option<Bytes> {
        match self {
            Self::Lean(lean) => Some(lean.counts()),
            Self::Reqwest(_) | Self::Tungstenite(_) => None,
        }
    }

    /// The local port; `None` if the stack hides its socket.
    #[must_use]
    pub fn local_port(&self) -> Option<u16> {
        let address = match self {
            Self::Lean(lean) => lean.stream().local_addr(),
            Self::Tungstenite(tungstenite) => tungstenite.stream().local_addr(),
            Self::Reqwest(_) => return None,
        };
        address.ok().map(|address| address.port())
    }

    /// The socket's options as the kernel has them, and the size of the read buffer; `None` if the
    /// stack hides its socket.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn sockets(&self) -> io::Result<Option<Sockets>> {
        match self {
            Self::Lean(lean) => {
                let facts = facts(lean.stream(), READ_BUFFER)?;
                Ok(Some(Sockets { tls: lean.agreed(), http2: lean.http2(), ..facts }))
            }
            Self::Tungstenite(tungstenite) => {
                facts(tungstenite.stream(), tungstenite.read_buffer()).map(Some)
            }
            Self::Reqwest(_) => Ok(None),
        }
    }
}
