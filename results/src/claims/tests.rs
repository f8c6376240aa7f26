//! Every claim that can be judged, on a made-up run and on its inverse; and the runs that judge less
//! or nothing.

use super::*;
use crate::charts;
use crate::run::{KernelCounts, Sessions, Severity, Trial, Warning};
use crate::sample::{self, exchange, exchanged};
use crate::summary::judged_further;
use scenarios::{Envelope, Identity, Payload};

mod guards;
mod outages;

const TUNED: [&str; 2] = ["sse-h1", "ws-h1"];
const STOCK: [&str; 2] = ["sse-h1%axum", "ws-h1%axum"];

/// What a run says, looked up by the number of a claim.
struct Said(Vec<Judged>);

impl Said {
    fn of(run: &Run) -> Self {
        Self(judge(run))
    }

    fn word(&self, number: u8) -> &'static str {
        self.0.iter().find(|judged| judged.claim.number == number).unwrap().verdict.word()
    }

    fn reason(&self, number: u8) -> String {
        self.0.iter().find(|judged| judged.claim.number == number).unwrap().reason()
    }

    fn words(&self) -> Vec<(u8, &'static str)> {
        let judged = self.0.iter().filter(|judged| judged.is_measured());
        judged.map(|judged| (judged.claim.number, judged.verdict.word())).collect()
    }
}

/// All lanes that any claim asks for.
fn all_stacks() -> Run {
    sample::with(&[TUNED, STOCK].concat(), 5)
}

fn tuned(repetitions: u64) -> Run {
    sample::with(&TUNED, repetitions)
}

/// Idle connections of which the middlebox cuts those of WebSocket alone.
fn needed_by_ws_alone() -> Run {
    sample::beating(tuned(5))
}

/// SSE and both kinds of polling.
fn polled() -> Run {
    sample::with(&["sse-h1", "longpoll-h1", "poll-h1"], 5)
}

fn inverse(mut run: Run) -> Run {
    let hints = run.scenario.outage.as_ref().map(|outage| outage.hints.clone()).unwrap_or_default();
    if let [one, other] = hints[..] {
        run.outages.iter_mut().for_each(|outage| outage.hint = if outage.hint == one { other } else { one });
        return run;
    }
    if run.scenario.lanes.iter().any(|lane| lane.transport.polls()) {
        // Long polling lies between the two, so it too is the better one then.
        return exchanged(run, TUNED[0], "poll-h1");
    }
    if !run.tabs.is_empty() {
        return exchanged(run, TUNED[0], "sse-h2+mux");
    }
    exchanged(exchanged(run, TUNED[0], TUNED[1]), STOCK[0], STOCK[1])
}

fn trials<'a>(run: &'a mut Run, lane: &'a str) -> impl Iterator<Item = &'a mut Trial> {
    run.trials.iter_mut().filter(move |trial| trial.lane.to_string() == lane)
}

/// The sample's SSE is the slower to connect: with the times exchanged, its opening is cheaper in all.
fn quick_to_open() -> Run {
    let mut run = tuned(5);
    let times: Vec<_> = trials(&mut run, "ws-h1").map(|trial| trial.connect.clone()).collect();
    let slow: Vec<_> = trials(&mut run, "sse-h1").map(|trial| trial.connect.clone()).collect();
    trials(&mut run, "sse-h1").zip(times).for_each(|(trial, time)| trial.connect = time);
    trials(&mut run, "ws-h1").zip(slow).for_each(|(trial, time)| trial.connect = time);
    run
}

/// Every SSE event carries 200 bytes of headers, at small payloads alone.
fn headers_on_every_push() -> Run {
    let mut run = tuned(5);
    run.sweep.clear();
    for trial in trials(&mut run, "sse-h1") {
        trial.bytes.transport_framing = 200 * trial.ledger.delivered;
        let kernel = trial.kernel.unwrap();
        trial.kernel = Some(KernelCounts { down_bytes: trial.bytes.down(), ..kernel });
    }
    run
}

/// As an envelope of more bytes than SSE's fields would look.
fn heavy_envelope() -> Run {
    let mut run = tuned(5);
    run.scenario.envelope = Envelope::Json;
    trials(&mut run, "ws-h1").for_each(|trial| trial.bytes.event_framing = 40 * trial.ledger.delivered);
    run
}

/// The sample's SSE is the heavier and slower one, and here its client has more to do too.
fn dear_sse() -> Run {
    let mut run = tuned(5);
    let blocks = trials(&mut run, "sse-h1").flat_map(|trial| &mut trial.blocks);
    blocks.for_each(|block| block.client_cpu_ns += block.client_cpu_ns / 3);
    run
}

