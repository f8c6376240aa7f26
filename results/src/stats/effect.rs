//! An effect: a ratio of two lanes with its interval, and what may be said about it.
//!
//! Kept as logarithms: exchanging the lanes negates every number exactly, so a verdict flips with
//! the lanes and cannot depend on which of them was named first.

use super::{Interval, RESAMPLES, percentile_interval};
use crate::metric::{Better, Metric, Tier};

/// Ratios closer to 1 than this make no practical difference; declared before measuring.
pub const MARGIN: f64 = 0.03;

/// Chance of one false verdict among all headline metrics of a comparison.
const ALPHA: f64 = 0.05;

/// What may be said about a ratio (METHOD M19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The whole interval lies beyond the margin on the good side.
    Better,
    /// The whole interval lies beyond the margin on the bad side.
    Worse,
    /// The whole interval lies inside the margin.
    Same,
    /// None of these.
    Inconclusive,
}

impl Judgement {
    /// One word for tables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Same => "same",
            Self::Inconclusive => "unclear",
        }
    }

    /// Seen from the other lane.
    #[must_use]
    pub const fn flipped(self) -> Self {
        match self {
            Self::Better => Self::Worse,
            Self::Worse => Self::Better,
            Self::Same => Self::Same,
            Self::Inconclusive => Self::Inconclusive,
        }
    }
}

/// One lane's metric over another's.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// Natural logarithm of the ratio.
    pub log: f64,
    /// Its interval, when there are at least two starts (or the metric is exact).
    pub log_interval: Option<Interval>,
    /// Pairs it rests on.
    pub pairs: usize,
    /// Process starts it rests on.
    pub starts: usize,
    /// Chance, twice one-sided, of such draws if the ratio did not exceed the margin.
    pub p: f64,
    /// What may be said.
    pub judgement: Judgement,
}

impl Effect {
    /// From an estimate and its bootstrap draws, both logarithms.
    #[must_use]
    pub fn new(metric: &Metric, log: f64, mut draws: Vec<f64>, pairs: usize, starts: usize) -> Self {
        if starts < 2 {
            draws = if metric.tier == Tier::Exact { vec![log; RESAMPLES] } else { Vec::new() };
        }
        let log_interval = percentile_interval(&mut draws);
        let judgement = log_interval.map_or(Judgement::Inconclusive, |held| judge(held, metric.better));
        Self { log, log_interval, pairs, starts, p: chance(log, &draws), judgement }
    }

    /// From a ratio of two counts that are the same however often they are taken.
    #[must_use]
    pub fn counted(metric: &Metric, ratio: f64) -> Self {
        Self::new(metric, ratio.ln(), vec![ratio.ln(); RESAMPLES], 1, 2)
    }

    /// The ratio.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.log.exp()
    }

    /// The ratio's interval.
    #[must_use]
    pub fn interval(&self) -> Option<Interval> {
        self.log_interval.map(|logs| Interval { low: logs.low.exp(), high: logs.high.exp() })
    }
}

fn margin() -> f64 {
    MARGIN.ln_1p()
}

fn judge(logs: Interval, better: Better) -> Judgement {
    let (below, above) = match better {
        Better::Lower => (Judgement::Better, Judgement::Worse),
        Better::Higher => (Judgement::Worse, Judgement::Better),
    };
    match logs {
        Interval { high, .. } if high < -margin() => below,
        Interval { low, .. } if low > margin() => above,
        Interval { low, high } if low >= -margin() && high <= margin() => Judgement::Same,
        Interval { .. } => Judgement::Inconclusive,
    }
}

fn chance(log: f64, draws: &[f64]) -> f64 {
    let within = match log {
        l if l < 0.0 => draws.iter().filter(|draw| **draw >= -margin()).count(),
        l if l > 0.0 => draws.iter().filter(|draw| **draw <= margin()).count(),
        _ => draws.len(),
    };
    (2.0 * (within + 1) as f64 / (draws.len() + 1) as f64).min(1.0)
}

/// Holm's step-down over one comparison's headline metrics: a difference that does not survive it
/// becomes inconclusive.
pub fn holm(effects: &mut [&mut Effect]) {
    effects.sort_by(|a, b| a.p.total_cmp(&b.p));
    let (tests, mut stands) = (effects.len(), true);
    for (i, effect) in effects.iter_mut().enumerate() {
        stands &= effect.p <= ALPHA / (tests - i) as f64;
        let is_difference = matches!(effect.judgement, Judgement::Better | Judgement::Worse);
        if is_difference && !stands {
            effect.judgement = Judgement::Inconclusive;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(log: f64, draws: Vec<f64>) -> Effect {
        Effect::new(Metric::named("server CPU").unwrap(), log, draws, 10, 5)
    }

    #[test]
    fn the_interval_against_the_margin_decides() {
        let around = |log: f64, half: f64| {
            effect(log, (0..1_001).map(|i| log + half * (f64::from(i) / 500.0 - 1.0)).collect()).judgement
        };
        assert_eq!(around(-0.2, 0.05), Judgement::Better);
        assert_eq!(around(0.2, 0.05), Judgement::Worse);
        assert_eq!(around(0.0, 0.02), Judgement::Same);
        assert_eq!(around(0.2, 0.5), Judgement::Inconclusive);
        assert_eq!(around(0.02, 0.02), Judgement::Inconclusive);
    }

    #[test]
    fn one_start_proves_nothing_unless_the_metric_is_exact() {
        let noisy = Effect::new(Metric::named("server CPU").unwrap(), 0.5, vec![0.5; 100], 15, 1);
        assert_eq!((noisy.judgement, noisy.interval()), (Judgement::Inconclusive, None));
        let exact = Effect::new(Metric::named("event framing").unwrap(), 0.5, vec![], 1, 1);
        assert_eq!(exact.judgement, Judgement::Worse);
    }

    #[test]
    fn holm_demotes_what_many_tests_would_find_by_chance() {
        let mut strong = effect(0.5, vec![0.5; 10_000]);
        let mut weak = effect(0.5, [vec![0.5; 9_800], vec![0.0; 200]].concat());
        assert_eq!(weak.judgement, Judgement::Worse);
        holm(&mut [&mut weak.clone()]);
        holm(&mut [&mut weak, &mut strong]);
        assert_eq!((strong.judgement, weak.judgement), (Judgement::Worse, Judgement::Worse));
        let mut others: Vec<Effect> = vec![weak.clone(), weak.clone()];
        let mut all: Vec<&mut Effect> = others.iter_mut().chain([&mut weak]).collect();
        holm(&mut all);
        assert_eq!(weak.judgement, Judgement::Inconclusive);
    }
}
