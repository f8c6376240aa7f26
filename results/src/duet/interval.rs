//! The interval of a duet: a trimmed mean of pairwise log ratios, Yuen's error, widened where neighbours resemble
//! each other.
//!
//! Yuen (1974) takes pairs as independent. Those of one session are not: a machine is slow for seconds. So the error is
//! also taken from the means of [`BATCHES`] stretches of the session, and the wider of both intervals is used. Every step
//! treats a sequence and its negative alike to the last bit, so that exchanging the sides negates the result exactly.

use super::student;

/// Share of the pairs that is trimmed at each end.
const TRIM: f64 = 0.1;

/// Stretches of a session whose means are compared: few, so that each outlasts what makes neighbours alike.
pub const BATCHES: usize = 12;

/// What a sequence of pairwise log ratios says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The trimmed mean.
    pub log: f64,
    /// Half the length of its interval.
    pub half: f64,
    /// Chance of a mean at least so far from 0, if the ratio is 1.
    pub p: f64,
    /// Pairs that it rests on.
    pub pairs: usize,
}

/// An error of the mean, and the degrees of freedom of its t distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    error: f64,
    freedom: u32,
}

impl Spread {
    fn half(self, alpha: f64) -> f64 {
        self.error * student::quantile(alpha, self.freedom)
    }

    fn p(self, log: f64) -> f64 {
        if log == 0.0 { 1.0 } else { student::two_sided(log.abs() / self.error, self.freedom) }
    }
}

/// The estimate with its interval at the level 1 - `alpha`; nothing for fewer pairs than [`BATCHES`].
#[must_use]
pub fn estimate(logs: &[f64], alpha: f64) -> Option<Estimate> {
    if logs.len() < BATCHES {
        return None;
    }
    let trimmed = Trimmed::new(logs);
    let (yuen, batched) = (trimmed.yuen(), trimmed.batched());
    Some(Estimate {
        log: trimmed.mean,
        half: yuen.half(alpha).max(batched.half(alpha)),
        p: yuen.p(trimmed.mean).max(batched.p(trimmed.mean)),
        pairs: logs.len(),
    })
}

/// A sequence with its extreme tenths trimmed, and with them pulled in.
struct Trimmed {
    mean: f64,
    kept: usize,
    /// In the order of time.
    winsorised: Vec<f64>,
}

impl Trimmed {
    fn new(logs: &[f64]) -> Self {
        let mut sorted = logs.to_vec();
        sorted.sort_by(f64::total_cmp);
        let cut = (logs.len() as f64 * TRIM) as usize;
        let inner = &sorted[cut..sorted.len() - cut];
        // Summed from both ends inward: the negative sequence gives the negative sum.
        let half = inner.len() / 2;
        let outer: f64 = (0..half).map(|i| inner[i] + inner[inner.len() - 1 - i]).sum();
        let middle = if inner.len() % 2 == 1 { inner[half] } else { 0.0 };
        let (low, high) = (inner[0], inner[inner.len() - 1]);
        Self {
            mean: (outer + middle) / inner.len() as f64,
            kept: inner.len(),
            winsorised: logs.iter().map(|log| log.clamp(low, high)).collect(),
        }
    }

    /// Yuen's error of the trimmed mean: of the winsorised values' squares, over h (h - 1).
    fn yuen(&self) -> Spread {
        let h = self.kept as f64;
        let squares = squares(&self.winsorised);
        let freedom = u32::try_from(self.kept - 1).expect("a session's pairs are few");
        Spread { error: (squares / (h * (h - 1.0))).sqrt(), freedom }
    }

    /// The same from the means of the winsorised values of each stretch.
    fn batched(&self) -> Spread {
        let n = self.winsorised.len();
        let batch = |k: usize| &self.winsorised[k * n / BATCHES..(k + 1) * n / BATCHES];
        let means: Vec<f64> = (0..BATCHES).map(batch).map(mean).collect();
        let (count, pulled_in) = (BATCHES as f64, n as f64 / self.kept as f64);
        let error = (squares(&means) / (count * (count - 1.0))).sqrt() * pulled_in;
        Spread { error, freedom: BATCHES as u32 - 1 }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Sum of squared differences from the mean.
fn squares(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum()
}

#[cfg(test)]
mod tests;
