//! A plan: the scenario as resolved, with the whole timetable of every repetition.
//!
//! Publishing alternates between the lanes in seeded, balanced blocks, so that the machine's drift
//! meets all lanes alike (METHOD M16); the timetable exists before anything starts (METHOD M1).
#![expect(clippy::cast_precision_loss, reason = "counts and rates are bounded by the scenario's checks")]

use crate::lane::Lane;
use crate::scenario::Scenario;
use crate::schedule::{Block, Schedule};
use crate::seed::SplitMix;

/// Length of a warm-up slice, s, as near as whole events allow.
const SLICE_SECONDS: f64 = 0.1;

/// A resolved scenario.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The scenario's short name.
    pub name: String,
    /// As written, with overrides.
    pub scenario: Scenario,
    /// One entry a repetition.
    pub repetitions: Vec<Repetition>,
}

/// One fresh start of all processes.
#[derive(Clone, Debug)]
pub struct Repetition {
    /// The order in which lanes start and subscribe.
    pub order: Vec<usize>,
    /// The measured blocks of all lanes, in time order; seqs start at 0 and are shifted behind the
    /// warm-up with [`Block::first_seq`].
    pub blocks: Vec<Block>,
}

impl Plan {
    /// Resolves a scenario.
    #[must_use]
    pub fn new(name: String, scenario: Scenario) -> Self {
        let repetitions = (0..scenario.repetitions.0).map(|r| repetition(&scenario, r)).collect();
        Self { name, scenario, repetitions }
    }

    /// Events of one block at a rate, at least one.
    #[must_use]
    pub fn events_in_a_block(&self, rate: f64) -> u64 {
        whole(rate * self.scenario.block.0.as_secs_f64()).max(1)
    }

    /// The lanes, in the order they are shown.
    #[must_use]
    pub fn lanes(&self) -> &[Lane] {
        &self.scenario.lanes
    }

    /// The schedule of one lane, made from a timetable of all lanes.
    #[must_use]
    pub fn schedule(&self, blocks: &[Block], lane: usize) -> Schedule {
        let own = blocks.iter().filter(|block| block.lane == lane).cloned().collect();
        Schedule::new(self.scenario.arrivals, self.scenario.seed, own)
    }

    /// A timetable of `slices` warm-up slices, lanes in turn; seqs of each lane start at
    /// `first_seq`.
    #[must_use]
    pub fn warmup(&self, slices: u64, first_seq: &[u64]) -> Vec<Block> {
        // At the scenario's own rate: a slice holds whole events and lasts as long as they take.
        let events = whole(self.scenario.rate * SLICE_SECONDS).max(1);
        let span_ns = whole(events as f64 * 1e9 / self.scenario.rate);
        let lanes = self.lanes().len() as u64;
        let mut next = first_seq.to_vec();
        (0..slices)
            .map(|slice| {
                let lane = usize::try_from(slice % lanes).expect("few lanes");
                let first_seq = next[lane];
                next[lane] += events;
                Block { lane, round: slice / lanes, start_ns: slice * span_ns, span_ns, first_seq, events }
            })
            .collect()
    }
}

/// Events of block `round`. What rounding takes from one block comes with another, so that the rate
/// over all of them is the scenario's.
fn events_of(scenario: &Scenario, round: u64) -> u64 {
    let until = |blocks: u64| whole(scenario.rate * scenario.block.0.as_secs_f64() * blocks as f64);
    until(round + 1) - until(round)
}

/// The nearest whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded by the scenario's checks"
)]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

/// How many rounds of `rounds` a lane with this share takes part in.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounds are few")]
fn rounds_of(rounds: u64, share: f64) -> u64 {
    ((rounds as f64 * share).round() as u64).clamp(1, rounds)
}

fn repetition(scenario: &Scenario, index: u64) -> Repetition {
    let mut draw = SplitMix::new(scenario.seed, 0x0B10_C000 ^ index);
    let span_ns = nanos(scenario.block.0);
    let rounds = rounds_of(nanos(scenario.duration.0) / span_ns, 1.0).max(1);
    let lanes = scenario.lanes.len();
    let mut next_seq = vec![0; lanes];
    let (mut start_ns, mut blocks, mut order): (u64, Vec<Block>, Vec<usize>) =
        (0, Vec::new(), (0..lanes).collect());
    for round in 0..rounds {
        // Pairs of rounds mirror each other (ABBA), so that a drift inside them cancels.
        if round % 2 == 0 {
            draw.shuffle(&mut order)
        } else {
            order.reverse()
        }
        let events = events_of(scenario, round);
        for &lane in order.iter().filter(|lane| takes_part(scenario, **lane, round, rounds)) {
            blocks.push(Block { lane, round, start_ns, span_ns, first_seq: next_seq[lane], events });
            next_seq[lane] += events;
            start_ns += span_ns + nanos(scenario.gap_after(scenario.lanes[lane]));
        }
    }
    let mut order: Vec<usize> = (0..lanes).collect();
    draw.shuffle(&mut order);
    Repetition { order, blocks }
}

