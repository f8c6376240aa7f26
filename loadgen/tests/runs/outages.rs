//! Real outages: servers that drain, die, hang and refuse, on real sockets and processes, and clients that come
//! back, by the scenarios' own faults; what is lost, twice, or unexplained.
//!
//! The longest of them measures two at a time, for they wait more than they work.

use std::collections::BTreeMap;
use std::path::Path;

use nix::sys::signal::Signal;
use results::Run;
use results::run::Outage;
use results::run::outage::Losses;
use scenarios::outage::FaultKind;

use crate::common::{LOADGEN, command, ended};
use crate::machine;
use crate::processes::{Measuring, Worker, until};

/// The fields that all scenarios here have.
const HEAD: &str = r#"
about = "a test"
rate = 50
block = "500ms"
payload = "ticker"
event = "quote"
"#;

/// Measures a scenario into a folder of its own; its outages, of a run without a doubt.
fn outages(folder: &Path, name: &str, scenario: &str, options: &[&str]) -> Vec<Outage> {
    let file = folder.join(format!("{name}.toml"));
    std::fs::write(&file, format!("{HEAD}{scenario}")).unwrap();
    let arguments = [&["-s", file.to_str().unwrap(), "-q", "-o", name], options].concat();
    let answer = ended(command(LOADGEN, folder, &arguments));
    let run = Run::load(&folder.join(name)).expect(&answer.stderr);
    assert_eq!((answer.code, run.partial, run.warnings.as_slice()), (0, false, &[][..]), "{}", answer.stderr);
    run.outages
}

/// Nothing of it is unexplained, and its two clocks agree.
fn adds_up(outage: &Outage) {
    let at = format!("{} {} {} {}", outage.lane, outage.fault, outage.own_policy, outage.repetition);
    let ledger = outage.ledger;
    assert_eq!(ledger.delivered + ledger.lost, ledger.expected, "{at}: {ledger:?}");
    assert_eq!([ledger.reordered, ledger.corrupted, ledger.unexpected], [0; 3], "{at}: {ledger:?}");
    let Losses { out_of_window, began_anew, gave_up, still_away, unexplained } = outage.lost;
    assert_eq!((out_of_window + began_anew + gave_up + still_away, unexplained), (ledger.lost, 0), "{at}");
    assert!(outage.parts_differ_by_ns <= 1_000_000, "{at}: {} ns", outage.parts_differ_by_ns);
    assert!(outage.leaked == 0 && outage.released_ns.is_some(), "{at}: {} left", outage.leaked);
    let [sent, came] = &outage.bodies_sha256;
    assert!(sent.len() == 64 && (came.is_empty() || came == sent), "{at}");
}

/// Everybody had everything again, once.
fn nothing_is_lost(outage: &Outage) {
    adds_up(outage);
    let at = format!("{} {} at {} ns: {:?}", outage.lane, outage.fault, outage.broke_ns, outage.noticed);
    assert_eq!((outage.ledger.lost, outage.ledger.duplicated, outage.still_away), (0, 0, 0), "{at}");
    assert_eq!(outage.recovered, outage.disconnections, "{at}");
    match outage.fault.kind {
        FaultKind::Churn => assert!(outage.disconnections > outage.clients, "{at}"),
        // Who had turned to the other server loses that one too; who is back may fall silent again.
        FaultKind::Rolling | FaultKind::Idle => assert!(outage.disconnections >= outage.clients, "{at}"),
        FaultKind::Drain
        | FaultKind::Kill
        | FaultKind::Reset
        | FaultKind::Blackhole
        | FaultKind::Stop
        | FaultKind::Unavailable
        | FaultKind::NoContent => assert_eq!(outage.disconnections, outage.clients, "{at}"),
    }
    assert_eq!(outage.bodies_sha256[0], outage.bodies_sha256[1], "{at}");
}

