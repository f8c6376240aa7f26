//! Warm-up by rule, not by guess: traffic before the measured epoch until its cost is steady.
//!
//! The rule is MSER-5 (White 1997): of all ways to cut a series' beginning, take the one that gives
//! the rest the smallest standard error. A series is steady when that cut lies in its first half.
//! Nothing is cut from the measured epoch itself (METHOD M18).

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Result;
use scenarios::Plan;

use crate::lane::LaneProcesses;
use crate::pace;
use crate::repetition::{deliveries, drain};

/// Stretches of slices tried before "not steady" is said.
const STRETCHES: u64 = 3;

/// How the warm-up ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warmed {
    /// The first sequence number after it, by lane.
    pub next_seq: Vec<u64>,
    /// Whether the cost became steady (true when there was no warm-up to judge).
    pub steady: bool,
}

/// Publishes slices of 100 ms on the lanes in turn until the cost per delivery is steady.
///
/// # Errors
/// A process is gone.
pub fn run(plan: &Plan, lanes: &mut [LaneProcesses], stop: &AtomicBool) -> Result<Warmed> {
    let slices = plan.scenario.warmup.0;
    let mut warmed = Warmed { next_seq: vec![1; lanes.len()], steady: slices == 0 };
    let mut costs: Vec<Vec<f64>> = vec![Vec::new(); lanes.len()];
    for _ in 0..STRETCHES {
        if warmed.steady || stop.load(std::sync::atomic::Ordering::Relaxed) {
            break;
        }
        stretch(plan, lanes, &mut warmed.next_seq, stop, &mut costs)?;
        warmed.steady = is_steady(&in_order(&costs));
    }
    // The lanes' measured events must be the same ones, however the slices fell on them.
    let next = warmed.next_seq.iter().copied().max().unwrap_or(1);
    warmed.next_seq.fill(next);
    Ok(warmed)
}

/// One stretch; adds the cost per delivery of each slice to its lane.
fn stretch(
    plan: &Plan,
    lanes: &mut [LaneProcesses],
    next_seq: &mut [u64],
    stop: &AtomicBool,
    costs: &mut [Vec<f64>],
) -> Result<()> {
    let blocks = plan.warmup(plan.scenario.warmup.0, next_seq);
    let schedules: Vec<_> = (0..lanes.len()).map(|lane| plan.schedule(&blocks, lane)).collect();
    let start = pace::begin(lanes, &schedules)?;
    let walked = pace::walk(lanes, &blocks, start, |_| 0, stop, |_, _, _| Ok(true))?;
    for (block, cost) in blocks.iter().zip(&walked) {
        let nanos = cost.server.cpu_ns + cost.client.cpu_ns;
        costs[block.lane].push(ratio(nanos, deliveries(plan, block)));
    }
    for ((lane, schedule), next) in lanes.iter_mut().zip(&schedules).zip(next_seq) {
        let planned = blocks.last().map_or(0, scenarios::Block::end_ns);
        let patience = Duration::from_nanos(planned) + crate::worker::PATIENCE;
        let measured = lane.collect(schedule, patience, drain(&plan.scenario, lane.lane), &[])?;
        *next += measured.ran.iter().map(|ran| ran.lag_ns.len() as u64).max().unwrap_or(0);
    }
    Ok(())
}

/// Each lane's costs against its own median, in the order of time.
fn in_order(costs: &[Vec<f64>]) -> Vec<f64> {
    let medians: Vec<f64> = costs.iter().map(|lane| median(lane)).collect();
    let longest = costs.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest)
        .flat_map(|round| (0..costs.len()).map(move |lane| (round, lane)))
        .filter_map(|(round, lane)| Some(costs[lane].get(round)? / medians[lane]))
        .collect()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(1.0).max(f64::MIN_POSITIVE)
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a slice stay below 2^53")]
fn ratio(nanos: u64, deliveries: u64) -> f64 {
    nanos as f64 / deliveries.max(1) as f64
}

/// MSER-5: whether the best cut of the series lies in its first half.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a series is short")]
pub fn is_steady(series: &[f64]) -> bool {
    let batches: Vec<f64> = series.chunks_exact(5).map(|batch| batch.iter().sum::<f64>() / 5.0).collect();
    let error = |cut: usize| {
        let rest = &batches[cut..];
        let mean = rest.iter().sum::<f64>() / rest.len() as f64;
        rest.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (rest.len() as f64).powi(2)
    };
    // Fewer than three batches are no rest to judge by: their error is small by chance.
    let last = batches.len().saturating_sub(2);
    let best = (0..last).min_by(|a, b| error(*a).total_cmp(&error(*b)));
    best.is_some_and(|cut| cut <= batches.len() / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(index: usize) -> f64 {
        f64::from(u32::try_from(((index * 2_654_435_761) >> 16) % 101).unwrap()) / 1_000.0
    }

    #[test]
    fn a_level_series_is_steady_and_a_falling_one_is_not() {
        let level: Vec<f64> = (0..51).map(|i| 1.0 + noise(i)).collect();
        let early: Vec<f64> = (0..51).map(|i| if i < 15 { 3.0 } else { 1.0 } + noise(i)).collect();
        let late: Vec<f64> = (0..51).map(|i| if i < 35 { 3.0 } else { 1.0 } + noise(i)).collect();
        assert!(is_steady(&level));
        assert!(is_steady(&early), "the beginning is cut and the rest is level");
        assert!(!is_steady(&late), "it changed in its second half");
        assert!(!is_steady(&[1.0; 4]), "too short to judge");
    }
}
