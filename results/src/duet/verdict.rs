//! From what was measured to the list of findings that every output draws.

use super::{
    ALPHA, Counts, Decision, Duet, Estimate, Exact, HEADLINE, Played, Session, confirmed, exact, is_clear,
    is_settled, play,
};
use crate::judged::{Finding, Firmness, JUDGED_SCHEMA, Judged, Verdict};
use crate::stats::{Judgement, MARGIN, median};

/// Judges a duet. Exact numbers of either session count at once; a noisy difference counts when both sessions found it.
#[must_use]
pub fn judge(duet: &Duet) -> Judged {
    let first = duet.sessions.first();
    let played = first.and_then(|session| play(session, duet.planned_pairs, is_clear, |_, _| true));
    let again = second(duet, played.as_ref());
    let mut findings: Vec<Finding> = invalid(duet).collect();
    let is_invalid = !findings.is_empty();
    findings.extend(exact_findings(duet));
    if let Some((session, played)) = first.zip(played.as_ref()) {
        let of = |one: &Decision| noisy(duet, session, one, again.as_ref(), is_invalid);
        findings.extend(played.decisions.iter().map(of));
    }
    Judged {
        schema: JUDGED_SCHEMA,
        command: "duet".into(),
        subject: format!("B ({}) against A ({})", duet.b, duet.a),
        findings,
        notes: notes(duet, played.as_ref(), again.as_ref()),
    }
}

/// What the second session says about what the first suspected.
fn second(duet: &Duet, first: Option<&Played>) -> Option<Played> {
    let suspects = |lane: usize, measure: usize| {
        let of = |one: &Decision| (one.lane, one.measure) == (lane, measure) && one.is_suspicion();
        first.is_some_and(|played| played.decisions.iter().any(of))
    };
    play(duet.sessions.get(1)?, duet.planned_pairs, is_settled, suspects)
}

fn invalid(duet: &Duet) -> impl Iterator<Item = Finding> {
    let of = |(index, session): (usize, &Session)| {
        let finding = move |text: &String| Finding {
            name: "validity".into(),
            lane: None,
            firmness: Firmness::Noisy,
            unit: String::new(),
            reference: None,
            value: None,
            ratio: None,
            interval: None,
            verdict: Verdict::Invalid,
            text: format!("session {}: {text}", index + 1),
        };
        session.invalid.iter().map(finding).collect::<Vec<_>>()
    };
    duet.sessions.iter().enumerate().flat_map(of)
}

/// The exact numbers of all sessions together, lane by lane.
fn exact_findings(duet: &Duet) -> Vec<Finding> {
    let Some(first) = duet.sessions.first() else { return Vec::new() };
    let whole = |(index, part): (usize, &super::Part)| {
        let mut part = part.clone();
        for other in duet.sessions[1..].iter().filter_map(|session| session.lanes.get(index)) {
            for (all, more) in part.counts.iter_mut().zip(other.counts) {
                *all = Counts { ledger: all.ledger + more.ledger, bytes: all.bytes + more.bytes };
            }
        }
        exact(&part).into_iter().map(move |one| exact_finding(&part, one)).collect::<Vec<_>>()
    };
    first.lanes.iter().enumerate().flat_map(whole).collect()
}

fn exact_finding(part: &super::Part, one: Exact) -> Finding {
    let [reference, value] = one.values;
    let verdict = match one.judgement {
        Judgement::Inconclusive => Verdict::NotComparable,
        judgement @ (Judgement::Better | Judgement::Worse | Judgement::Same) => verdict(judgement),
    };
    Finding {
        name: one.name.into(),
        lane: Some(part.lane.to_string()),
        firmness: Firmness::Exact,
        unit: one.unit.into(),
        reference: Some(reference),
        value: Some(value),
        ratio: (reference > 0.0).then(|| value / reference),
        interval: None,
        verdict,
        text: one.text,
    }
}

