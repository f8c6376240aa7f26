//! The lean client: a bare socket, one scratch buffer a thread, and a decoder without I/O.
//!
//! Per subscriber it holds a socket, a decoder and no buffer; per delivery it costs one read, one
//! look at the clock and the decoding.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use nix::sys::socket::{setsockopt, sockopt::ReceiveTimestampns};
use tokio::io::{AsyncWrite as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::decoder::Decoder;
use super::handshake::Handshake;
use super::scratch::{Stamp, poll_read};
use super::{Arrival, Counts, Sink, Target};
use crate::dial::dial;
use crate::failure::Failure;

/// One open stream of the lean client.
#[derive(Debug)]
pub struct Lean {
    stream: TcpStream,
    decoder: Decoder,
    /// What came behind the handshake in its last read.
    early: Option<Box<(Vec<u8>, Stamp)>>,
    stamped: bool,
    up: u64,
    handshake_up: u64,
}

impl Lean {
    /// Connects and completes the handshake.
    ///
    /// # Errors
    /// No connection, or no valid handshake.
    pub async fn connect(target: &Target) -> Result<Self, Failure> {
        let mut stream = dial(target.address, target.source, &target.scenario).await?;
        let handshake = Handshake::new(target.lane.transport);
        let request = handshake.request(target);
        stream.write_all(&request).await?;
        let mut received = Vec::new();
        loop {
            let (length, stamp) = poll_fn(|context| {
                poll_read(&mut stream, false, context, |bytes, stamp| {
                    received.extend_from_slice(bytes);
                    (bytes.len(), stamp)
                })
            })
            .await?;
            if length == 0 {
                return Err(Failure::Protocol("the server closed before it answered".into()));
            }
            let Some((head, wire)) = handshake.accept(&received, &target.scenario)? else { continue };
            let early = received.split_off(head);
            return Ok(Self {
                stream,
                decoder: Decoder::new(wire, head as u64),
                early: (!early.is_empty()).then(|| Box::new((early, stamp))),
                stamped: false,
                up: 0,
                handshake_up: request.len() as u64,
            });
        }
    }

    /// Awaits one read and gives `sink` the events that it completes.
    ///
    /// # Errors
    /// [`Failure::Ended`] at the end of the stream; else what broke it.
    pub async fn next(&mut self, sink: &mut impl Sink) -> Result<(), Failure> {
        if let Some(early) = self.early.take() {
            return feed(&mut self.decoder, &early.0, early.1, sink);
        }
        poll_fn(|context| {
            self.flush(context)?;
            let Self { stream, decoder, stamped, .. } = self;
            let fed = ready!(poll_read(stream, *stamped, context, |bytes, stamp| {
                if bytes.is_empty() { Err(Failure::Ended) } else { feed(decoder, bytes, stamp, sink) }
            }))?;
            let flushed = self.flush(context);
            Poll::Ready(fed.and(flushed))
        })
        .await
    }

    /// Turns on the kernel's receive stamps.
    ///
    /// # Errors
    /// The kernel refuses the option.
    pub fn sample(&mut self) -> io::Result<()> {
        setsockopt(&self.stream, ReceiveTimestampns, &true)?;
        self.stamped = true;
        Ok(())
    }

    /// Bytes by layer so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let early = self.early.as_ref().map_or(0, |early| early.0.len() as u64);
        let mut counts = self.decoder.counts();
        counts.transport_framing += early;
        Counts { up: self.up, handshake_up: self.handshake_up, ..counts }
    }

    /// The socket.
    #[must_use]
    pub const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends what waits to be sent, as far as the socket takes it.
    fn flush(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        let Some(outbox) = self.decoder.outbox() else { return Ok(()) };
        while !outbox.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, outbox) {
                Poll::Pending => break,
                Poll::Ready(written) => {
                    let written = written?;
                    outbox.drain(..written);
                    self.up += written as u64;
                }
            }
        }
        Ok(())
    }
}

fn feed(decoder: &mut Decoder, bytes: &[u8], stamp: Stamp, sink: &mut impl Sink) -> Result<(), Failure> {
    decoder.feed(bytes, |event, end_offset| {
        sink.event(event, Arrival { read: stamp.read, kernel: stamp.kernel, end_offset });
    })
}
