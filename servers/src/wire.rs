//! A stream that counts what passes: bytes, writing system calls, and moments on sampled connections.
//!
//! The counters are the lane's, relaxed atomics, and the sample is looked up only when the set of
//! sampled ports changed, so that a connection pays one load and three additions a write.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

use scenarios::Moment;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use crate::allocations;
use crate::contract::{SampledWrites, SocketFacts, Totals};
pub use open::Open;

mod open;

type Log = Arc<Mutex<Vec<(u64, Moment)>>>;

/// What passed through the connections of one listener.
#[derive(Debug, Default)]
pub struct Meter {
    accepted: AtomicU64,
    open: AtomicU64,
    writes: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    /// Raised whenever `rare.wanted` changes.
    sampling: AtomicU64,
    /// Single bytes that leave apart, before each write: a fault on purpose.
    apart: AtomicU64,
    idle: Notify,
    rare: Mutex<Rare>,
    connections: Open,
}

#[derive(Debug, Default)]
struct Rare {
    wanted: BTreeSet<u16>,
    logs: Vec<(u16, Log)>,
    refused: BTreeMap<String, u64>,
    sockets: Option<SocketFacts>,
}

impl Meter {
    fn rare(&self) -> MutexGuard<'_, Rare> {
        self.rare.lock().expect("no holder of this lock panics")
    }

    /// Records the writes of the connections from these ports, those that live and those to come.
    pub fn sample(&self, peers: &[u16]) {
        self.rare().wanted.extend(peers);
        self.sampling.fetch_add(1, Relaxed);
    }

    /// Lets connections to come write so many single bytes apart before each write.
    pub fn write_apart(&self, bytes: u64) {
        self.apart.store(bytes, Relaxed);
    }

    /// Counts a connection or request that was refused.
    pub fn refuse(&self, reason: &str) {
        *self.rare().refused.entry(reason.to_owned()).or_default() += 1;
    }

    /// Keeps the options of the first accepted connection.
    pub fn first_socket(&self, facts: impl FnOnce() -> SocketFacts) {
        if self.accepted.load(Relaxed) == 0 {
            self.rare().sockets.get_or_insert_with(facts);
        }
    }

    /// The connections themselves.
    #[must_use]
    pub const fn connections(&self) -> &Open {
        &self.connections
    }

    /// Connections open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.open.load(Relaxed)
    }

    /// Waits until no connection is open.
    pub async fn idle(&self) {
        loop {
            let closed = self.idle.notified();
            if self.open() == 0 {
                return;
            }
            closed.await;
        }
    }

    /// All counters; the losses are the hub's.
    #[must_use]
    pub fn totals(&self, (events_dropped, slow_subscribers): (u64, u64)) -> Totals {
        let rare = self.rare();
        let writes_of = |log: &Log| log.lock().expect("no holder of this lock panics").clone();
        Totals {
            accepted: self.accepted.load(Relaxed),
            open: self.open(),
            events_dropped,
            slow_subscribers,
            hub_peak_bytes: 0,
            writes: self.writes.load(Relaxed),
            allocations: allocations::count_all(),
            bytes_sent: self.sent.load(Relaxed),
            bytes_received: self.received.load(Relaxed),
            refused: rare.refused.clone(),
            samples: rare
                .logs
                .iter()
                .map(|(peer_port, log)| SampledWrites { peer_port: *peer_port, writes: writes_of(log) })
                .collect(),
            sockets: rare.sockets.clone(),
        }
    }
}

/// A connection whose traffic is counted.
#[derive(Debug)]
pub struct Metered<S> {
    stream: S,
    meter: Arc<Meter>,
    peer_port: u16,
    descriptor: RawFd,
    /// Bytes written since accept.
    offset: u64,
    /// Single bytes to be written apart, and those of them that are left before the next whole write.
    apart: [u64; 2],
    /// The value of `Meter::sampling` at the last look.
    looked: u64,
    log: Option<Log>,
}

impl<S> Metered<S> {
    /// Counts the traffic of an accepted connection.
    pub fn new(stream: S, meter: Arc<Meter>, peer_port: u16) -> Self
    where
        S: AsRawFd,
    {
        meter.accepted.fetch_add(1, Relaxed);
        meter.open.fetch_add(1, Relaxed);
        let descriptor = stream.as_raw_fd();
        meter.connections.enter(descriptor);
        let apart = [meter.apart.load(Relaxed); 2];
        Self { stream, meter, peer_port, descriptor, offset: 0, apart, looked: 0, log: None }
    }

    /// How much of so many bytes may leave at once.
    const fn part(&self, length: usize) -> usize {
        if self.apart[1] > 0 && length > 1 { 1 } else { length }
    }

    /// The moment before a write, on a sampled connection.
    fn before_write(&mut self) -> Option<Moment> {
        let sampling = self.meter.sampling.load(Relaxed);
        if sampling != self.looked {
            self.looked = sampling;
            self.look_up();
        }
        self.log.as_ref().map(|_| Moment::now())
    }

    #[cold]
    fn look_up(&mut self) {
        let mut rare = self.meter.rare();
        if self.log.is_none() && rare.wanted.contains(&self.peer_port) {
            let log = Log::default();
            rare.logs.push((self.peer_port, Arc::clone(&log)));
            self.log = Some(log);
        }
    }

    fn after_write(&mut self, before: Option<Moment>, written: usize) {
        self.offset += written as u64;
        if self.apart[0] > 0 {
            self.apart[1] = if self.apart[1] > 0 { self.apart[1] - 1 } else { self.apart[0] };
        }
        self.meter.writes.fetch_add(1, Relaxed);
        self.meter.sent.fetch_add(written as u64, Relaxed);
        if let (Some(log), Some(moment)) = (&self.log, before) {
            log.lock().expect("no holder of this lock panics").push((self.offset, moment));
        }
    }
}

impl<S> Drop for Metered<S> {
    /// The stream closes behind this.
    fn drop(&mut self) {
        self.meter.connections.leave(self.descriptor);
        if self.meter.open.fetch_sub(1, Relaxed) == 1 {
            self.meter.idle.notify_waiters();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        this.meter.received.fetch_add((buf.filled().len() - before) as u64, Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let before = this.before_write();
        let buf = &buf[..this.part(buf.len())];
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, buf))?;
        this.after_write(before, written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let before = this.before_write();
        let first = if this.apart[1] > 0 { bufs.iter().find(|buf| !buf.is_empty()) } else { None };
        let stream = Pin::new(&mut this.stream);
        let written = ready!(match first {
            Some(first) => stream.poll_write(cx, &first[..1]),
            None => stream.poll_write_vectored(cx, bufs),
        })?;
        this.after_write(before, written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
