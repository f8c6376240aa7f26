//! The account of streams of one's own: what came in each, how it ended, and how long everything took.
//!
//! One a thread, reached through a thread-local like the desk of other phases; bodies are made before time
//! zero, so that judging an arrival is one comparison.

use std::cell::RefCell;

use results::LatencyHistogram;
use results::run::{Bytes, Ending, KernelCounts, Sockets};
use scenarios::session::{DONE_EVENT, End};
use scenarios::{Event, Moment, Scenario, Session};
use sha2::{Digest as _, Sha256};

use crate::contract::{Visit, Visited};
use crate::lanes::Arrival;
use crate::ledger::{Arrived, Ledger};

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

/// Begins an account of these clients.
pub fn begin(scenario: &Scenario, session: &Session, clients: std::ops::Range<u64>) {
    ACCOUNT.set(Some(Account::new(scenario, session, clients)));
}

/// Ends the account.
#[must_use]
pub fn end() -> Option<Visited> {
    ACCOUNT.take().map(Account::into_visited)
}

/// Name and body of an event.
type Expected = (Box<[u8]>, Box<[u8]>);

/// One client between events.
struct Client {
    /// Name and body of each event of its stream.
    events: Vec<Expected>,
    told: usize,
    visit: u32,
    /// When it asked.
    asked: Moment,
    /// Of the present stream, by place.
    ledger: Ledger,
    is_open: bool,
    last: Option<(u64, Moment)>,
    last_latency_ns: Option<u64>,
    knows_names: bool,
}

/// The account of one thread.
pub struct Account {
    first_client: u64,
    interval_ns: u64,
    /// Events of a stream, without the one that tells of its end.
    events: u64,
    clients: Vec<Client>,
    /// The bodies that client 0 got in its first stream.
    witness: Option<Sha256>,
    visited: Visited,
}

impl Account {
    fn new(scenario: &Scenario, session: &Session, clients: std::ops::Range<u64>) -> Self {
        let knows_names = scenario.identity == scenarios::Identity::IdEvent;
        let client = |client| {
            let event = |index| {
                let (name, body) = scenario.own_event(session, client, index);
                (name.as_bytes().into(), body.into())
            };
            let told = session.told(client);
            Client {
                events: (0..session.events(client)).map(event).collect(),
                told: session.told.iter().position(|one| *one == told).expect("it is one of them"),
                visit: 0,
                asked: Moment::default(),
                ledger: Ledger::default(),
                is_open: false,
                last: None,
                last_latency_ns: None,
                knows_names,
            }
        };
        let mut visited = Visited {
            endings: session.told.iter().map(|told| Ending::of(*told)).collect(),
            ..Visited::default()
        };
        for number in clients.clone() {
            let told = session.told(number);
            let ending = visited.endings.iter_mut().find(|ending| ending.told == told);
            ending.expect("there is one for each way").subscribers += 1;
        }
        Self {
            first_client: clients.start,
            interval_ns: scenario.interval_ns(),
            events: session.events.0,
            witness: (clients.start == 0).then(Sha256::new),
            clients: clients.map(client).collect(),
            visited,
        }
    }

    fn client(&mut self, client: u64) -> &mut Client {
        let index = usize::try_from(client - self.first_client).expect("an index of this fleet");
        &mut self.clients[index]
    }

    fn ending(&mut self, client: u64) -> &mut Ending {
        let told = self.client(client).told;
        &mut self.visited.endings[told]
    }

    /// A client asks now, and meant to at `due`. All times count from its asking: nothing that a server does
    /// makes it late, so its lateness is no part of what a server takes.
    pub fn asks(&mut self, client: u64, due: Moment, now: Moment) {
        self.visited.ask_lag.record(now.nanos_since(due));
        self.client(client).asked = now;
    }

