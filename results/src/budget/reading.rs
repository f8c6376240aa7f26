//! The number that a budget is held against, read from a run: one a lane, or one a case where something breaks.

use scenarios::Lane;
use scenarios::budget::Aggregate;

use super::word::{Number, away, histogram};
use crate::latency::LatencyHistogram;
use crate::metric::{Metric, eligible};
use crate::outage::{Naming, Row, rows};
use crate::run::Run;
use crate::summary::{Estimate, estimate};
use crate::value::Value;

/// A number of a lane.
pub(super) struct Reading {
    pub value: Value,
    pub interval: Option<[f64; 2]>,
    /// Of what, where something breaks in several ways.
    pub place: String,
}

/// All numbers of a lane; none where the lane was not measured.
pub(super) fn readings(run: &Run, number: &Number, lane: Lane) -> Vec<Reading> {
    let alone = |value| vec![Reading { value, interval: None, place: String::new() }];
    match number {
        Number::Row(metric) => {
            let Estimate { value, interval } = estimate(run, metric, lane);
            let interval = interval.map(|ends| [ends.low, ends.high]);
            vec![Reading { value, interval, place: String::new() }]
        }
        Number::Of(metric, aggregate) => alone(of_all(run, metric, *aggregate, lane)),
        Number::Rate(metric, whole) => {
            let of = |metric: &Metric| estimate(run, metric, lane).value.known();
            let both = of(metric).zip(of(whole)).filter(|(_, whole)| *whole > 0.0);
            alone(both.map(|(part, whole)| part / whole * 100.0).into())
        }
        Number::Tally(..) | Number::Unavailable(_) => cases(run, number, lane),
    }
}

fn of_all(run: &Run, metric: &Metric, aggregate: Aggregate, lane: Lane) -> Value {
    let Some((histogram, per)) = histogram(metric) else { return Value::Absent };
    let mut all = LatencyHistogram::default();
    run.trials_of(lane).for_each(|trial| all.merge(histogram(trial)));
    of(&all, aggregate, all.count(), per)
}

/// A number of a histogram whose samples rest on so many independent ones.
fn of(all: &LatencyHistogram, aggregate: Aggregate, independent: u64, per: f64) -> Value {
    if all.count() + all.lost() == 0 {
        return Value::Absent;
    }
    let is_whole = all.lost() == 0 && all.saturated() == 0;
    let least = || (!all.held().is_empty()).then(|| all.held().min() as f64);
    let nanos = match (aggregate, aggregate.quantile()) {
        (_, Some(q)) if !eligible(q, independent) => return Value::TooFew,
        (_, Some(q)) => all.quantile(q).map(|nanos| nanos as f64),
        (Aggregate::Avg, None) => all.mean().filter(|_| is_whole),
        (Aggregate::Max, None) => all.max().filter(|_| is_whole).map(|nanos| nanos as f64),
        (Aggregate::Min, None) => least(),
        (_, None) => return Value::Absent,
    };
    nanos.map_or(Value::NotDelivered, |nanos| Value::Known(nanos / per))
}

fn cases(run: &Run, number: &Number, lane: Lane) -> Vec<Reading> {
    let all = rows(run);
    let naming = Naming::of(&all);
    let own = all.iter().filter(|row| row.lane == lane);
    let reading =
        |row: &Row<'_>| Reading { value: of_case(row, number), interval: None, place: naming.name(row) };
    own.map(reading).collect()
}

fn of_case(row: &Row<'_>, number: &Number) -> Value {
    match number {
        Number::Tally(tally, false) => Value::Known(row.sum(tally.of) as f64),
        Number::Tally(tally, true) => {
            tally.whole.and_then(|whole| row.per(tally.of, whole)).map(|rate| rate * 100.0).into()
        }
        Number::Unavailable(aggregate) => {
            // Who never had all events again was without them for longer than anybody who had.
            let mut all = row.unavailable();
            all.add_lost(row.sum(away));
            of(&all, *aggregate, all.count() + all.lost(), 1e6)
        }
        Number::Row(_) | Number::Of(..) | Number::Rate(..) => Value::Absent,
    }
}
