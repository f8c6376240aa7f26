//! Budgets on runs that are made up: what is kept, crossed and cannot be told, and what is refused beforehand.

use super::*;
use crate::metric::{ALL, Metric};
use crate::sample;
use crate::summary::estimate;

fn with(mut run: Run, budgets: &[&str]) -> Run {
    run.scenario.budgets = budgets.iter().map(|text| text.parse().unwrap()).collect();
    run
}

fn judged(run: &Run, budgets: &[&str]) -> Vec<Finding> {
    judge(&with(run.clone(), budgets), None).unwrap().findings
}

fn verdicts(run: &Run, budget: &str) -> Vec<Verdict> {
    judged(run, &[budget]).iter().map(|finding| finding.verdict).collect()
}

fn plan(scenario: &str, set: &[(&str, &str)], budgets: &[&str]) -> Plan {
    let set: Vec<_> = set.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let (name, mut scenario) = Scenario::load(scenario, &set).unwrap();
    scenario.budgets = budgets.iter().map(|text| text.parse().unwrap()).collect();
    Plan::new(name, scenario)
}

#[test]
fn every_metric_is_reached_by_its_own_name() {
    let measure = |word: &str| Measure { word: word.into(), aggregate: None };
    for metric in ALL {
        let underscored = metric.name.replace([' ', '/', ':'], "_");
        for word in [metric.name, &underscored] {
            let Ok(Number::Row(found)) = Number::of(&measure(word), false) else { panic!("{word}") };
            assert_eq!(found.name, metric.name);
        }
    }
    assert!(Number::of(&measure("unavailable"), false).is_err_and(|why| why.contains("nothing breaks")));
    assert!(Number::of(&measure("cpu"), true).is_err_and(|why| why.contains("something breaks")));
}

#[test]
fn a_budget_is_held_against_the_number_of_the_tables() {
    use Verdict::{Crossed, Invalid, Kept};
    let run = sample::run();
    for (budget, expected) in [
        ("latency: p(99)<1s", &[Kept, Kept, Invalid][..]),
        ("latency{lane:sse-h1}: p(99)<1ms", &[Crossed]),
        ("latency{lane:sse-h1}: p(50)<1_000_000ns", &[Crossed]),
        ("latency{lane:sse-h1}: p(99.9)<1s", &[Invalid]),
        ("latency{lane:ws-h1}: med>5", &[Kept]),
        ("latency{lane:ws-h1}: avg>5ms", &[Kept]),
        ("latency{lane:ws-h1}: min>5s", &[Crossed]),
        ("latency{lane:ws-h1}: max<1us", &[Crossed]),
        ("lost==0", &[Kept, Kept, Kept]),
        ("lost: rate<0.1%", &[Kept, Kept, Kept]),
        ("lost: rate<0.001", &[Kept, Kept, Kept]),
        ("lost: count!=0", &[Crossed, Crossed, Crossed]),
        ("delivered{lane:sse-h1}>=1M", &[Kept]),
        ("payload{lane:sse-h1}==152B", &[Kept]),
        ("bytes_per_event{lane:sse-h1}==186B", &[Kept]),
        ("bytes_per_event{lane:ws-h1}<166B", &[Crossed]),
        ("server CPU{lane:ws-h1}<1ms", &[Kept]),
        ("memory{lane:ws-h1}<1MiB", &[Kept]),
        ("memory{lane:ws-h1}<1", &[Crossed]),
        ("ratio(sse-h1/ws-h1,cpu)<1", &[Crossed]),
        ("ratio(ws-h1/sse-h1,cpu)<1", &[Kept]),
        ("ratio(sse-h1/ws-h1,latency: p(99))>1", &[Kept]),
        ("ratio(sse-h1/ws-h1,latency: avg)>1", &[Kept]),
        ("ratio(sse-h1/ws-h1,lost)<1", &[Invalid]),
    ] {
        assert_eq!(verdicts(&run, budget), expected, "{budget}");
    }
    let [sse, ws] = [0, 1].map(|at| run.scenario.lanes[at]);
    let p99 = judged(&run, &["latency{lane:sse-h1}: p(99)<50ms"]).remove(0);
    let metric = Metric::named("latency p99").unwrap();
    assert_eq!(p99.value, estimate(&run, metric, sse).value.known());
    assert_eq!((p99.reference, p99.unit.as_str(), p99.firmness), (Some(50.0), "ms", Firmness::Budget));
    let ratio = judged(&run, &["ratio(sse-h1/ws-h1,cpu)<1.2"]).remove(0);
    let effect = paired_effect(&run, Metric::named("server CPU").unwrap(), sse, ws).unwrap();
    assert_eq!((ratio.value, ratio.lane.as_deref()), (Some(effect.ratio()), Some("sse-h1/ws-h1")));
    assert!(ratio.interval.is_some_and(|[low, high]| low < effect.ratio() && effect.ratio() < high));
}

