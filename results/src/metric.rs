//! Every metric there is, one row each: name, unit, direction, tier, how to read it, where it comes
//! from.
//!
//! Tables, CSV, report and later the gate walk this one list, so that adding a metric is adding a
//! row.

pub(crate) mod extract;
pub(crate) mod messages;
mod table;

use crate::latency::LatencyHistogram;
use crate::run::{BlockResult, MemoryPoint, Run, Trial};
use crate::stats::Pool;
use crate::value::Value;
use extract as x;
pub use table::ALL;

/// Which direction is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Less is better.
    Lower,
    /// More is better.
    Higher,
}

/// How repeatable a metric is (METHOD M22).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// The same number on every machine and in every run.
    Exact,
    /// Moves with the machine: needs repetitions and an interval.
    Noisy,
}

/// Where a metric is shown; everything is in the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Decides between lanes: has ratios, and is judged.
    Headline,
    /// In the summary.
    Summary,
    /// In the files and the report's details only.
    Detail,
}

/// What a quantile's samples are independent by (METHOD M18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Independent {
    /// Instants of publishing: the deliveries of one event share its fate, and so do the events of a burst.
    Events,
    /// Connections.
    Connections,
    /// Messages upward, each of which has an instant of its own.
    Messages,
}

/// Where a metric's number comes from.
#[derive(Clone, Copy)]
pub enum Source {
    /// A quantile of a histogram of nanoseconds, divided by the second number.
    Quantile(fn(&Trial) -> &LatencyHistogram, f64, f64, Independent),
    /// A number of each trial.
    Trial(fn(&Run, &Trial) -> Option<f64>),
    /// A count of each trial; summed over repetitions, since a median would hide one bad repetition.
    Count(fn(&Run, &Trial) -> Option<f64>),
    /// KiB a connection, over the levels of the lane's memory phase.
    Memory(fn(&MemoryPoint) -> u64),
}

/// One metric.
pub struct Metric {
    /// Its name in tables, files and charts.
    pub name: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Which direction is good.
    pub better: Better,
    /// How repeatable it is.
    pub tier: Tier,
    /// Where it is shown.
    pub rank: Rank,
    /// How to read it.
    pub read: &'static str,
    /// Where it comes from.
    pub source: Source,
    /// The same of one block, where blocks can be paired (METHOD M19).
    pub block: Option<fn(&BlockResult) -> Option<f64>>,
}

/// Independent events needed above a quantile.
const ABOVE: f64 = 10.0;

/// Whether quantile `q` of `events` independent events may be shown: at least ten lie above it.
#[must_use]
pub fn eligible(q: f64, events: u64) -> bool {
    events as f64 * (1.0 - q) >= ABOVE - 1e-6
}

/// Events published over all blocks of the trials.
pub fn events<'a>(trials: impl IntoIterator<Item = &'a Trial>) -> u64 {
    trials.into_iter().flat_map(|trial| &trial.blocks).map(|block| block.events).sum()
}

/// Instants at which events were meant to leave, over all blocks of the trials.
pub fn instants<'a>(trials: impl IntoIterator<Item = &'a Trial>) -> u64 {
    let of = |block: &BlockResult| if block.instants > 0 { block.instants } else { block.events };
    trials.into_iter().flat_map(|trial| &trial.blocks).map(of).sum()
}

impl Metric {
    /// The value in one repetition.
    #[must_use]
    pub fn trial(&self, run: &Run, trial: &Trial) -> Value {
        match self.source {
            Source::Quantile(..) => self.pooled(&[trial]),
            Source::Trial(extract) | Source::Count(extract) => extract(run, trial).into(),
            Source::Memory(field) => x::memory(run, trial.lane, field).into(),
        }
    }

    /// A quantile over the pooled trials; absent for metrics that are no quantile.
    #[must_use]
    pub fn pooled(&self, trials: &[&Trial]) -> Value {
        let Source::Quantile(histogram, q, per, independent) = self.source else { return Value::Absent };
        let pool = Pool::new(trials.iter().map(|trial| histogram(trial)));
        if pool.is_empty() {
            return Value::Absent;
        }
        let units = match independent {
            Independent::Events => instants(trials.iter().copied()),
            Independent::Connections | Independent::Messages => {
                trials.iter().map(|trial| histogram(trial).count()).sum()
            }
        };
        if !eligible(q, units) {
            return Value::TooFew;
        }
        pool.quantile(q).map_or(Value::NotDelivered, |nanos| Value::Known(nanos / per))
    }

