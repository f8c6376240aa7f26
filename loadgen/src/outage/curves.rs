//! Moments and latencies as curves over time, and how far they are apart. Pure.

use results::run::Slice;
use results::run::outage::TICK_NS;

/// How many of these moments lie in each tick from `from_ns` on; what was before is none of it.
pub fn curve(moments: Vec<u64>, from_ns: u64) -> Vec<u64> {
    let mut counts = Vec::new();
    for behind_ns in moments.into_iter().filter_map(|moment| moment.checked_sub(from_ns)) {
        let tick = usize::try_from(behind_ns / TICK_NS).expect("a run of hours");
        if counts.len() <= tick {
            counts.resize(tick + 1, 0);
        }
        counts[tick] += 1;
    }
    counts
}

/// From the 5th percentile to the 95th; `None` of fewer than 20.
pub fn spread(moments: &[u64]) -> Option<u64> {
    let mut sorted = moments.to_vec();
    sorted.sort_unstable();
    let at = |share: usize| sorted[sorted.len() * share / 100];
    (sorted.len() >= 20).then(|| at(95) - at(5))
}

/// A slice of the time line; its latencies in any order.
pub fn slice(start_ns: u64, mut late: Vec<u64>) -> Slice {
    late.sort_unstable();
    let at = |share: usize| late.get((late.len() * share / 100).min(late.len().saturating_sub(1)));
    Slice {
        start_ns,
        span_ns: TICK_NS,
        deliveries: late.len() as u64,
        p50_ns: at(50).copied().unwrap_or(0),
        p99_ns: at(99).copied().unwrap_or(0),
        max_ns: late.last().copied().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_leaves_out_a_twentieth_at_each_end() {
        let moments: Vec<u64> = (0..100).rev().collect();
        assert_eq!((spread(&moments), spread(&moments[..19])), (Some(90), None));
    }

    #[test]
    fn a_curve_counts_from_the_fault_on() {
        let ms = |ms: u64| ms * 1_000_000;
        assert_eq!(curve(vec![ms(90), ms(110), ms(250), ms(299), ms(420)], ms(100)), [1, 2, 0, 1]);
        assert_eq!(curve(Vec::new(), 5), [0_u64; 0]);
    }

    #[test]
    fn a_slice_tells_its_median_its_tail_and_its_largest() {
        let slice = slice(TICK_NS, (1..=200).rev().collect());
        assert_eq!((slice.start_ns, slice.deliveries), (TICK_NS, 200));
        assert_eq!((slice.p50_ns, slice.p99_ns, slice.max_ns), (101, 199, 200));
        assert_eq!(super::slice(0, Vec::new()), Slice { span_ns: TICK_NS, ..Slice::default() });
    }
}
