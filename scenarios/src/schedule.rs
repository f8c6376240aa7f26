//! When events are meant to leave: a pure function from seq to an offset, computed beforehand.
//!
//! Both ends of a lane expand the same timetable, so latency can be counted from the intended
//! instant without a timestamp in the body, and a late publisher cannot hide (METHOD M1, M2).

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::seed::SplitMix;

/// The law of arrivals inside a block. Written as `constant`, `poisson` or `bursts:10`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub enum Arrivals {
    /// Evenly spaced.
    #[default]
    Constant,
    /// A Poisson process, given its number of events in the block.
    Poisson,
    /// This many events at once, bursts evenly spaced.
    Bursts(u64),
}

/// One stretch of publishing on one lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Block {
    /// Index into the plan's lanes.
    pub lane: usize,
    /// Blocks of one round are compared with each other: same seqs' law, neighbours in time.
    pub round: u64,
    /// Start, ns after the phase's time zero.
    pub start_ns: u64,
    /// Length of publishing, ns.
    pub span_ns: u64,
    /// Sequence number of its first event (counted per lane).
    pub first_seq: u64,
    /// Number of events.
    pub events: u64,
}

impl Block {
    /// When publishing ends, ns after the phase's time zero.
    #[must_use]
    pub fn end_ns(&self) -> u64 {
        self.start_ns + self.span_ns
    }
}

/// The intended instants of one lane in one phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Schedule {
    written: Written,
    offsets: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    arrivals: Arrivals,
    seed: u64,
    blocks: Vec<Block>,
}

impl Schedule {
    /// Expands blocks of one lane, in order, their seqs consecutive. The pattern inside a block
    /// depends on (seed, round) alone, so the lanes of a round get the same one.
    #[must_use]
    pub fn new(arrivals: Arrivals, seed: u64, blocks: Vec<Block>) -> Self {
        Written { arrivals, seed, blocks }.into()
    }

    /// The sequence number of the first event.
    #[must_use]
    pub fn first_seq(&self) -> u64 {
        self.written.blocks.first().map_or(0, |block| block.first_seq)
    }

    /// The number of events.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.offsets.len() as u64
    }

    /// Where event `seq` is meant to leave, ns after time zero; `None` if it is not scheduled.
    #[must_use]
    pub fn intended(&self, seq: u64) -> Option<u64> {
        let index = usize::try_from(seq.checked_sub(self.first_seq())?).ok()?;
        self.offsets.get(index).copied()
    }

    /// The blocks, in order.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.written.blocks
    }

    /// The index of the block that holds `seq`.
    #[must_use]
    pub fn block_of(&self, seq: u64) -> Option<usize> {
        let next = self.written.blocks.partition_point(|block| block.first_seq <= seq);
        let index = next.checked_sub(1)?;
        let block = &self.written.blocks[index];
        (seq < block.first_seq + block.events).then_some(index)
    }
}

impl From<Written> for Schedule {
    fn from(written: Written) -> Self {
        let offsets =
            written.blocks.iter().flat_map(|block| offsets(written.arrivals, written.seed, block)).collect();
        Self { written, offsets }
    }
}

impl From<Schedule> for Written {
    fn from(schedule: Schedule) -> Self {
        schedule.written
    }
}

fn offsets(arrivals: Arrivals, seed: u64, block: &Block) -> Vec<u64> {
    let even = |i: u64, n: u64| {
        block.start_ns
            + u64::try_from(u128::from(block.span_ns) * u128::from(i) / u128::from(n))
                .expect("below the span")
    };
    match arrivals {
        Arrivals::Constant => (0..block.events).map(|i| even(i, block.events)).collect(),
        Arrivals::Bursts(size) => {
            let bursts = block.events.div_ceil(size);
            (0..block.events).map(|i| even(i / size, bursts)).collect()
        }
        Arrivals::Poisson => {
            let mut draw = SplitMix::new(seed, 0x5C4E_D01E ^ block.round);
            let mut instants: Vec<u64> =
                (0..block.events).map(|_| block.start_ns + draw.below(block.span_ns.max(1))).collect();
            instants.sort_unstable();
            instants
        }
    }
}

impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => f.write_str("constant"),
            Self::Poisson => f.write_str("poisson"),
            Self::Bursts(size) => write!(f, "bursts:{size}"),
        }
    }
}

impl FromStr for Arrivals {
    type Err = String;
    fn from_str(written: &str) -> Result<Self, String> {
        let size =
            written.strip_prefix("bursts:").and_then(|size| size.parse().ok()).filter(|size| *size > 0);
        match (written, size) {
            ("constant", _) => Ok(Self::Constant),
            ("poisson", _) => Ok(Self::Poisson),
            (_, Some(size)) => Ok(Self::Bursts(size)),
            (_, None) => {
                Err(format!("unknown arrivals `{written}`; write `constant`, `poisson` or `bursts:10`"))
            }
        }
    }
}

impl Serialize for Arrivals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Arrivals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    fn block(round: u64, start_ns: u64, first_seq: u64, events: u64) -> Block {
        Block { lane: 0, round, start_ns, span_ns: 600_000_000, first_seq, events }
    }

    #[test]
    fn constant_is_evenly_spaced_and_never_rebased() {
        let schedule =
            Schedule::new(Arrivals::Constant, 1, vec![block(0, 0, 10, 15), block(1, 700_000_000, 25, 15)]);
        assert_eq!((schedule.first_seq(), schedule.events()), (10, 30));
        assert_eq!(schedule.intended(10), Some(0));
        assert_eq!(schedule.intended(11), Some(40_000_000));
        assert_eq!(schedule.intended(25), Some(700_000_000));
        assert_eq!((schedule.intended(9), schedule.intended(40)), (None, None));
        assert_eq!(
            (schedule.block_of(24), schedule.block_of(25), schedule.block_of(40)),
            (Some(0), Some(1), None)
        );
    }

    /// METHOD M1: the schedule of a seed may never change.
    #[test]
    fn golden_hash_of_a_poisson_schedule() {
        let schedule =
            Schedule::new(Arrivals::Poisson, 7, vec![block(0, 0, 0, 500), block(1, 600_000_000, 500, 500)]);
        let mut hash = Sha256::new();
        (0..1_000).for_each(|seq| hash.update(schedule.intended(seq).unwrap().to_le_bytes()));
        let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        insta::assert_snapshot!(hex);
    }

    proptest! {
        #[test]
        fn instants_are_ordered_inside_their_block_and_travel_as_written(
            seed: u64, round in 0u64..100, events in 1u64..200, law in 0..3,
        ) {
            let law = [Arrivals::Constant, Arrivals::Poisson, Arrivals::Bursts(7)][law as usize];
            let schedule = Schedule::new(law, seed, vec![block(round, 5, 3, events)]);
            let instants: Vec<u64> = (3..3 + events).map(|seq| schedule.intended(seq).unwrap()).collect();
            prop_assert!(instants.is_sorted());
            prop_assert!(instants.iter().all(|at| (5..5 + 600_000_000).contains(at)));
            let json = serde_json::to_string(&schedule).unwrap();
            prop_assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), schedule);
            prop_assert_eq!(law.to_string().parse(), Ok(law));
        }
    }
}
