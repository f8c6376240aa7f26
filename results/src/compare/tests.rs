//! What is compared, what is refused, and that exchanging A and B flips every verdict.

use proptest::prelude::*;

use super::*;
use crate::run::{Run, Severity, Warning};
use crate::sample;

fn set(name: &str, run: Run) -> Set {
    Set::of(name.into(), vec![(name.into(), run)]).unwrap()
}

/// The same program an hour later.
fn later(edit: impl FnOnce(&mut Run)) -> Set {
    let mut run = sample::with(&["sse-h1", "ws-h1"], 4);
    run.started = "2025-01-31T13:00:00Z".into();
    edit(&mut run);
    set("b", run)
}

fn earlier() -> Set {
    set("a", sample::with(&["sse-h1", "ws-h1"], 4))
}

fn find<'a>(judged: &'a Judged, name: &str, lane: &str) -> &'a Finding {
    let found = judged.findings.iter().find(|one| one.name == name && one.lane.as_deref() == Some(lane));
    found.unwrap_or_else(|| panic!("no {name} of {lane}"))
}

#[test]
fn another_session_is_shown_and_not_judged() {
    let judged = compare(&earlier(), &later(|_| {}), &Options::default()).unwrap();
    for finding in &judged.findings {
        match finding.firmness {
            Firmness::Noisy => {
                assert_eq!(finding.verdict, Verdict::NotComparable, "{}", finding.name);
                assert_eq!(finding.interval, None);
            }
            Firmness::Exact => {
                assert_eq!(finding.verdict, Verdict::Same, "{}: {}", finding.name, finding.text)
            }
            Firmness::Budget => panic!("no budget was given"),
        }
    }
    let cpu = find(&judged, "server CPU", "sse-h1");
    assert!(cpu.ratio.is_some() && cpu.text.starts_with("different sessions"), "{cpu:?}");
    assert!(judged.findings.iter().any(|finding| finding.name == "framing at 100 B"));
}

#[test]
fn one_byte_one_event_and_one_segment_are_found() {
    let options = Options::default();
    let byte = later(|run| {
        let trials = run.trials.iter_mut().filter(|trial| trial.lane.to_string() == "sse-h1");
        trials.for_each(|trial| trial.bytes.transport_framing += trial.ledger.delivered);
    });
    let judged = compare(&earlier(), &byte, &options).unwrap();
    let worse: Vec<&Finding> = judged.with(Verdict::Worse).collect();
    assert_eq!(
        (worse.len(), worse[0].name.as_str(), worse[0].lane.as_deref()),
        (1, "transport framing", Some("sse-h1"))
    );
    assert_eq!((worse[0].reference, worse[0].value), (Some(5.0), Some(6.0)));
    let lost = later(|run| {
        let ledger = &mut run.trials[0].ledger;
        (ledger.delivered, ledger.lost) = (ledger.delivered - 1, 1);
    });
    let judged = compare(&earlier(), &lost, &options).unwrap();
    assert_eq!(find(&judged, "lost", "sse-h1").verdict, Verdict::Worse);
    assert_eq!(find(&judged, "delivered", "sse-h1").verdict, Verdict::Worse);
    let segment = later(|run| run.sweep[0].kernel.down_data_segments += 1);
    let judged = compare(&earlier(), &segment, &options).unwrap();
    assert_eq!(judged.with(Verdict::Worse).count(), 1);
    let lenient = Options { margin: 0.5, ..Options::default() };
    assert_eq!(compare(&earlier(), &byte, &lenient).unwrap().with(Verdict::Worse).count(), 0);
}

/// The framing of an event depends on the digits of its number; warm-up decides which events are measured.
#[test]
fn bytes_of_other_events_are_not_compared() {
    let other = later(|run| run.trials.iter_mut().for_each(|trial| trial.published_sha256 = "cd".repeat(32)));
    let judged = compare(&earlier(), &other, &Options::default()).unwrap();
    let framing = find(&judged, "event framing", "sse-h1");
    assert_eq!((framing.verdict, framing.reference), (Verdict::NotComparable, None));
    assert!(framing.text.contains("published the same events"), "{}", framing.text);
    assert_eq!(find(&judged, "lost", "sse-h1").verdict, Verdict::Same);
}

