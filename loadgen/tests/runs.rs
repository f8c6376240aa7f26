//! Real measurements with the scenario `smoke`: what a run leaves behind, that every lane delivers
//! every byte, and that whatever ends a run early keeps what was measured and leaves no process.
//!
//! Apart from `cli`, because these need the machine: one measurement at a time, by a lock.
#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

#[path = "runs/audience.rs"]
mod audience;
mod common;
#[path = "runs/idle.rs"]
mod idle;
#[path = "runs/layers.rs"]
mod layers;
#[path = "runs/messages.rs"]
mod messages;
#[path = "runs/outages.rs"]
mod outages;
#[path = "runs/polling.rs"]
mod polling;
mod processes;
#[path = "runs/sessions.rs"]
mod sessions;
#[path = "runs/steps.rs"]
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::{LOADGEN, command, ended, loadgen};
use nix::sys::signal::Signal;
use processes::{Measuring, Worker, until};
use results::Run;
use results::metric::{self, Source};
use results::run::{Severity, Trial, Warning};
use scenarios::{ClientStack, Coding, Lane, Plan};

static MACHINE: Mutex<()> = Mutex::new(());

/// The machine to oneself, also after a test that failed with it in hand.
fn machine() -> MutexGuard<'static, ()> {
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

type Files = BTreeMap<String, Vec<u8>>;

/// Every file below a folder, by its path there.
fn files(folder: &Path) -> Files {
    let mut found = Files::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        let name = name.into_string().unwrap();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
    found
}

/// A measurement may be invalid for its instants alone, as one with few subscribers is on a machine
/// that wakes slowly; any other reason is a fault.
fn is_right_but_for_instants(code: i32, run: &Run) {
    let invalid = run.warnings.iter().filter(|warning| warning.severity == Severity::Invalid);
    let others: Vec<&Warning> =
        invalid.filter(|one| !LATE.iter().any(|late| one.text.contains(late))).collect();
    assert!(others.is_empty(), "{others:?}");
    assert_eq!(code, if run.worst() == Some(Severity::Invalid) { 97 } else { 0 });
}

const LATE: [&str; 3] = ["generator limited: ", "server stalled: ", "the generator is saturated: "];

#[test]
fn smoke_is_good_and_its_report_needs_nothing_but_the_run() {
    let _machine = machine();
    let folder = tempfile::tempdir().unwrap();
    let answer = loadgen(folder.path(), &["--scenario", "smoke", "-o", "run", "--quiet"]);
    assert_eq!((answer.code, answer.stderr.as_str()), (0, ""), "{}", answer.stdout);
    let written = files(&folder.path().join("run"));
    validates(&written["run.json"]);
    let run = Run::load(&folder.path().join("run")).unwrap();
    assert_eq!((run.partial, run.sweep.len()), (false, 9));
    is_complete(&written, &run);
    needs_no_network(&written);
    is_drawn_again(folder.path(), &written);
    is_written_in_every_format(folder.path(), &run);
    a_reader_that_leaves_is_no_error(folder.path());
    an_invalid_run_is_told_by_its_code(folder.path(), run);
}

