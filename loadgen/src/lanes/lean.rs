//! The lean client: a bare socket, one scratch buffer a thread, TLS if asked for, and a decoder
//! without I/O.
//!
//! Per subscriber it holds a socket, a decoder and no buffer; per delivery it costs one read, one
//! look at the clock and the decoding. Who waits for its socket is `crowd.rs`.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use nix::sys::socket::{setsockopt, sockopt::ReceiveTimestampns};
use scenarios::Http2;
use tokio::io::{AsyncWriteExt as _, Interest};

use super::layer::{Layer, Opening};
use super::scratch::{self, Stamp};
use super::tls::Tls;
use super::voice::Voice;
use super::{Bytes, READ_BUFFER, Sink, Target};
use crate::dial::dial;
use crate::failure::Failure;

mod messages;

/// One open connection of the lean client.
#[derive(Debug)]
pub struct Lean {
    stream: TcpStream,
    tls: Option<Box<Secured>>,
    layer: Layer,
    /// Bytes that wait for the socket.
    outgoing: Vec<u8>,
    /// What came behind the handshake in its last read.
    early: Option<Box<(Vec<u8>, Stamp)>>,
    stamped: bool,
    clients: Range<u64>,
    /// What it sends messages with; a client that sends none has no memory here.
    voice: Option<Box<Voice>>,
    up: u64,
    handshake_up: u64,
    /// Bytes of its streams before the present one.
    past: Bytes,
}

impl AsRawFd for Lean {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}

/// TLS, and what of it belongs to handshakes.
#[derive(Debug)]
struct Secured {
    tls: Tls,
    overhead: u64,
    records: u64,
}

impl Lean {
    /// Connects and completes the handshakes.
    ///
    /// # Errors
    /// No connection, or no valid handshake.
    pub async fn connect(target: &Target) -> Result<Self, Failure> {
        let mut stream = dial(target.address, target.source, &target.scenario).await?;
        let (mut opening, mut outgoing) = Opening::new(target);
        let mut tls = None;
        if let Some(config) = &target.tls {
            let request = std::mem::take(&mut outgoing);
            let secured = tls.insert(Tls::new(Arc::clone(config), target.address.ip(), request)?);
            outgoing.append(secured.sealed());
        }
        let (mut received, mut handshake_up) = (Vec::new(), 0);
        let (mut layer, stamp) = loop {
            stream.write_all(&outgoing).await?;
            handshake_up += outgoing.len() as u64;
            let stamp = read_answer(&stream, tls.as_mut(), &mut received).await?;
            opening = match opening.accept(&mut received, target)? {
                Ok(layer) => break (layer, stamp),
                Err(opening) => opening,
            };
            outgoing = sealed(opening.outbox(), tls.as_mut())?;
        };
        // What answers the server's first words belongs to the handshake too.
        outgoing = sealed(layer.reply(), tls.as_mut())?;
        stream.write_all(&outgoing).await?;
        handshake_up += outgoing.len() as u64;
        let tls = tls.map(|tls| {
            let (overhead, records) = (tls.overhead(), tls.records());
            Box::new(Secured { tls, overhead, records })
        });
        Ok(Self {
            stream: stream.into_std()?,
            tls,
            layer,
            outgoing: Vec::new(),
            early: (!received.is_empty()).then(|| Box::new((received, stamp))),
            stamped: false,
            clients: target.client..target.client + target.streams as u64,
            voice: None,
            up: 0,
            handshake_up,
            past: Bytes::default(),
        })
    }

    /// Gives `sink` the events behind the handshake, then those of what the socket has: one read, and
    /// another only after one that filled the buffer, or when the peer is `over`. A read that does
    /// not fill the buffer emptied the socket, and asking the kernel again would be half of the cost
    /// of a delivery.
    ///
    /// # Errors
    /// [`Failure::Ended`] at the end of the stream; else what broke it.
    pub fn serve(&mut self, sink: &mut impl Sink, over: bool) -> Result<(), Failure> {
        self.read(sink, |length| over || length == READ_BUFFER)
    }

    /// The same with one read only.
    ///
    /// # Errors
    /// As [`Lean::serve`].
    pub fn sip(&mut self, sink: &mut impl Sink) -> Result<(), Failure> {
        self.read(sink, |_| false)
    }

    /// Reads as long as `again` says so of the length of the last read.
    fn read(&mut self, sink: &mut impl Sink, again: impl Fn(usize) -> bool) -> Result<(), Failure> {
        let opening = self.layer.is_opening();
        let before = self.tls.as_ref().map(|secured| (secured.tls.overhead(), secured.tls.records()));
        if let Some(early) = self.early.take() {
            let end = self.tls.as_ref().map(|secured| secured.tls.received());
            self.layer.feed(&early.0, early.1, end, sink)?;
        }
        self.flush(opening)?;
        let Self { stream, tls, layer, stamped, .. } = self;
        let fed = loop {
            let taken = scratch::read(stream, *stamped, |bytes, stamp| match (bytes.len(), &mut *tls) {
                (0, None) => (Err(Failure::Ended), false),
                (0, Some(secured)) => (Err(secured.tls.at_eof()), false),
                (length, tls) => {
                    let fed = match tls {
                        None => layer.feed(bytes, stamp, None, sink),
                        Some(secured) => {
                            secured.tls.open(bytes, |plain, end| layer.feed(plain, stamp, Some(end), sink))
                        }
                    };
                    (fed, again(length))
                }
            });
            match taken {
                Ok((Ok(()), true)) => {}
                Ok((fed, _)) => break fed,
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => break Ok(()),
                Err(err) => break Err(err.into()),
            }
        };
        let flushed = self.flush(opening);
        if opening && let Some((secured, before)) = self.tls.as_mut().zip(before) {
            secured.overhead += secured.tls.overhead() - before.0;
            secured.records += secured.tls.records() - before.1;
        }
        fed.and(flushed)
    }