#[test]
fn what_differs_between_repetitions_of_the_same_is_not_exact() {
    let moving = later(|run| run.trials[0].bytes.transport_framing += 100_000);
    let judged = compare(&earlier(), &moving, &Options::default()).unwrap();
    assert_eq!(find(&judged, "transport framing", "sse-h1").verdict, Verdict::Inconclusive);
}

/// An edit of B, and what the refusal must name.
type Refused = (fn(&mut Run), &'static str);

#[test]
fn what_differs_is_refused_and_named() {
    let cases: [Refused; 10] = [
        (|run| run.scenario.rate = 26.0, "scenario.rate: A 25.0, B 26.0"),
        (|run| run.scenario.seed = 7, "scenario.seed: A "),
        (|run| run.scenario.share.clear(), "scenario.share"),
        (
            |run| run.environment.profile = "release".into(),
            "environment.profile: A dev, optimised, B release",
        ),
        (
            |run| run.environment.cpu = "Other CPU".into(),
            "environment.cpu: A Example CPU at 3 GHz, B Other CPU",
        ),
        (|run| run.environment.cores = 8, "environment.cores: A 2, B 8"),
        (|run| run.environment.kernel = "7.0".into(), "environment.kernel: A 6.18.0, B 7.0"),
        (|run| run.environment.client_cores.clear(), "environment.client_cores: A [1], B []"),
        (
            |run| run.sockets.get_mut("ws-h1 server").unwrap().nodelay = false,
            "sockets of ws-h1 server.nodelay: A true, B false",
        ),
        (|run| drop(run.sockets.remove("ws-h1 client")), "sockets of ws-h1 client"),
    ];
    for (edit, part) in cases {
        let b = later(|run| {
            run.scenario.rate = 25.0;
            edit(run);
        });
        let mut a = earlier();
        a.run.scenario.rate = 25.0;
        let said = compare(&a, &b, &Options::default()).unwrap_err();
        assert!(said.contains(part), "no `{part}` in {said}");
        assert_eq!(said.lines().count(), 2, "{said}");
    }
    let free = later(|run| {
        (run.scenario.about, run.environment.commit, run.environment.version) = Default::default();
        run.scenario.repetitions.0 = 9;
        run.scenario.budgets = vec!["lost==0".parse().unwrap()];
    });
    compare(&earlier(), &free, &Options::default()).unwrap();
}

#[test]
fn lanes_must_be_in_both() {
    let b = later(|run| run.trials.retain(|trial| trial.lane.to_string() == "ws-h1"));
    let mut alone = b;
    alone.run.memory.clear();
    alone.run.sweep.clear();
    let said = compare(&earlier(), &alone, &Options::default()).unwrap_err();
    assert_eq!(said, "lanes: A has sse-h1, ws-h1, B has ws-h1; name those to compare with --lanes");
    let named = |lane: &str| Options { lanes: vec![lane.parse().unwrap()], ..Options::default() };
    compare(&earlier(), &alone, &named("ws-h1")).unwrap();
    assert!(compare(&earlier(), &alone, &named("raw")).unwrap_err().contains("lane raw is not in both"));
}

#[test]
fn an_unusable_run_judges_nothing() {
    for edit in [(|run| run.partial = true) as fn(&mut Run), |run| {
        let text = "saturated".to_owned();
        run.warnings.push(Warning { severity: Severity::Invalid, lane: None, repetition: None, text });
    }] {
        let judged = compare(&earlier(), &later(edit), &Options::default()).unwrap();
        let invalid: Vec<&Finding> = judged.with(Verdict::Invalid).collect();
        assert!(invalid.len() == 1 && invalid[0].text.starts_with("B: b is "), "{invalid:?}");
        assert_eq!(judged.with(Verdict::NotComparable).count() + 1, judged.findings.len());
    }
}

#[test]
fn several_runs_are_one_with_more_repetitions() {
    let run = sample::with(&["sse-h1", "ws-h1"], 2);
    let (one, two) = (("r1".to_owned(), run.clone()), ("r2".to_owned(), run.clone()));
    let both = Set::of("both".into(), vec![one, two]).unwrap();
    assert_eq!((both.len(), crate::summary::repetitions(&both.run)), (2, 4));
    assert_eq!(both.run.memory, run.memory);
    let judged = compare(&set("a", run.clone()), &both, &Options::default()).unwrap();
    assert!(judged.with(Verdict::Worse).next().is_none() && judged.subject.contains("2 runs"));
    let mut other = run.clone();
    other.scenario.seed = 99;
    let mixed = Set::of("mixed".into(), vec![("r1".into(), run), ("r2".into(), other)]);
    let said = format!("{:#}", mixed.err().unwrap());
    assert!(said.contains("no repetitions: r1 (A) and r2 (B)") && said.contains("scenario.seed"), "{said}");
    assert!(Set::of("none".into(), Vec::new()).is_err());
}

#[test]
fn a_run_against_itself_is_the_same() {
    let judged = compare(&earlier(), &earlier(), &Options::default()).unwrap();
    let open: Vec<&Finding> = judged.findings.iter().filter(|one| one.verdict != Verdict::Same).collect();
    // What is 0 has no ratio, and some quantiles rest on too little.
    assert!(open.iter().all(|one| !matches!(one.verdict, Verdict::Better | Verdict::Worse)), "{open:?}");
    assert!(judged.with(Verdict::Same).any(|one| one.name == "server CPU"));
}

fn flipped(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Better => Verdict::Worse,
        Verdict::Worse => Verdict::Better,
        Verdict::Same
        | Verdict::Inconclusive
        | Verdict::NotComparable
        | Verdict::Kept
        | Verdict::Crossed
        | Verdict::Invalid => verdict,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Whatever is slower, fatter, lossier, of the same session or not, and with any margin.
    #[test]
    fn exchanging_a_and_b_flips_every_verdict(
        cpu in 0.5f64..2.0, framing in 0u64..3, lost in 0u64..3, in_a in any::<bool>(), together in any::<bool>(),
        margin in 0.0f64..0.3, hash in any::<bool>(),
    ) {
        let edited = |run: &mut Run| for trial in &mut run.trials {
            trial.bytes.event_framing += framing * trial.ledger.delivered;
            (trial.ledger.delivered, trial.ledger.lost) = (trial.ledger.delivered - lost, lost);
            trial.blocks.iter_mut().for_each(|block| block.server_cpu_ns = (block.server_cpu_ns as f64 * cpu) as u64);
            if hash { trial.published_sha256 = "cd".repeat(32); }
        };
        let mut a = sample::with(&["sse-h1", "ws-h1"], 4);
        let mut b = a.clone();
        if !together { b.started = "2025-01-31T13:00:00Z".into(); }
        edited(if in_a { &mut a } else { &mut b });
        let (a, b) = (set("a", a), set("b", b));
        let options = Options { margin, ..Options::default() };
        let (there, back) = (compare(&a, &b, &options).unwrap(), compare(&b, &a, &options).unwrap());
        prop_assert_eq!(there.findings.len(), back.findings.len());
        for (one, other) in there.findings.iter().zip(&back.findings) {
            prop_assert_eq!((&one.name, &one.lane), (&other.name, &other.lane));
            prop_assert_eq!(one.verdict, flipped(other.verdict), "{} {} {}", one.name, one.text, other.text);
            prop_assert_eq!((one.reference, one.value), (other.value, other.reference));
        }
        if together && !(0.95..=1.05).contains(&cpu) {
            prop_assert!(there.findings.iter().any(|one| one.name == "server CPU" && one.verdict.fails() | (one.verdict == Verdict::Better)));
        }
    }
}