    /// Whether it is a time, of a clock or of a CPU.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        ["us", "ms"].iter().any(|unit| self.unit.starts_with(unit))
    }

    /// The row of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|metric| metric.name == name)
    }

    const fn rank(mut self, rank: Rank) -> Self {
        self.rank = rank;
        self
    }

    const fn exact(mut self) -> Self {
        self.tier = Tier::Exact;
        self
    }

    const fn higher(mut self) -> Self {
        self.better = Better::Higher;
        self
    }

    const fn blocks(mut self, block: fn(&BlockResult) -> Option<f64>) -> Self {
        self.block = Some(block);
        self
    }
}

const fn metric(name: &'static str, unit: &'static str, source: Source, read: &'static str) -> Metric {
    let (better, tier, rank) = (Better::Lower, Tier::Noisy, Rank::Summary);
    Metric { name, unit, better, tier, rank, read, source, block: None }
}

const fn trial(
    name: &'static str,
    unit: &'static str,
    extract: fn(&Run, &Trial) -> Option<f64>,
    read: &'static str,
) -> Metric {
    metric(name, unit, Source::Trial(extract), read)
}

const fn count(
    name: &'static str,
    unit: &'static str,
    extract: fn(&Run, &Trial) -> Option<f64>,
    read: &'static str,
) -> Metric {
    metric(name, unit, Source::Count(extract), read).exact()
}

const fn millis(
    name: &'static str,
    histogram: fn(&Trial) -> &LatencyHistogram,
    q: f64,
    read: &'static str,
) -> Metric {
    metric(name, "ms", Source::Quantile(histogram, q, 1e6, Independent::Events), read)
}

const fn micros(
    name: &'static str,
    histogram: fn(&Trial) -> &LatencyHistogram,
    q: f64,
    read: &'static str,
) -> Metric {
    metric(name, "us", Source::Quantile(histogram, q, 1e3, Independent::Events), read)
}

const fn message(
    name: &'static str,
    unit: &'static str,
    histogram: fn(&Trial) -> &LatencyHistogram,
    q: f64,
    read: &'static str,
) -> Metric {
    metric(name, unit, Source::Quantile(histogram, q, 1e6, Independent::Messages), read)
}

const fn joining(
    name: &'static str,
    histogram: fn(&Trial) -> &LatencyHistogram,
    q: f64,
    read: &'static str,
) -> Metric {
    metric(name, "ms", Source::Quantile(histogram, q, 1e6, Independent::Connections), read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn names_are_unique_and_every_row_is_explained() {
        for (i, metric) in ALL.iter().enumerate() {
            assert!(metric.read.len() > 10 && !metric.unit.is_empty(), "{}", metric.name);
            assert!(ALL[..i].iter().all(|other| other.name != metric.name), "{}", metric.name);
        }
    }

    /// METHOD M18: 2,000 deliveries of 9 events are 9 events.
    #[test]
    fn a_quantile_needs_ten_independent_events_above_it() {
        assert!(eligible(0.99, 1_000) && !eligible(0.99, 999));
        assert!(eligible(0.5, 20) && !eligible(0.5, 19));
        let run = sample::run();
        let trials: Vec<&Trial> = run.trials_of(run.scenario.lanes[0]).collect();
        let p99 = Metric::named("latency p99").unwrap();
        assert!(p99.pooled(&trials).known().is_some());
        assert_eq!(p99.trial(&run, trials[0]), Value::TooFew);
        let mut bursts = run.clone();
        bursts.trials.iter_mut().flat_map(|trial| &mut trial.blocks).for_each(|block| block.instants = 3);
        let trials: Vec<&Trial> = bursts.trials_of(run.scenario.lanes[0]).collect();
        assert_eq!(p99.pooled(&trials), Value::TooFew);
    }

    /// METHOD M4: a quantile among the lost is not a number.
    #[test]
    fn a_quantile_among_the_lost_was_not_delivered() {
        let mut run = sample::run();
        for trial in &mut run.trials {
            trial.latency.add_lost(trial.latency.count() / 40);
        }
        let trials: Vec<&Trial> = run.trials_of(run.scenario.lanes[0]).collect();
        assert_eq!(Metric::named("latency p99").unwrap().pooled(&trials), Value::NotDelivered);
        assert!(Metric::named("latency p90").unwrap().pooled(&trials).known().is_some());
    }
}
