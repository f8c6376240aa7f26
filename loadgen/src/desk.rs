//! Where the subscribers of one thread report: joining, arrivals, bytes, failures.
//!
//! One desk a thread, reached through a thread-local and never across an await, so that nothing is
//! locked and the subscribers' futures stay `Send` for a plain current-thread runtime.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use results::run::{Bytes, Sockets};
use scenarios::moment::realtime_ahead_nanos;
use scenarios::upstream::ECHO;
use scenarios::{Event, Moment};
use servers::allocations;
use tokio::sync::{Notify, OwnedSemaphorePermit};

use crate::contract::{Joined, Phase, SampledRead, Second};
use crate::expect::Expected;
use crate::failure::Failure;
use crate::lanes::{Arrival, Sink};
use crate::recorder::Recorder;
use crate::upward::Upward;

thread_local! {
    static DESK: RefCell<Desk> = RefCell::new(Desk::default());
}

/// Does something at this thread's desk.
pub fn at<T>(work: impl FnOnce(&mut Desk) -> T) -> T {
    DESK.with_borrow_mut(work)
}

#[derive(Default)]
struct Seat {
    began: Moment,
    open: bool,
    greeted: bool,
    counts: Option<Bytes>,
    port: Option<u16>,
    /// Its stream is over.
    gone: bool,
}

/// All that one thread knows of its subscribers.
#[derive(Default)]
pub struct Desk {
    seats: Vec<Seat>,
    /// The seats from here on are slow readers'.
    slow_from: Option<usize>,
    open: usize,
    waiting: usize,
    recorder: Option<Recorder>,
    upward: Option<Upward>,
    counts_at_arming: Bytes,
    allocations_at_arming: u64,
    joined: Joined,
    samples: Vec<SampledRead>,
    failures: BTreeMap<String, (u64, String)>,
    wanted: u64,
    woken: Arc<Notify>,
}

impl Desk {
    /// What is notified when all that was waited for has come.
    #[must_use]
    pub fn woken(&self) -> Arc<Notify> {
        Arc::clone(&self.woken)
    }

    /// From this seat on subscribers are slow readers.
    pub const fn slow_from(&mut self, seat: usize) {
        self.slow_from = Some(seat);
    }

    /// Makes room for more subscribers; gives the index of the first.
    pub fn admit(&mut self, count: usize) -> usize {
        let first = self.seats.len();
        self.seats.resize_with(first + count, Seat::default);
        self.waiting += count;
        first
    }

    /// Subscribers that are neither greeted nor failed yet.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Streams that are open.
    #[must_use]
    pub const fn open(&self) -> usize {
        self.open
    }

    /// Failures so far, by kind, with one example each.
    #[must_use]
    pub const fn failures(&self) -> &BTreeMap<String, (u64, String)> {
        &self.failures
    }

    /// A subscriber starts to connect.
    pub fn begins(&mut self, index: usize) {
        self.seats[index].began = Moment::now();
    }

    /// A subscriber's handshake is complete.
    pub fn opened(&mut self, index: usize, counts: Option<Bytes>, sockets: Option<Sockets>) {
        self.joined.connect.record(Moment::now().nanos_since(self.seats[index].began));
        self.seats[index].counts = counts.or(self.seats[index].counts);
        self.joined.sockets = self.joined.sockets.take().or(sockets);
        self.seats[index].open = true;
        self.open += 1;
    }

    /// A subscriber that is open waits for no greeting: its lane holds it back.
    pub fn needs_no_greeting(&mut self, index: usize) {
        self.no_longer_waits(index);
    }

    /// A subscriber takes receive stamps.
    pub fn sampled(&mut self, index: usize, port: u16) {
        self.seats[index].port = Some(port);
        self.joined.sampled_ports.push(port);
    }

    /// A subscriber could not open its stream, or lost it.
    pub fn failed(&mut self, index: usize, failure: &Failure) {
        let kind = self.failures.entry(failure.kind().to_owned()).or_insert_with(|| (0, failure.to_string()));
        kind.0 += 1;
        self.open -= usize::from(std::mem::take(&mut self.seats[index].open));
        self.seats[index].gone = true;
        if !self.seats[index].greeted {
            self.no_longer_waits(index);
        }
    }

    fn no_longer_waits(&mut self, index: usize) {
        self.seats[index].greeted = true;
        self.waiting -= 1;
        if self.waiting == 0 {
            self.woken.notify_one();
        }
    }

    #[inline]
    fn arrived(&mut self, index: usize, event: &Event<'_>, arrival: Arrival) {
        if !self.seats[index].greeted {
            self.joined.first_event.record(arrival.read.nanos_since(self.seats[index].began));
            return self.no_longer_waits(index);
        }
        if let Some(upward) = &mut self.upward
            && event.name == Some(ECHO.as_bytes())
        {
            upward.echoed(index, event, arrival.read);
            return self.look_for_the_wanted();
        }
        let Some(recorder) = &mut self.recorder else { return };
        let seq = recorder.arrive(index, event, arrival.read);
        self.look_for_the_wanted();
        if let (Some(seq), Some(stamp), Some(port)) = (seq, arrival.kernel, self.seats[index].port) {
            self.samples.push(SampledRead {
                port,
                seq,
                end_offset: arrival.end_offset,
                kernel: Moment::from_nanos(stamp.0.saturating_sub(realtime_ahead_nanos())),
                read: arrival.read,
                decoded: Moment::now(),
            });
        }
    }

