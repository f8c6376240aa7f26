//! Bytes against payload size: the sweep of two lanes as a ratio, and where it settles inside the margin.
//!
//! Apart from the chart that draws it, because a claim is judged by the same break-even point.

use scenarios::Lane;

use crate::run::{Run, SweepPoint};
use crate::stats::MARGIN;

/// Which bytes of a point are meant.
pub type Count = fn(&SweepPoint) -> u64;

/// Payload and framing, without what a network adds.
#[must_use]
pub fn stream(point: &SweepPoint) -> u64 {
    point.bytes.down()
}

/// The points of two lanes at the same payload size, smallest first.
#[must_use]
pub fn pairs(run: &Run, a: Lane, b: Lane) -> Vec<(&SweepPoint, &SweepPoint)> {
    let of = |lane| run.sweep.iter().filter(move |point| point.lane == lane);
    let mut pairs: Vec<(&SweepPoint, &SweepPoint)> = of(a)
        .filter_map(|one| Some((one, of(b).find(|other| other.payload_bytes == one.payload_bytes)?)))
        .filter(|(one, other)| one.payload_bytes > 0 && one.events > 0 && other.events > 0)
        .collect();
    pairs.sort_by_key(|(one, _)| one.payload_bytes);
    pairs
}

/// `(payload size, first lane's bytes per event over the second's)`.
#[must_use]
pub fn ratios(pairs: &[(&SweepPoint, &SweepPoint)], count: Count) -> Vec<(f64, f64)> {
    let per_event = |point: &SweepPoint| count(point) as f64 / point.events as f64;
    let point = |(one, other): &(&SweepPoint, &SweepPoint)| {
        let value = per_event(one) / per_event(other);
        (value.is_finite() && value > 0.0).then_some((one.payload_bytes as f64, value))
    };
    pairs.iter().filter_map(point).collect()
}

/// Bytes per event of a lane at a payload size, between the two nearest sizes that were counted; nothing
/// outside them.
#[must_use]
pub fn at(run: &Run, lane: Lane, payload_bytes: f64, count: Count) -> Option<f64> {
    let mut points: Vec<(f64, f64)> = run
        .sweep
        .iter()
        .filter(|point| point.lane == lane && point.events > 0)
        .map(|point| (point.payload_bytes as f64, count(point) as f64 / point.events as f64))
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let above = points.iter().position(|point| point.0 >= payload_bytes)?;
    let high = points[above];
    if high.0 <= payload_bytes {
        return Some(high.1);
    }
    let low = points[above.checked_sub(1)?];
    Some(low.1 + (high.1 - low.1) * (payload_bytes - low.0) / (high.0 - low.0))
}

/// The first point from which on every ratio lies inside the margin.
#[must_use]
pub fn settled(ratios: &[(f64, f64)]) -> Option<usize> {
    let outside = ratios.iter().rposition(|point| point.1.ln().abs() > MARGIN.ln_1p());
    let first = outside.map_or(0, |at| at + 1);
    (first < ratios.len()).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn it_settles_where_the_last_ratio_outside_the_margin_ends() {
        let at = |ratios: &[f64]| settled(&ratios.iter().map(|r| (1.0, *r)).collect::<Vec<_>>());
        assert_eq!(at(&[1.9, 1.02, 1.2, 1.02, 1.0]), Some(3));
        assert_eq!((at(&[1.0, 0.98]), at(&[0.5, 0.96]), at(&[])), (Some(0), None, None));
    }

    #[test]
    fn between_two_sizes_lies_between_their_bytes() {
        let run = sample::run();
        let lane = run.scenario.lanes[0];
        let bytes = |size| at(&run, lane, size, stream);
        let (small, large) = (bytes(16.0).unwrap(), bytes(32.0).unwrap());
        assert_eq!(bytes(24.0), Some((small + large) / 2.0));
        assert_eq!((bytes(15.0), bytes(1e9)), (None, None));
        assert!((large - small - 16.0).abs() < 1e-9, "{small} {large}");
    }

    #[test]
    fn the_ratio_is_negated_when_the_lanes_are_exchanged() {
        let run = sample::run();
        let (sse, ws) = (run.scenario.lanes[0], run.scenario.lanes[1]);
        let (there, back) = (ratios(&pairs(&run, sse, ws), stream), ratios(&pairs(&run, ws, sse), stream));
        assert_eq!((there.len(), there[0].0), (run.scenario.sweep.len(), 16.0));
        assert!(there.iter().zip(&back).all(|(a, b)| (a.1 * b.1 - 1.0).abs() < 1e-12));
        assert_eq!(settled(&there), settled(&back));
    }
}
