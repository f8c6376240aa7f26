//! The claims about connections that drop: who comes back by itself, what that costs by hand, and whether hints tame
//! the herd.
//!
//! Apart from the other judges: the first and the last are counted, and the cases of a run are judged together.

use scenarios::Transport;
use scenarios::outage::{FaultKind, Policy};

use super::evidence::{Answer, Evidence, Part, sides, weigh};
use super::judges::no_lanes;
use super::{Claim, Finding, Verdict};
use crate::outage::{Class, Row, rows};
use crate::run::Run;
use crate::value::{number, ratio};

mod by_hand;
pub use by_hand::by_hand;

/// Why nothing can be said.
fn unbroken(run: &Run) -> Option<Finding> {
    run.outages.is_empty().then(|| (Verdict::NotMeasured, "Nothing was broken in this run.".to_owned()))
}

/// A kind of end, and whether a row's fault is one.
type End = (&'static str, fn(&Row<'_>) -> bool);

/// What ends a connection so that its client knows.
const ENDS: [End; 3] = [
    ("the end of a body", |row| matches!(row.fault.kind, FaultKind::Drain | FaultKind::Rolling)),
    ("a reset", |row| row.fault.kind == FaultKind::Reset),
    ("a restart", |row| {
        let drained = row.fault.kind == FaultKind::Drain && !row.fault.down.0.is_zero();
        drained || matches!(row.fault.kind, FaultKind::Kill | FaultKind::Rolling)
    }),
];

/// What became of the clients of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// They came back, with all events once.
    Whole,
    /// Something was lost that the window covers, or came twice.
    Broken,
    /// Some had still to come back when all was over.
    Late,
    /// A status told them to stay away.
    Sent,
    /// They missed more than the server keeps, and were told so.
    Beyond,
}

fn fate(row: &Row<'_>) -> Fate {
    let lost = row.lost();
    let gave_up = row.counts(|one| &one.gave_up);
    let sent = !gave_up.is_empty() && gave_up.keys().all(|word| word.starts_with("status "));
    let twice = row.sum(|one| one.ledger.duplicated + one.ledger.reordered);
    match () {
        () if twice + lost.began_anew + lost.unexplained > 0 => Fate::Broken,
        () if sent => Fate::Sent,
        () if lost.gave_up > 0 || !gave_up.is_empty() => Fate::Broken,
        () if lost.still_away > 0 => Fate::Late,
        () if lost.out_of_window > 0 => Fate::Beyond,
        () if row.sum(|one| one.still_away) > 0 => Fate::Late,
        () => Fate::Whole,
    }
}

/// Claim 13: after every kind of end all clients come back and have each event once, unless a status forbids it.
pub fn resumes(_: &Claim, evidence: &Evidence<'_>) -> Finding {
    let run = evidence.run;
    if let Some(nothing) = unbroken(run) {
        return nothing;
    }
    if run.scenario.outage.as_ref().is_some_and(|outage| !outage.resume) {
        let said = "In this run clients did not say which event they had got last (`resume`).";
        return (Verdict::NotMeasured, said.to_owned());
    }
    let standard = |row: &Row<'_>| {
        let policies = [Policy::EventSourceChromium, Policy::EventSourceFirefox];
        row.lane.transport == Transport::Sse && policies.contains(&row.own_policy)
    };
    let ends = |row: &Row<'_>| ENDS.iter().any(|(_, is)| is(row)) || fate(row) == Fate::Sent;
    let mut own = rows(run);
    own.retain(|row| standard(row) && row.sum(|one| one.disconnections) > 0 && ends(row));
    let said = format!("{}.", own.iter().map(told).collect::<Vec<_>>().join("; "));
    let of = |wanted: Fate| own.iter().filter(move |row| fate(row) == wanted);
    let lacking: Vec<&str> = ENDS
        .iter()
        .filter(|(_, is)| !own.iter().any(|row| is(row) && fate(row) != Fate::Beyond))
        .map(|(word, _)| *word)
        .collect();
    let verdict = match () {
        () if of(Fate::Broken).next().is_some() => Verdict::Refuted,
        () if !lacking.is_empty() => {
            let lacking = lacking.join(" and ");
            let said = if own.is_empty() { String::new() } else { format!(" Of others: {said}") };
            let said =
                format!("No EventSource came back after {lacking} within the window in this run.{said}");
            return (Verdict::NotMeasured, said);
        }
        () if of(Fate::Late).next().is_some() => {
            let late = of(Fate::Late).map(|row| format!("{} after {}", row.lane, row.fault));
            Verdict::Inconclusive(format!("clients that had still to come back: {}", listed(late)))
        }
        () if of(Fate::Sent).next().is_some() => Verdict::Depends(format!(
            "what answers the next request: a status keeps it away for good ({})",
            listed(of(Fate::Sent).map(|row| format!("{} after {}", statuses(row), row.fault)))
        )),
        () => Verdict::Supported,
    };
    (verdict, said)
}

/// Each once, in their order.
fn listed(words: impl Iterator<Item = String>) -> String {
    let mut once: Vec<String> = Vec::new();
    words.for_each(|word| {
        if !once.contains(&word) {
            once.push(word);
        }
    });
    once.join(", ")
}

fn statuses(row: &Row<'_>) -> String {
    let gave_up = row.counts(|one| &one.gave_up);
    gave_up.keys().filter_map(|word| word.strip_prefix("status ")).collect::<Vec<_>>().join(" and ")
}