fn validates(json: &[u8]) {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../results/schema/run.schema.json");
    let schema = serde_json::from_slice(&std::fs::read(schema).unwrap()).unwrap();
    let json = serde_json::from_slice(json).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

fn is_complete(written: &Files, run: &Run) {
    for (name, bytes) in written {
        assert!(!bytes.is_empty(), "{name} is empty");
        assert!(!name.contains("partial") && !name.contains("probe"), "{name} was left behind");
    }
    let histograms = run.trials.iter().map(|trial| format!("histograms/{}-r1.hgrm", trial.lane));
    let charts = results::charts::ALL.iter().filter(|chart| (chart.draw)(run).is_some());
    let charts = charts.flat_map(|chart| ["svg", "png"].map(|end| format!("charts/{}.{end}", chart.name)));
    let others = ["run.json", "report.html", "trials.csv", "blocks.csv"].map(str::to_owned);
    let expected: BTreeSet<String> = histograms.chain(charts).chain(others).collect();
    assert_eq!(written.keys().cloned().collect::<BTreeSet<_>>(), expected);
    assert!(expected.iter().filter(|name| name.ends_with(".png")).count() >= 5, "{expected:?}");
    for (name, bytes) in written.iter().filter(|(name, _)| name.ends_with(".png")) {
        assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"), "{name} is no picture");
    }
}

fn needs_no_network(written: &Files) {
    for name in written.keys().filter(|name| name.ends_with(".html") || name.ends_with(".svg")) {
        let text = std::str::from_utf8(&written[name]).unwrap();
        for (at, _) in text.match_indices("http://").chain(text.match_indices("https://")) {
            let before = text[..at].rsplit([' ', '<']).next().unwrap();
            assert!(before.starts_with("xmlns"), "{name}: {}", &text[at..(at + 60).min(text.len())]);
        }
        for word in ["src=\"/", "href=\"/", "=\"//", "url(/", "@import", "<script"] {
            assert!(!text.contains(word), "{name} has {word}");
        }
    }
}

fn is_drawn_again(folder: &Path, written: &Files) {
    let run = folder.join("run");
    let differing = || -> Vec<String> {
        let now = files(&run);
        let names: BTreeSet<&String> = now.keys().chain(written.keys()).collect();
        names.into_iter().filter(|name| now.get(*name) != written.get(*name)).cloned().collect()
    };
    assert_eq!(loadgen(folder, &["report", "run"]).code, 0);
    assert_eq!(differing(), [""; 0], "drawn again beside the old files");
    std::fs::remove_dir_all(&run).unwrap();
    std::fs::create_dir(&run).unwrap();
    std::fs::write(run.join("run.json"), &written["run.json"]).unwrap();
    assert_eq!(loadgen(folder, &["report", "run/run.json"]).code, 0);
    assert_eq!(differing(), [""; 0], "drawn from run.json alone");
}

fn is_written_in_every_format(folder: &Path, run: &Run) {
    let report = |format| {
        let mut plain = command(LOADGEN, folder, &["report", "run", "--format", format]);
        plain.env("NO_COLOR", "1");
        let (plain, answer) = (ended(plain), loadgen(folder, &["report", "run", "--format", format]));
        assert_eq!((answer.code, answer.stderr.as_str()), (0, ""), "{format}");
        assert!(!answer.stdout.contains('\x1b') && answer.stdout == plain.stdout, "{format}");
        answer.stdout
    };
    let lanes: Vec<String> = run.scenario.lanes.iter().map(ToString::to_string).collect();
    for format in ["text", "markdown"] {
        let text = report(format);
        assert!(lanes.iter().all(|lane| text.contains(lane)), "{text}");
    }
    let json: serde_json::Value = serde_json::from_str(&report("json")).unwrap();
    assert_eq!((&json["schema"], &json["partial"]), (&1.into(), &false.into()));
    assert_eq!(json["lanes"], serde_json::json!(lanes));
    let csv = report("csv");
    assert_eq!(csv.lines().next(), Some("lane,repetition,metric,unit,value,note"));
    let a_trial = metric::ALL.iter().filter(|metric| !matches!(metric.source, Source::Memory(_))).count();
    assert_eq!(csv.lines().count(), 1 + a_trial * run.trials.len(), "{csv}");
}

fn a_reader_that_leaves_is_no_error(folder: &Path) {
    let line = "{ \"$0\" report run; echo $? >&2; } | head -1";
    let head = ended(command("sh", folder, &["-c", line, LOADGEN]));
    assert_eq!((head.code, head.stderr.as_str()), (0, "0\n"));
    for arguments in [&["report", "run"][..], &["list"], &["--help"]] {
        // Nobody can read from the first byte on; with `head` that is a matter of luck.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut nobody = command(LOADGEN, folder, arguments);
        nobody.stdout(Stdio::from(writer));
        let nobody = ended(nobody);
        assert_eq!((nobody.code, nobody.stderr.as_str()), (0, ""), "{arguments:?}");
    }
}

fn an_invalid_run_is_told_by_its_code(folder: &Path, mut run: Run) {
    let text = "by this test".to_owned();
    run.warnings.push(Warning { severity: Severity::Invalid, lane: None, repetition: None, text });
    run.save(&folder.join("run")).unwrap();
    let answer = loadgen(folder, &["report", "run"]);
    assert_eq!(answer.code, 97, "{}", answer.stderr);
    assert!(answer.stderr.contains("INVALID") && answer.stdout.contains("by this test"));
}

/// Measures `smoke` with options; whatever they are, no delivery may be missing or wrong.
fn measured(options: &str) -> Run {
    let run = ran(options);
    run.trials.iter().for_each(|trial| is_whole(&run, trial, options));
    run
}

/// Measures `smoke` with options to a good end.
fn ran(options: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["-s", "smoke", "-q", "-o", "run", "--set", "sweep=[]"].into_iter();
    let arguments: Vec<&str> = arguments.chain(options.split_whitespace()).collect();
    let answer = loadgen(folder.path(), &arguments);
    let run = Run::load(&folder.path().join("run")).expect(&answer.stderr);
    is_right_but_for_instants(answer.code, &run);
    assert_eq!((run.partial, run.trials.len()), (false, run.scenario.lanes.len()), "{options}");
    run
}

fn is_whole(run: &Run, trial: &Trial, options: &str) {
    let (at, ledger) = (format!("{} with {options}", trial.lane), trial.ledger);
    let events: u64 = trial.blocks.iter().map(|block| block.events).sum();
    assert!(events > 0, "{at}");
    assert_eq!(ledger.expected, audience::addressed(run, trial), "{at}: {ledger:?}");
    assert_eq!(ledger.delivered, ledger.expected, "{at}: {ledger:?}");
    let wrong = [ledger.lost, ledger.duplicated, ledger.reordered, ledger.corrupted, ledger.unexpected];
    assert_eq!((wrong, trial.failures.len()), ([0; 5], 0), "{at}");
    assert_eq!(trial.published_sha256.len(), 64, "{at}");
    assert!(trial.bodies_agree() && trial.received_sha256.len() == 64, "{at}");
    assert_eq!(trial.published_sha256, run.trials[0].published_sha256, "{at}: other bodies");
    has_joined(run, trial, &at);
    assert_eq!(trial.bytes.down() > 0, trial.lane.client == ClientStack::Lean, "{at}: {:?}", trial.bytes);
    if trial.bytes.down() > 0 {
        assert_eq!(trial.bytes.down(), trial.kernel.unwrap().down_bytes, "{at}: {:?}", trial.bytes);
    }
}

/// Every subscriber came once and is counted once, and so is every connection that it took.
fn has_joined(run: &Run, trial: &Trial, at: &str) {
    let (scenario, subscribers) = (&run.scenario, run.scenario.subscribers.0);
    let opening = trial.opening.unwrap();
    let counted = [opening.connections, trial.connect.count(), trial.first_event.count()];
    assert_eq!(counted, [subscribers; 3], "{at}");
    assert!(opening.span_ns > 0 && opening.server_cpu_ns > 0 && opening.client_cpu_ns > 0, "{at}");
    let lean = trial.lane.client == ClientStack::Lean;
    let connections = subscribers.div_ceil(scenario.streams_of(trial.lane));
    assert_eq!(trial.bytes.connections, if lean { connections } else { 0 }, "{at}");
}

#[test]
fn all_lanes_deliver_the_same_bodies_whole() {
    let _machine = machine();
    // What a lane holds back does not arrive in half a second.
    let lanes = Lane::all().into_iter().filter(|lane| !lane.holds_back());
    let lanes: Vec<String> = lanes.map(|lane| lane.to_string()).collect();
    assert_eq!(lanes.len(), 48);
    // A warm-up that deals the lanes different numbers of slices must not deal them different bodies.
    // A round of all of them lasts longer than a server waits for a silent client's head: what polls must
    // not be closed for it.
    let warmed = "--set block=500ms --set warmup=10";
    measured(&format!("-c 20 -r 40 -d 500ms {warmed} --lanes {}", lanes.join(",")));
    // The same for bodies that are bytes: encoded where only text travels, and none differs.
    let binary = "--set payload=binary:3k --set binary=base64";
    let run = measured(&format!("-c 10 -r 40 -d 500ms {binary} --lanes {}", lanes.join(",")));
    // What is compressed is a layer of its own.
    let plain = |trial: &&Trial| trial.bytes.down() > 0 && trial.lane.coding == Coding::Plain;
    for trial in run.trials.iter().filter(plain) {
        let encoded = if trial.lane.transport.is_text_only() { 1_000 } else { 0 };
        assert_eq!(trial.bytes.payload, 3_000 * trial.ledger.delivered, "{}", trial.lane);
        let framing = trial.bytes.event_framing / trial.ledger.delivered;
        assert!((encoded..encoded + 40).contains(&framing), "{}: {framing}", trial.lane);
    }
}

/// Options, the body's size where it is fixed, and the bytes of a WebSocket frame's header (RFC 6455,
/// 5.2), where the message is the body alone.
const SHAPES: &[(&str, Option<u64>, Option<u64>)] = &[
    ("--set payload=text:0 --set identity=id", Some(0), None),
    ("--set payload=text:125 --set identity=none", Some(125), Some(2)),
    ("--set payload=text:126 --set identity=none", Some(126), Some(4)),
    ("--set payload=text:65535 --set identity=none", Some(65_535), Some(4)),
    ("--set payload=text:65536 --set identity=none", Some(65_536), Some(10)),
    ("--set envelope=json --set arrivals=poisson", None, None),
    ("--set envelope=json --set arrivals=bursts:5 --set identity=id", None, None),
];

#[test]
fn every_shape_of_an_event_arrives_whole() {
    let _machine = machine();
    for (options, body, header) in SHAPES {
        let lanes = "--lanes sse-h1,sse-h2,sse-h2+mux,ws-h1,raw,sse-h1+gzip,sse-h2+gzip,ws-h2,ws-h2+deflate,ws-h1+deflate,ws-h1+deflate-stateless,sse-h1+tls,sse-h2+mux+tls,ws-h1+tls,raw+tls,sse-h1+gzip+tls,sse-h2+gzip+mux+tls,ws-h2+mux+tls --set streams=4";
        let run = measured(&format!("-c 10 -r 40 {lanes} {options}"));
        for trial in &run.trials {
            let (at, deliveries) = (format!("{} with {options}", trial.lane), trial.ledger.delivered);
            let payload = |body: u64| if trial.lane.coding == Coding::Plain { body * deliveries } else { 0 };
            assert!(body.is_none_or(|body| trial.bytes.payload == payload(body)), "{at}");
            if let Some(header) = header.filter(|_| trial.lane.to_string() == "ws-h1") {
                assert_eq!(trial.bytes.transport_framing, header * deliveries, "{at}");
                assert_eq!(trial.bytes.event_framing, 0, "{at}");
            }
        }
    }
}

/// What never left is lost, and that is said; nothing else is wrong with the run.
#[test]
fn what_a_lane_holds_back_is_lost_and_said() {
    let _machine = machine();
    let run = ran("-c 20 -r 40 -d 500ms --lanes sse-h1+gzip,sse-h1+gzip-buffered");
    let [flushed, buffered] = &run.trials[..] else { panic!("two trials") };
    assert_eq!((flushed.ledger.lost, buffered.ledger.delivered), (0, 0));
    assert_eq!(buffered.ledger.lost, buffered.ledger.expected);
    assert!(run.warnings.iter().any(|warning| warning.text.contains("this lane shows a fault")));
    // Where events are so many that some leave, they leave in the blocks of others.
    let run = ran("-c 5 -r 400 -d 1s --lanes sse-h1+gzip-buffered --set payload=text:4k");
    let late = &run.trials[0];
    assert!(
        late.ledger.delivered > 0 && late.blocks.iter().all(|block| block.undrained),
        "{:?}",
        late.ledger
    );
}

/// No worker runs when the program has ended, whatever ended it.
fn are_gone(workers: &[Worker]) {
    let left: Vec<&Worker> = workers.iter().filter(|worker| worker.lives()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_interrupt_keeps_the_blocks_that_were_closed() {
    let _machine = machine();
    let mut measuring = Measuring::start("-d 60s");
    let workers = measuring.publishes(3);
    measuring.signal(Signal::SIGINT);
    let answer = measuring.end();
    are_gone(&workers);
    assert_eq!(answer.code, 105, "{}", answer.stderr);
    let run = measuring.saved();
    let kept = format!("interrupted: {} trials were kept in run", run.trials.len());
    assert!(answer.stderr.contains(&kept), "`{kept}` is not in: {}", answer.stderr);
    assert!(run.partial && !run.trials.is_empty());
    for trial in &run.trials {
        assert!(!trial.blocks.is_empty() && trial.ledger.closes(), "{:?}", trial.ledger);
        assert_eq!((trial.ledger.lost, trial.ledger.corrupted), (0, 0), "{}", trial.lane);
        assert_eq!(trial.published_sha256, trial.received_sha256, "{}", trial.lane);
    }
    assert!(measuring.file("report.html").exists());
}

#[test]
fn a_second_interrupt_does_not_wait_for_the_block() {
    let _machine = machine();
    let mut measuring = Measuring::start("-d 60s --set block=60s");
    let workers = measuring.publishes(3);
    until("it has ended", || {
        measuring.signal(Signal::SIGINT);
        measuring.has_ended()
    });
    let answer = measuring.end();
    assert_eq!((answer.code, answer.stdout.as_str()), (105, ""));
    assert!(measuring.saved().partial && !measuring.file("report.html").exists());
    until("its workers are gone", || !workers.iter().any(Worker::lives));
}

#[test]
fn workers_do_not_outlive_a_runner_that_was_killed() {
    let _machine = machine();
    let mut measuring = Measuring::start("-d 60s --set block=60s");
    let workers = measuring.publishes(3);
    measuring.signal(Signal::SIGKILL);
    until("it has ended", || measuring.has_ended());
    until("its workers are gone", || !workers.iter().any(Worker::lives));
}

/// Kills a worker of the lane that started last in the second repetition of three.
fn killed(role: &str, side: &str) {
    let mut measuring = Measuring::start("-r 100 --lanes sse-h1,raw --repetitions 3 -d 1s");
    measuring.says("repetition 1 of 3");
    let workers = measuring.publishes(2);
    workers.iter().rfind(|worker| worker.role == role).unwrap().kill();
    let answer = measuring.end();
    are_gone(&workers);
    let run = measuring.saved();
    let plan = Plan::new(run.name.clone(), run.scenario.clone());
    let lane = plan.lanes()[*plan.repetitions[1].order.last().unwrap()];
    assert_eq!(answer.code, 107, "{}", answer.stderr);
    let said = format!("the {side} of lane {lane} died during the run");
    assert!(answer.stderr.contains(&said), "`{said}` is not in: {}", answer.stderr);
    assert!(run.partial);
    let kept: Vec<(Lane, u64)> = run.trials.iter().map(|trial| (trial.lane, trial.repetition)).collect();
    assert_eq!(kept, plan.lanes().iter().map(|lane| (*lane, 0)).collect::<Vec<_>>());
    assert!(measuring.file("report.html").exists());
}

#[test]
fn a_host_that_dies_is_named_and_the_repetitions_before_are_kept() {
    let _machine = machine();
    killed("host", "server");
}

#[test]
fn a_fleet_that_dies_is_named_and_the_repetitions_before_are_kept() {
    let _machine = machine();
    killed("fleet", "generator");
}
