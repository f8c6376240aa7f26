//! What one worker thread records of the arrivals of its subscribers.
//!
//! Owned by its thread: no lock, channel, allocation or formatting per event (DESIGN 3.8). Latency
//! is the arrival minus the *intended* instant, so a late publisher cannot hide (METHOD M2).

use std::ops::Range;

use hdrhistogram::Histogram;
use results::LatencyHistogram;
use results::run::{Ledger as Totals, Slow};
use scenarios::{Event, Moment};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::expect::{Expected, Slot};
use crate::ledger::{Arrived, Ledger};

/// What is known of one subscriber between events.
#[derive(Clone, Debug)]
struct Account {
    /// By the place of an event among those of the topic.
    ledger: Ledger,
    topic: u32,
    last_latency_ns: Option<u64>,
}

/// Arrivals of one block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockCount {
    /// Deliveries that arrived.
    pub deliveries: u64,
    /// Sum of their latencies, ns.
    pub latency_sum_ns: u64,
}

/// The record of one phase.
#[derive(Debug)]
pub struct Recorder {
    expected: Expected,
    name: Option<Box<[u8]>>,
    accounts: Vec<Account>,
    counts: Totals,
    /// The slow readers are the subscribers from here on; their deliveries are kept apart.
    slow_from: usize,
    slow: Slow,
    latency: LatencyHistogram,
    jitter: LatencyHistogram,
    blocks: Vec<BlockCount>,
    slices: Vec<Histogram<u32>>,
    /// The first subscriber that gets the first event, and the bodies it received.
    witness: Option<(usize, Sha256)>,
}

impl Recorder {
    /// A record of `expected` for these clients; `name` is the event name they must see.
    #[must_use]
    pub fn new(expected: Expected, name: Option<&[u8]>, clients: Range<u64>) -> Self {
        let account = |client| Account {
            ledger: Ledger::starting_at(0),
            topic: expected.heard_by(client),
            last_latency_ns: None,
        };
        let witness = Some(expected.first_hearer()).filter(|client| clients.contains(client));
        let witness = witness.and_then(|client| usize::try_from(client - clients.start).ok());
        let slice = Histogram::new_with_bounds(1, results::latency::MAX_NS, 2).expect("the bounds are valid");
        let blocks = expected.slices().iter().map(|slice| slice.0 + 1).max().unwrap_or(0);
        Self {
            name: name.map(Into::into),
            accounts: clients.map(account).collect(),
            counts: Totals::default(),
            slow_from: usize::MAX,
            slow: Slow::default(),
            latency: LatencyHistogram::default(),
            jitter: LatencyHistogram::default(),
            blocks: vec![BlockCount::default(); blocks],
            slices: vec![slice; expected.slices().len()],
            witness: witness.map(|index| (index, Sha256::new())),
            expected,
        }
    }

    /// The same, in which the subscribers from this one on are slow readers.
    #[must_use]
    pub fn with_slow(self, slow_from: Option<usize>) -> Self {
        Self { slow_from: slow_from.unwrap_or(usize::MAX), ..self }
    }

    /// Enters an event that `subscriber` finished reading at `read`; gives its sequence number back
    /// when it was scheduled.
    #[inline]
    pub fn arrive(&mut self, subscriber: usize, event: &Event<'_>, read: Moment) -> Option<u64> {
        let seq = match event.id {
            Some(_) => event.seq(),
            None => {
                let Account { ledger, topic, .. } = &self.accounts[subscriber];
                let likely = self.expected.at(*topic, ledger.next()).unwrap_or(u64::MAX);
                self.expected.seq_of(&event.data, likely)
            }
        };
        let account = &mut self.accounts[subscriber];
        let addressed = |slot: &&Slot| slot.topic.is_none_or(|topic| topic == account.topic);
        let slot = seq.and_then(|seq| Some((seq, self.expected.slot(seq).filter(addressed)?)));
        let Some((seq, slot)) = slot else {
            let is_new = !self.expected.is_earlier(seq);
            self.counts_of(subscriber).unexpected += u64::from(is_new);
            return None;
        };
        let counts = if subscriber < self.slow_from { &mut self.counts } else { &mut self.slow.ledger };
        match account.ledger.arrive(slot.place) {
            Arrived::Duplicate => {
                counts.duplicated += 1;
                return Some(seq);
            }
            Arrived::Reordered => counts.reordered += 1,
            Arrived::First => {}
        }
        if let Some((_, bodies)) = self.witness.as_mut().filter(|(index, _)| *index == subscriber) {
            bodies.update(&event.data);
        }
        if *event.data != *slot.body || event.name != self.name.as_deref() {
            counts.corrupted += 1;
            return Some(seq);
        }
        let latency_ns = read.nanos_since(slot.intended);
        counts.delivered += 1;
        if subscriber >= self.slow_from {
            self.slow.latency.record(latency_ns);
            return Some(seq);
        }
        self.latency.record(latency_ns);
        if let Some(last) = account.last_latency_ns.replace(latency_ns) {
            self.jitter.record(latency_ns.abs_diff(last));
        }
        let block = &mut self.blocks[slot.block];
        block.deliveries += 1;
        block.latency_sum_ns += latency_ns;
        self.slices[slot.slice].saturating_record(latency_ns.max(1));
        Some(seq)
    }