/// METHOD M4: a quantile among the lost is above every bound, and no mean is made of the rest.
#[test]
fn what_never_arrived_crosses_a_bound() {
    let mut run = sample::run();
    for trial in &mut run.trials {
        let lost = trial.latency.count() / 20;
        trial.latency.add_lost(lost);
        trial.ledger.lost = trial.ledger.expected / 20;
    }
    for (budget, verdict) in [
        ("latency{lane:sse-h1}: p(99)<1h", Verdict::Crossed),
        ("latency{lane:sse-h1}: max<1h", Verdict::Crossed),
        ("latency{lane:sse-h1}: avg<1h", Verdict::Crossed),
        ("latency{lane:sse-h1}: p(99)>1us", Verdict::Invalid),
        ("latency{lane:sse-h1}: p(90)<1h", Verdict::Kept),
        ("lost{lane:sse-h1}==0", Verdict::Crossed),
        ("lost{lane:sse-h1}: rate<1%", Verdict::Crossed),
        ("lost{lane:sse-h1}: rate<0.04", Verdict::Crossed),
        ("lost{lane:sse-h1}: rate<0.06", Verdict::Kept),
    ] {
        assert_eq!(verdicts(&run, budget), [verdict], "{budget}");
    }
}

#[test]
fn a_baseline_is_a_run_of_the_same_lanes() {
    let budgets = ["cpu<=1.05x baseline", "lost<=baseline"];
    let baseline = sample::run();
    let mut run = with(baseline.clone(), &budgets);
    let of = |run: &Run| -> Vec<Verdict> {
        judge(run, Some(&baseline)).unwrap().findings.iter().map(|finding| finding.verdict).collect()
    };
    assert_eq!(of(&run), [Verdict::Kept; 6]);
    let sse = run.scenario.lanes[0];
    for trial in run.trials.iter_mut().filter(|trial| trial.lane == sse) {
        trial.blocks.iter_mut().for_each(|block| block.server_cpu_ns = block.server_cpu_ns / 10 * 11);
    }
    assert_eq!(of(&run)[..2], [Verdict::Crossed, Verdict::Kept]);
    assert!(judge(&run, None).unwrap().findings.iter().all(|finding| finding.verdict == Verdict::Invalid));
    let ticker = plan("ticker", &[], &budgets);
    assert_eq!(check(&ticker, Some(&baseline)), Ok(()));
    assert!(check(&ticker, None).is_err_and(|why| why.contains("--baseline")));
    assert!(check(&plan("ticker", &[], &["lost==0"]), Some(&baseline)).is_err());
    let other = plan("ticker", &[("lanes", "[\"ws-h1+tls\"]"), ("share", "{}")], &["cpu<=baseline"]);
    assert!(check(&other, Some(&baseline)).is_err_and(|why| why.contains("ws-h1+tls")));
}

