//! Messages from client to server: who is meant to send which, and when; a pure function of the
//! scenario and the lane's schedule, like events downward.
//!
//! All subscribers of a process take turns in a seeded order, evenly spaced over the time in which the
//! lane publishes, so that no two send at once and a block may hold less than one message a subscriber.
//! Nothing is re-based (METHOD M1). A message is `number LF body`; who sends it, the connection or the
//! request says.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and nanoseconds of a run stay far below 2^53"
)]

use serde::{Deserialize, Serialize};

use crate::envelope::decimal;
use crate::lane::{ClientStack, Lane, ServerStack};
use crate::scenario::Scenario;
use crate::schedule::Schedule;
use crate::seed::SplitMix;

/// The event name of an echo, on every lane.
pub const ECHO: &str = "echo";

/// The largest body of a message, bytes.
pub const MESSAGE_BYTES: u64 = 32 * 1024;

/// Different bodies there are; a message takes the next one each time.
const BODIES: u64 = 512;

/// Who sends in one phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Senders {
    /// The number of this process's first subscriber.
    pub first_client: u64,
    /// Its subscribers, numbered from there.
    pub subscribers: u64,
    /// The number of everyone's first message in this phase.
    pub first: u64,
}

/// One message that is meant to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its place among all messages of the phase, in order of time.
    pub index: u64,
    /// The number of the client that sends it.
    pub client: u64,
    /// The sender's own number for it.
    pub number: u64,
    /// When, ns after time zero.
    pub intended_ns: u64,
    /// In which block of the schedule.
    pub block: usize,
}

/// The messages of one phase of one process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Upstream {
    interval_ns: f64,
    first: u64,
    first_client: u64,
    /// Who sends at each turn, and each one's turn.
    turns: Vec<u64>,
    turn_of: Vec<u64>,
    /// `(publishing time before it, start, span)` of each block, ns.
    blocks: Vec<(u64, u64, u64)>,
    messages: u64,
}

impl Upstream {
    /// The messages that go with a schedule.
    #[must_use]
    pub fn new(scenario: &Scenario, schedule: &Schedule, senders: Senders) -> Self {
        let mut turns: Vec<u64> = (0..senders.subscribers).collect();
        SplitMix::new(scenario.seed, 0x0075_7073).shuffle(&mut turns);
        let mut turn_of = vec![0; turns.len()];
        (0..).zip(&turns).for_each(|(turn, who)| turn_of[*who as usize] = turn);
        let (mut blocks, mut before) = (Vec::new(), 0);
        for block in schedule.blocks() {
            blocks.push((before, block.start_ns, block.span_ns));
            before += block.span_ns;
        }
        let interval_ns = 1e9 / (scenario.upstream * senders.subscribers as f64);
        let mut all = Self {
            interval_ns,
            first: senders.first,
            first_client: senders.first_client,
            turns,
            turn_of,
            blocks,
            messages: 0,
        };
        all.messages = all.until(before);
        all
    }

    /// Messages of the phase.
    #[must_use]
    pub const fn messages(&self) -> u64 {
        self.messages
    }

    /// The most messages that one subscriber sends.
    #[must_use]
    pub fn most(&self) -> u64 {
        self.messages.div_ceil((self.turns.len() as u64).max(1))
    }

    /// Blocks of the schedule.
    #[must_use]
    pub const fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Messages of the first `blocks` blocks.
    #[must_use]
    pub fn messages_in(&self, blocks: usize) -> u64 {
        self.blocks.get(blocks).map_or(self.messages, |block| self.until(block.0))
    }

    /// The message at this place.
    #[must_use]
    pub fn at(&self, index: u64) -> Option<Message> {
        if index >= self.messages {
            return None;
        }
        let active_ns = self.active_ns(index);
        let block = self.blocks.partition_point(|block| block.0 <= active_ns) - 1;
        let (before, start, _) = self.blocks[block];
        let subscribers = self.turns.len() as u64;
        Some(Message {
            index,
            client: self.first_client + self.turns[(index % subscribers) as usize],
            number: self.first + index / subscribers,
            intended_ns: start + active_ns - before,
            block,
        })
    }

