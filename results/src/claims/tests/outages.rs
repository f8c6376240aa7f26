//! Claims about connections that drop: who comes back, what that costs by hand, and what hints do.

use super::*;
use crate::run::Outage;

fn edited(run: &Run, lane: &str, edit: fn(&mut Outage)) -> Said {
    let mut run = run.clone();
    let own = run.outages.iter_mut().filter(|one| one.lane.to_string() == lane && one.policy.is_native());
    own.for_each(edit);
    Said::of(&run)
}

/// Nothing else is judged from such a run, and nothing of the kind from any other.
#[test]
fn outages_judge_their_own_claims_alone() {
    assert_eq!(Said::of(&sample::resumed()).words(), [(13, "supported"), (14, "supported")]);
    let reason = Said::of(&sample::resumed()).reason(3);
    assert!(reason.contains("broken on purpose"), "{reason}");
    let said = Said::of(&tuned(5));
    assert_eq!([13, 14, 15].map(|number| said.word(number)), ["not measured"; 3]);
    assert_eq!(said.reason(13), "Nothing was broken in this run.");
}

/// 503 and 204 close an EventSource for good; it is not to be called refuted, and not supported.
#[test]
fn a_status_that_keeps_an_event_source_away_makes_it_depend() {
    let faults = ["drain", "reset", "kill for 1s", "unavailable for 4s", "no-content for 4s"];
    let said = Said::of(&sample::after(&faults));
    assert_eq!(said.word(13), "depends");
    let reason = said.reason(13);
    assert!(
        reason.starts_with("It depends on what answers the next request: a status keeps it away for good (503 after unavailable for 4s, 204 after no-content for 4s)."),
        "{reason}"
    );
    assert!(reason.contains("sse-h1 after reset (eventsource): 400 of 400 streams came back, 0 clients stayed away, lost 0, twice 0"), "{reason}");
    assert!(!reason.contains("ws-h1"), "{reason}");
}

#[test]
fn what_an_event_source_lost_or_saw_twice_refutes_and_what_is_late_leaves_it_open() {
    let run = sample::resumed();
    let word = |edit: fn(&mut Outage)| edited(&run, "sse-h1", edit).word(13);
    assert_eq!(word(|one| one.ledger.duplicated = 1), "refuted");
    assert_eq!(word(|one| one.ledger.reordered = 1), "refuted");
    assert_eq!(word(|one| (one.ledger.lost, one.lost.unexplained) = (1, 1)), "refuted");
    assert_eq!(word(|one| one.gave_up.extend([("content type".to_owned(), 1)])), "refuted");
    assert_eq!(
        word(|one| (one.still_away, one.lost.still_away, one.ledger.lost) = (1, 5, 5)),
        "inconclusive"
    );
    // What the window did not cover judges nothing, and then nothing is left.
    let beyond = edited(&run, "sse-h1", |one| (one.ledger.lost, one.lost.out_of_window) = (7, 7));
    assert_eq!(beyond.word(13), "not measured");
    assert!(
        beyond.reason(13).contains("lost 35, all older than the window of 1,024"),
        "{}",
        beyond.reason(13)
    );
    assert_eq!(edited(&run, "ws-h1", |one| one.ledger.duplicated = 1).word(13), "supported");
}

#[test]
fn kinds_of_ends_that_were_not_tried_are_named() {
    let said = Said::of(&sample::after(&["drain", "kill for 1s"]));
    assert_eq!(said.word(13), "not measured");
    assert!(said.reason(13).starts_with("No EventSource came back after a reset within the window"));
    let mut run = sample::resumed();
    run.scenario.outage.as_mut().unwrap().resume = false;
    assert_eq!(Said::of(&run).word(13), "not measured");
}

/// By its library it comes back, and by the same policy as the other costs are compared case by case.
#[test]
fn by_hand_tells_what_the_library_does_and_compares_under_the_same_policy() {
    let run = sample::resumed();
    let reason = Said::of(&run).reason(14);
    assert!(
        reason.starts_with(
            "By its library `reconnecting-websocket`: after drain 2,000 of 2,000 streams came back"
        ),
        "{reason}"
    );
    assert!(reason.contains("Under the same policy (full-jitter) ws-h1 against sse-h1"), "{reason}");
    assert!(reason.contains("handshake 322 against 238 B on average, 1.35x"), "{reason}");
    let mut alike = run.clone();
    let sse: Vec<Outage> =
        run.outages.iter().filter(|one| one.lane.to_string() == "sse-h1").cloned().collect();
    let ws: Vec<&mut Outage> =
        alike.outages.iter_mut().filter(|one| one.lane.to_string() == "ws-h1").collect();
    for (ws, sse) in ws.into_iter().zip(&sse) {
        (ws.parts, ws.recovered, ws.ledger) = (sse.parts.clone(), sse.recovered, sse.ledger);
    }
    let said = Said::of(&alike);
    assert_eq!(said.word(14), "depends");
    assert!(
        said.reason(14).contains("for it speak handshake; against it time without events"),
        "{}",
        said.reason(14)
    );
    let mut waited = run.clone();
    waited.outages.iter_mut().for_each(|one| one.lost.still_away = one.ledger.lost);
    assert!(!Said::of(&waited).reason(14).contains("deliveries"), "{}", Said::of(&waited).reason(14));
    let mut few = run.clone();
    few.outages.retain(|one| one.repetition < 2);
    // Lost events and bytes are counted, times of two starts are not judged.
    assert_eq!(Said::of(&few).word(14), "inconclusive");
    let mut native = run;
    native.outages.retain(|one| one.policy.is_native());
    assert_eq!(Said::of(&native).word(14), "not measured");
}

#[test]
fn a_drawn_hint_tames_the_herd_and_a_fixed_one_does_not() {
    let said = Said::of(&sample::hinted(&["none", "2s", "1s..5s"]));
    assert_eq!(said.word(15), "depends");
    let reason = said.reason(15);
    assert!(
        reason.starts_with("It depends on whether each stream draws its own: for it speak drawn hint 1s..5s; against it fixed hint 2s."),
        "{reason}"
    );
    assert!(
        reason.contains("sse-h1 after drain: no hint, first attempts from 5 to 95 % over 0.0"),
        "{reason}"
    );
    assert_eq!(Said::of(&sample::hinted(&["none", "2s"])).word(15), "refuted");
    assert_eq!(Said::of(&sample::hinted(&["2s", "1s..5s"])).word(15), "not measured");
    let mut few = sample::hinted(&["none", "1s..5s"]);
    few.outages.iter_mut().for_each(|one| one.clients = 99);
    assert_eq!(Said::of(&few).word(15), "inconclusive");
}
