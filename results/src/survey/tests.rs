//! Surveys of made-up runs: what is recommended must follow the numbers, and turn with them.

use scenarios::Lane;

use super::advice::{Certainty, Choice};
use super::needs::Side;
use super::*;
use crate::run::{Severity, Warning};
use crate::sample;
use crate::stats::Judgement;

fn survey(runs: Vec<(&str, Option<Run>)>) -> Survey {
    let workload = runs.iter().find_map(|(name, run)| Some(Workload::of(name, &run.as_ref()?.scenario)));
    let written = Written {
        schema: SCHEMA,
        started: "2025-01-31T12:00:00Z".into(),
        command: vec!["loadgen".into(), "survey".into()],
        depth: "default".into(),
        cells: runs.iter().map(|(name, _)| (*name).to_owned()).collect(),
        workload: workload.unwrap(),
    };
    let cells = runs.into_iter().map(|(name, run)| Cell { name: name.into(), run });
    Survey { written, cells: cells.collect() }
}

/// The run with its two transports exchanged: whatever was said of one is true of the other.
fn inverse(mut run: Run) -> Run {
    let [sse, ws] = ["sse-h1", "ws-h1"].map(|name| name.parse::<Lane>().unwrap());
    let exchange = |lane: &mut Lane| {
        *lane = if *lane == sse {
            ws
        } else if *lane == ws {
            sse
        } else {
            *lane
        };
    };
    run.trials.iter_mut().for_each(|trial| exchange(&mut trial.lane));
    run.memory.iter_mut().for_each(|memory| exchange(&mut memory.lane));
    run.sweep.iter_mut().for_each(|point| exchange(&mut point.lane));
    run
}

fn at_size(survey: &Survey, subscribers: u64) -> Advice {
    let workload = Workload { subscribers, ..survey.written.workload.clone() };
    advise(survey, &workload)
}

/// The sample's SSE costs more CPU, memory and bytes; its inverse the reverse.
#[test]
fn the_choice_flips_with_the_lanes() {
    let (there, back) = (
        survey(vec![("ticker", Some(sample::run()))]),
        survey(vec![("ticker", Some(inverse(sample::run())))]),
    );
    let (there, back) = (at_size(&there, 20_000), at_size(&back, 20_000));
    assert_eq!((there.choice, back.choice), (Choice::Take(Side::Ws), Choice::Take(Side::Sse)));
    assert_eq!(there.needs.len(), back.needs.len());
    for (a, b) in there.needs.iter().zip(&back.needs) {
        let flipped = b.speaks_for.map(|side| if side == Side::Sse { Side::Ws } else { Side::Sse });
        assert_eq!((a.speaks_for, a.costs), (flipped, [b.costs[1], b.costs[0]]), "{}", a.name);
        assert!((a.effect.log + b.effect.log).abs() < 1e-12);
    }
}

/// A proven difference that amounts to nothing at this size decides nothing.
#[test]
fn what_is_too_small_to_matter_speaks_for_nobody() {
    let survey = survey(vec![("ticker", Some(sample::run()))]);
    let few = at_size(&survey, 5);
    assert_eq!(few.choice, Choice::Either, "{}", few.headline());
    assert!(few.needs.iter().any(|need| need.sentence().contains("too small to matter")));
}

#[test]
fn costs_are_those_of_the_run_at_the_size_of_the_workload() {
    let survey = survey(vec![("ticker", Some(sample::run()))]);
    let (once, twice) = (at_size(&survey, 10_000), at_size(&survey, 20_000));
    for (a, b) in once.needs.iter().zip(&twice.needs) {
        let factor = if a.name.starts_with("time") { 1.0 } else { 2.0 };
        assert!((b.costs[0] / a.costs[0] - factor).abs() < 1e-9, "{}", a.name);
    }
    let cpu = once.needs.iter().find(|need| need.name == "server CPU").unwrap();
    // 10,000 x 20 deliveries a second of some 9 us.
    assert!((1.4..2.4).contains(&cpu.costs[0]), "{cpu:?}");
}

#[test]
fn doubts_make_it_less_sure_and_an_invalid_run_counts_for_nothing() {
    let sound = survey(vec![("ticker", Some(sample::run()))]);
    let far = Workload { rate: 400.0, ..sound.written.workload.clone() };
    assert!(advise(&sound, &far).doubts[0].contains("by a factor of 20"));
    assert_ne!(advise(&sound, &far).sure, Certainty::Sure);
    let mut run = sample::run();
    run.warnings.push(Warning {
        severity: Severity::Invalid,
        lane: None,
        repetition: None,
        text: "x".into(),
    });
    let invalid = survey(vec![("ticker", Some(run))]);
    let advice = at_size(&invalid, 2_000);
    assert_eq!((advice.choice, advice.sure, advice.needs.len()), (Choice::Unknown, Certainty::Unsure, 0));
    assert!(judge(&invalid).iter().all(|found| !found.judged.is_measured()));
}

