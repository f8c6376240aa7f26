//! Quantiles over pooled repetitions, and their interval by drawing whole repetitions again.
//!
//! Cumulative counts over the union of all buckets make a quantile of any resample a binary search,
//! so that 10,000 of them cost milliseconds instead of merging 50,000 histograms.

use super::{Interval, percentile_interval, resample};
use crate::latency::LatencyHistogram;

/// Histograms of one lane, one a repetition.
pub struct Pool {
    /// The values that occur, ascending, ns.
    values: Vec<u64>,
    /// By repetition: how many of it are at most `values[i]`.
    cumulative: Vec<Vec<u64>>,
    /// By repetition: delivered, saturated and lost.
    all: Vec<u64>,
}

impl Pool {
    /// Pools histograms.
    pub fn new<'a>(histograms: impl IntoIterator<Item = &'a LatencyHistogram>) -> Self {
        let histograms: Vec<&LatencyHistogram> = histograms.into_iter().collect();
        let counts: Vec<Vec<(u64, u64)>> = histograms
            .iter()
            .map(|h| {
                let held = h.held().iter_recorded();
                held.map(|step| (step.value_iterated_to(), step.count_since_last_iteration())).collect()
            })
            .collect();
        let mut values: Vec<u64> = counts.iter().flatten().map(|(value, _)| *value).collect();
        values.sort_unstable();
        values.dedup();
        let cumulative = counts.iter().map(|counts| accumulate(&values, counts)).collect();
        let all = histograms.iter().map(|h| h.count() + h.lost()).collect();
        Self { values, cumulative, all }
    }

    /// Whether nothing was recorded or lost.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.iter().all(|all| *all == 0)
    }

    /// The number of repetitions.
    #[must_use]
    pub fn repetitions(&self) -> usize {
        self.all.len()
    }

    /// The quantile of all repetitions together, ns; nothing when it lies among the lost.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let each: Vec<usize> = (0..self.repetitions()).collect();
        Some(self.quantile_of(&each, q)).filter(|value| value.is_finite())
    }

    /// The quantile over these repetitions (some perhaps more than once), ns; infinite when it lies
    /// among the lost.
    #[must_use]
    pub fn quantile_of(&self, repetitions: &[usize], q: f64) -> f64 {
        let all: u64 = repetitions.iter().map(|r| self.all[*r]).sum();
        let rank = ((q * all as f64).ceil() as u64).max(1);
        let at_most = |i: usize| -> u64 { repetitions.iter().map(|r| self.cumulative[*r][i]).sum() };
        let (mut low, mut high) = (0, self.values.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if at_most(middle) < rank { low = middle + 1 } else { high = middle }
        }
        self.values.get(low).map_or(f64::INFINITY, |value| *value as f64)
    }

    /// The interval of the pooled quantile, ns, repetitions drawn again; nothing for fewer than two.
    #[must_use]
    pub fn interval(&self, q: f64) -> Option<Interval> {
        if self.repetitions() < 2 {
            return None;
        }
        let mut draws = resample(self.repetitions(), |_, sample| self.quantile_of(sample, q));
        percentile_interval(&mut draws)
    }
}

fn accumulate(values: &[u64], counts: &[(u64, u64)]) -> Vec<u64> {
    let (mut next, mut sum) = (counts.iter().peekable(), 0);
    values
        .iter()
        .map(|value| {
            while let Some((_, count)) = next.next_if(|(held, _)| held <= value) {
                sum += count;
            }
            sum
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[u64]) -> LatencyHistogram {
        let mut histogram = LatencyHistogram::default();
        values.iter().for_each(|value| histogram.record(*value));
        histogram
    }

    proptest! {
        #[test]
        fn pooling_is_merging(
            a in proptest::collection::vec(0u64..50_000_000, 0..60), b in proptest::collection::vec(0u64..50_000_000, 0..60),
            lost in 0u64..20, q in 0.01f64..0.999,
        ) {
            let (one, mut other) = (of(&a), of(&b));
            other.add_lost(lost);
            let pool = Pool::new([&one, &other]);
            let mut merged = one.clone();
            merged.merge(&other);
            prop_assert_eq!(pool.quantile(q), merged.quantile(q).map(|v| v as f64));
        }
    }

    #[test]
    fn an_interval_among_the_lost_is_unbounded() {
        let (good, mut bad) = (of(&[1_000; 100]), of(&[1_000; 100]));
        bad.add_lost(50);
        let interval = Pool::new([&good, &bad]).interval(0.8).unwrap();
        assert!(interval.low <= 1_000.0 && interval.high.is_infinite());
        assert!(Pool::new([&good]).interval(0.5).is_none());
        assert!(Pool::new([]).is_empty());
    }
}
