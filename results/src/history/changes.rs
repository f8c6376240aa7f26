//! Where the level of a series changed: E-divisive (Matteson and James 2014), as Hunter and MongoDB's CI use it.
//!
//! The split of a stretch with the largest energy distance between its two sides is taken; whether chance makes such a
//! split too is asked of shuffled copies (a permutation test, seeded). If it stands, both sides are looked at alike.
//! The test takes the runs of a steady stretch to be interchangeable: a machine that drifts for days changes its level.

use scenarios::seed::SplitMix;

/// Runs on either side of a change: with fewer than five and five no shuffling is rare enough.
pub const FEWEST: usize = 5;

/// Chance of finding a change where there is none.
pub const LEVEL: f64 = 0.01;

/// Shuffled copies that a split is compared with.
const COPIES: usize = 999;

/// Fixed, so that a history says the same each time.
const SEED: u64 = 14;

/// A new level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The index of the first value of it.
    pub at: usize,
    /// Mean from the change before to this one.
    pub before: f64,
    /// Mean from here to the next.
    pub after: f64,
    /// Share of shuffled copies with as large a split.
    pub p: f64,
}

/// All changes, in order.
#[must_use]
pub fn find(values: &[f64]) -> Vec<Change> {
    let mut found = Vec::new();
    let mut open = vec![(0, values.len())];
    while let Some((from, to)) = open.pop() {
        let stretch = &values[from..to];
        let Some((split, energy)) = best_split(stretch) else { continue };
        let p = chance(stretch, energy, (SEED, from as u64));
        if p <= LEVEL {
            found.push((from + split, p));
            open.extend([(from, from + split), (from + split, to)]);
        }
    }
    found.sort_by_key(|(at, _)| *at);
    let edges: Vec<usize> = found.iter().map(|(at, _)| *at).chain([values.len()]).collect();
    let mean = |stretch: &[f64]| stretch.iter().sum::<f64>() / stretch.len() as f64;
    let change = |(i, (at, p)): (usize, &(usize, f64))| {
        let start = if i == 0 { 0 } else { edges[i - 1] };
        Change { at: *at, before: mean(&values[start..*at]), after: mean(&values[*at..edges[i + 1]]), p: *p }
    };
    found.iter().enumerate().map(change).collect()
}

/// The split with the largest energy distance of its sides, and that distance; nothing for a stretch that is too
/// short or does not move.
fn best_split(values: &[f64]) -> Option<(usize, f64)> {
    let n = values.len();
    if n < 2 * FEWEST {
        return None;
    }
    let between_all = |one: f64, others: &[f64]| others.iter().map(|other| (one - other).abs()).sum::<f64>();
    let pairs = |count: f64| (count * (count - 1.0) / 2.0).max(1.0);
    let mut right: f64 = (0..n).map(|i| between_all(values[i], &values[i + 1..])).sum();
    let (mut left, mut across, mut best) = (0.0, 0.0, None);
    for at in 1..=n - FEWEST {
        // The value before the split goes from the right to the left.
        let moved = values[at - 1];
        let (to_left, to_right) = (between_all(moved, &values[..at - 1]), between_all(moved, &values[at..]));
        left += to_left;
        right -= to_right;
        across += to_right - to_left;
        let (m, k) = (at as f64, (n - at) as f64);
        let energy = m * k / (m + k) * (2.0 * across / (m * k) - left / pairs(m) - right / pairs(k));
        if at >= FEWEST && best.is_none_or(|(_, most)| energy > most) {
            best = Some((at, energy));
        }
    }
    best.filter(|(_, energy)| *energy > 1e-12)
}

/// Share of shuffled copies whose best split is as large; copies that cannot bring it below [`LEVEL`] are left out.
fn chance(values: &[f64], energy: f64, (seed, purpose): (u64, u64)) -> f64 {
    let mut draw = SplitMix::new(seed, purpose);
    let mut copy = values.to_vec();
    let enough = (LEVEL * (COPIES + 1) as f64) as usize;
    let mut as_large = 0;
    for shuffled in 1..=COPIES {
        draw.shuffle(&mut copy);
        // Sums in another order differ in the last digits.
        as_large += usize::from(best_split(&copy).is_some_and(|(_, other)| other >= energy * (1.0 - 1e-9)));
        if as_large > enough {
            return (as_large + 1) as f64 / (shuffled + 1) as f64;
        }
    }
    (as_large + 1) as f64 / (COPIES + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values around a level, roughly normal with a deviation of 1.
    fn noise(seed: u64, count: usize) -> Vec<f64> {
        let mut draw = SplitMix::new(seed, 77);
        (0..count).map(|_| 100.0 + (0..12).map(|_| draw.unit()).sum::<f64>() - 6.0).collect()
    }

    fn stepped(seed: u64, steps: &[(usize, f64)], count: usize) -> Vec<f64> {
        let height = |i: usize| steps.iter().filter(|(at, _)| i >= *at).map(|(_, by)| by).sum::<f64>();
        noise(seed, count).into_iter().enumerate().map(|(i, value)| value + height(i)).collect()
    }

    fn places(values: &[f64]) -> Vec<usize> {
        find(values).iter().map(|change| change.at).collect()
    }

    #[test]
    fn a_step_is_found_at_its_place() {
        for seed in 0..20 {
            assert_eq!(places(&stepped(seed, &[(23, 8.0)], 40)), [23], "seed {seed}");
        }
        let change = find(&stepped(1, &[(23, 8.0)], 40))[0];
        assert!((change.after - change.before - 8.0).abs() < 1.0 && change.p <= LEVEL, "{change:?}");
    }

    #[test]
    fn two_steps_are_two_changes() {
        assert_eq!(places(&stepped(3, &[(15, 9.0), (35, -9.0)], 50)), [15, 35]);
    }

    /// A step of two deviations: not exactly where it is, but near it, and nearly always.
    #[test]
    fn a_small_step_is_found_near_its_place() {
        let near = |seed: u64| places(&stepped(seed, &[(20, 2.0)], 40)).iter().any(|at| at.abs_diff(20) <= 3);
        let found = (0..50).filter(|seed| near(*seed)).count();
        assert!(found >= 45, "{found} of 50");
    }

    /// 3 of 100 is far above the level of 1 %, and far below what a single run against a threshold cries.
    #[test]
    fn in_noise_nothing_is_found() {
        let quiet = (1_000..1_200).filter(|seed| places(&noise(*seed, 40)).is_empty()).count();
        assert!(quiet >= 194, "{quiet} of 200");
    }

    #[test]
    fn what_is_short_or_does_not_move_has_no_changes() {
        assert_eq!(places(&[]), [0; 0]);
        assert_eq!(places(&[1.0; 9]), [0; 0]);
        assert_eq!(places(&[5.0; 60]), [0; 0]);
        let exact: Vec<f64> = [vec![5.0; 12], vec![6.0; 9]].concat();
        assert_eq!(places(&exact), [12]);
    }
}
