//! Whole duets, made up: what is said of them, and that exchanging the sides flips it. Apart for its length.

use super::sample::{duet, part, session};
use super::*;
use crate::judged::Verdict;
use proptest::prelude::*;

fn verdicts(duet: &Duet) -> Vec<(String, Verdict)> {
    judge(duet).findings.into_iter().map(|one| (one.name, one.verdict)).collect()
}

fn flipped(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Better => Verdict::Worse,
        Verdict::Worse => Verdict::Better,
        other @ (Verdict::Same
        | Verdict::Inconclusive
        | Verdict::NotComparable
        | Verdict::Kept
        | Verdict::Crossed
        | Verdict::Invalid) => other,
    }
}

fn of(duet: &Duet, name: &str) -> Verdict {
    verdicts(duet).into_iter().find(|one| one.0 == name).unwrap().1
}

#[test]
fn a_regression_is_what_two_sessions_find() {
    let with = |effects: &[f64]| {
        duet(effects.iter().enumerate().map(|(at, effect)| session(at as u64, 120, *effect, 0.04)).collect())
    };
    assert_eq!(of(&with(&[1.1, 1.1]), "server CPU"), Verdict::Worse);
    assert_eq!(of(&with(&[0.9, 0.9]), "server CPU"), Verdict::Better);
    assert_eq!(of(&with(&[1.1, 1.0]), "server CPU"), Verdict::Inconclusive);
    assert_eq!(of(&with(&[1.1]), "server CPU"), Verdict::Inconclusive);
    assert_eq!(of(&with(&[1.0]), "server CPU"), Verdict::Same);
    let texts: Vec<String> = [with(&[1.1, 1.1]), with(&[1.1, 1.0]), with(&[1.0]), with(&[1.1])]
        .iter()
        .flat_map(|duet| judge(duet).findings.into_iter().map(|one| format!("{}: {}", one.name, one.text)))
        .collect();
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn one_lost_delivery_or_one_byte_is_a_finding_at_once() {
    let mut one = duet(vec![session(1, 120, 1.0, 0.01)]);
    assert_eq!([of(&one, "lost"), of(&one, "bytes per event")], [Verdict::Same; 2]);
    one.sessions[0].lanes[0].counts[1].bytes += 1;
    assert_eq!(of(&one, "bytes per event"), Verdict::Worse);
    assert!(is_regression(&one.sessions[0]));
    let ledger = &mut one.sessions[0].lanes[0].counts[1].ledger;
    (ledger.delivered, ledger.lost) = (ledger.delivered - 1, 1);
    assert_eq!([of(&one, "lost"), of(&one, "bytes per event")], [Verdict::Worse, Verdict::NotComparable]);
    assert!(judge(&one).findings[0].text.ends_with("B 1 of 1200000"), "{}", judge(&one).findings[0].text);
    one.sessions[0].lanes[0].counts[1].ledger.corrupted = 1;
    assert_eq!(of(&one, "corrupted"), Verdict::Worse);
}

#[test]
fn an_invalid_session_says_nothing_about_time() {
    let mut one = duet(vec![session(1, 120, 1.1, 0.01), session(2, 120, 1.1, 0.01)]);
    one.sessions[1].invalid.push("the generator is saturated".into());
    assert_eq!([of(&one, "validity"), of(&one, "server CPU")], [Verdict::Invalid, Verdict::NotComparable]);
}

#[test]
fn a_block_that_had_not_drained_has_no_cpu() {
    let mut lane = part(1, 24, 1.0, 0.01);
    lane.pairs[3].b.undrained = true;
    lane.pairs[4].a.deliveries = 0;
    assert_eq!(HEADLINE.each_ref().map(|measure| lane.logs(measure, 24).len()), [22, 22, 23]);
    assert_eq!(lane.logs(&HEADLINE[0], 4).len(), 3);
}

#[test]
fn what_is_saved_is_loaded_and_what_is_no_duet_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let one = duet(vec![session(1, 12, 1.0, 0.1)]);
    one.save(folder.path()).unwrap();
    assert_eq!(Duet::load(folder.path()).unwrap(), one);
    for (wrong, said) in [
        (String::new(), "is not a duet file"),
        ("{\"schema\": 1}".into(), "is not a duet file"),
        (serde_json::to_string(&Duet { schema: 9, ..one.clone() }).unwrap(), "has schema 9"),
        (serde_json::to_string(&Duet { sessions: Vec::new(), ..one.clone() }).unwrap(), "holds no session"),
    ] {
        std::fs::write(folder.path().join("duet.json"), wrong).unwrap();
        let error = format!("{:#}", Duet::load(folder.path()).unwrap_err());
        assert!(error.contains(said), "{error}");
    }
}

proptest! {
    #[test]
    fn exchanging_the_sides_flips_every_verdict(
        seeds in [0u64..1_000, 0u64..1_000], effects in [0.8f64..1.25, 0.8f64..1.25], noise in 0.001f64..0.3,
        second: bool, bytes in 0u64..3, lost in 0u64..3, undrained in 0usize..120,
    ) {
        let mut sessions: Vec<Session> =
            (0..=usize::from(second)).map(|at| session(seeds[at], 120, effects[at], noise)).collect();
        let part = &mut sessions[0].lanes[0];
        part.counts[1].bytes += bytes;
        part.counts[0].ledger.lost += lost;
        part.pairs[undrained].a.undrained = true;
        let duet = duet(sessions);
        let (one, other) = (judge(&duet), judge(&duet.swapped()));
        for (one, other) in one.findings.iter().zip(&other.findings) {
            prop_assert_eq!(flipped(one.verdict), other.verdict, "{} {}", one.text, other.text);
            prop_assert_eq!((one.reference, one.value), (other.value, other.reference));
        }
        prop_assert_eq!(one.findings.len(), other.findings.len());
        prop_assert_eq!(duet.swapped().swapped(), duet);
    }
}
