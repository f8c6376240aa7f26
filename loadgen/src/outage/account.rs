//! The account of clients that come back: every event by what became of it, and every recovery by its parts.
//!
//! One a thread, reached through a thread-local like the desk of other phases. The parts of a recovery are
//! stamped as they happen; how long a client had been without is found again from the log of what arrived when
//! all is over (`account/closing.rs`, `recovery.rs`), so that the two check each other.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use results::run::outage::TICK_NS;
use results::run::{Bytes, Sockets};
use scenarios::{Event, Moment, Scenario};
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;

use super::recovery::{Episode, Log};
use crate::contract::Endured;
use crate::expect::Expected;
use crate::lanes::Arrival;
use crate::ledger::{Arrived, Ledger};

mod closing;

/// The name of the event that says what cannot be given.
const GAP: &[u8] = b"gap";

thread_local! {
    static ACCOUNT: RefCell<Option<Account>> = const { RefCell::new(None) };
}

/// Does something with this thread's account.
///
/// # Panics
/// None was begun.
pub fn at<T>(work: impl FnOnce(&mut Account) -> T) -> T {
    ACCOUNT.with_borrow_mut(|account| work(account.as_mut().expect("an account was begun")))
}

/// Begins an account of so many clients, to whom something happens so long behind time zero.
pub fn begin(scenario: &Scenario, broke_ns: u64, first: u64, count: u64) {
    ACCOUNT.set(Some(Account::new(scenario, broke_ns, first, count)));
}

/// Ends the account of the events below `end_seq`.
#[must_use]
pub fn end(end_seq: u64) -> Option<Endured> {
    ACCOUNT.take().map(|account| account.into_endured(end_seq))
}

/// One client.
#[derive(Default)]
struct Client {
    ledger: Ledger,
    /// What arrived when, and when streams were opened.
    log: Log,
    /// Events that it was told it cannot be given, and those that it missed because it began anew.
    gaps: Vec<Range<u64>>,
    anew: Vec<Range<u64>>,
    /// When the last event arrived.
    last: Moment,
    greeted: bool,
    /// Whether it has had a stream, and has one.
    open: bool,
    begun: Moment,
    /// When its last stream or attempt ended.
    idle: Moment,
    /// What it recovers from at present.
    episode: Option<Episode>,
    recovered: Vec<Episode>,
    /// Whether it has made an attempt since it broke.
    tried: bool,
    gone: bool,
    caught_up: Option<Moment>,
}

/// The account of one thread.
pub struct Account {
    first: u64,
    name: Vec<u8>,
    resumes: bool,
    start: Moment,
    /// When it breaks.
    breaks: Moment,
    broke_ns: u64,
    expected: Option<Expected>,
    clients: Vec<Client>,
    waiting: u64,
    open: usize,
    /// Clients that have all events there will be, or gave up, found by asking for the end.
    woken: Arc<Notify>,
    /// Latencies by [`TICK_NS`] of their arrival.
    ticks: Vec<Vec<u64>>,
    /// The bodies that the first client got, as long as it lost nothing.
    witness: Option<Sha256>,
    sockets: Option<Sockets>,
    endured: Endured,
}

impl Account {
    fn new(scenario: &Scenario, broke_ns: u64, first: u64, count: u64) -> Self {
        Self {
            first,
            name: scenario.event.clone().into_bytes(),
            resumes: scenario.outage.as_ref().is_some_and(|outage| outage.resume),
            start: Moment::default(),
            breaks: Moment::default(),
            broke_ns,
            expected: None,
            clients: (0..count).map(|_| Client::default()).collect(),
            waiting: count,
            open: 0,
            woken: Arc::default(),
            ticks: Vec::new(),
            witness: (first == 0).then(Sha256::new),
            sockets: None,
            endured: Endured::default(),
        }
    }

    fn client(&mut self, client: u64) -> &mut Client {
        let index = usize::try_from(client - self.first).expect("an index of this fleet");
        &mut self.clients[index]
    }

    /// What is notified when something came that may have been waited for.
    pub fn woken(&self) -> Arc<Notify> {
        Arc::clone(&self.woken)
    }