const fn verdict(judgement: Judgement) -> Verdict {
    match judgement {
        Judgement::Better => Verdict::Better,
        Judgement::Worse => Verdict::Worse,
        Judgement::Same => Verdict::Same,
        Judgement::Inconclusive => Verdict::Inconclusive,
    }
}

fn noisy(
    duet: &Duet,
    session: &Session,
    one: &Decision,
    again: Option<&Played>,
    is_invalid: bool,
) -> Finding {
    let (part, measure) = (&session.lanes[one.lane], &HEADLINE[one.measure]);
    let level = |side: fn(&super::Pair) -> &super::Block| {
        median(&part.pairs.iter().filter_map(|pair| (measure.of)(side(pair))).collect::<Vec<_>>())
    };
    let said = confirmed(one, again);
    Finding {
        name: measure.name.into(),
        lane: Some(part.lane.to_string()),
        firmness: Firmness::Noisy,
        unit: measure.unit.into(),
        reference: level(|pair| &pair.a),
        value: level(|pair| &pair.b),
        ratio: one.estimate.map(|estimate| estimate.log.exp()),
        interval: one.estimate.map(|Estimate { log, half, .. }| [(log - half).exp(), (log + half).exp()]),
        verdict: if is_invalid { Verdict::NotComparable } else { verdict(said) },
        text: why(duet, one, again, said),
    }
}

/// A ratio with its interval, for people.
fn ratio(Estimate { log, half, pairs, .. }: Estimate) -> String {
    let [low, ratio, high] = [log - half, log, log + half].map(f64::exp);
    format!("B/A {ratio:.3} ({low:.3} to {high:.3}) over {pairs} pairs")
}

fn why(duet: &Duet, one: &Decision, again: Option<&Played>, said: Judgement) -> String {
    let Some(estimate) = one.estimate else {
        return "too few pairs have a figure; the blocks had not drained, lower the rate".into();
    };
    let first = ratio(estimate);
    let found = again.and_then(|played| {
        played.decisions.iter().find(|other| (other.lane, other.measure) == (one.lane, one.measure))
    });
    let found = found.and_then(|other| other.estimate).map(ratio);
    match (one.is_suspicion(), said, found) {
        (false, Judgement::Same, _) => format!("{first}: no difference beyond {:.0} %", MARGIN * 100.0),
        (false, ..) => format!("{first}: too wide, or too near {:.0} %, to tell", MARGIN * 100.0),
        (true, Judgement::Inconclusive, Some(again)) => {
            format!("{first}, but a second session with fresh processes does not agree: {again}")
        }
        (true, _, None) if duet.sessions.len() < 2 => {
            format!("{first}: suspicious, and no second session was measured")
        }
        (true, _, None) => format!("{first}: suspicious, and the second session has too few pairs"),
        (true, _, Some(again)) => format!("{first}; a second session with fresh processes: {again}"),
    }
}

fn notes(duet: &Duet, first: Option<&Played>, again: Option<&Played>) -> Vec<String> {
    let mut notes = vec![format!(
        "intervals hold at {:.0} % for all looks of a session together, Holm over {} numbers; a difference counts beyond {:.0} % and in two sessions",
        (1.0 - ALPHA) * 100.0,
        duet.sessions.first().map_or(0, |session| session.lanes.len()) * HEADLINE.len(),
        MARGIN * 100.0
    )];
    for (number, played) in [first, again].into_iter().flatten().enumerate() {
        let pairs = played.look.pairs;
        notes.push(format!(
            "session {}: {pairs} of {} pairs a lane were needed",
            number + 1,
            duet.planned_pairs
        ));
    }
    notes.extend(duet.inject.iter().map(|how| format!("B was made worse on purpose: {how}")));
    for (number, session) in duet.sessions.iter().enumerate() {
        notes.extend(session.notes.iter().map(|note| format!("session {}: {note}", number + 1)));
    }
    notes
}