    fn counts_of(&mut self, subscriber: usize) -> &mut Totals {
        if subscriber < self.slow_from { &mut self.counts } else { &mut self.slow.ledger }
    }

    /// The same with those to slow readers.
    #[must_use]
    pub const fn arrived_in_all(&self) -> u64 {
        self.arrived() + self.slow.ledger.delivered + self.slow.ledger.corrupted
    }

    /// Deliveries that arrived so far at subscribers that are not slow, corrupted ones included.
    #[must_use]
    pub const fn arrived(&self) -> u64 {
        self.counts.delivered + self.counts.corrupted
    }

    /// The account of all subscribers, when events below `end` were published. Lost events become
    /// censored samples of the latency (METHOD M4). Slow readers stand in the account of all, and beside
    /// it in one of their own.
    pub fn close(&mut self, end: u64) -> (Totals, Option<Slow>) {
        for (subscriber, account) in self.accounts.iter().enumerate() {
            let places = self.expected.places(account.topic, end);
            let lost = account.ledger.lost(places);
            let is_fast = subscriber < self.slow_from;
            let counts = if is_fast { &mut self.counts } else { &mut self.slow.ledger };
            counts.lost += lost.iter().map(|gap| gap.end - gap.start).sum::<u64>();
            counts.expected += places;
        }
        self.latency.add_lost(self.counts.lost);
        self.slow.latency.add_lost(self.slow.ledger.lost);
        self.slow.subscribers = self.accounts.len().saturating_sub(self.slow_from) as u64;
        (self.counts + self.slow.ledger, (self.slow.subscribers > 0).then(|| self.slow.clone()))
    }