    /// Clients that are neither greeted nor failed.
    pub const fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Streams that are open.
    pub const fn open(&self) -> usize {
        self.open
    }

    /// Attempts to connect for the first time that failed, by kind.
    pub fn failures(&self) -> BTreeMap<String, (u64, String)> {
        let failed = self.endured.failed_attempts.iter();
        failed.map(|(kind, count)| (kind.clone(), (*count, kind.clone()))).collect()
    }

    /// From now on these events are expected.
    pub fn arm(&mut self, expected: Expected, start: Moment) {
        for client in &mut self.clients {
            client.ledger = Ledger::starting_at(expected.first_seq());
            client.log.greet(client.last, expected.first_seq());
        }
        self.endured = Endured::default();
        (self.expected, self.start) = (Some(expected), start);
        self.breaks = start.plus_nanos(self.broke_ns);
    }

    /// Whether every client has the last event below `end_seq`, or has given up.
    pub fn has_settled(&self, end_seq: u64) -> bool {
        self.clients
            .iter()
            .all(|client| client.gone || client.log.next() >= end_seq && client.episode.is_none())
    }

    /// A client begins an attempt, which was to be at `due`.
    pub fn begins(&mut self, client: u64, due: Moment, now: Moment) {
        let (start, breaks) = (self.start, self.breaks);
        let one = self.client(client);
        one.begun = now;
        let Some(episode) = &mut one.episode else { return };
        episode.waited_ns += now.nanos_since(one.idle);
        let is_first = episode.known >= breaks && !one.tried;
        one.tried |= is_first;
        episode.attempts += 1;
        self.endured.attempts += 1;
        let at = |moment: Moment| moment.nanos_since(start);
        if is_first {
            self.endured.first_attempts.push((at(due), at(now)));
        }
        self.endured.begun.push(at(now));
    }

    /// A client's attempt failed.
    pub fn failed(&mut self, client: u64, now: Moment, word: &str) {
        let one = self.client(client);
        one.idle = now;
        let begun = one.begun;
        if let Some(episode) = &mut one.episode {
            episode.tried_ns += now.nanos_since(begun);
        }
        *self.endured.failed_attempts.entry(word.to_owned()).or_default() += 1;
    }

    /// A client's stream is open; so many bytes have come and gone until here.
    pub fn opened(&mut self, client: u64, now: Moment, counts: Bytes) {
        self.open += 1;
        let due = self.expected.as_ref().and_then(|expected| expected.due(now));
        let start = self.start;
        let one = self.client(client);
        one.open = true;
        let Some(episode) = &mut one.episode else { return };
        one.log.opened(now);
        episode.tried_ns += now.nanos_since(one.begun);
        episode.opened(now, due, counts.handshake_down);
        let has_all = due.is_none_or(|due| due < one.log.next());
        self.endured.handshake_bytes += counts.handshake_down + counts.handshake_up;
        self.endured.opened.push(now.nanos_since(start));
        if has_all {
            self.recovered(client, now, counts.handshake_down);
        }
    }

    /// Keeps the options of the first connection.
    pub fn sockets(&mut self, read: impl FnOnce() -> Option<Sockets>) {
        if self.sockets.is_none() {
            self.sockets = read();
        }
    }

    /// A client noticed that its stream is over.
    pub fn lost(&mut self, client: u64, now: Moment, word: &str) {
        self.open -= 1;
        let is_armed = self.expected.is_some();
        let one = self.client(client);
        (one.open, one.idle) = (false, now);
        match &mut one.episode {
            // It had not all events yet: its last attempt failed after all.
            Some(episode) => {
                episode.relapse(now);
                *self.endured.failed_attempts.entry(format!("lost again: {word}")).or_default() += 1;
            }
            None if is_armed => {
                // A stream that opened when nothing had been missed ends the time without it, event or not.
                let last = one.caught_up.map_or(one.last, |at| at.max(one.last));
                one.episode = Some(Episode::begin(last, now));
                self.endured.disconnections += 1;
                *self.endured.noticed.entry(word.to_owned()).or_default() += 1;
            }
            None => {
                let failed = self.endured.failed_attempts.entry(format!("before time zero: {word}"));
                *failed.or_default() += 1;
            }
        }
    }

