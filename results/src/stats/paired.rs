//! Two lanes of one run against each other, in pairs that stood beside each other in time.
//!
//! A pair is a block of either lane in the same repetition and round; where a metric has no blocks,
//! it is the repetition. Drift meets both halves alike and cancels (METHOD M16, M19).

use std::collections::BTreeMap;

use scenarios::Lane;

use super::{Effect, Judgement, Pool, Steps, index, resample};
use crate::metric::extract::{levels, memory};
use crate::metric::{Metric, Source};
use crate::run::{Run, Trial};
use crate::value::Value;

/// Starts below which nothing is said about a pooled quantile, or a time that each start has one of: resampling
/// two or three of them gives a handful of values, whose extremes are no 95 % interval.
const FEWEST_STARTS: usize = 4;

/// Steps of the memory phase below which nothing is said about a slope; each is a mean over many connections.
const FEWEST_STEPS: usize = 3;

/// Share of pairs cut at each end before the mean.
const TRIM: f64 = 0.1;

/// A lane of a run.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// The run.
    pub run: &'a Run,
    /// The lane.
    pub lane: Lane,
}

/// `a`'s metric over `b`'s; nothing when one of them has no number.
#[must_use]
pub fn paired_effect(run: &Run, metric: &Metric, a: Lane, b: Lane) -> Option<Effect> {
    effect_between(metric, Side { run, lane: a }, Side { run, lane: b })
}

/// The same of two runs; what is paired must have stood beside each other in time.
#[must_use]
pub fn effect_between(metric: &Metric, a: Side<'_>, b: Side<'_>) -> Option<Effect> {
    match metric.source {
        Source::Quantile(histogram, q, ..) => {
            let trials: Vec<(&Trial, &Trial)> = beside(a, b);
            let side = |pick: fn(&(&Trial, &Trial)) -> usize| -> Vec<&Trial> {
                trials.iter().map(|pair| [pair.0, pair.1][pick(pair)]).collect()
            };
            let (a, b) = (side(|_| 0), side(|_| 1));
            metric.pooled(&a).known().and(metric.pooled(&b).known())?;
            let (a, b) = (Pool::new(a.into_iter().map(histogram)), Pool::new(b.into_iter().map(histogram)));
            pooled_effect(metric, &a, &b, q)
        }
        Source::Trial(_) | Source::Count(_) => grouped_effect(metric, &pairs_between(metric, a, b)),
        Source::Memory(field) => {
            let log = log_ratio(memory(a.run, a.lane, field)?, memory(b.run, b.lane, field)?)?;
            let steps = |side: Side<'_>| Steps::new(&levels(side.run, side.lane, field));
            let (a, b) = (steps(a), steps(b));
            Some(stepped_effect(metric, log, &a, &b))
        }
    }
}

/// Trials of the two lanes in the same repetition.
fn beside<'a>(a: Side<'a>, b: Side<'a>) -> Vec<(&'a Trial, &'a Trial)> {
    let twin = |one: &Trial| b.run.trials_of(b.lane).find(|other| other.repetition == one.repetition);
    a.run.trials_of(a.lane).filter_map(|one| Some((one, twin(one)?))).collect()
}

/// `ln a - ln b`, exactly negated when exchanged; nothing unless both are above zero.
fn log_ratio(a: f64, b: f64) -> Option<f64> {
    (a > 0.0 && b > 0.0 && a.is_finite() && b.is_finite()).then(|| a.ln() - b.ln())
}

/// Log ratios of `a` to `b`, by process start.
#[must_use]
pub fn pairs(run: &Run, metric: &Metric, a: Lane, b: Lane) -> Vec<Vec<f64>> {
    pairs_between(metric, Side { run, lane: a }, Side { run, lane: b })
}