fn of_bytes() -> Run {
    let mut run = dear_sse();
    run.scenario.payload = Payload::Video(10_000);
    run
}

/// The sample's stock SSE server is the leaner one already.
fn lean_sse() -> Run {
    exchanged(all_stacks(), TUNED[0], TUNED[1])
}

/// A run that supports the claim, and is refuted by its inverse.
const FLIPS: [(u8, fn() -> Run); 15] = [
    (1, sample::talking),
    (2, quick_to_open),
    (3, || tuned(5)),
    (4, headers_on_every_push),
    (5, polled),
    (6, of_bytes),
    (7, heavy_envelope),
    (8, needed_by_ws_alone),
    (9, || inverse(dear_sse())),
    (10, lean_sse),
    (11, sample::tabbed),
    (12, sample::completed),
    (13, sample::resumed),
    (14, sample::resumed),
    (15, || sample::hinted(&["none", "1s..5s"])),
];

#[test]
fn the_verdict_on_every_claim_that_can_be_judged_flips_with_the_data() {
    let judged: Vec<u8> =
        ALL.iter().filter(|claim| !claim.proposition.is_empty()).map(|claim| claim.number).collect();
    assert_eq!(FLIPS.map(|flip| flip.0).to_vec(), judged);
    for (number, run) in FLIPS {
        let (said, inverse) = (Said::of(&run()), Said::of(&inverse(run())));
        let (reason, words) = (said.reason(number), (said.word(number), inverse.word(number)));
        assert_eq!(words, ("supported", "refuted"), "claim {number}: {reason}");
    }
}

#[test]
fn every_row_can_be_read_and_names_what_there_is() {
    let run = tuned(1);
    let entries = judged_further(&run, run.scenario.lanes[0], run.scenario.lanes[1]);
    let compared: Vec<&str> = entries.iter().map(|(metric, _)| metric.name).collect();
    for (claim, number) in ALL.iter().zip(1..) {
        assert_eq!(claim.number, number);
        assert!(claim.said.ends_with('.') && !claim.experiment.is_empty());
        assert!(!claim.proposition.is_empty() || claim.metrics.is_empty(), "claim {number}");
        assert_eq!(claim.proposition.is_empty(), claim.charts.is_empty(), "claim {number}");
        let metrics = claim.metrics.iter().chain(&two_way::SUIT_BOTH_WAYS);
        metrics.for_each(|name| assert!(compared.contains(name), "{name}"));
        claim.charts.iter().for_each(|name| assert!(charts::ALL.iter().any(|c| c.name == *name), "{name}"));
    }
    assert_eq!(ALL.len(), 16);
}

#[test]
fn what_is_said_of_the_sample() {
    insta::assert_snapshot!(lines(&all_stacks()).join("\n\n"));
}

/// In the sample SSE opens with fewer bytes and takes longer, adds framing but no headers, and its stock
/// server is the leaner one.
#[test]
fn questions_that_disagree_make_it_depend_and_say_on_what() {
    let said = Said::of(&all_stacks());
    assert_eq!([2, 4, 10].map(|number| said.word(number)), ["depends"; 3]);
    assert!(said.reason(2).starts_with(
        "It depends on what counts: for it speak handshake down, handshake up, connect server CPU, connect client CPU; against it connect p50, connect p99."
    ));
    let on = said.reason(4);
    assert!(on.contains("headers are not repeated") && on.contains("between 400 B and 1,000 B"));
    assert!(said.reason(10).contains(
        "for it speak server memory (stock), server CPU (stock); against it server memory (tuned), server CPU (tuned)"
    ));
    let mut run = tuned(5);
    exchange(run.memory.iter_mut().map(|memory| &mut memory.lane), TUNED[0], TUNED[1]);
    assert!(
        Said::of(&run)
            .reason(10)
            .contains("for it speak server memory (tuned); against it server CPU (tuned)")
    );
}

/// A library's default turns claim 10, so servers of one kind do not judge it.
#[test]
fn one_stack_alone_is_no_verdict_and_names_the_other() {
    for (lanes, missing) in [(TUNED, "stock"), (STOCK, "tuned")] {
        let said = Said::of(&sample::with(&lanes, 5));
        assert_eq!(said.word(10), "not measured");
        assert!(said.reason(10).contains(&format!("The {missing} servers were not in this run.")));
    }
}

