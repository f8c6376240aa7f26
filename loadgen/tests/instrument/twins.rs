//! METHOD M21: a lane against itself. The interval of the ratio must be narrow enough to find 5 %,
//! and must find nothing.
//!
//! What it measures is left as CSV under `target/`, in the form of the recording that the tests of
//! the statistics use.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use loadgen::progress::Progress;
use loadgen::{environment, preflight, repetition};
use results::Run;
use results::metric::Metric;
use results::run::{SCHEMA, Trial};
use results::stats::{Judgement, paired_effect};
use scenarios::{Count, Lane, Plan, Scenario, Span};

pub fn a_lane_against_itself_is_the_same() {
    preflight::raise_descriptors();
    let plan = plan();
    // The second twin goes by another lane's name from here on, because a run tells lanes by name.
    let names: [Lane; 2] = ["sse-h1", "ws-h1"].map(|name| name.parse().unwrap());
    let progress = Progress::new(&plan, true);
    let mut trials = Vec::new();
    for index in 0..plan.repetitions.len() {
        let repeated =
            repetition::run(&plan, index, preflight::cores(), &progress, &AtomicBool::new(false)).unwrap();
        assert!(repeated.complete);
        trials.extend(repeated.trials.into_iter().zip(names).map(|(trial, lane)| Trial { lane, ..trial }));
    }
    let run = run(&plan, trials);
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("twins.csv"), csv(&run, names)).unwrap();
    for name in ["server CPU", "client CPU", "latency mean"] {
        let effect = paired_effect(&run, Metric::named(name).unwrap(), names[0], names[1]).unwrap();
        let interval = effect.interval().unwrap();
        let half_width = (interval.high / interval.low).sqrt() - 1.0;
        println!("{name}: {:.4} ({:.4} to {:.4})", effect.ratio(), interval.low, interval.high);
        assert!(half_width <= 0.05, "{name}: {:.4} to {:.4}", interval.low, interval.high);
        assert!(
            !matches!(effect.judgement, Judgement::Better | Judgement::Worse),
            "{name}: a lane differs from itself, {:.4} to {:.4}",
            interval.low,
            interval.high
        );
    }
}

/// The scenario `ticker` with `sse-h1` twice, in many blocks shorter than a scenario may have: the
/// shorter a pair, the less of a shared machine's changes of speed falls between its halves.
fn plan() -> Plan {
    let (name, ticker) = Scenario::load("ticker", &[]).unwrap();
    let milliseconds = |count| Span(Duration::from_millis(count));
    let scenario = Scenario {
        lanes: vec!["sse-h1".parse().unwrap(); 2],
        subscribers: Count(1_000),
        rate: 40.0,
        block: milliseconds(100),
        gap: milliseconds(50),
        duration: milliseconds(4_500),
        repetitions: Count(4),
        warmup: Count(0),
        ..ticker
    };
    Plan::new(name, scenario)
}

fn run(plan: &Plan, trials: Vec<Trial>) -> Run {
    Run {
        schema: SCHEMA,
        name: plan.name.clone(),
        started: environment::now().0,
        command: Vec::new(),
        partial: false,
        scenario: plan.scenario.clone(),
        environment: environment::read(preflight::cores()),
        sockets: std::collections::BTreeMap::new(),
        trials,
        memory: Vec::new(),
        steps: Vec::new(),
        idle: Vec::new(),
        tabs: Vec::new(),
        outages: Vec::new(),
        sweep: Vec::new(),
        warnings: Vec::new(),
        budgets: None,
    }
}

/// Start, round, and server CPU per delivery of either twin, us.
fn csv(run: &Run, names: [Lane; 2]) -> String {
    let mut text = String::from("start,round,a_us,b_us\n");
    for (a, b) in run.trials_of(names[0]).zip(run.trials_of(names[1])) {
        for (one, other) in a.blocks.iter().zip(&b.blocks) {
            assert_eq!(one.round, other.round);
            let us = |block: &results::run::BlockResult| {
                block.server_cpu_ns as f64 / block.deliveries as f64 / 1e3
            };
            writeln!(text, "{},{},{:.4},{:.4}", a.repetition, one.round, us(one), us(other)).unwrap();
        }
    }
    text
}
