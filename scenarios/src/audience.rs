//! Who gets which event: a pure function, known to both ends like the schedule.
//!
//! Clients are numbered from 0 and name themselves when they connect. Every client hears exactly one
//! topic, every event goes to one topic or to everyone, so that a server fans out by topic and a ledger
//! knows what to expect without a word on the wire.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::seed::SplitMix;

/// To whom events go. Written as `all`, `rooms:20` or `each`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub enum Audience {
    /// Every event to every subscriber.
    #[default]
    All,
    /// Subscriber i is in room i mod N; every event goes to one room, drawn evenly.
    Rooms(u64),
    /// Every event to one subscriber, drawn evenly.
    Each,
}

/// An audience over a number of subscribers: the topics, and who hears which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addressing {
    topics: u64,
    seed: u64,
}

impl Addressing {
    /// The addressing of so many subscribers. There are never more rooms than subscribers, so that each
    /// event has somebody to hear it.
    #[must_use]
    pub fn new(audience: Audience, seed: u64, subscribers: u64) -> Self {
        let topics = match audience {
            Audience::All => 1,
            Audience::Rooms(rooms) => rooms.min(subscribers),
            Audience::Each => subscribers,
        };
        Self { topics: topics.max(1), seed }
    }

    /// Topics there are, numbered from 0; client n, if n is below this number, is the first to hear
    /// topic n.
    #[must_use]
    pub const fn topics(&self) -> u64 {
        self.topics
    }

    /// The topic that a client hears.
    #[must_use]
    pub const fn heard_by(&self, client: u64) -> u64 {
        client % self.topics
    }

    /// The topic of event `seq`; `None` for an event that all topics get: event 0, which greets.
    #[must_use]
    pub fn topic_of(&self, seq: u64) -> Option<u64> {
        match (seq, self.topics) {
            (0, _) => None,
            (_, 1) => Some(0),
            _ => Some(SplitMix::new(self.seed, 0xADD0_0000_0000 ^ seq).below(self.topics)),
        }
    }

    /// How many of these clients hear a topic.
    #[must_use]
    pub fn hearers(&self, topic: u64, clients: &Range<u64>) -> u64 {
        let below = |end: u64| (end + self.topics - 1 - topic) / self.topics;
        below(clients.end) - below(clients.start)
    }

    /// Deliveries of these events to these clients.
    #[must_use]
    pub fn deliveries(&self, seqs: Range<u64>, clients: &Range<u64>) -> u64 {
        if self.topics == 1 {
            return (seqs.end - seqs.start) * (clients.end - clients.start);
        }
        let to = |seq| self.topic_of(seq).map_or(clients.end - clients.start, |t| self.hearers(t, clients));
        seqs.map(to).sum()
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Rooms(rooms) => write!(f, "rooms:{rooms}"),
            Self::Each => f.write_str("each"),
        }
    }
}

impl FromStr for Audience {
    type Err = String;
    fn from_str(written: &str) -> Result<Self, String> {
        let rooms =
            written.strip_prefix("rooms:").and_then(|rooms| rooms.parse().ok()).filter(|rooms| *rooms > 0);
        match (written, rooms) {
            ("all", _) => Ok(Self::All),
            ("each", _) => Ok(Self::Each),
            (_, Some(rooms)) => Ok(Self::Rooms(rooms)),
            (_, None) => Err(format!("unknown audience `{written}`; write `all`, `rooms:20` or `each`")),
        }
    }
}

impl Serialize for Audience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    const LAWS: [Audience; 4] = [Audience::All, Audience::Rooms(7), Audience::Rooms(500), Audience::Each];

    #[test]
    fn an_event_reaches_one_room_or_one_subscriber_and_the_greeting_everyone() {
        let reached = |audience, seq| -> Vec<u64> {
            let addressing = Addressing::new(audience, 1, 9);
            let hears = |client: &u64| {
                addressing.topic_of(seq).is_none_or(|topic| topic == addressing.heard_by(*client))
            };
            (0..9).filter(hears).collect()
        };
        for seq in 1..200 {
            assert_eq!(reached(Audience::All, seq).len(), 9);
            assert_eq!(reached(Audience::Each, seq).len(), 1);
            let room = reached(Audience::Rooms(3), seq);
            assert_eq!(room, [room[0], room[0] + 3, room[0] + 6]);
        }
        for audience in LAWS {
            assert_eq!(reached(audience, 0).len(), 9, "{audience}");
        }
    }

    /// Both ends compute it, and published numbers rest on it: it may never change.
    #[test]
    fn golden_hash_of_the_addressees() {
        let (mut hash, addressing) = (Sha256::new(), Addressing::new(Audience::Rooms(20), 1, 2_000));
        (1..1_000).for_each(|seq| hash.update(addressing.topic_of(seq).unwrap().to_le_bytes()));
        let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        insta::assert_snapshot!(hex);
    }

    #[test]
    fn a_wrong_audience_is_answered_with_what_there_is() {
        for wrong in ["rooms", "rooms:0", "room:3", "every"] {
            assert!(wrong.parse::<Audience>().unwrap_err().contains("`rooms:20`"), "{wrong}");
        }
    }

    proptest! {
        /// Against the plain definition, and split over several fleets.
        #[test]
        fn deliveries_are_counted_as_one_by_one(
            law in 0..4usize, seed: u64, subscribers in 1u64..60, cut in 0u64..60, events in 0u64..80,
        ) {
            let addressing = Addressing::new(LAWS[law], seed, subscribers);
            let hears = |seq, client| addressing.topic_of(seq).is_none_or(|t| t == addressing.heard_by(client));
            let plain = (3..3 + events).map(|seq| (0..subscribers).filter(|c| hears(seq, *c)).count() as u64);
            let plain: u64 = plain.sum();
            let cut = cut.min(subscribers);
            let parts = [0..cut, cut..subscribers].map(|part| addressing.deliveries(3..3 + events, &part));
            prop_assert_eq!(parts[0] + parts[1], plain);
            prop_assert_eq!(LAWS[law].to_string().parse(), Ok(LAWS[law]));
        }
    }
}