/// What pushing costs is no answer for readers who send: without a run of messages nothing is chosen, with
/// one it follows the lanes.
#[test]
fn a_workload_that_goes_both_ways_needs_a_run_that_did() {
    let push = || ("ticker", Some(sample::run()));
    let talk = |run| ("upstream", Some(run));
    let talks = |survey: &Survey| {
        let workload = Workload { upstream: 10.0, ..survey.written.workload.clone() };
        advise(survey, &workload)
    };
    let advice = talks(&survey(vec![push()]));
    assert_eq!((advice.choice, advice.sure), (Choice::Unknown, Certainty::Unsure), "{}", advice.headline());
    assert!(advice.doubts[0].contains("readers send 20,000 messages a second"), "{:?}", advice.doubts);

    let there = talks(&survey(vec![push(), talk(sample::talking())]));
    let back = survey(vec![("ticker", Some(inverse(sample::run()))), talk(inverse(sample::talking()))]);
    let back = talks(&back);
    assert_eq!((there.choice, back.choice), (Choice::Take(Side::Ws), Choice::Take(Side::Sse)));
    let of = |advice: &Advice, name: &str| {
        advice.needs.iter().find(|need| need.name == name).map(|need| (need.costs, need.source.0.clone()))
    };
    let (cpu, run) = of(&there, "server CPU for messages").unwrap();
    assert_eq!(
        (of(&back, "server CPU for messages").unwrap().0, run.as_str()),
        ([cpu[1], cpu[0]], "upstream")
    );
    assert_eq!(of(&there, "server CPU").unwrap().1, "ticker", "pushing is told by a run that pushed alone");
    let twice = Workload { upstream: 20.0, ..there.workload.clone() };
    let runs = survey(vec![push(), talk(sample::talking())]);
    let double = of(&advise(&runs, &twice), "server CPU for messages").unwrap().0;
    assert!((double[0] / cpu[0] - 2.0).abs() < 1e-9);
}

/// Where nothing is sent, a run that went both ways tells nothing of what pushing costs.
#[test]
fn a_workload_that_goes_one_way_is_not_told_by_one_that_goes_both() {
    let survey = survey(vec![("upstream", Some(sample::talking()))]);
    let workload = Workload { upstream: 0.0, ..survey.written.workload.clone() };
    let advice = advise(&survey, &workload);
    assert_eq!((advice.choice, advice.needs.len()), (Choice::Unknown, 0), "{:?}", advice.needs);
}

/// A run of bytes tells nothing of text, nor one with readers that do not read, however near they are.
#[test]
fn a_run_of_another_kind_decides_nothing() {
    let told = |change: fn(&mut Run)| {
        let mut near = sample::run();
        change(&mut near);
        let mut far = sample::run();
        far.scenario.rate = 60.0;
        let mut survey = survey(vec![("near", Some(near)), ("far", Some(far))]);
        survey.written.workload = Workload::of("text", &sample::run().scenario);
        let needs = advise(&survey, &survey.written.workload.clone()).needs;
        needs.iter().find(|need| need.name == "server CPU").unwrap().source.0.clone()
    };
    assert_eq!(told(|_| ()), "near");
    assert_eq!(told(|run| run.scenario.payload = scenarios::Payload::Video(139)), "far");
    assert_eq!(told(|run| run.scenario.slow = 0.5), "far");
}

/// The last of two thousand waits for the others: a time to arrive is told for as many hearers alone.
#[test]
fn times_to_arrive_are_not_told_for_many_more_readers() {
    let survey = survey(vec![("ticker", Some(sample::run()))]);
    let timed = |subscribers| at_size(&survey, subscribers).needs.iter().any(|need| need.unit == "ms");
    assert!(timed(4_000) && !timed(40_000) && !timed(50));
}

/// Bytes at a size that no sweep holds are told by a run of that size or not at all, and judged where they are told.
#[test]
fn bytes_are_told_and_judged_at_the_size_of_the_payload() {
    let traffic = |run: Run, payload_bytes: f64| {
        let survey = survey(vec![("ticker", Some(run))]);
        let workload = Workload { payload_bytes, ..survey.written.workload.clone() };
        let needs = advise(&survey, &workload).needs;
        needs.into_iter().find(|need| need.name == "traffic to readers")
    };
    let small = traffic(sample::run(), 64.0).unwrap();
    let large = traffic(sample::run(), 16_000.0).unwrap();
    assert_eq!((small.effect.judgement, large.effect.judgement), (Judgement::Worse, Judgement::Same));
    for need in [&small, &large] {
        assert!((need.effect.ratio() - need.costs[0] / need.costs[1]).abs() < 1e-9, "{need:?}");
    }
    let mut unswept = sample::run();
    unswept.sweep.clear();
    let own = Workload::of("", &unswept.scenario).payload_bytes;
    assert!(traffic(unswept.clone(), own).is_some() && traffic(unswept, 1_000.0).is_none());
}

