//! When a subscriber that polls asks: at a set interval, each at a phase of its own, and only while its
//! lane publishes.
//!
//! Pure, like a schedule: both the crowd that asks and whoever reasons about a run compute the same
//! instants. A lane that also polled while others publish would take their CPU and be charged for
//! their time.

use crate::schedule::Schedule;
use crate::seed::SplitMix;

/// The polls of one lane in one phase; times are ns after the phase's time zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Polls {
    interval_ns: u64,
    seed: u64,
    /// Stretches of publishing, far enough apart that polling rests between them.
    spans: Vec<(u64, u64)>,
    last_seq: u64,
}

/// One poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// When, ns after time zero.
    pub at_ns: u64,
    /// Behind the end of publishing: only while this event has not come, so that what the server
    /// published late is late and not lost.
    pub unless: Option<u64>,
}

impl Polls {
    /// The polls that fetch all that a schedule publishes.
    #[must_use]
    pub fn new(interval_ns: u64, seed: u64, schedule: &Schedule) -> Self {
        let mut spans: Vec<(u64, u64)> = Vec::new();
        for block in schedule.blocks() {
            match spans.last_mut() {
                Some(last) if block.start_ns <= last.1 + interval_ns => last.1 = block.end_ns(),
                Some(_) | None => spans.push((block.start_ns, block.end_ns())),
            }
        }
        let last_seq = (schedule.first_seq() + schedule.events()).saturating_sub(1);
        Self { interval_ns: interval_ns.max(1), seed, spans, last_seq }
    }

    /// The next poll of a subscriber behind `last`: every interval from its phase after publishing
    /// began to the first instant at which publishing is over, so that nothing is left.
    #[must_use]
    pub fn next(&self, subscriber: u64, last: Option<u64>) -> Option<Ask> {
        let phase = self.phase(subscriber);
        self.spans.iter().enumerate().find_map(|(at, (begin, end))| {
            let first = begin + phase;
            let rounds = |until: u64| until.saturating_sub(first).div_ceil(self.interval_ns);
            let next = match last {
                Some(last) if last >= first => rounds(last + 1),
                Some(_) | None => 0,
            };
            let is_over = next > rounds(*end);
            let unless = is_over.then_some(self.last_seq);
            (!is_over || at + 1 == self.spans.len())
                .then(|| Ask { at_ns: first + next * self.interval_ns, unless })
        })
    }

    /// A subscriber's place in the interval, seeded.
    fn phase(&self, subscriber: u64) -> u64 {
        SplitMix::new(self.seed, 0x9011_0000 ^ subscriber).below(self.interval_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Arrivals, Block};
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;

    fn schedule(blocks: &[(u64, u64)]) -> Schedule {
        let block = |(round, (start, span)): (u64, &(u64, u64))| Block {
            lane: 0,
            round,
            start_ns: start * MS,
            span_ns: span * MS,
            first_seq: round,
            events: 1,
        };
        Schedule::new(Arrivals::Constant, 1, (0..).zip(blocks).map(block).collect())
    }

    fn all(polls: &Polls, subscriber: u64) -> Vec<u64> {
        let asks = std::iter::successors(polls.next(subscriber, None), |last| {
            polls.next(subscriber, Some(last.at_ns))
        });
        asks.take_while(|ask| ask.unless.is_none()).map(|ask| ask.at_ns).collect()
    }

    #[test]
    fn a_block_of_n_intervals_is_polled_once_more_to_fetch_its_last_events() {
        let polls = Polls::new(100 * MS, 7, &schedule(&[(0, 1_000), (5_000, 1_000)]));
        for subscriber in 0..50 {
            let asked = all(&polls, subscriber);
            assert_eq!(asked.len(), 2 * 11, "{asked:?}");
            assert!(asked[0] < 100 * MS && asked[10] >= 1_000 * MS && asked[11] >= 5_000 * MS);
            assert!(asked[..11].windows(2).all(|two| two[1] - two[0] == 100 * MS));
        }
        let phases: std::collections::BTreeSet<u64> = (0..50).map(|one| all(&polls, one)[0]).collect();
        assert!(phases.len() == 50 && phases.last().unwrap() - phases.first().unwrap() > 80 * MS);
    }

    #[test]
    fn slices_that_follow_closely_are_polled_without_a_rest() {
        let polls = Polls::new(1_000 * MS, 7, &schedule(&[(0, 100), (300, 100), (600, 100)]));
        assert!(all(&polls, 3).len() <= 2);
    }

    #[test]
    fn behind_the_end_only_what_has_not_come_is_asked_for() {
        let polls = Polls::new(100 * MS, 7, &schedule(&[(0, 1_000), (5_000, 1_000)]));
        let last = *all(&polls, 3).last().unwrap();
        for round in 1..4 {
            let ask = polls.next(3, Some(last + (round - 1) * 100 * MS)).unwrap();
            assert_eq!(ask, Ask { at_ns: last + round * 100 * MS, unless: Some(1) });
        }
    }

    proptest! {
        /// Each event is asked for after it was published and within one interval.
        #[test]
        fn nothing_waits_longer_than_an_interval(
            interval in 1u64..3_000, spans in proptest::collection::vec((0u64..4_000, 1u64..4_000), 1..5),
            subscriber: u64,
        ) {
            let mut start = 0;
            let blocks: Vec<(u64, u64)> = spans.iter().map(|(rest, span)| {
                let block = (start + rest, *span);
                start += rest + span;
                block
            }).collect();
            let polls = Polls::new(interval * MS, 1, &schedule(&blocks));
            let asked = all(&polls, subscriber);
            prop_assert!(asked.is_sorted());
            for (start, span) in blocks {
                for published in [start * MS, (start + span) * MS - 1] {
                    let next = asked.iter().find(|at| **at >= published);
                    prop_assert!(next.is_some_and(|at| at - published <= interval * MS), "{asked:?}");
                }
            }
        }
    }
}