fn pairs_between(metric: &Metric, a: Side<'_>, b: Side<'_>) -> Vec<Vec<f64>> {
    let in_trials = |one: &Trial, other: &Trial| -> Vec<f64> {
        let Some(block) = metric.block else {
            let value = |run, trial| match metric.trial(run, trial) {
                Value::Known(value) => Some(value),
                Value::TooFew | Value::NotDelivered | Value::Absent => None,
            };
            return value(a.run, one)
                .zip(value(b.run, other))
                .and_then(|(a, b)| log_ratio(a, b))
                .into_iter()
                .collect();
        };
        let by_round: BTreeMap<u64, f64> =
            other.blocks.iter().filter_map(|held| Some((held.round, block(held)?))).collect();
        let pair = |held| log_ratio(block(held)?, *by_round.get(&held.round)?);
        one.blocks.iter().filter_map(pair).collect()
    };
    let known = |run, trial| metric.trial(run, trial).known().is_some();
    let starts = beside(a, b).into_iter().filter(|(one, other)| known(a.run, one) && known(b.run, other));
    let starts = starts.map(|(one, other)| in_trials(one, other));
    starts.filter(|pairs| !pairs.is_empty()).collect()
}

/// Trimmed mean of log ratios by start; bootstrap over starts, then over the pairs inside each.
#[must_use]
pub fn grouped_effect(metric: &Metric, starts: &[Vec<f64>]) -> Option<Effect> {
    let mut all: Vec<f64> = starts.concat();
    let (pairs, log) = (all.len(), trimmed_mean(&mut all)?);
    let mut held = Vec::with_capacity(pairs);
    let draws = resample(starts.len(), |draw, sample| {
        held.clear();
        for start in sample.iter().map(|i| &starts[*i]) {
            held.extend((0..start.len()).map(|_| start[index(draw, start.len())]));
        }
        trimmed_mean(&mut held).expect("no start is empty")
    });
    let effect = Effect::new(metric, log, draws, pairs, starts.len());
    // Blocks inside the starts vary too, and bytes hardly do.
    Some(if metric.block.is_none() && metric.is_timed() {
        of_units(effect, starts.len(), FEWEST_STARTS)
    } else {
        effect
    })
}

/// An effect that rests on so many numbers, which tells nothing if they are too few.
const fn of_units(mut effect: Effect, units: usize, fewest: usize) -> Effect {
    if units < fewest {
        effect.judgement = Judgement::Inconclusive;
    }
    effect
}

/// Ratio of pooled quantiles; bootstrap over starts, the same ones on both lanes.
fn pooled_effect(metric: &Metric, a: &Pool, b: &Pool, q: f64) -> Option<Effect> {
    let log = log_ratio(a.quantile(q)?, b.quantile(q)?)?;
    let draws = resample(a.repetitions(), |_, sample| {
        let log = a.quantile_of(sample, q).ln() - b.quantile_of(sample, q).ln();
        if log.is_nan() { 0.0 } else { log }
    });
    let effect = Effect::new(metric, log, draws, a.repetitions(), a.repetitions());
    Some(of_units(effect, a.repetitions(), FEWEST_STARTS))
}

/// Ratio of slopes; bootstrap over the steps of the memory phase, the same ones on both lanes.
fn stepped_effect(metric: &Metric, log: f64, a: &Steps, b: &Steps) -> Effect {
    let steps = a.len().min(b.len());
    let draws = resample(steps, |_, sample| {
        a.slope(sample).zip(b.slope(sample)).and_then(|(a, b)| log_ratio(a, b)).unwrap_or(0.0)
    });
    of_units(Effect::new(metric, log, draws, steps, steps), steps, FEWEST_STEPS)
}

/// Mean without the extreme tenths. Summed from both ends inward, so that negated values give the
/// negated mean to the last bit.
fn trimmed_mean(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let cut = (values.len() as f64 * TRIM) as usize;
    let kept = &values[cut..values.len() - cut];
    let half = kept.len() / 2;
    let outer: f64 = (0..half).map(|i| kept[i] + kept[kept.len() - 1 - i]).sum();
    let middle = if kept.len() % 2 == 1 { kept[half] } else { 0.0 };
    (!kept.is_empty()).then(|| (outer + middle) / kept.len() as f64)
}

#[cfg(test)]
mod tests;