    /// The message that a client calls by this number, if it is meant to be sent.
    #[must_use]
    pub fn find(&self, client: u64, number: u64) -> Option<Message> {
        let turn = self.turn_of.get(usize::try_from(client.checked_sub(self.first_client)?).ok()?)?;
        let round = number.checked_sub(self.first).filter(|round| *round < self.messages)?;
        self.at(round * self.turns.len() as u64 + turn)
    }

    /// How many of the first `messages` messages a client sends.
    #[must_use]
    pub fn of_client(&self, client: u64, messages: u64) -> u64 {
        let who = usize::try_from(client - self.first_client).expect("subscribers in memory");
        let subscribers = self.turns.len() as u64;
        (messages + subscribers - 1 - self.turn_of[who]) / subscribers
    }

    /// Publishing time before a message: half an interval behind the block's start for the first.
    fn active_ns(&self, index: u64) -> u64 {
        ((index as f64 + 0.5) * self.interval_ns) as u64
    }

    /// Messages in so much publishing time.
    fn until(&self, active_ns: u64) -> u64 {
        if self.turns.is_empty() {
            return 0;
        }
        let near = (active_ns as f64 / self.interval_ns - 0.5).ceil().max(0.0) as u64;
        let near = if near > 0 && self.active_ns(near - 1) >= active_ns { near - 1 } else { near };
        near + u64::from(self.active_ns(near) < active_ns)
    }
}

impl Lane {
    /// Whether its clients can send messages upward: this project's own server and client do.
    #[must_use]
    pub fn talks(self) -> bool {
        let ours = self.server == ServerStack::Tuned && self.client == ClientStack::Lean;
        // What is held back would hold the echoes back.
        ours && !self.transport.polls() && !self.holds_back()
    }
}

/// The bodies that messages take in turn.
#[must_use]
pub fn bodies(scenario: &Scenario) -> Vec<Vec<u8>> {
    (0..BODIES).map(|seq| scenario.upstream_payload.body(scenario.seed, seq)).collect()
}

/// Which of the bodies a message has.
#[must_use]
pub fn body_of(client: u64, number: u64) -> usize {
    ((client.wrapping_mul(31).wrapping_add(number)) % BODIES) as usize
}

/// Writes what tells a message from others of its sender.
#[must_use]
pub fn head(number: u64) -> String {
    format!("{number}\n")
}

/// Reads a message: its number and its body.
#[must_use]
pub fn read(message: &[u8]) -> Option<(u64, &[u8])> {
    let end = message.iter().position(|byte| *byte == b'\n')?;
    Some((decimal(&message[..end])?, &message[end + 1..]))
}

/// Which messages of a phase came, once or again, in the order of their sender or not. Both ends keep
/// one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    came: Vec<u64>,
    next: Vec<u64>,
    /// Came again.
    pub duplicated: u64,
    /// Came after a later one of the same sender.
    pub reordered: u64,
    /// Came without being meant to be sent.
    pub unexpected: u64,
}

impl Account {
    /// An account of these messages.
    #[must_use]
    pub fn of(upstream: &Upstream) -> Self {
        let words = usize::try_from(upstream.messages.div_ceil(64)).expect("bits of messages in memory");
        Self { came: vec![0; words], next: vec![0; upstream.turns.len()], ..Self::default() }
    }

    /// Enters what came; the message, when it is the first time. One of an earlier phase was lost there,
    /// and counts in none.
    pub fn enter(&mut self, upstream: &Upstream, client: u64, number: u64) -> Option<Message> {
        if number < upstream.first {
            return None;
        }
        let Some(message) = upstream.find(client, number) else {
            self.unexpected += 1;
            return None;
        };
        let (word, bit) = ((message.index / 64) as usize, 1 << (message.index % 64));
        if self.came[word] & bit != 0 {
            self.duplicated += 1;
            return None;
        }
        self.came[word] |= bit;
        let next = &mut self.next[(client - upstream.first_client) as usize];
        self.reordered += u64::from(number < *next);
        *next = (number + 1).max(*next);
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Arrivals, Block};
    use proptest::prelude::*;