/// What the run computes for other rates is said beside the verdict, and one kind of polling alone is
/// not judged.
#[test]
fn polling_names_the_rate_at_which_bytes_turn() {
    let said = Said::of(&polled());
    assert!(
        said.reason(5).contains("below ") && said.reason(5).contains("events an interval"),
        "{}",
        said.reason(5)
    );
    let alone = Said::of(&sample::with(&["sse-h1", "poll-h1"], 5));
    assert_eq!(alone.word(5), "not measured");
    assert!(alone.reason(5).contains("This run did not measure both sse-h1 and longpoll-h1."));
}

/// Polling over HTTP/2 is told with its own numbers and changes no verdict.
#[test]
fn polling_over_http2_is_told_beside_the_verdict() {
    let h1 = ["sse-h1", "longpoll-h1", "poll-h1"];
    let both = Said::of(&sample::with(&[&h1[..], &["sse-h2", "poll-h2"]].concat(), 5));
    let alone = Said::of(&sample::with(&h1, 5));
    assert_eq!(both.word(5), alone.word(5));
    assert!(
        both.reason(5).contains("poll-h2") && !both.reason(5).contains("longpoll-h2"),
        "{}",
        both.reason(5)
    );
    assert!(!alone.reason(5).contains("poll-h2"), "{}", alone.reason(5));
}

/// No practical difference is no support: neither for "sooner" nor for "fewer".
#[test]
fn a_lane_against_its_own_copy_supports_nothing() {
    let mut run = tuned(5);
    let copies: Vec<Trial> = trials(&mut run, "ws-h1").map(|trial| trial.clone()).collect();
    let sse = run.scenario.lanes[0];
    let like = |trial: &Trial| Trial { lane: sse, ..trial.clone() };
    run.trials = copies.iter().map(like).chain(copies.clone()).collect();
    run.sweep.clear();
    run.memory[0].points = run.memory[1].points.clone();
    assert_eq!(Said::of(&run).words(), [2, 3, 4, 7, 9].map(|number| (number, "refuted")));
    run.trials[0].blocks.iter_mut().for_each(|block| block.client_cpu_ns = block.span_ns);
    let under_stress = Said::of(&run);
    assert_eq!([2, 3].map(|number| under_stress.word(number)), ["inconclusive"; 2]);
}

/// Lanes exchanged in two of five starts: the ratio points both ways.
#[test]
fn a_wide_interval_is_inconclusive() {
    let mut run = tuned(5);
    let some = run.trials.iter_mut().filter(|trial| trial.repetition % 2 == 1);
    exchange(some.map(|trial| &mut trial.lane), TUNED[0], TUNED[1]);
    let said = Said::of(&run);
    assert!(said.word(3) == "inconclusive" && said.reason(3).contains("unclear"), "{}", said.reason(3));
}

/// A workload is judged by what it is named, and one that goes both ways only when messages did go up.
#[test]
fn whom_a_workload_is_said_to_suit_is_told_by_its_name() {
    let named = |name: &str, mut run: Run| {
        name.clone_into(&mut run.name);
        Said::of(&run)
    };
    let words = ["news", "video", "pigeons", "game"].map(|name| named(name, dear_sse()).word(9));
    assert_eq!(words, ["refuted", "not measured", "not measured", "not measured"]);
    for name in ["chat", "game", "collab"] {
        let run = sample::talking;
        let words = [run(), inverse(run())].map(|run| named(name, run).word(9));
        assert_eq!(words, ["supported", "refuted"], "{name}");
    }
    let reason = named("video", dear_sse()).reason(9);
    assert!(reason.contains("none of the workloads that the saying names"), "{reason}");
    let reason = named("game", dear_sse()).reason(9);
    assert!(reason.contains("nothing travelled upward"), "{reason}");
}

/// The connection beside the stream is opened with it.
#[test]
fn where_messages_go_up_opening_is_not_judged() {
    let said = Said::of(&sample::talking());
    assert_eq!(said.word(2), "not measured");
    assert!(said.reason(2).contains("a second connection"), "{}", said.reason(2));
}

/// Bodies of text say nothing about bytes, and a run without compressed lanes nothing about compression.
#[test]
fn what_bytes_cost_is_said_by_runs_of_bytes() {
    assert_eq!(Said::of(&tuned(5)).word(6), "not measured");
    let reason = Said::of(&of_bytes()).reason(6);
    assert!(reason.contains("event framing 29 against 10 B/event"), "{reason}");
    assert!(reason.ends_with("What compression changes was not measured in this run."), "{reason}");
}

