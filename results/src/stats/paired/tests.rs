//! What a paired ratio must keep, whatever the data: symmetry, cover of identical twins, and blocks
//! as units.

use proptest::prelude::*;

use super::*;
use crate::sample;
use crate::stats::{Interval, Judgement};

fn cpu() -> &'static Metric {
    Metric::named("server CPU").unwrap()
}

/// A/A pairs as recorded on two shared cores: five runs of the instrument's test of a lane against
/// itself (`cargo test -p loadgen --test instrument itself`), 4 starts each, server CPU of blocks of
/// 100 ms. Columns: start, round, us per delivery of one twin and of the other.
fn twins() -> Vec<Vec<f64>> {
    let mut starts: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for row in include_str!("twins.csv").lines().skip(1) {
        let fields: Vec<&str> = row.split(',').collect();
        let log = log_ratio(fields[2].parse().unwrap(), fields[3].parse().unwrap()).unwrap();
        starts.entry(fields[0].to_owned()).or_default().push(log);
    }
    starts.into_values().collect()
}

/// METHOD M21: intervals of a lane against itself cover 1.
#[test]
fn twins_cover_one() {
    let effect = grouped_effect(cpu(), &twins()).unwrap();
    let Interval { low, high } = effect.interval().unwrap();
    assert!(low <= 1.0 && 1.0 <= high, "{low} to {high}");
    assert!(high / low < 1.05, "{low} to {high}");
    assert_eq!((effect.pairs, effect.starts, effect.judgement), (900, 20, Judgement::Same));
}

/// METHOD M21: 10 % injected on one side is found, within 3 points.
#[test]
fn an_injected_tenth_is_found() {
    let slower: Vec<Vec<f64>> =
        twins().iter().map(|start| start.iter().map(|log| log + 1.1f64.ln()).collect()).collect();
    let effect = grouped_effect(cpu(), &slower).unwrap();
    assert!((effect.ratio() - 1.1).abs() < 0.03, "{}", effect.ratio());
    assert_eq!(effect.judgement, Judgement::Worse);
}

/// Three starts may differ in a quantile by any amount; nothing is judged from them.
#[test]
fn few_starts_judge_no_quantile() {
    let judged = |starts| {
        let run = sample::with(&["sse-h1", "ws-h1"], starts);
        let lanes = &run.scenario.lanes;
        paired_effect(&run, Metric::named("latency p50").unwrap(), lanes[0], lanes[1]).unwrap().judgement
    };
    assert_eq!([judged(3), judged(5)], [Judgement::Inconclusive, Judgement::Worse]);
}

/// One time a start, or one step of a slope, is no distribution: two or three of them judge nothing.
#[test]
fn few_starts_or_steps_judge_no_time_and_no_slope() {
    let judged = |name: &str, starts, steps: usize| {
        let mut run = sample::with(&["sse-h1", "ws-h1"], starts);
        run.memory.iter_mut().for_each(|memory| memory.points.truncate(steps + 1));
        let lanes = &run.scenario.lanes;
        paired_effect(&run, Metric::named(name).unwrap(), lanes[0], lanes[1]).unwrap().judgement
    };
    assert_eq!(judged("connect server CPU", 3, 3), Judgement::Inconclusive);
    assert_ne!(judged("connect server CPU", 5, 3), Judgement::Inconclusive);
    assert_eq!(judged("server memory", 5, 2), Judgement::Inconclusive);
    assert_eq!(judged("server memory", 5, 3), Judgement::Worse);
}

/// Without its slowest a mean would be the better the more is lost: then there is none.
#[test]
fn a_lane_that_loses_has_no_mean_and_no_verdict_about_it() {
    let mut run = sample::run();
    let [sse, ws] = [run.scenario.lanes[0], run.scenario.lanes[1]];
    let mean = Metric::named("latency mean").unwrap();
    assert!(paired_effect(&run, mean, sse, ws).is_some());
    run.trials.iter_mut().filter(|trial| trial.lane == sse).for_each(|trial| trial.latency.add_lost(1));
    assert_eq!(paired_effect(&run, mean, sse, ws), None);
}

#[test]
fn a_lane_against_itself_is_the_same() {
    let run = sample::run();
    let lane = run.scenario.lanes[0];
    for name in ["server CPU", "latency mean", "latency p99", "wire bytes down"] {
        let effect = paired_effect(&run, Metric::named(name).unwrap(), lane, lane).unwrap();
        assert_eq!((effect.log, effect.judgement), (0.0, Judgement::Same), "{name}");
    }
}

#[test]
fn exchanging_the_lanes_negates_everything() {
    let run = sample::run();
    let lanes = &run.scenario.lanes;
    for metric in crate::metric::ALL {
        let ab = paired_effect(&run, metric, lanes[0], lanes[1]);
        let ba = paired_effect(&run, metric, lanes[1], lanes[0]);
        let (Some(ab), Some(ba)) = (&ab, &ba) else {
            assert_eq!(ab, ba);
            continue;
        };
        assert_eq!((ab.log, ab.judgement, ab.p), (-ba.log, ba.judgement.flipped(), ba.p), "{}", metric.name);
        let (ab, ba) = (ab.log_interval, ba.log_interval.map(|i| Interval { low: -i.high, high: -i.low }));
        assert_eq!(ab, ba, "{}", metric.name);
    }
}

/// METHOD M17: a hundred times the perfectly correlated subscribers carry no more information.
#[test]
fn more_subscribers_of_the_same_events_do_not_shrink_an_interval() {
    let few = sample::run();
    let mut many = few.clone();
    for trial in &mut many.trials {
        for block in &mut trial.blocks {
            block.deliveries *= 100;
            block.server_cpu_ns *= 100;
            block.latency_sum_ns *= 100;
        }
        let once = trial.latency.clone();
        (0..99).for_each(|_| trial.latency.merge(&once));
    }
    let lanes = &few.scenario.lanes;
    for name in ["server CPU", "latency mean", "latency p50"] {
        let metric = Metric::named(name).unwrap();
        let interval = |run| paired_effect(run, metric, lanes[0], lanes[1]).unwrap().log_interval.unwrap();
        let (few, many) = (interval(&few), interval(&many));
        assert!(((few.high - few.low) - (many.high - many.low)).abs() < 1e-3, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn negated_pairs_give_the_negated_effect(
        starts in proptest::collection::vec(proptest::collection::vec(-0.5f64..0.5, 1..12), 1..6),
    ) {
        let negated: Vec<Vec<f64>> = starts.iter().map(|s| s.iter().map(|x| -x).collect()).collect();
        let (one, other) = (grouped_effect(cpu(), &starts).unwrap(), grouped_effect(cpu(), &negated).unwrap());
        prop_assert_eq!(one.log, -other.log);
        prop_assert_eq!(one.judgement, other.judgement.flipped());
        let mirrored = other.log_interval.map(|i| Interval { low: -i.high, high: -i.low });
        prop_assert_eq!(one.log_interval, mirrored);
    }
}