/// A quick survey's blocks are few: it tells bytes and memory, and judges no claim about time.
#[test]
fn a_quick_survey_tells_nothing_of_times_and_cpu() {
    let mut survey = survey(vec![("bytes", Some(sample::run()))]);
    let counted = |survey: &Survey| {
        let needs = advise(survey, &survey.written.workload).needs;
        let judged = judge(survey).into_iter().filter(|found| found.judged.is_measured());
        let timed = matrix::matrices(survey).iter().any(|matrix| matrix.metric == "server CPU");
        (
            needs.iter().any(|need| need.unit == "cores"),
            judged.map(|found| found.judged.claim.number).collect(),
            timed,
        )
    };
    let all: (bool, Vec<u8>, bool) = counted(&survey);
    assert!(all.0 && all.1.contains(&3) && all.2, "{all:?}");
    survey.written.depth = "quick".into();
    assert_eq!(counted(&survey), (false, vec![2, 4, 7], false));
}

#[test]
fn an_invalid_run_has_no_row_in_the_matrix() {
    let rows = |run| matrix::matrices(&survey(vec![("ticker", Some(run))])).len();
    assert!(rows(sample::run()) > 0);
    let mut run = sample::run();
    let (severity, text) = (Severity::Invalid, "x".into());
    run.warnings.push(Warning { severity, lane: None, repetition: None, text });
    assert_eq!(rows(run), 0);
    let mut own = sample::completed();
    own.trials.extend(sample::run().trials);
    assert_eq!(rows(own), 0, "streams of one's own have their openings among the costs");
}

/// Runs that differ in their share of messages alone.
fn shares(pushed: Run) -> Survey {
    let of = |mut run: Run, rate: f64, upstream: f64| {
        (run.scenario.rate, run.scenario.upstream) = (rate, upstream);
        Some(run)
    };
    survey(vec![
        ("far", of(sample::run(), 7.0, 0.0)),
        ("share-80", of(sample::talking(), 8.0, 32.0)),
        ("share-0", of(pushed, 40.0, 0.0)),
        ("share-50", of(sample::talking(), 20.0, 20.0)),
    ])
}

#[test]
fn the_share_of_messages_is_drawn_from_runs_that_differ_in_nothing_else() {
    let alone = survey(vec![("ticker", Some(sample::run())), ("upstream", Some(sample::talking()))]);
    assert!(share::figure(&alone).is_none());
    let survey = shares(sample::run());
    let (first, figure) = share::figure(&survey).unwrap();
    assert_eq!(first, "share-0");
    assert!(figure.caption.contains("in the runs share-0, share-50, share-80;"), "{}", figure.caption);
    let exchanged = shares(inverse(sample::run()));
    let (_, back) = share::figure(&exchanged).unwrap();
    insta::assert_snapshot!(format!("{}\n{}", figure.finding, back.finding));
}

#[test]
fn the_page_says_what_to_choose_first_and_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut hostile = sample::run();
    hostile.scenario.about = "<script>alert(1)</script>".into();
    let survey = survey(vec![("ticker", Some(hostile)), ("news", None)]);
    write(&survey, folder.path()).unwrap();
    let page = std::fs::read_to_string(folder.path().join("decision.html")).unwrap();
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}"));
    assert!(at("Choose ") < at("Common claims") && at("Common claims") < at("Workload by lane"));
    assert!(page.contains("Not measured yet:</strong> news") && page.contains("class=\"worse-"));
    assert!(!page.contains("<script") && !page.contains("https://"));
    assert!(text(&survey).contains("Not measured yet: news"));
}

#[test]
fn a_folder_is_read_back_and_what_is_no_survey_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut survey = survey(vec![("ticker", Some(sample::run())), ("news", None)]);
    survey.written.save(folder.path()).unwrap();
    std::fs::create_dir(folder.path().join("ticker")).unwrap();
    survey.cells[0].run.as_ref().unwrap().save(&folder.path().join("ticker")).unwrap();
    let read = Survey::load(folder.path()).unwrap();
    assert_eq!(read.written, survey.written);
    assert_eq!(read.runs().count(), 1);
    assert!(!read.is_complete() && read.cells[0].is_complete());
    survey.written.cells = vec!["../ticker".into()];
    survey.written.save(folder.path()).unwrap();
    assert!(format!("{:#}", Survey::load(folder.path()).unwrap_err()).contains("`../ticker` is no name"));
    std::fs::write(folder.path().join(FILE), "{}").unwrap();
    assert!(format!("{:#}", Survey::load(folder.path()).unwrap_err()).contains("is not a survey file"));
}
