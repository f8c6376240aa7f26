//! Each doubt alone: a calm run has none, and one thing wrong with it is told once, with its
//! severity.

use std::collections::BTreeMap;

use super::*;
use results::run::{
    BlockResult, Bytes, Environment, KernelCounts, Ledger, SCHEMA, Slow, Stages, Upward, UpwardLedger,
};
use scenarios::Scenario;

const MS: u64 = 1_000_000;

/// `count` samples of `nanos` each.
fn samples(count: u64, nanos: u64) -> LatencyHistogram {
    let mut histogram = LatencyHistogram::default();
    (0..count).for_each(|_| histogram.record(nanos));
    histogram
}

/// A second of a lane at ease: 1,000 events to one subscriber, 10 ms late, 30 % of a core a side.
fn calm(lane: &str) -> Trial {
    let block = BlockResult {
        span_ns: 1_000 * MS,
        events: 1_000,
        deliveries: 1_000,
        server_cpu_ns: 300 * MS,
        client_cpu_ns: 300 * MS,
        ..BlockResult::default()
    };
    Trial {
        lane: lane.parse().unwrap(),
        repetition: 0,
        subscribers: 1,
        ledger: Ledger { expected: 1_000, delivered: 1_000, ..Ledger::default() },
        latency: samples(1_000, 10 * MS),
        jitter: LatencyHistogram::default(),
        publish_lag: samples(1_000, MS / 10),
        connect: LatencyHistogram::default(),
        first_event: LatencyHistogram::default(),
        opening: None,
        slow: None,
        heartbeats: None,
        session: None,
        stages: Stages { pickup: samples(1_000, MS / 10), ..Stages::default() },
        upward: Upward::default(),
        blocks: vec![block],
        bytes: Bytes { payload: 7, event_framing: 2, transport_framing: 1, ..Bytes::default() },
        kernel: Some(KernelCounts { down_bytes: 10, server_sent_bytes: 10, ..KernelCounts::default() }),
        kernel_connect: None,
        server_writes: 1_000,
        server_pss_bytes: 0,
        client_pss_bytes: 0,
        published_sha256: "ab".into(),
        addressed_sha256: "ab".into(),
        received_sha256: "ab".into(),
        failures: BTreeMap::new(),
    }
}

/// All that is said of the lanes of one repetition.
fn told(trials: Vec<Trial>) -> Vec<(Severity, String)> {
    let (name, mut scenario) = Scenario::load("smoke", &[]).unwrap();
    scenario.lanes = trials.iter().map(|trial| trial.lane).collect();
    let run = Run {
        schema: SCHEMA,
        name,
        started: String::new(),
        command: Vec::new(),
        partial: false,
        scenario,
        environment: Environment::default(),
        sockets: BTreeMap::new(),
        trials,
        memory: Vec::new(),
        steps: Vec::new(),
        idle: Vec::new(),
        tabs: Vec::new(),
        outages: Vec::new(),
        sweep: Vec::new(),
        warnings: Vec::new(),
        budgets: None,
    };
    let all = run.trials.iter().flat_map(judge).chain(across(&run));
    all.map(|warning| (warning.severity, warning.text)).collect()
}