    /// A connection was given up for silence so late, ns.
    pub fn silent(&mut self, late_ns: u64) {
        self.endured.silence_late.record(late_ns);
    }

    /// A client stays away.
    pub fn gave_up(&mut self, client: u64, word: &str) {
        let one = self.client(client);
        one.gone = true;
        let greeted = std::mem::replace(&mut one.greeted, true);
        if !greeted {
            self.waiting -= 1;
        }
        *self.endured.gave_up.entry(word.to_owned()).or_default() += 1;
        self.woken.notify_one();
    }

    /// An event of a client's stream.
    pub fn arrived(&mut self, client: u64, event: &Event<'_>, arrival: Arrival) {
        let resumes = self.resumes;
        let index = usize::try_from(client - self.first).expect("an index of this fleet");
        let one = &mut self.clients[index];
        one.last = arrival.read;
        if !std::mem::replace(&mut one.greeted, true) {
            self.waiting -= 1;
            self.woken.notify_one();
        }
        let Some(expected) = &self.expected else { return };
        let Some(seq) = event.seq() else { return self.endured.ledger.unexpected += 1 };
        if let Some(episode) = &mut one.episode {
            let began = episode.hears(arrival.read);
            if began {
                self.endured.to_first_event.record(arrival.read.nanos_since(one.begun));
            }
            if began && !resumes && seq > one.log.next() {
                one.anew.push(one.log.next()..seq);
            }
        }
        if event.name == Some(GAP) {
            one.gaps.push(expected.first_seq().max(one.log.next())..seq + 1);
        } else if seq + 1 == expected.first_seq() {
            // Who begins anew before the first event is greeted as everybody was.
        } else if let Some(slot) = expected.slot(seq) {
            let is_right = *event.data == *slot.body && event.name == Some(&self.name);
            let arrived = one.ledger.arrive(seq);
            let late_ns = arrival.read.nanos_since(slot.intended);
            let counts = &mut self.endured.ledger;
            match arrived {
                Arrived::Duplicate => counts.duplicated += 1,
                Arrived::First | Arrived::Reordered if !is_right => counts.corrupted += 1,
                Arrived::First | Arrived::Reordered => {
                    counts.delivered += 1;
                    counts.reordered += u64::from(arrived == Arrived::Reordered);
                    let tick = arrival.read.nanos_since(self.start) / TICK_NS;
                    let tick = usize::try_from(tick).expect("a run of hours");
                    if self.ticks.len() <= tick {
                        self.ticks.resize_with(tick + 1, Vec::new);
                    }
                    self.ticks[tick].push(late_ns);
                    if let Some(episode) = &one.episode {
                        self.endured.replayed_events += u64::from(episode.was_due(seq));
                    }
                    if client == 0
                        && let Some(witness) = &mut self.witness
                    {
                        witness.update(&event.data);
                    }
                }
            }
        } else {
            return self.endured.ledger.unexpected += 1;
        }
        let one = &mut self.clients[index];
        one.log.arrived(arrival.read, seq);
        if one.episode.as_ref().is_some_and(|episode| episode.has_all(one.log.next())) {
            self.recovered(client, arrival.read, arrival.end_offset);
        }
        self.woken_at_the_end(seq);
    }

    /// Who waits for the end looks again when the last events come.
    fn woken_at_the_end(&self, seq: u64) {
        if self.expected.as_ref().is_some_and(|expected| expected.slot(seq + 1).is_none()) {
            self.woken.notify_one();
        }
    }

    /// A client has all events that were due when its stream opened; so many bytes of it had come by then.
    fn recovered(&mut self, client: u64, now: Moment, offset: u64) {
        let one = self.client(client);
        let Some(mut episode) = one.episode.take() else { return };
        let bytes = episode.catch_up(now, offset);
        one.caught_up = Some(episode.caught_up);
        one.recovered.push(episode);
        self.endured.replayed_bytes += bytes;
        self.woken.notify_one();
    }
}