    /// A client's stream is open, on a connection of its own if it is new.
    pub fn opened(&mut self, client: u64, now: Moment, is_new: bool) {
        let one = self.client(client);
        (one.ledger, one.is_open, one.last, one.last_latency_ns) = (Ledger::default(), true, None, None);
        let asked = one.asked;
        if is_new {
            self.visited.connect.record(now.nanos_since(asked));
            self.ending(client).connections += 1;
        }
        self.ending(client).streams += 1;
    }

    /// The sockets' options, of the first connection that tells.
    pub fn sockets(&mut self, sockets: Option<Sockets>) {
        self.visited.sockets = self.visited.sockets.take().or(sockets);
    }

    /// An event of a client's stream; whether it is the one that says that nothing follows.
    pub fn arrived(&mut self, client: u64, event: &Event<'_>, arrival: Arrival) -> bool {
        let interval_ns = self.interval_ns;
        let one = self.client(client);
        let place = event.seq().and_then(|id| id.checked_sub(1));
        let known = place.and_then(|place| Some((place, one.events.get(usize::try_from(place).ok()?)?)));
        let Some((place, (name, body))) = known else {
            self.visited.ledger.unexpected += 1;
            return false;
        };
        let is_right = *event.data == **body && event.name.is_none_or(|said| *said == **name);
        let is_right = is_right && event.name.is_some() == one.knows_names;
        let is_done = **name == *DONE_EVENT.as_bytes();
        let arrived = one.ledger.arrive(place);
        let is_first = one.visit == 0;
        let before = one.last.replace((place, arrival.read));
        // The one that says so leaves with the last of the others.
        let intended = one.asked.plus_nanos((place - u64::from(is_done)) * interval_ns);
        let latency_ns = arrival.read.nanos_since(intended);
        let last_latency_ns = one.last_latency_ns.replace(latency_ns);
        if client == 0
            && is_first
            && let Some(witness) = &mut self.witness
        {
            witness.update(&event.data);
        }
        let counts = &mut self.visited.ledger;
        match arrived {
            Arrived::Duplicate => counts.duplicated += 1,
            Arrived::Reordered | Arrived::First if !is_right => counts.corrupted += 1,
            Arrived::Reordered | Arrived::First => {
                counts.reordered += u64::from(arrived == Arrived::Reordered);
                counts.delivered += 1;
                let gap_ns = before.filter(|_| !is_done).map(|(_, at)| arrival.read.nanos_since(at));
                self.timed(latency_ns, last_latency_ns, gap_ns);
                if is_first && place == 0 {
                    self.visited.first_event.record(latency_ns);
                }
                let ending = self.ending(client);
                *(if is_first { &mut ending.first_events } else { &mut ending.repeated_events }) += 1;
            }
        }
        is_done
    }

    fn timed(&mut self, latency_ns: u64, before: Option<u64>, gap_ns: Option<u64>) {
        self.visited.latency.record(latency_ns);
        self.visited.latency_sum_ns += latency_ns;
        if let Some(before) = before {
            self.visited.jitter.record(latency_ns.abs_diff(before));
        }
        if let Some(gap_ns) = gap_ns {
            self.visited.gap.record(gap_ns);
        }
    }

    /// How long the events of one read waited for it, on a sampled connection: `read` after the kernel's
    /// stamp of the last of them; those before it came in as much earlier as they were to leave earlier.
    pub fn waited(&mut self, kernel: Moment, read: Moment, ids: &[u64]) {
        let due = |id: u64| id.min(self.events) * self.interval_ns;
        let last_ns = ids.last().map_or(0, |last| due(*last));
        for id in ids {
            let earlier_ns = last_ns.saturating_sub(due(*id));
            self.visited.pickup.record(read.nanos_since(kernel) + earlier_ns);
        }
    }

