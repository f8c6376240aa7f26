//! The steps of a memory phase as units: from one level of connections to the next.
//!
//! The phase runs once a lane, so there are no repetitions to draw from; but each step asks anew what
//! a connection costs, and how far the steps disagree is how well the slope is known.

use super::{Interval, percentile_interval, resample};

/// `(connections, KiB)` added by each step.
pub struct Steps(Vec<(f64, f64)>);

impl Steps {
    /// From the levels in order.
    #[must_use]
    pub fn new(levels: &[(f64, f64)]) -> Self {
        let added = levels.windows(2).map(|w| (w[1].0 - w[0].0, w[1].1 - w[0].1));
        Self(added.filter(|step| step.0 > 0.0).collect())
    }

    /// The number of steps.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a connection costs in each step.
    pub fn each(&self) -> impl Iterator<Item = f64> {
        self.0.iter().map(|step| step.1 / step.0)
    }

    /// What a connection costs over these steps together (some perhaps more than once).
    #[must_use]
    pub fn slope(&self, steps: &[usize]) -> Option<f64> {
        let connections: f64 = steps.iter().map(|i| self.0[*i].0).sum();
        let memory: f64 = steps.iter().map(|i| self.0[*i].1).sum();
        (connections > 0.0).then(|| memory / connections)
    }

    /// The interval of what a connection costs; nothing for fewer than two steps.
    #[must_use]
    pub fn interval(&self) -> Option<Interval> {
        if self.len() < 2 {
            return None;
        }
        let mut draws = resample(self.len(), |_, sample| self.slope(sample).expect("steps add connections"));
        percentile_interval(&mut draws)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_steps_leave_no_doubt_and_one_step_has_no_interval() {
        let even = Steps::new(&[(0.0, 100.0), (1_000.0, 4_100.0), (3_000.0, 12_100.0)]);
        assert_eq!(even.interval(), Some(Interval { low: 4.0, high: 4.0 }));
        assert!(Steps::new(&[(0.0, 1.0), (10.0, 2.0)]).interval().is_none());
        assert!(Steps::new(&[]).is_empty());
    }
}
