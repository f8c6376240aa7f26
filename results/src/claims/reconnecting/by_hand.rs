//! Claim 14: what a WebSocket client does by itself, what is done by hand, and what that costs beside an EventSource.

use scenarios::Lane;

use super::{
    Answer, Claim, Class, Evidence, Finding, Part, Row, Verdict, no_lanes, number, rows, sides, unbroken,
    weigh,
};
use crate::conclude::times;
use crate::metric::{Better, Metric, Rank, Source, Tier};
use crate::run::Outage;
use crate::stats::{Judgement, MARGIN, grouped_effect};

/// The mean of the times without events, which is no metric of trials.
const BLIND: Metric = Metric {
    name: "time without events",
    unit: "ms",
    better: Better::Lower,
    tier: Tier::Noisy,
    rank: Rank::Detail,
    read: "",
    source: Source::Trial(|_, _| None),
    block: None,
};

/// Bytes of one handshake, which are the same each time.
const HANDSHAKE: Metric = Metric { name: "handshake", unit: "B", tier: Tier::Exact, ..BLIND };

/// A number of one outage.
type Number = fn(&Outage) -> Option<f64>;

fn mean_ms(one: &Outage) -> Option<f64> {
    (one.recovered > 0).then(|| one.parts.sums_ns.iter().sum::<u64>() as f64 / one.recovered as f64 / 1e6)
}

/// Bytes of a handshake that opened a stream again.
fn handshake(one: &Outage) -> Option<f64> {
    let opened: u64 = one.opened.iter().sum();
    (opened > 0).then(|| one.handshake_bytes as f64 / opened as f64)
}

/// Claim 14: under the same policy a WebSocket client is without events for longer, and its handshake weighs more.
pub fn by_hand(_: &Claim, evidence: &Evidence<'_>) -> Finding {
    let run = evidence.run;
    if let Some(nothing) = unbroken(run) {
        return nothing;
    }
    let Some(pair) = &evidence.tuned else { return no_lanes() };
    let all = rows(run);
    let same = |a: &Row<'_>, b: &Row<'_>| (a.fault, a.policy, a.window) == (b.fault, b.policy, b.window);
    let of = |lane: Lane| all.iter().filter(move |row| row.lane == lane && row.class() == Class::Same);
    let pairs: Vec<(&Row<'_>, &Row<'_>)> =
        of(pair.ws).filter_map(|ws| Some((ws, of(pair.sse).find(|sse| same(sse, ws))?))).collect();
    let mut parts = vec![compared(&pairs, &BLIND, mean_ms), compared(&pairs, &HANDSHAKE, handshake)];
    parts.extend(lost(&pairs));
    let said: Vec<&str> = parts.iter().map(|part| part.said.as_str()).collect();
    let policies: Vec<String> = pairs.iter().map(|(ws, _)| ws.policy.to_string()).collect();
    let found = match pairs.is_empty() {
        true => "No case of this run has both lanes come back by the same policy.".to_owned(),
        false => format!(
            "Under the same policy ({}) {} against {} (ratio, 95 % interval): {}.",
            super::listed(policies.into_iter()),
            pair.ws,
            pair.sse,
            said.join("; ")
        ),
    };
    let native = all.iter().filter(|row| row.lane == pair.ws && row.class() == Class::Native);
    let resume = run.scenario.outage.as_ref().is_none_or(|outage| outage.resume);
    let alone = alone(&native.collect::<Vec<_>>(), resume);
    let verdict = if pairs.is_empty() { Verdict::NotMeasured } else { weigh(&parts, || sides(&parts)) };
    (verdict, format!("{alone}{found}"))
}