    /// A client knows at `now` that its stream is over, or was not opened: how it saw that.
    pub fn over(&mut self, client: u64, now: Moment, end: End, told_done: bool) {
        let word = word(end, told_done);
        *self.ending(client).seen.entry(word).or_default() += 1;
        let one = self.client(client);
        if !std::mem::take(&mut one.is_open) {
            return;
        }
        // To who leaves what it stayed for was addressed.
        let heard = one.last.map_or(0, |(place, _)| place + 1);
        let all = if end == End::Left { heard } else { one.events.len() as u64 };
        let asked = one.asked;
        let left = (end == End::Left).then_some(now);
        let lost: u64 = one.ledger.lost(all).iter().map(|gap| gap.end - gap.start).sum();
        let visit = Visit { client, visit: one.visit, received: all - lost, left };
        let last = one.last;
        one.visit += 1;
        self.visited.ledger.expected += all;
        self.visited.ledger.lost += lost;
        self.visited.latency.add_lost(lost);
        self.visited.visits.push(visit);
        if end == End::Left {
            return;
        }
        self.visited.completion.record(now.nanos_since(asked));
        if let Some((_, at)) = last {
            self.ending(client).knowing.record(now.nanos_since(at));
        }
    }

    /// A connection could not be opened, or did not become a stream.
    pub fn failed(&mut self, kind: &str, text: String) {
        let kind = self.visited.failures.entry(kind.to_owned()).or_insert_with(|| (0, text));
        kind.0 += 1;
    }

    /// What a client's connection carried when it is closed; `repeated` of it since its first stream was over.
    pub fn closed(&mut self, client: u64, bytes: Bytes, repeated: Bytes, kernel: (KernelCounts, u64)) {
        self.visited.bytes = self.visited.bytes + Bytes { connections: 1, ..bytes };
        self.visited.kernel = self.visited.kernel + kernel.0;
        self.visited.unread_bytes += kernel.1;
        let ending = self.ending(client);
        ending.repeated_down_bytes += repeated.received();
        ending.repeated_up_bytes += repeated.up + repeated.handshake_up;
    }

    fn into_visited(self) -> Visited {
        let hex = |hash: Sha256| hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Visited { witness_sha256: self.witness.map(hex), ..self.visited }
    }
}

/// How a client saw its stream end, in a word or two.
fn word(end: End, told_done: bool) -> String {
    match end {
        _ if told_done => "event `done`".to_owned(),
        End::Clean => "clean end".to_owned(),
        End::Closed(code) => format!("close {code}"),
        End::Status(status) => format!("status {status}"),
        End::Left => "left".to_owned(),
        End::Broken => "error".to_owned(),
    }
}

impl Visited {
    /// Adds what another fleet of the same lane saw.
    #[must_use]
    pub fn joined(mut self, other: Self) -> Self {
        self.ledger = self.ledger + other.ledger;
        let (ours, theirs) = (self.histograms(), other.histograms_of());
        ours.into_iter().zip(theirs).for_each(|(ours, theirs)| ours.merge(theirs));
        self.latency_sum_ns += other.latency_sum_ns;
        self.bytes = self.bytes + other.bytes;
        self.kernel = self.kernel + other.kernel;
        self.unread_bytes += other.unread_bytes;
        self.visits.extend(other.visits);
        self.endings.iter_mut().zip(&other.endings).for_each(|(ours, theirs)| ours.add(theirs));
        for (kind, (count, text)) in other.failures {
            self.failures.entry(kind).or_insert_with(|| (0, text)).0 += count;
        }
        self.witness_sha256 = self.witness_sha256.or(other.witness_sha256);
        self
    }

    fn histograms(&mut self) -> [&mut LatencyHistogram; 8] {
        let Self { latency, jitter, gap, connect, first_event, completion, ask_lag, pickup, .. } = self;
        [latency, jitter, gap, connect, first_event, completion, ask_lag, pickup]
    }

    const fn histograms_of(&self) -> [&LatencyHistogram; 8] {
        let Self { latency, jitter, gap, connect, first_event, completion, ask_lag, pickup, .. } = self;
        [latency, jitter, gap, connect, first_event, completion, ask_lag, pickup]
    }
}