    /// A message of a subscriber was due so long ago, ns; whether its connection took it.
    fn spoke(&mut self, index: usize, late_ns: u64, taken: bool) {
        if let Some(upward) = &mut self.upward {
            upward.spoke(index, late_ns, taken);
            self.look_for_the_wanted();
        }
    }

    fn look_for_the_wanted(&self) {
        if self.arrived_in_all() == self.wanted {
            self.woken.notify_one();
        }
    }

    fn arrived_in_all(&self) -> u64 {
        let delivered = self.recorder.as_ref().map_or(0, Recorder::arrived_in_all);
        delivered + self.upward.as_ref().map_or(0, Upward::settled)
    }

    /// Expects messages upward in the phase that is armed next, or none.
    pub fn expect_echoes(&mut self, upward: Option<Upward>) {
        self.upward = upward;
    }

    /// Expects a phase; the subscribers are numbered from `first_client` on.
    pub fn arm(&mut self, expected: Expected, name: Option<&[u8]>, first_client: u64) {
        self.counts_at_arming = self.counts();
        self.samples.clear();
        self.wanted = u64::MAX;
        self.recorder = Some(
            Recorder::new(expected, name, first_client..first_client + self.seats.len() as u64)
                .with_slow(self.slow_from),
        );
        self.allocations_at_arming = allocations::count();
    }

    /// Wakes the waiter once so many deliveries arrived; true if they have.
    pub fn want(&mut self, deliveries: u64) -> bool {
        self.wanted = deliveries;
        self.arrived_in_all() >= deliveries
    }

    /// Deliveries of the armed phase so far to subscribers that are not slow, and their p99.
    #[must_use]
    pub fn arrivals(&self) -> (u64, Option<u64>) {
        let p99 = self.recorder.as_ref().and_then(|recorder| recorder.latency().quantile(0.99));
        let delivered = self.recorder.as_ref().map_or(0, Recorder::arrived);
        (delivered + self.upward.as_ref().map_or(0, Upward::settled), p99)
    }

    /// Closes the armed phase; `None` when none is armed.
    pub fn close(&mut self, end_seq: u64) -> Option<Phase> {
        let allocations = allocations::count() - self.allocations_at_arming;
        let counts = self.counts();
        let mut recorder = self.recorder.take()?;
        let (ledger, slow) = recorder.close(end_seq);
        let sent = (counts - self.counts_at_arming).messages;
        let upward = self.upward.take();
        let echoed = upward.map(|upward| upward.close(end_seq, sent, |index| self.seats[index].gone));
        let blocks = recorder.blocks().iter().enumerate();
        Some(Phase {
            ledger,
            slow,
            blocks: blocks.map(|(index, count)| (*count, packed(&recorder, index))).collect(),
            latency: recorder.latency().clone(),
            jitter: recorder.jitter().clone(),
            bytes: self.shows_bytes().then(|| counts - self.counts_at_arming),
            received_sha256: recorder.received_sha256(),
            echoed,
            samples: std::mem::take(&mut self.samples),
            allocations,
            failures: self.failures.clone(),
        })
    }

    /// What connecting cost so far.
    #[must_use]
    pub fn joined(&self) -> Joined {
        let connections = self.seats.iter().filter(|seat| seat.counts.is_some()).count() as u64;
        let all = Bytes { connections, ..self.counts() };
        Joined { bytes: self.shows_bytes().then_some(all), ..self.joined.clone() }
    }

    fn shows_bytes(&self) -> bool {
        self.seats.iter().any(|seat| seat.counts.is_some())
    }

    fn counts(&self) -> Bytes {
        self.seats.iter().filter_map(|seat| seat.counts).sum()
    }
}

fn packed(recorder: &Recorder, block: usize) -> Vec<Second> {
    recorder.time_line(block).map(|(start, span, held)| Second::pack(start, span, held)).collect()
}

/// Where the events of one connection go: each stream is a subscriber, from this one on; the bytes are
/// the first one's.
pub struct Station {
    first: usize,
    /// The connection's place among those that a browser may hold.
    _turn: Option<OwnedSemaphorePermit>,
}

impl Station {
    /// Where the events for the subscribers from `first` on go.
    #[must_use]
    pub const fn new(first: usize, turn: Option<OwnedSemaphorePermit>) -> Self {
        Self { first, _turn: turn }
    }
}

impl Sink for Station {
    fn opened(&mut self, stream: usize) {
        at(|desk| desk.opened(self.first + stream, None, None));
    }

    #[inline]
    fn event(&mut self, stream: usize, event: &Event<'_>, arrival: Arrival) {
        at(|desk| desk.arrived(self.first + stream, event, arrival));
    }

    fn spoke(&mut self, stream: usize, late_ns: u64, taken: bool) {
        at(|desk| desk.spoke(self.first + stream, late_ns, taken));
    }

    #[inline]
    fn counted(&mut self, counts: Option<Bytes>) {
        at(|desk| desk.seats[self.first].counts = counts);
    }

    fn is_slow(&self) -> bool {
        at(|desk| desk.slow_from.is_some_and(|first| self.first >= first))
    }

    fn over(&mut self, stream: usize, failure: &Failure) {
        at(|desk| desk.failed(self.first + stream, failure));
    }
}