    fn upstream(rate: &str, subscribers: u64) -> Upstream {
        let fields = [("upstream", rate)].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let (_, scenario) = Scenario::load("smoke", &fields).unwrap();
        let block = |round: u64| Block {
            lane: 0,
            round,
            start_ns: round * 2_000_000_000,
            span_ns: 500_000_000,
            first_seq: 1 + round,
            events: 1,
        };
        let schedule = Schedule::new(Arrivals::Constant, 1, (0..4).map(block).collect());
        Upstream::new(&scenario, &schedule, Senders { first_client: 100, subscribers, first: 7 })
    }

    #[test]
    fn everyone_has_a_turn_and_nobody_sends_with_another() {
        let upstream = upstream("4", 5);
        assert_eq!((upstream.messages(), upstream.most()), (40, 8));
        let all: Vec<Message> = (0..40).map(|index| upstream.at(index).unwrap()).collect();
        assert_eq!(all[0].intended_ns, 25_000_000);
        assert_eq!((all[10].intended_ns, all[10].block), (2_025_000_000, 1));
        assert!(all.windows(2).all(|pair| pair[0].intended_ns < pair[1].intended_ns));
        for who in 100..105 {
            let own: Vec<u64> = all.iter().filter(|one| one.client == who).map(|one| one.number).collect();
            for (first, sent) in [(0, 0), (11, 11), (40, 40)] {
                let of_first = all[..first].iter().filter(|one| one.client == who).count() as u64;
                assert_eq!(upstream.of_client(who, sent), of_first);
            }
            assert_eq!(own, (7..15).collect::<Vec<_>>());
        }
        assert_eq!([0, 1, 4, 9].map(|blocks| upstream.messages_in(blocks)), [0, 10, 40, 40]);
        assert_eq!((upstream.at(40), upstream.find(105, 7), upstream.find(100, 6)), (None, None, None));
    }

    #[test]
    fn what_is_planted_is_counted_as_exactly_one() {
        let upstream = upstream("4", 5);
        let count = |numbers: &[u64]| {
            let mut account = Account::of(&upstream);
            let came = numbers.iter().filter(|n| account.enter(&upstream, 103, **n).is_some()).count();
            (came, account.duplicated, account.reordered, account.unexpected)
        };
        assert_eq!(count(&[7, 8, 9, 10]), (4, 0, 0, 0));
        assert_eq!(count(&[7, 9, 10]), (3, 0, 0, 0));
        assert_eq!(count(&[7, 8, 8, 9]), (3, 1, 0, 0));
        assert_eq!(count(&[7, 9, 8, 10]), (4, 0, 1, 0));
        assert_eq!(count(&[7, 99]), (1, 0, 0, 1));
        assert_eq!(count(&[6, 7]), (1, 0, 0, 0), "one that comes too late for its phase");
    }

    #[test]
    fn a_message_reads_back() {
        assert_eq!(read(b"12\nhello\nyou"), Some((12, &b"hello\nyou"[..])));
        assert_eq!((read(b"hello"), read(b"\nhello"), read(b"x\nhello")), (None, None, None));
    }

    proptest! {
        #[test]
        fn every_message_is_found_by_its_name(rate in 1u32..600, subscribers in 1u64..50) {
            let upstream = upstream(&(f64::from(rate) / 10.0).to_string(), subscribers);
            let expected = f64::from(rate) / 10.0 * 2.0 * subscribers as f64;
            prop_assert!((upstream.messages() as f64 - expected).abs() <= 1.0);
            for index in 0..upstream.messages() {
                let one = upstream.at(index).unwrap();
                prop_assert_eq!(upstream.find(one.client, one.number), Some(one));
                let (_, start, span) = upstream.blocks[one.block];
                prop_assert!((start..start + span).contains(&one.intended_ns));
                prop_assert!(index < upstream.messages_in(one.block + 1));
                prop_assert!(index >= upstream.messages_in(one.block));
            }
        }
    }
}