/// What its library does by itself, and what is left to the server and to whoever writes the client.
fn alone(native: &[&Row<'_>], resume: bool) -> String {
    let mut said: Vec<String> = Vec::new();
    for row in native {
        let back = row.parts_ms().map_or(String::new(), |parts| {
            format!(", after waiting for {} s on average", number(parts[1] / 1e3))
        });
        said.push(format!(
            "after {} {} of {} streams came back{back}, with {} events replayed each and {} lost",
            row.fault,
            number(row.sum(|one| one.recovered) as f64),
            number(row.sum(|one| one.disconnections) as f64),
            row.per(|one| one.replayed_events, |one| one.recovered).map_or_else(|| "no".to_owned(), number),
            number(row.sum(|one| one.ledger.lost) as f64)
        ));
    }
    let Some(first) = native.first() else { return String::new() };
    let resumed = match resume {
        true => {
            "the last id stands in the URL by the application's hand, and the server replays behind it by a protocol of its own"
        }
        false => "nobody said where it had been, so nothing was replayed",
    };
    format!(
        "By its library `{}`: {}. A WebSocket of its own does none of it: coming back is the library's, {resumed}. ",
        first.own_policy,
        said.join("; ")
    )
}

/// WebSocket over SSE, paired by case and repetition.
fn compared(pairs: &[(&Row<'_>, &Row<'_>)], metric: &Metric, of: Number) -> Part {
    let repetitions =
        pairs.iter().flat_map(|(ws, _)| &ws.outages).map(|one| one.repetition + 1).max().unwrap_or(0);
    let at = |row: &Row<'_>, repetition: u64| {
        row.outages.iter().find(|one| one.repetition == repetition).and_then(|one| of(one))
    };
    let held = |repetition: u64| -> Vec<(f64, f64)> {
        pairs.iter().filter_map(|(ws, sse)| Some((at(ws, repetition)?, at(sse, repetition)?))).collect()
    };
    let starts: Vec<Vec<(f64, f64)>> = (0..repetitions).map(held).filter(|held| !held.is_empty()).collect();
    let logs = |start: &Vec<(f64, f64)>| -> Vec<f64> {
        let positive = start.iter().filter(|(ws, sse)| *ws > 0.0 && *sse > 0.0);
        positive.map(|(ws, sse)| ws.ln() - sse.ln()).collect()
    };
    let logs: Vec<Vec<f64>> = starts.iter().map(logs).filter(|logs| !logs.is_empty()).collect();
    let name = metric.name.to_owned();
    let Some(effect) = grouped_effect(metric, &logs) else {
        return Part { said: format!("{name}: not compared"), name, answer: Answer::Missing };
    };
    let mean = |pick: fn(&(f64, f64)) -> f64| {
        let all: Vec<f64> = starts.iter().flatten().map(pick).collect();
        number(all.iter().sum::<f64>() / all.len() as f64)
    };
    let (answer, word) = match effect.judgement {
        Judgement::Worse => (Answer::For, ""),
        Judgement::Better => (Answer::Against, ""),
        Judgement::Same => (Answer::Against, ", no practical difference"),
        Judgement::Inconclusive => (Answer::Unclear, ", unclear"),
    };
    let said = format!(
        "{name} {} against {} {} on average, {}{word}",
        mean(|pair| pair.0),
        mean(|pair| pair.1),
        metric.unit,
        times(&effect)
    );
    Part { name, answer, said }
}

fn lost_for_good(one: &Outage) -> u64 {
    one.ledger.lost - one.lost.still_away.min(one.ledger.lost)
}

/// What was lost by either, if anything; what was still to come when all was over is no loss of theirs.
fn lost(pairs: &[(&Row<'_>, &Row<'_>)]) -> Option<Part> {
    let sum = |pick: fn(&(&Row<'_>, &Row<'_>)) -> u64| pairs.iter().map(pick).sum::<u64>();
    let [ws, sse] = [sum(|pair| pair.0.sum(lost_for_good)), sum(|pair| pair.1.sum(lost_for_good))];
    let answer = if ws as f64 > sse as f64 * (1.0 + MARGIN) { Answer::For } else { Answer::Against };
    (ws + sse > 0).then(|| Part {
        name: "lost events".to_owned(),
        answer,
        said: format!("lost {} against {} deliveries", number(ws as f64), number(sse as f64)),
    })
}