/// A row's numbers: who came back, what was lost and what came twice.
fn told(row: &Row<'_>) -> String {
    let sum = |of: fn(&crate::run::Outage) -> u64| number(row.sum(of) as f64);
    let beyond = match fate(row) == Fate::Beyond {
        true => format!(", all older than the window of {}", number(row.window as f64)),
        false => String::new(),
    };
    let hint = row.heeded().filter(|hint| !hint.is_none());
    let hint = hint.map_or(String::new(), |hint| format!(", hint {hint}"));
    format!(
        "{} after {} ({}{hint}): {} of {} streams came back, {} clients stayed away, lost {}{beyond}, twice {}",
        row.lane,
        row.fault,
        row.own_policy,
        sum(|one| one.recovered),
        sum(|one| one.disconnections),
        number(row.away() as f64),
        sum(|one| one.ledger.lost),
        sum(|one| one.ledger.duplicated)
    )
}

/// A peak at most this share of another counts as tamed.
const TAMED: f64 = 0.5;

/// Clients below which a peak within 100 ms is mostly chance.
const FEWEST_CLIENTS: u64 = 100;

/// Claim 15: with a hint the herd's peak is at most half of what it is without one.
pub fn hints(_: &Claim, evidence: &Evidence<'_>) -> Finding {
    let run = evidence.run;
    if let Some(nothing) = unbroken(run) {
        return nothing;
    }
    let mut all = rows(run);
    all.retain(|row| row.heeded().is_some() && row.peak().is_some_and(|peak| peak > 0));
    let same = |a: &Row<'_>, b: &Row<'_>| {
        (a.lane, a.fault, a.policy, a.window) == (b.lane, b.fault, b.policy, b.window)
    };
    let (mut parts, mut numbers) = (Vec::new(), Vec::new());
    for base in all.iter().filter(|row| row.hint.is_none()) {
        let hinted: Vec<&Row<'_>> = all.iter().filter(|row| same(base, row) && !row.hint.is_none()).collect();
        if hinted.is_empty() {
            continue;
        }
        let found: Vec<Part> = hinted.iter().map(|row| tamed(base, row)).collect();
        let said: Vec<&str> = found.iter().map(|part| part.said.as_str()).collect();
        numbers.push(format!(
            "{} after {}: no hint, {}; {}.",
            base.lane,
            base.fault,
            herd(base),
            said.join("; ")
        ));
        parts.extend(found);
    }
    if parts.is_empty() {
        let said = "No two cases of this run differ in the hint alone, one of them without any.";
        return (Verdict::NotMeasured, said.to_owned());
    }
    (weigh(&parts, || what_hint(&parts)), numbers.join(" "))
}

/// Spreads of first attempts and the peak of streams.
fn herd(row: &Row<'_>) -> String {
    let seconds =
        |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), |s| format!("{} s", number(s)));
    format!(
        "first attempts from 5 to 95 % over {} as scheduled and {} in fact, at most {} streams in 100 ms",
        seconds(row.spread_s(|one| one.scheduled_spread_ns)),
        seconds(row.spread_s(|one| one.actual_spread_ns)),
        number(row.peak().unwrap_or(0) as f64)
    )
}

/// Whether a hint makes the peak at most half as high, in every repetition alike.
fn tamed(base: &Row<'_>, row: &Row<'_>) -> Part {
    let beside = |one: &&&crate::run::Outage| {
        let other = base.outages.iter().find(|other| other.repetition == one.repetition)?;
        let (peak, whole) = (one.opened.iter().max()?, other.opened.iter().max()?);
        (*whole > 0).then(|| *peak as f64 / *whole as f64)
    };
    let ratios: Vec<f64> = row.outages.iter().filter_map(|one| beside(&one)).collect();
    let few = row.outages.iter().chain(&base.outages).any(|one| one.clients < FEWEST_CLIENTS);
    let answer = match () {
        () if ratios.is_empty() => Answer::Missing,
        () if few => Answer::Unclear,
        () if ratios.iter().all(|ratio| *ratio <= TAMED) => Answer::For,
        () if ratios.iter().all(|ratio| *ratio > TAMED) => Answer::Against,
        () => Answer::Unclear,
    };
    let times: Vec<String> = ratios.iter().map(|one| format!("{}x", ratio(*one))).collect();
    let said = format!("hint {}, {} ({} of the peak without)", row.hint, herd(row), times.join(", "));
    Part { name: format!("{} hint {}", if drawn(row) { "drawn" } else { "fixed" }, row.hint), answer, said }
}

fn drawn(row: &Row<'_>) -> bool {
    row.hint.to_string().contains("..")
}

/// On what it depends: drawn hints against fixed ones, where that is what tells them apart.
fn what_hint(parts: &[Part]) -> String {
    let answers = |word: &str| {
        let own = parts.iter().filter(move |part| part.name.starts_with(word));
        own.map(|part| part.answer).collect::<Vec<_>>()
    };
    let all = |word: &str, answer| answers(word).iter().all(|held| *held == answer);
    match all("drawn", Answer::For) && all("fixed", Answer::Against) {
        true => {
            format!("whether each stream draws its own: {}", sides(parts).trim_start_matches("what counts: "))
        }
        false => sides(parts),
    }
}
