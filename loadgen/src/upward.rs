//! What one worker thread records of the messages that its subscribers send: what was due, what was
//! taken, which echoes came and after how long.
//!
//! A round trip is the echo's arrival minus the message's *intended* instant, so that neither a late
//! generator nor a connection that has to wait for an answer can hide (METHOD M2).

use results::LatencyHistogram;
use results::run::UpwardLedger;
use scenarios::upstream::{self, Account};
use scenarios::{Event, Moment, Scenario, Schedule, Senders, Upstream};
use serde::{Deserialize, Serialize};

/// The echoes of one block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EchoCount {
    /// Echoes that arrived.
    pub echoes: u64,
    /// Sum of their round trips, ns.
    pub round_trip_sum_ns: u64,
}

/// The account of one phase of messages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Echoed {
    /// The client's part of the account; the server's is added by whoever hears both.
    pub ledger: UpwardLedger,
    /// From the intended instant of a message to the arrival of its echo, ns.
    pub round_trip: LatencyHistogram,
    /// How late the generator offered a message to its connection, ns.
    pub lag: LatencyHistogram,
    /// By block.
    pub blocks: Vec<EchoCount>,
}

/// The record of one phase.
#[derive(Debug)]
pub struct Upward {
    start: Moment,
    first_client: u64,
    upstream: Upstream,
    /// The first seq behind each block, to tell which blocks were published.
    ends: Vec<u64>,
    bodies: Vec<Vec<u8>>,
    account: Account,
    /// Messages of each subscriber that were due.
    spoken: Vec<u64>,
    taken: u64,
    refused: u64,
    corrupted: u64,
    held: Echoed,
}

impl Upward {
    /// A record of the messages that go with a schedule.
    #[must_use]
    pub fn new(scenario: &Scenario, start: Moment, schedule: &Schedule, senders: Senders) -> Self {
        let upstream = Upstream::new(scenario, schedule, senders);
        let subscribers = usize::try_from(senders.subscribers).expect("subscribers in memory");
        Self {
            start,
            first_client: senders.first_client,
            ends: schedule.blocks().iter().map(|block| block.first_seq + block.events).collect(),
            bodies: upstream::bodies(scenario),
            account: Account::of(&upstream),
            spoken: vec![0; subscribers],
            taken: 0,
            refused: 0,
            corrupted: 0,
            held: Echoed { blocks: vec![EchoCount::default(); upstream.blocks()], ..Echoed::default() },
            upstream,
        }
    }

    /// A message was due so long ago, ns; whether its connection took it.
    pub fn spoke(&mut self, subscriber: usize, late_ns: u64, taken: bool) {
        self.held.lag.record(late_ns);
        self.spoken[subscriber] += 1;
        *(if taken { &mut self.taken } else { &mut self.refused }) += 1;
    }

    /// An echo was read.
    pub fn echoed(&mut self, subscriber: usize, event: &Event<'_>, read: Moment) {
        let client = self.first_client + subscriber as u64;
        let Some(number) = event.seq() else {
            self.account.unexpected += 1;
            return;
        };
        let Some(message) = self.account.enter(&self.upstream, client, number) else { return };
        if *event.data != *self.bodies[upstream::body_of(client, number)] {
            self.corrupted += 1;
            return;
        }
        let round_trip_ns = read.nanos_since(self.start.plus_nanos(message.intended_ns));
        self.held.round_trip.record(round_trip_ns);
        self.held.ledger.returned += 1;
        let block = &mut self.held.blocks[message.block];
        block.echoes += 1;
        block.round_trip_sum_ns += round_trip_ns;
    }

    /// Messages that nothing more is awaited of.
    #[must_use]
    pub const fn settled(&self) -> u64 {
        self.held.ledger.returned + self.corrupted + self.refused
    }

    /// Closes the account, when events below `end_seq` were published and `sent` messages written;
    /// `gone` says which subscribers lost their connection. What was not sent or came not back is a
    /// censored sample (METHOD M4).
    #[must_use]
    pub fn close(mut self, end_seq: u64, sent: u64, gone: impl Fn(usize) -> bool) -> Echoed {
        let blocks = self.ends.iter().filter(|end| **end <= end_seq).count();
        let expected = self.upstream.messages_in(blocks);
        let gone = |subscriber: usize| if gone(subscriber) { self.unspoken(subscriber, expected) } else { 0 };
        let unspoken: u64 = (0..self.spoken.len()).map(gone).sum();
        let ledger = &mut self.held.ledger;
        ledger.expected = expected;
        ledger.sent = sent;
        ledger.unsent = self.refused + self.taken.saturating_sub(sent) + unspoken;
        ledger.corrupted = self.corrupted;
        ledger.duplicated = self.account.duplicated;
        ledger.reordered = self.account.reordered;
        ledger.unexpected = self.account.unexpected;
        ledger.lost = sent.saturating_sub(ledger.returned + ledger.corrupted);
        self.held.round_trip.add_lost(expected.saturating_sub(ledger.returned + ledger.corrupted));
        self.held
    }