/// Spreads a lane's rounds evenly, in mirrored pairs where there are pairs.
fn takes_part(scenario: &Scenario, lane: usize, round: u64, rounds: u64) -> bool {
    let own = rounds_of(rounds, scenario.share_of(scenario.lanes[lane]));
    let (unit, slots, wanted) =
        if own == rounds || own == 1 { (1, rounds, own) } else { (2, rounds / 2, (own / 2).max(1)) };
    let slot = round / unit;
    slot < slots && (slot + 1) * wanted / slots > slot * wanted / slots
}

fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("bounded by the scenario's checks")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(overrides: &[(&str, &str)]) -> Plan {
        let overrides: Vec<_> = overrides.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let (name, scenario) = Scenario::load("ticker", &overrides).unwrap();
        Plan::new(name, scenario)
    }

    #[test]
    fn the_ticker_pools_enough_events_for_its_p99() {
        let plan = plan(&[]);
        let events = |lane| -> u64 {
            plan.repetitions.iter().flat_map(|r| &r.blocks).filter(|b| b.lane == lane).map(|b| b.events).sum()
        };
        assert!(events(0) >= 1_000 && events(1) == events(0) && events(2) < events(0), "{}", events(0));
    }

    #[test]
    fn rounds_mirror_each_other() {
        let plan = plan(&[("share", "{}")]);
        let lanes = |r: u64| -> Vec<usize> {
            plan.repetitions[0].blocks.iter().filter(|b| b.round == r).map(|b| b.lane).collect()
        };
        for pair in 0..7 {
            let mut mirrored = lanes(2 * pair + 1);
            mirrored.reverse();
            assert_eq!(lanes(2 * pair), mirrored);
        }
    }

    #[test]
    fn what_rounding_takes_from_a_block_comes_with_another() {
        for rate in ["1.7", "2.4", "4", "33"] {
            let plan = plan(&[("rate", rate), ("block", "600ms"), ("duration", "60s")]);
            let events: u64 =
                plan.repetitions[0].blocks.iter().filter(|b| b.lane == 0).map(|b| b.events).sum();
            assert_eq!(events, whole(rate.parse::<f64>().unwrap() * 60.0), "rate {rate}");
        }
    }

    #[test]
    fn warm_up_keeps_the_rate() {
        for rate in ["2", "25", "400"] {
            let blocks = plan(&[("rate", rate)]).warmup(30, &[1, 1, 1]);
            let events: u64 = blocks.iter().map(|b| b.events).sum();
            let seconds = blocks.last().unwrap().end_ns() as f64 / 1e9;
            assert!(
                (events as f64 / seconds / rate.parse::<f64>().unwrap() - 1.0).abs() < 1e-6,
                "rate {rate}"
            );
        }
    }

    #[test]
    fn warm_up_walks_all_lanes_with_seqs_of_its_own() {
        let plan = plan(&[]);
        let blocks = plan.warmup(6, &[1, 1, 1]);
        assert_eq!(blocks.iter().map(|b| b.lane).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2]);
        assert_eq!(plan.schedule(&blocks, 1).first_seq(), 1);
        assert_eq!(plan.schedule(&blocks, 1).events(), 2 * blocks[0].events);
    }

    /// The last events of a block are polled for an interval later, and no other lane's block waits.
    #[test]
    fn a_lane_that_polls_has_an_interval_more_to_drain() {
        let plan = plan(&[
            ("lanes", "[\"sse-h1\", \"poll-h1\"]"),
            ("share", "{}"),
            ("sweep", "[]"),
            ("poll", "250ms"),
        ]);
        for two in plan.repetitions[0].blocks.windows(2) {
            let gap = if two[0].lane == 1 { 350_000_000 } else { 100_000_000 };
            assert_eq!(two[1].start_ns - two[0].end_ns(), gap);
        }
    }

    proptest! {
        #[test]
        fn blocks_never_overlap_and_seqs_are_gapless(
            seed in 0u32..1000, rate in 2u32..500, block in 500u32..2000, rounds in 1u32..12, share in 0.05f64..1.0,
        ) {
            let plan = plan(&[
                ("seed", &seed.to_string()), ("rate", &rate.to_string()), ("block", &format!("{block}ms")),
                ("duration", &format!("{}ms", block * rounds)), ("share.raw", &share.to_string()),
            ]);
            for repetition in &plan.repetitions {
                prop_assert!(repetition.blocks.windows(2).all(|w| w[0].end_ns() <= w[1].start_ns));
                for lane in 0..3 {
                    let own: Vec<&Block> = repetition.blocks.iter().filter(|b| b.lane == lane).collect();
                    prop_assert!(!own.is_empty());
                    prop_assert_eq!(own[0].first_seq, 0);
                    prop_assert!(own.windows(2).all(|w| w[0].first_seq + w[0].events == w[1].first_seq));
                }
            }
        }
    }
}