    /// SHA-256 over the bodies that the first hearer of the first event received, in their order, hex;
    /// `None` if it is not among these subscribers.
    #[must_use]
    pub fn received_sha256(&self) -> Option<String> {
        let (_, bodies) = self.witness.as_ref()?;
        Some(bodies.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Latencies from the intended instants.
    #[must_use]
    pub const fn latency(&self) -> &LatencyHistogram {
        &self.latency
    }

    /// Changes of latency between neighbouring events of a subscriber.
    #[must_use]
    pub const fn jitter(&self) -> &LatencyHistogram {
        &self.jitter
    }

    /// Arrivals by block.
    #[must_use]
    pub fn blocks(&self) -> &[BlockCount] {
        &self.blocks
    }

    /// The time line of one block: start and length of each second, ns after time zero, and the
    /// latencies of the events intended in it.
    pub fn time_line(&self, block: usize) -> impl Iterator<Item = (u64, u64, &Histogram<u32>)> {
        let seconds = self.expected.slices().iter().zip(&self.slices);
        seconds
            .filter(move |((of, _, _), _)| *of == block)
            .map(|((_, start_ns, span_ns), held)| (*start_ns, *span_ns, held))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use scenarios::{Arrivals, Block, Payload, Scenario, Schedule};

    const EVENTS: u64 = 10;

    fn recorder(audience: &str) -> Recorder {
        let fields = [("audience", audience), ("subscribers", "2")].map(|(k, v)| (k.into(), v.into()));
        let (_, scenario) = Scenario::load("smoke", &fields).unwrap();
        let block =
            Block { lane: 0, round: 0, start_ns: 0, span_ns: 500_000_000, first_seq: 1, events: EVENTS };
        let schedule = Schedule::new(Arrivals::Constant, 1, vec![block]);
        let expected = Expected::new(&scenario, &Payload::Ticker, Moment::from_nanos(0), &schedule);
        Recorder::new(expected, Some(b"quote"), 0..2)
    }

    /// Every event of every subscriber, 3 ms after its intended instant, as `edit` left the list.
    fn deliver(edit: impl Fn(&mut Vec<(u64, Vec<u8>)>)) -> (Totals, Recorder) {
        let mut recorder = recorder("all");
        let mut events: Vec<(u64, Vec<u8>)> =
            (1..=EVENTS).map(|seq| (seq, Payload::Ticker.body(1, seq))).collect();
        for subscriber in 0..2 {
            if subscriber == 1 {
                edit(&mut events);
            }
            for (seq, body) in &events {
                let id = seq.to_string();
                let event =
                    Event { id: Some(id.as_bytes()), name: Some(b"quote"), data: Cow::Borrowed(body) };
                recorder.arrive(subscriber, &event, Moment::from_nanos((seq - 1) * 50_000_000 + 3_000_000));
            }
        }
        (recorder.close(EVENTS + 1).0, recorder)
    }

    #[test]
    fn what_is_planted_is_counted_as_exactly_one() {
        let sound = Totals { expected: 20, delivered: 20, ..Totals::default() };
        type Edit = fn(&mut Vec<(u64, Vec<u8>)>);
        let cases: [(&str, Edit, Totals); 6] = [
            ("nothing", |_| {}, sound),
            ("lost", |e| drop(e.remove(4)), Totals { delivered: 19, lost: 1, ..sound }),
            ("duplicated", |e| e.insert(4, e[4].clone()), Totals { duplicated: 1, ..sound }),
            ("swapped", |e| e.swap(4, 5), Totals { reordered: 1, ..sound }),
            ("corrupted", |e| e[4].1[3] ^= 1, Totals { delivered: 19, corrupted: 1, ..sound }),
            ("unscheduled", |e| e.push((99, vec![])), Totals { unexpected: 1, ..sound }),
        ];
        for (planted, edit, counts) in cases {
            let (totals, _) = deliver(edit);
            assert_eq!(totals, counts, "{planted}");
            assert_eq!(totals.closes(), planted != "unscheduled", "{planted}");
        }
    }

    /// Two subscribers of one room each: one gets its own events, the other everything.
    #[test]
    fn an_event_of_another_room_is_unexpected_and_the_ledger_closes_by_room() {
        let mut recorder = recorder("each");
        let mine = |client: u64, seq: &u64| recorder_addressing().topic_of(*seq) == Some(client);
        let own: Vec<u64> = (1..=EVENTS).filter(|seq| mine(0, seq)).collect();
        let others = EVENTS - own.len() as u64;
        assert!(!own.is_empty() && others > 0);
        let mut arrive = |client: usize, seq: u64| {
            let (id, body) = (seq.to_string(), Payload::Ticker.body(1, seq));
            let event = Event { id: Some(id.as_bytes()), name: Some(b"quote"), data: Cow::Borrowed(&body) };
            recorder.arrive(client, &event, Moment::from_nanos(seq * 50_000_000)).is_some()
        };
        let came = own.iter().filter(|seq| arrive(0, **seq)).count();
        let came_too = (1..=EVENTS).filter(|seq| arrive(1, *seq)).count() as u64;
        assert_eq!((came, came_too), (own.len(), others));
        let totals = recorder.close(EVENTS + 1).0;
        let expected =
            Totals { expected: EVENTS, delivered: EVENTS, unexpected: own.len() as u64, ..Totals::default() };
        assert_eq!(totals, expected);
        assert!(!totals.closes());
    }

    fn recorder_addressing() -> scenarios::Addressing {
        scenarios::Addressing::new(scenarios::Audience::Each, 1, 2)
    }

    #[test]
    fn latency_counts_from_the_intended_instant_and_loss_is_censored() {
        let (_, recorder) = deliver(|events| drop(events.remove(9)));
        let p50 = recorder.latency().quantile(0.5).unwrap();
        assert!((2_998_000..=3_002_000).contains(&p50), "{p50}");
        assert_eq!(recorder.latency().quantile(0.99), None, "one of twenty never came");
        assert_eq!(recorder.jitter().quantile(0.99), Some(0));
        assert_eq!(recorder.blocks()[0], BlockCount { deliveries: 19, latency_sum_ns: 19 * 3_000_000 });
        assert_eq!(recorder.time_line(0).map(|second| second.2.len()).sum::<u64>(), 19);
    }
}