/// One thing wrong, how bad that is, and what is said of it.
type Case = (fn(&mut Trial), Severity, &'static str);

const CASES: [Case; 19] = [
    (|t| t.ledger.delivered -= 1, Severity::Invalid, "the ledger does not close"),
    (|t| t.ledger.unexpected = 1, Severity::Invalid, "the ledger does not close"),
    (
        |t| {
            t.ledger.delivered -= 1;
            t.ledger.corrupted = 1;
        },
        Severity::Invalid,
        "1 deliveries arrived corrupted",
    ),
    (
        |t| {
            t.ledger.delivered -= 1;
            t.ledger.lost = 1;
        },
        Severity::Doubt,
        "1 deliveries were lost",
    ),
    (|t| t.ledger.duplicated = 1, Severity::Doubt, "1 deliveries came twice"),
    (|t| t.ledger.reordered = 1, Severity::Doubt, "1 deliveries came out of order"),
    (|t| t.latency.record(u64::MAX), Severity::Doubt, "1 latencies were above"),
    (|t| t.received_sha256 = "cd".into(), Severity::Invalid, "are not the bodies published"),
    (
        |t| {
            let ledger = Ledger { expected: 9, delivered: 7, lost: 2, ..Ledger::default() };
            t.ledger = t.ledger + Ledger { dropped_by_server: 1, ..ledger };
            t.slow = Some(Slow { ledger, ..Slow::default() });
        },
        Severity::Invalid,
        "2 deliveries were lost, the server dropped 1",
    ),
    (|t| t.failures.extend([("reset".to_owned(), 3)]), Severity::Doubt, "3 connections failed: reset"),
    (|t| t.bytes.control = 1, Severity::Invalid, "decoded 11, the kernel received 10"),
    (
        |t| t.kernel.as_mut().unwrap().server_sent_bytes = 12,
        Severity::Doubt,
        "the servers sent 12 bytes, the clients received 10",
    ),
    (|t| t.blocks[0].server_cpu_ns = 610 * MS, Severity::Doubt, "the server used 61 % of a core"),
    (|t| t.blocks[0].client_cpu_ns = 610 * MS, Severity::Doubt, "the generator used 61 % of a core"),
    (|t| t.blocks[0].undrained = true, Severity::Doubt, "1 of 1 blocks had not drained"),
    (
        |t| t.publish_lag = samples(1_000, 2 * MS),
        Severity::Doubt,
        "the publisher was late by 2.00 ms at p99, 20 %",
    ),
    (|t| t.publish_lag = samples(1_000, 4 * MS), Severity::Invalid, "the publisher was late by 4"),
    (
        |t| t.stages.pickup = samples(1_000, 2 * MS),
        Severity::Doubt,
        "the generator read late by 2.00 ms at p99, 20 %",
    ),
    (|t| t.stages.pickup = samples(1_000, 4 * MS), Severity::Invalid, "the generator read late by 4"),
];

#[test]
fn a_calm_run_has_no_doubts() {
    assert_eq!(told(vec![calm("sse-h1"), calm("ws-h1")]), []);
}

#[test]
fn one_thing_wrong_is_told_once() {
    for (spoil, severity, text) in CASES {
        let mut trial = calm("sse-h1");
        spoil(&mut trial);
        let told = told(vec![trial]);
        assert!(told.iter().any(|one| one.0 == severity && one.1.contains(text)), "{text}: {told:?}");
        assert_eq!(told.len(), 1, "{text}: {told:?}");
    }
}

#[test]
fn a_saturated_generator_is_under_stress_too() {
    let mut trial = calm("sse-h1");
    trial.blocks[0].client_cpu_ns = 960 * MS;
    let told = told(vec![trial]);
    assert_eq!(told.iter().map(|one| one.0).collect::<Vec<_>>(), [Severity::Invalid, Severity::Doubt]);
}

/// Half of everything is lost, so p99 is "not delivered": the lag is judged against what arrived.
#[test]
fn lags_are_judged_where_events_were_lost() {
    let mut trial = calm("sse-h1");
    trial.latency.add_lost(1_000);
    trial.stages.pickup = samples(1_000, 4 * MS);
    let told = told(vec![trial]);
    assert!(told.iter().any(|one| one.0 == Severity::Invalid && one.1.contains("generator")), "{told:?}");
}

#[test]
fn lanes_that_carry_other_bodies_cannot_be_compared() {
    let [published_sha256, addressed_sha256, received_sha256] = ["cd", "cd", "cd"].map(str::to_owned);
    let other = Trial { published_sha256, addressed_sha256, received_sha256, ..calm("ws-h1") };
    let told = told(vec![calm("sse-h1"), other]);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|one| one.0 == Severity::Invalid && one.1.contains("bodies differ")));
}

#[test]
fn what_a_lane_holds_back_is_its_fault_and_no_overload() {
    let mut trial = calm("sse-h1+gzip-buffered");
    trial.ledger = Ledger { expected: 1_000, lost: 1_000, ..Ledger::default() };
    trial.latency = LatencyHistogram::default();
    trial.latency.add_lost(1_000);
    trial.blocks[0].undrained = true;
    let told = told(vec![trial]);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.contains(&(Severity::Doubt, "1000 deliveries were held back until it was too late".into())));
    assert!(told.iter().any(|one| one.0 == Severity::Note && one.1.contains("shows a fault")));
}

/// A stack that hides its bytes is no fault of the account; that it hides its lag is told.
#[test]
fn what_a_client_hides_is_told_and_not_compared() {
    let trial = Trial { bytes: Bytes::default(), ..calm("sse-h1@reqwest") };
    let told = told(vec![trial]);
    assert!(matches!(&told[..], [(Severity::Note, text)] if text.contains("hides")), "{told:?}");
}

/// A thousand messages that came back; `edit` does something to their account.
fn messages(edit: fn(&mut Trial)) -> Vec<(Severity, String)> {
    let mut trial = calm("ws-h1");
    let all = 1_000;
    let ledger = UpwardLedger {
        expected: all,
        sent: all,
        received: all,
        echoed: all,
        returned: all,
        ..UpwardLedger::default()
    };
    let (round_trip, lag) = (samples(all, 5 * MS), samples(all, MS / 10));
    trial.upward = Upward { ledger, round_trip, lag, ..Upward::default() };
    edit(&mut trial);
    told(vec![trial])
}

#[test]
fn an_unexplained_message_is_invalid_and_an_explained_one_a_doubt() {
    type Case = (fn(&mut Trial), Severity, &'static str);
    assert_eq!(messages(|_| {}), []);
    let cases: [Case; 6] = [
        (|t| t.upward.ledger.returned -= 1, Severity::Invalid, "does not close"),
        (|t| t.upward.ledger.received += 1, Severity::Invalid, "does not close"),
        (|t| t.upward.ledger.unexpected = 1, Severity::Invalid, "does not close"),
        (|t| t.upward.ledger.duplicated = 1, Severity::Doubt, "came twice"),
        (|t| t.upward.lag = samples(1_000, MS), Severity::Doubt, "the generator sent late"),
        (|t| t.bytes.up = 1, Severity::Invalid, "bytes upward do not add up"),
    ];
    for (edit, severity, says) in cases {
        let told = messages(edit);
        assert!(matches!(&told[..], [one] if one.0 == severity && one.1.contains(says)), "{told:?}");
    }
    let lost = messages(|t| {
        (t.upward.ledger.returned, t.upward.ledger.lost, t.upward.ledger.echoed) = (999, 1, 1_000);
    });
    assert!(matches!(&lost[..], [one] if one.0 == Severity::Doubt && one.1.contains("lost")), "{lost:?}");
}