#[test]
fn what_breaks_is_judged_case_by_case() {
    let run = sample::dropped();
    let all = crate::outage::rows(&run);
    let lane = run.scenario.lanes[0];
    let most =
        all.iter().filter(|row| row.lane == lane).map(|row| row.sum(|outage| outage.ledger.lost)).max();
    let finding = judged(&run, &[&format!("lost{{lane:{lane}}}<0")]).remove(0);
    assert_eq!((finding.value, finding.verdict), (most.map(|lost| lost as f64), Verdict::Crossed));
    assert!(finding.text.ends_with(')'), "it names the case: {}", finding.text);
    let slowest = |budget: &str| judged(&run, &[budget]).remove(0);
    let unavailable = slowest(&format!("unavailable{{lane:{lane}}}: p(50)<1ns"));
    assert_eq!(unavailable.verdict, Verdict::Crossed, "{}", unavailable.text);
    // Whoever stays away is in no quantile that is kept.
    let mut away = run.clone();
    away.outages.iter_mut().for_each(|outage| outage.still_away = 10 * outage.clients);
    assert!(judged(&away, &["unavailable: p(50)<1h"]).iter().all(|one| one.verdict == Verdict::Crossed));
    assert!(judged(&away, &["away==0"]).iter().all(|one| one.verdict == Verdict::Crossed));
    assert!(judged(&run, &["duplicates==0"]).iter().all(|one| one.verdict == Verdict::Kept));
}

#[test]
fn a_run_that_a_budget_ended_fails_by_that_budget() {
    let mut run = with(
        sample::with(&["sse-h1", "ws-h1"], 1),
        &["latency: p(99)<1h", "cpu<1us abortOnFail after 5s", "lost>0 abortOnFail after 60s"],
    );
    run.partial = true;
    let seconds = std::time::Duration::from_secs;
    assert_eq!(aborts(&run, None, seconds(4)), None);
    assert!(aborts(&run, None, seconds(5)).is_some_and(|text| text.contains("budget of 1 us")));
    let found: Vec<Verdict> = judge(&run, None).unwrap().findings.iter().map(|one| one.verdict).collect();
    assert_eq!(
        found[..4],
        [Verdict::Inconclusive, Verdict::Inconclusive, Verdict::Crossed, Verdict::Crossed]
    );
    run.partial = false;
    assert_eq!(judge(&run, None).unwrap().findings[0].verdict, Verdict::Invalid);
}

#[test]
fn what_cannot_be_checked_is_refused_before_measuring() {
    let cases = [
        ("ticker", "latency<5ms"),
        ("ticker", "latencies: p(99)<5ms"),
        ("ticker", "latency: rate<5"),
        ("ticker", "latency: p(99.99)<50ms"),
        ("ticker", "latency{lane:ws-h1+tls}: p(99)<50ms"),
        ("ticker", "latency: p(99)<50B"),
        ("ticker", "cpu: p(99)<50us"),
        ("ticker", "lost: avg<5"),
        ("ticker", "lost<5ms"),
        ("ticker", "reordered{lane:sse-h1}: rate<5ms"),
        ("ticker", "ratio(sse-h1/ws-h1,cpu)<1.2us"),
        ("ticker", "ratio(sse-h1/ws-h2,cpu)<1.2"),
        ("ticker", "round_trip: p(99)<50ms"),
        ("ticker", "\"slow: delivered\">99%"),
        ("ticker", "knee>100"),
        ("ticker", "heartbeat_wire_down<100B"),
        ("ticker", "polls<2"),
        ("ticker", "completion_p50<1s"),
        ("ticker", "tls_framing<30B"),
        ("ticker", "compressed<30B"),
        ("ticker", "unavailable: p(50)<1s"),
        ("smoke", "memory<3KiB"),
        ("slow-readers", "cpu<9us"),
        ("finite", "release_max<1s"),
        ("reconnect", "latency: p(50)<5ms"),
        ("reconnect", "unavailable<5s"),
        ("reconnect", "attempts: rate<5"),
    ];
    let said = cases.map(|(scenario, budget)| check(&plan(scenario, &[], &[budget]), None).unwrap_err());
    insta::assert_snapshot!(said.join("\n"));
    for (scenario, budget) in [
        ("ticker", "latency: p(50)<50ms"),
        ("ticker", "round_trips<4"),
        ("reconnect", "unavailable: p(99)<5s"),
        ("reconnect", "lost: rate<1%"),
        ("upstream", "round_trip: p(50)<5s"),
        ("finite", "event_gap: p(50)<5s"),
    ] {
        assert_eq!(check(&plan(scenario, &[], &[budget]), None), Ok(()), "{budget}");
    }
}