/// Every fault whose meaning is not loss, at 200 clients, at moments drawn anew each time: over a hundred times.
#[test]
fn with_resume_and_a_window_that_covers_it_nothing_is_lost_or_comes_twice() {
    let _machine = machine();
    let scenario = |lanes: &str| {
        format!(
            r#"
lanes = [{lanes}]
subscribers = 200
duration = "1400ms"
repetitions = 3
[outage]
faults = [
    {{ kind = "drain", at = "100ms", within = "400ms" }},
    {{ kind = "drain", at = "100ms", within = "400ms", down = "150ms" }},
    {{ kind = "kill", at = "100ms", within = "400ms", down = "150ms" }},
    {{ kind = "reset", at = "100ms", within = "400ms" }},
    {{ kind = "blackhole", at = "100ms", within = "400ms" }},
    {{ kind = "stop", at = "100ms", within = "400ms", down = "350ms" }},
    {{ kind = "unavailable", at = "100ms", within = "400ms", down = "200ms" }},
    {{ kind = "rolling", at = "100ms", within = "300ms", down = "150ms" }},
    {{ kind = "churn", at = "50ms", every = "500ms", down = "100ms" }},
]
policies = ["full-jitter"]
retry_scale = 0.1
heartbeat = "100ms"
silence = "300ms"
settle = "3s"
"#
        )
    };
    // Silence that kills: nobody sends heartbeats. And those who come back inside TLS.
    let idle = r#"
lanes = ["sse-h1", "ws-h1", "sse-h2", "ws-h2"]
subscribers = 200
duration = "1400ms"
idle_timeout = "200ms"
repetitions = 1
[outage]
faults = [{ kind = "idle", at = "100ms", within = "300ms", down = "500ms" }]
policies = ["full-jitter"]
retry_scale = 0.1
"#;
    let tls = r#"
lanes = ["sse-h1+tls", "ws-h1+tls", "sse-h2+tls", "ws-h2+tls"]
subscribers = 200
duration = "1400ms"
repetitions = 1
[outage]
faults = [{ kind = "kill", at = "100ms", within = "300ms", down = "150ms" }]
policies = ["full-jitter"]
retry_scale = 0.1
settle = "3s"
"#;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let found: Vec<Outage> = std::thread::scope(|scope| {
        let first = scope.spawn(|| outages(folder, "h1", &scenario(r#""sse-h1", "ws-h1""#), &[]));
        let second = scope.spawn(|| {
            let h2 = outages(folder, "h2", &scenario(r#""sse-h2", "ws-h2""#), &["--set", "seed=2"]);
            [outages(folder, "idle", idle, &[]), outages(folder, "tls", tls, &[]), h2].concat()
        });
        [first, second].into_iter().flat_map(|one| one.join().unwrap()).collect()
    });
    found.iter().for_each(nothing_is_lost);
    assert_eq!(found.len(), 9 * 4 * 3 + 4 + 4);
}

/// What each policy does is what its clients lose: all of it is told by its cause.
#[test]
fn what_is_lost_is_lost_for_a_reason() {
    let _machine = machine();
    let scenario = r#"
lanes = ["sse-h1", "ws-h1"]
subscribers = 20
duration = "1500ms"
repetitions = 1
[outage]
faults = [
    { kind = "drain", at = "300ms" },
    { kind = "unavailable", at = "300ms", down = "300ms" },
    { kind = "no-content", at = "300ms", down = "300ms" },
]
policies = [
    "eventsource", "eventsource-firefox", "eventsource-resilient", "rfc6455", "reconnecting-websocket",
    "partysocket", "full-jitter", "none",
]
retry_scale = 0.05
settle = "3s"
"#;
    let folder = tempfile::tempdir().unwrap();
    let found = outages(folder.path(), "policies", scenario, &[]);
    found.iter().for_each(adds_up);
    let mut stays_away = BTreeMap::new();
    for outage in &found {
        let case = (outage.fault.kind.word(), outage.own_policy.to_string());
        let away = outage.gave_up.values().sum::<u64>();
        assert!(away == 0 || away == 20, "{case:?}: {:?}", outage.gave_up);
        assert_eq!(outage.lost.gave_up > 0, away > 0, "{case:?}: {:?}", outage.lost);
        assert_eq!(outage.ledger.lost, outage.lost.gave_up, "{case:?}: {:?}", outage.lost);
        assert_eq!(outage.recovered, 20 - away, "{case:?}");
        if away > 0 {
            stays_away.insert(case, outage.gave_up.keys().next().unwrap().clone());
        }
    }
    // WHATWG HTML 9.2.3: any status but 200 fails the connection; 9.2.2: 204 tells every client to stop.
    let expected = [
        (("drain", "none"), "end of body"),
        (("no-content", "eventsource"), "status 204"),
        (("no-content", "eventsource-firefox"), "status 204"),
        (("no-content", "eventsource-resilient"), "status 204"),
        (("no-content", "none"), "end of body"),
        (("unavailable", "eventsource"), "status 503"),
        (("unavailable", "eventsource-firefox"), "status 503"),
        (("unavailable", "none"), "end of body"),
    ];
    let expected: BTreeMap<_, _> = expected
        .into_iter()
        .map(|((fault, policy), word)| ((fault, policy.to_owned()), word.to_owned()))
        .collect();
    stays_away.values_mut().for_each(|word| *word = word.replace("close 1012", "end of body"));
    assert_eq!(stays_away, expected);
}

#[test]
fn who_was_away_for_longer_than_the_window_is_told_and_who_begins_anew_is_counted() {
    let _machine = machine();
    let scenario = r#"
lanes = ["sse-h1", "ws-h1"]
subscribers = 20
duration = "1500ms"
repetitions = 1
[outage]
faults = [{ kind = "drain", at = "200ms", down = "500ms" }]
policies = ["full-jitter"]
windows = [0, 8, 256]
retry_scale = 0.05
"#;
    let folder = tempfile::tempdir().unwrap();
    for outage in outages(folder.path(), "windows", scenario, &[]) {
        adds_up(&outage);
        let (lost, at) = (outage.lost, format!("{} {}", outage.lane, outage.window));
        assert_eq!((lost.out_of_window, outage.recovered), (outage.ledger.lost, 20), "{at}: {lost:?}");
        // 25 events are published while nobody listens. Who comes between the moment of an event and its publishing gets it
        // live, and it counts as due: with no window at all `replayed_events` is small, not always 0.
        match outage.window {
            0 => assert!(outage.ledger.lost >= 20 * 25, "{at}: {lost:?}"),
            8 => assert!(lost.out_of_window >= 20 * 17 && outage.replayed_events >= 20 * 4, "{at}: {lost:?}"),
            _ => assert!(lost.out_of_window == 0 && outage.replayed_events >= 20 * 25, "{at}: {lost:?}"),
        }
    }
    let anew = scenario.replace("windows = [0, 8, 256]", "resume = false");
    for outage in outages(folder.path(), "anew", &anew, &[]) {
        adds_up(&outage);
        assert_eq!((outage.lost.began_anew, outage.recovered), (outage.ledger.lost, 20), "{:?}", outage.lost);
        assert!(outage.lost.began_anew >= 20 * 24, "{}: {:?}", outage.lane, outage.lost);
    }
}

/// METHOD M26: 1,000 clients, first attempts: a fixed 3 s is scheduled within a tenth of a second, 0 to 5 s drawn
/// at random over nine tenths of five.
#[test]
fn a_fixed_delay_keeps_the_herd_together_and_a_drawn_one_spreads_it() {
    let _machine = machine();
    let scenario = r#"
lanes = ["sse-h1", "ws-h1"]
subscribers = 1000
duration = "4s"
repetitions = 1
[outage]
faults = [{ kind = "reset", at = "200ms" }]
policies = ["eventsource", "rfc6455"]
settle = "4s"
"#;
    let folder = tempfile::tempdir().unwrap();
    let found = outages(folder.path(), "herd", scenario, &["-r", "2"]);
    found.iter().for_each(nothing_is_lost);
    let spread = |policy: &str| {
        let of = found.iter().find(|outage| outage.own_policy.to_string() == policy).unwrap();
        assert!(of.actual_spread_ns.is_some() && of.backlog > 0 && !of.server.is_empty());
        assert_eq!((of.opened.iter().sum::<u64>(), of.begun.iter().sum::<u64>()), (1_000, 1_000));
        assert!(of.back_ns.unwrap() >= of.actual_spread_ns.unwrap());
        of.scheduled_spread_ns.unwrap() / 1_000_000
    };
    let (fixed, drawn) = (spread("eventsource"), spread("rfc6455"));
    assert!(fixed < 100 && (4_200..4_800).contains(&drawn), "{fixed} ms, {drawn} ms");
}

/// A server's `retry` is heeded by those who listen, drawn for each stream where it is a range.
#[test]
fn a_hint_of_the_server_is_the_delay_of_its_event_sources() {
    let _machine = machine();
    let scenario = r#"
lanes = ["sse-h1", "sse-h2"]
subscribers = 100
duration = "1500ms"
repetitions = 1
[outage]
faults = [{ kind = "reset", at = "200ms" }]
policies = ["eventsource"]
hints = ["200ms", "100ms..600ms"]
"#;
    let folder = tempfile::tempdir().unwrap();
    for outage in outages(folder.path(), "hints", scenario, &["-r", "10"]) {
        nothing_is_lost(&outage);
        let mean_ms = outage.parts.sums_ns[1] / outage.recovered / 1_000_000;
        let spread_ms = outage.scheduled_spread_ns.unwrap() / 1_000_000;
        match outage.hint.to_string().as_str() {
            "200ms" => assert!((200..300).contains(&mean_ms) && spread_ms < 100, "{mean_ms} {spread_ms}"),
            _ => assert!((300..400).contains(&mean_ms) && spread_ms > 300, "{mean_ms} {spread_ms}"),
        }
    }
}

/// Who hears nothing gives up when its patience ends, and not before; the server lets go of it too.
#[test]
fn a_connection_that_died_without_a_word_is_given_up_in_time() {
    let _machine = machine();
    let scenario = r#"
lanes = ["sse-h1", "ws-h1", "sse-h2", "ws-h2", "sse-h1+tls", "ws-h1+tls"]
subscribers = 50
duration = "1200ms"
repetitions = 1
[outage]
faults = [{ kind = "blackhole", at = "200ms" }]
policies = ["native"]
heartbeat = "100ms"
silence = "300ms"
"#;
    let folder = tempfile::tempdir().unwrap();
    for outage in outages(folder.path(), "silence", scenario, &[]) {
        nothing_is_lost(&outage);
        assert_eq!(outage.noticed, BTreeMap::from([("silence".to_owned(), 50)]), "{}", outage.lane);
        // Never before its time, which no lateness could tell, and not a heartbeat behind it: all fifty begin
        // their handshakes at once, and the last of them waits for the others.
        let late_ns = outage.silence_late.max().unwrap();
        assert!(late_ns <= 100_000_000, "{}: {late_ns} ns", outage.lane);
        // And who is gone holds nothing a heartbeat later.
        let held_ns = outage.released_ns.unwrap();
        assert!(held_ns <= 100_000_000, "{}: {held_ns} ns", outage.lane);
    }
}

/// A server that ends streams at their age does so one by one, and nobody loses anything.
#[test]
fn streams_of_an_age_are_ended_and_begin_again() {
    let _machine = machine();
    let scenario = r#"
lanes = ["sse-h1", "ws-h1", "sse-h2", "ws-h2"]
subscribers = 20
duration = "1500ms"
repetitions = 1
[outage]
faults = [{ kind = "churn", at = "1400ms", every = "1h", down = "1s" }]
policies = ["full-jitter"]
retry_scale = 0.05
max_age = "500ms"
"#;
    let folder = tempfile::tempdir().unwrap();
    for outage in outages(folder.path(), "age", scenario, &[]) {
        adds_up(&outage);
        assert_eq!((outage.ledger.lost, outage.ledger.duplicated), (0, 0), "{}", outage.lane);
        assert!(outage.disconnections >= 40, "{}: {:?}", outage.lane, outage.noticed);
    }
}

#[test]
fn an_interrupt_keeps_the_outages_that_were_measured_and_leaves_nobody() {
    let _machine = machine();
    for lines in 1..=2 {
        let mut measuring = Measuring::of(&["-s", "reconnect", "-c", "50", "-d", "3s"]);
        (0..lines).for_each(|_| measuring.says("drain"));
        let mut workers = Vec::new();
        until("the next servers are up", || {
            workers = measuring.workers();
            !workers.is_empty()
        });
        measuring.signal(Signal::SIGINT);
        let answer = measuring.end();
        assert_eq!(answer.code, 105, "{}", answer.stderr);
        let run = measuring.saved();
        assert!(run.partial && run.outages.len() >= lines, "{}", run.outages.len());
        until("no worker is left", || workers.iter().all(|worker| !worker.lives()));
    }
}

/// Wherever it is under way: while clients connect, while they hear events, and while they are away.
#[test]
fn an_interrupt_ends_a_trial_in_any_of_its_phases() {
    let _machine = machine();
    let faults = r#"outage.faults=[{kind="drain",at="300ms"}]"#;
    // Events end before anybody comes back: whoever is away is waited for.
    let policies = r#"outage.policies=["eventsource"]"#;
    let options = ["-s", "reconnect", "--lanes", "sse-h1", "-c", "200", "-d", "600ms"];
    let options = [&options[..], &["--set", faults, "--set", policies]].concat();
    for phase in ["connecting", "hearing", "away"] {
        let mut measuring = Measuring::of(&options);
        let (mut workers, mut most) = (Vec::new(), 0);
        until(phase, || {
            workers = measuring.workers();
            let fleet = workers.iter().find(|worker| worker.role == "fleet");
            let open = fleet.map_or(0, Worker::sockets);
            most = most.max(open);
            match phase {
                "connecting" => open > 0,
                "hearing" => open >= 200,
                _ => most >= 200 && open < 100,
            }
        });
        measuring.signal(Signal::SIGINT);
        let answer = measuring.end();
        assert_eq!(answer.code, 105, "{phase}: {}", answer.stderr);
        let run = measuring.saved();
        assert!(run.partial && run.outages.is_empty(), "{phase}: {}", run.outages.len());
        until("no worker is left", || workers.iter().all(|worker| !worker.lives()));
    }
}