    /// Its time has come: asks for what is newer, on a lane that polls at an interval; see
    /// [`Ask::unless`](scenarios::Ask). Whether it will have to be told again.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn due(&mut self, unless: Option<u64>) -> Result<bool, Failure> {
        let again = self.layer.due(unless);
        self.flush(false).map(|()| again)
    }

    /// Turns on the kernel's receive stamps.
    ///
    /// # Errors
    /// The kernel refuses the option.
    pub fn sample(&mut self) -> io::Result<()> {
        setsockopt(&self.stream, ReceiveTimestampns, &true)?;
        self.stamped = true;
        self.layer.pinpoint();
        Ok(())
    }

    /// Bytes by layer so far.
    #[must_use]
    pub fn counts(&self) -> Bytes {
        let early = self.early.as_ref().map_or(0, |early| early.0.len() as u64);
        let mut counts = self.past + self.layer.counts();
        counts.transport_framing += early;
        if let Some(Secured { tls, overhead, records }) = self.tls.as_deref() {
            counts.transport_framing += tls.unfinished();
            counts.handshake_down += overhead;
            counts.tls += tls.overhead() - overhead;
            counts.tls_records += tls.records() - records;
        }
        let counts = Bytes { up: self.up, handshake_up: self.handshake_up, ..counts };
        self.voice.as_ref().map_or(counts, |voice| counts + voice.counts())
    }

    /// The socket.
    #[must_use]
    pub const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// What TLS agreed on, inside TLS.
    #[must_use]
    pub fn agreed(&self) -> Option<String> {
        self.tls.as_ref().map(|secured| secured.tls.agreed())
    }

    /// What this end told the other of HTTP/2.
    #[must_use]
    pub fn http2(&self) -> Option<Http2> {
        self.layer.settings()
    }

    /// The code with which the server said goodbye, where there are such.
    #[must_use]
    pub const fn close_code(&self) -> Option<u16> {
        self.layer.close_code()
    }

    /// The reconnection time that its stream asked for last, milliseconds.
    #[must_use]
    pub fn retry(&self) -> Option<u64> {
        self.layer.retry()
    }

    /// Whether its stream has come to an end that it tells itself, and did not just stop.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.layer.is_complete()
    }

    /// From now on it lives on when its stream is over, to be asked [again](Self::again).
    pub const fn keep(&mut self) {
        self.layer.keep();
    }

    /// Asks for its stream once more, which is over; false if this connection cannot be asked.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn again(&mut self, target: &Target) -> Result<bool, Failure> {
        let Some(past) = self.layer.again(target) else { return Ok(false) };
        self.past = self.past + past;
        self.flush(true).map(|()| true)
    }

    /// Leaves: says goodbye with a code on a WebSocket, and true then, because the server ends the
    /// connection; resets what is open of HTTP/2. What else there is to do is to close the socket.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn leave(&mut self, code: u16) -> Result<bool, Failure> {
        let awaits_the_end = self.layer.leave(code);
        self.flush(false).map(|()| awaits_the_end)
    }

    /// The streams that have not been told to be over.
    #[must_use]
    pub fn live(&self) -> Vec<usize> {
        self.layer.live()
    }

    /// Sends what waits to be sent, as far as the socket takes it; while streams are `opening` it
    /// belongs to the handshake.
    fn flush(&mut self, opening: bool) -> Result<(), Failure> {
        let Self { stream, tls, layer, outgoing, up, handshake_up, .. } = self;
        // Only when nothing waits, so that the layer sees how much the peer does not read.
        if outgoing.is_empty() {
            *outgoing = sealed(layer.outbox(), tls.as_mut().map(|secured| &mut secured.tls))?;
        }
        while !outgoing.is_empty() {
            match stream.write(outgoing) {
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => break,
                written => {
                    let written = written?;
                    outgoing.drain(..written);
                    *(if opening { &mut *handshake_up } else { &mut *up }) += written as u64;
                }
            }
        }
        Ok(())
    }
}

/// Awaits one read of the server's answer and adds it to what was received.
pub(super) async fn read_answer(
    stream: &tokio::net::TcpStream,
    mut tls: Option<&mut Tls>,
    received: &mut Vec<u8>,
) -> Result<Stamp, Failure> {
    let mut take = |bytes: &mut [u8], stamp: Stamp| {
        if bytes.is_empty() {
            return Err(Failure::Protocol("the server closed before it answered".into()));
        }
        let mut add = |plain: &[u8]| received.extend_from_slice(plain);
        match &mut tls {
            None => add(bytes),
            Some(tls) => tls.open(bytes, |plain, _| {
                add(plain);
                Ok(())
            })?,
        }
        Ok(stamp)
    };
    stream.async_io(Interest::READABLE, || scratch::read(stream, false, &mut take)).await?
}

/// Takes what waits to be sent, inside TLS as its records.
fn sealed(outbox: Option<&mut Vec<u8>>, tls: Option<&mut Tls>) -> Result<Vec<u8>, Failure> {
    let plain = outbox.map(std::mem::take).unwrap_or_default();
    let Some(tls) = tls else { return Ok(plain) };
    if !plain.is_empty() {
        tls.seal(plain)?;
    }
    Ok(std::mem::take(tls.sealed()))
}