/// Both are cut, as on a real middlebox: half of the saying is false, so it is not supported; and where
/// heartbeats do not help either, nothing is said.
#[test]
fn who_is_cut_without_heartbeats_is_told_of_both() {
    let mut run = needed_by_ws_alone();
    run.idle.iter_mut().for_each(|idle| idle.silent.alive = 0);
    let said = Said::of(&run);
    assert_eq!(said.word(8), "refuted");
    assert!(said.reason(8).contains("of 10 connections of sse-h1 0 lived without heartbeats and 10 of 10"));
    assert!(said.reason(8).contains("For 10,000 connections and a heartbeat every 15 s"));
    run.idle.iter_mut().for_each(|idle| idle.beating.alive = 3);
    assert_eq!(Said::of(&run).word(8), "inconclusive");
    assert_eq!(Said::of(&tuned(5)).word(8), "not measured");
}

/// All of the sentence about finished streams must hold, and only that claim is judged by such a run.
#[test]
fn who_stops_and_who_comes_back_is_told_of_each_way_of_telling() {
    let run = sample::completed();
    assert_eq!(Said::of(&run).words(), [(12, "supported")]);
    let said = Said::of(&run).reason(12);
    assert!(
        said.contains("saw `clean end`; streams begun 5 each on connections 1, events that came again 40"),
        "{said}"
    );
    let edited = |lane: &str, edit: fn(&mut Sessions)| {
        let mut run = run.clone();
        trials(&mut run, lane).filter_map(|trial| trial.session.as_mut()).for_each(edit);
        Said::of(&run).word(12)
    };
    assert_eq!(edited("ws-h1", |session| session.endings[0].repeated_events = 1), "refuted");
    assert_eq!(edited("ws-h1", |session| session.endings[0].seen.clear()), "inconclusive");
    assert_eq!(edited("sse-h1", |session| session.endings[0].repeated_events = 0), "refuted");
    assert_eq!(edited("sse-h1", |session| session.endings[1].repeated_events = 1), "refuted");
    assert_eq!(edited("sse-h1", |session| session.endings[2].repeated_events = 1), "refuted");
    assert_eq!(edited("sse-h1", |session| session.endings.truncate(2)), "not measured");
    assert_eq!(edited("sse-h1", |session| session.endings.clear()), "not measured");
}

#[test]
fn one_start_decides_by_exact_bytes_only() {
    let said = Said::of(&tuned(1));
    assert_eq!((said.word(7), said.word(4)), ("refuted", "depends"));
    assert!(said.reason(7).contains("2.90x (exact)") && said.reason(4).contains("measured once"));
}

#[test]
fn what_is_missing_is_not_judged_and_named() {
    let few = Said::of(&tuned(1));
    assert_eq!(few.word(3), "not measured");
    assert!(few.reason(3).contains("latency p99: too few events on sse-h1, too few events on ws-h1"));
    let mut run = tuned(5);
    run.memory.clear();
    run.scenario.identity = Identity::None;
    let said = Said::of(&run);
    assert_eq!((said.word(7), said.word(10)), ("not measured", "not measured"));
    assert!(said.reason(10).contains("server memory: not measured on sse-h1, not measured on ws-h1"));
    trials(&mut run, "sse-h1").for_each(|trial| trial.kernel = None);
    run.sweep.clear();
    assert_eq!(Said::of(&run).word(4), "not measured");
}

#[test]
fn a_run_without_the_lanes_judges_nothing() {
    for lanes in [&["raw"][..], &["sse-h1", "raw"], &["sse-h1@reqwest", "ws-h1@tungstenite"]] {
        let said = Said::of(&sample::with(lanes, 5));
        assert_eq!(said.words(), []);
        assert_eq!(said.reason(3), "This run did not measure both sse-h1 and ws-h1.");
    }
}

#[test]
fn an_invalid_run_judges_nothing() {
    let mut run = all_stacks();
    assert_eq!(Said::of(&run).words().len(), 6);
    let text = "saturated".to_owned();
    run.warnings.push(Warning { severity: Severity::Invalid, lane: None, repetition: None, text });
    let said = Said::of(&run);
    assert!(said.words().is_empty() && said.0.iter().all(|judged| judged.finding.contains("invalid")));
}

#[test]
fn broken_runs_are_judged_without_a_panic() {
    for run in sample::broken() {
        assert_eq!(judge(&run).len(), ALL.len());
        assert!(lines(&run).iter().all(|line| !line.contains("NaN") && !line.contains("unbounded")));
    }
}
