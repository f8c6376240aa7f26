//! The lean client: a bare socket, one scratch buffer a thread, and a decoder without I/O.
//!
//! Per subscriber it holds a socket, a decoder and no buffer; per delivery it costs one read, one
//! look at the clock and the decoding. Who waits for its socket is `crowd.rs`.

use std::io::{self, Write as _};
use std::net::TcpStream;

use nix::sys::socket::{setsockopt, sockopt::ReceiveTimestampns};
use tokio::io::{AsyncWriteExt as _, Interest};

use super::decoder::Decoder;
use super::handshake::Handshake;
use super::scratch::{self, Stamp};
use super::{Arrival, Counts, READ_BUFFER, Sink, Target};
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
            let stamp = stream
                .async_io(Interest::READABLE, || {
                    scratch::read(&stream, false, |bytes, stamp| {
                        received.extend_from_slice(bytes);
                        (!bytes.is_empty()).then_some(stamp)
                    })
                })
                .await?
                .ok_or_else(|| Failure::Protocol("the server closed before it answered".into()))?;
            let Some((head, wire)) = handshake.accept(&received, &target.scenario)? else { continue };
            let early = received.split_off(head);
            return Ok(Self {
                stream: stream.into_std()?,
                decoder: Decoder::new(wire, head as u64),
                early: (!early.is_empty()).then(|| Box::new((early, stamp))),
                stamped: false,
                up: 0,
                handshake_up: request.len() as u64,
            });
        }
    }

    /// Gives `sink` the events behind the handshake, then those of what the socket has: one read, and
    /// another only after one that filled the buffer, or when the peer is `over`. A read that does
    /// not fill the buffer emptied the socket, and asking the kernel again would be half of the cost
    /// of a delivery.
    ///
    /// # Errors
    /// [`Failure::Ended`] at the end of the stream; else what broke it.
    pub fn serve(&mut self, sink: &mut impl Sink, over: bool) -> Result<(), Failure> {
        if let Some(early) = self.early.take() {
            feed(&mut self.decoder, &early.0, early.1, sink)?;
        }
        self.flush()?;
        let Self { stream, decoder, stamped, .. } = self;
        let fed = loop {
            let taken = scratch::read(stream, *stamped, |bytes, stamp| match bytes.len() {
                0 => (Err(Failure::Ended), false),
                length => (feed(decoder, bytes, stamp, sink), over || length == READ_BUFFER),
            });
            match taken {
                Ok((Ok(()), true)) => {}
                Ok((fed, _)) => break fed,
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => break Ok(()),
                Err(err) => break Err(err.into()),
            }
        };
        let flushed = self.flush();
        fed.and(flushed)
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
    fn flush(&mut self) -> Result<(), Failure> {
        let Some(outbox) = self.decoder.outbox() else { return Ok(()) };
        while !outbox.is_empty() {
            match self.stream.write(outbox) {
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => break,
                written => {
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
