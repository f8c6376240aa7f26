//! Statistics over repetitions and blocks: medians, slopes, bootstrap intervals.
//!
//! The unit is the block or the process start, never the delivery: the deliveries of an event share
//! its fate, and treating them as independent shrinks intervals without reason (METHOD M17).

mod effect;
mod paired;
mod pool;
mod steps;

pub use effect::{Effect, Judgement, MARGIN, holm};
pub use paired::{Side, effect_between, grouped_effect, paired_effect, pairs};
pub use pool::Pool;
pub use steps::Steps;

use scenarios::seed::SplitMix;

/// Resamples of a bootstrap (METHOD M19).
pub const RESAMPLES: usize = 10_000;

/// Fixed, so that a report is the same each time it is drawn.
const SEED: u64 = 19;

/// A 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The middle value, or the mean of the two in the middle.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[half]),
        _ => Some(f64::midpoint(sorted[half - 1], sorted[half])),
    }
}

/// Least squares; nothing for fewer than two distinct abscissae.
#[must_use]
pub fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let n = points.len() as f64;
    let mean_x = points.iter().map(|p| p.0).sum::<f64>() / n;
    let mean_y = points.iter().map(|p| p.1).sum::<f64>() / n;
    let spread: f64 = points.iter().map(|p| (p.0 - mean_x).powi(2)).sum();
    let joint: f64 = points.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum();
    (spread > 0.0).then(|| joint / spread)
}

/// Sorts and cuts 2.5 % at each end. The ends are mirror images, so that negated draws give the
/// negated interval exactly.
#[must_use]
pub fn percentile_interval(draws: &mut [f64]) -> Option<Interval> {
    draws.sort_by(f64::total_cmp);
    let cut = draws.len() / 40;
    Some(Interval { low: *draws.get(cut)?, high: draws[draws.len() - 1 - cut] })
}

/// Draws indices of `units` with replacement, [`RESAMPLES`] times, and hands each sample on.
fn resample(units: usize, mut each: impl FnMut(&mut SplitMix, &[usize]) -> f64) -> Vec<f64> {
    let mut draw = SplitMix::new(SEED, units as u64);
    let mut sample = vec![0; units];
    (0..RESAMPLES)
        .map(|_| {
            sample.fill_with(|| index(&mut draw, units));
            each(&mut draw, &sample)
        })
        .collect()
}

fn index(draw: &mut SplitMix, n: usize) -> usize {
    usize::try_from(draw.below(n as u64)).expect("an index of a slice")
}

/// Percentile bootstrap of the median over repetitions; nothing for fewer than two.
#[must_use]
pub fn median_interval(values: &[f64]) -> Option<Interval> {
    if values.len() < 2 {
        return None;
    }
    let mut held = vec![0.0; values.len()];
    let mut draws = resample(values.len(), |_, sample| {
        held.iter_mut().zip(sample).for_each(|(slot, i)| *slot = values[*i]);
        median(&held).expect("at least two values")
    });
    percentile_interval(&mut draws)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_slopes() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(slope(&[(0.0, 5.0), (1.0, 7.0), (2.0, 9.0)]), Some(2.0));
        assert_eq!((slope(&[]), slope(&[(1.0, 1.0)]), slope(&[(1.0, 1.0), (1.0, 2.0)])), (None, None, None));
    }

    #[test]
    fn an_interval_holds_the_median_and_needs_two_repetitions() {
        assert_eq!(median_interval(&[5.0]), None);
        let interval = median_interval(&[9.0, 10.0, 11.0, 10.5, 9.5]).unwrap();
        assert!(
            interval.low >= 9.0 && interval.low <= 10.0 && interval.high >= 10.0 && interval.high <= 11.0
        );
        assert_eq!(median_interval(&[2.0, 2.0, 2.0]), Some(Interval { low: 2.0, high: 2.0 }));
    }
}