    /// Messages below `expected` that a subscriber was never asked for.
    fn unspoken(&self, subscriber: usize, expected: u64) -> u64 {
        let client = self.first_client + subscriber as u64;
        self.upstream.of_client(client, expected).saturating_sub(self.spoken[subscriber])
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use scenarios::{Arrivals, Block};

    fn record() -> Upward {
        let fields = [("upstream".to_owned(), "10".to_owned())];
        let (_, scenario) = Scenario::load("smoke", &fields).unwrap();
        let block =
            Block { lane: 0, round: 0, start_ns: 0, span_ns: 1_000_000_000, first_seq: 1, events: 50 };
        let schedule = Schedule::new(Arrivals::Constant, 1, vec![block]);
        let senders = Senders { first_client: 40, subscribers: 2, first: 0 };
        Upward::new(&scenario, Moment::from_nanos(0), &schedule, senders)
    }

    /// Ten messages each of two clients; the echoes of the first as `edit` left them.
    fn account(edit: impl Fn(&mut Vec<(u64, Vec<u8>)>)) -> Echoed {
        let mut record = record();
        for subscriber in 0..2 {
            (0..10).for_each(|_| record.spoke(subscriber, 1_000, true));
            let body = |number| record.bodies[upstream::body_of(40 + subscriber as u64, number)].clone();
            let mut echoes: Vec<(u64, Vec<u8>)> = (0..10).map(|number| (number, body(number))).collect();
            if subscriber == 0 {
                edit(&mut echoes);
            }
            for (number, body) in &echoes {
                let id = number.to_string();
                let event = Event { id: Some(id.as_bytes()), name: Some(b"echo"), data: Cow::Borrowed(body) };
                let intended = record.upstream.find(40 + subscriber as u64, *number);
                let intended = intended.map_or(0, |message| message.intended_ns);
                record.echoed(subscriber, &event, Moment::from_nanos(intended + 2_000_000));
            }
        }
        record.close(51, 20, |_| false)
    }

    #[test]
    fn what_is_planted_is_counted_as_exactly_one() {
        let sound = UpwardLedger { expected: 20, sent: 20, returned: 20, ..UpwardLedger::default() };
        type Edit = fn(&mut Vec<(u64, Vec<u8>)>);
        let cases: [(&str, Edit, UpwardLedger); 6] = [
            ("nothing", |_| {}, sound),
            ("lost", |e| drop(e.remove(4)), UpwardLedger { returned: 19, lost: 1, ..sound }),
            ("duplicated", |e| e.insert(4, e[4].clone()), UpwardLedger { duplicated: 1, ..sound }),
            ("swapped", |e| e.swap(4, 5), UpwardLedger { reordered: 1, ..sound }),
            ("corrupted", |e| e[4].1[3] ^= 1, UpwardLedger { returned: 19, corrupted: 1, ..sound }),
            ("unscheduled", |e| e.push((99, vec![])), UpwardLedger { unexpected: 1, ..sound }),
        ];
        for (planted, edit, ledger) in cases {
            assert_eq!(account(edit).ledger, ledger, "{planted}");
        }
    }

    #[test]
    fn a_round_trip_counts_from_the_intended_instant_and_loss_is_censored() {
        let echoed = account(|echoes| drop(echoes.remove(4)));
        let p50 = echoed.round_trip.quantile(0.5).unwrap();
        assert!((1_999_000..=2_001_000).contains(&p50), "{p50}");
        assert_eq!(echoed.round_trip.quantile(0.99), None, "one of twenty never came");
        assert_eq!(echoed.blocks, [EchoCount { echoes: 19, round_trip_sum_ns: 19 * 2_000_000 }]);
    }

    #[test]
    fn what_could_not_be_sent_is_counted_by_its_reason() {
        let mut record = record();
        (0..10).for_each(|number| record.spoke(0, 0, number < 7));
        (0..4).for_each(|_| record.spoke(1, 0, true));
        // Of the 11 that were taken one still waits; the second client went after four.
        let ledger = record.close(51, 10, |subscriber| subscriber == 1).ledger;
        assert_eq!((ledger.expected, ledger.sent, ledger.unsent), (20, 10, 3 + 1 + 6));
    }
}
