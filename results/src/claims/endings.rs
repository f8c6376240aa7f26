//! Claim 12: who stops when the server has completed a stream, and who comes back and starts again.
//!
//! Apart from the other judges: nothing here is compared, all is counted.

use scenarios::{Lane, Told};

use super::evidence::{Answer, Evidence, Part, weigh};
use super::{Claim, Finding, Verdict};
use crate::run::{Ending, Run};
use crate::value::number;

/// Claim 12: a WebSocket client stops, an EventSource starts again, and is told not to.
pub fn endings(_: &Claim, evidence: &Evidence<'_>) -> Finding {
    let run = evidence.run;
    let of = |lane: &str, told| counted(run, lane, told);
    let Some((sse, ws)) = of("sse-h1", Told::Nothing).zip(of("ws-h1", Told::Nothing)) else {
        let said =
            "This run did not complete streams on both sse-h1 and ws-h1 without telling clients to stop.";
        return (Verdict::NotMeasured, said.to_owned());
    };
    let mut parts = vec![stops("ws-h1", &ws), comes_back("sse-h1", &sse)];
    for (told, how) in [(Told::NoContent, "a 204"), (Told::Done, "an agreed last event")] {
        let heeded = of("sse-h1", told).map(|ending| heeds("sse-h1", how, &ending));
        parts.push(heeded.unwrap_or_else(|| Part {
            name: how.to_owned(),
            answer: Answer::Missing,
            said: format!("this run told nobody by {how}"),
        }));
    }
    // One sentence about all of it: a part that is false makes it false.
    let verdict = match parts.iter().any(|part| part.answer == Answer::Against) {
        true => Verdict::Refuted,
        false => weigh(&parts, String::new),
    };
    let said: Vec<String> = parts.into_iter().map(|part| part.said).collect();
    (verdict, format!("Watched for {} each: {}.", run.scenario.duration, said.join("; ")))
}

/// What the clients of a lane did that were told so, over all repetitions.
pub fn counted(run: &Run, lane: &str, told: Told) -> Option<Ending> {
    let lane: Lane = lane.parse().ok()?;
    let each = run.trials_of(lane).filter_map(|trial| trial.session.as_ref()?.told(told));
    each.fold(None, |all: Option<Ending>, one| {
        let mut all = all.unwrap_or_else(|| Ending::of(told));
        all.add(one);
        Some(all)
    })
}

/// A number over the subscribers.
fn each(count: u64, ending: &Ending) -> String {
    number(count as f64 / ending.subscribers.max(1) as f64)
}

fn seen(ending: &Ending) -> String {
    let words: Vec<String> = ending.seen.keys().map(|word| format!("`{word}`")).collect();
    words.join(" and ")
}

/// A WebSocket: one stream each, all its events, a close frame seen, and nothing twice.
fn stops(lane: &str, ending: &Ending) -> Part {
    let closed: u64 =
        ending.seen.iter().filter(|(word, _)| word.starts_with("close ")).map(|(_, n)| *n).sum();
    let answer =
        match (ending.repeated_events, ending.streams == ending.subscribers && closed == ending.streams) {
            (0, true) => Answer::For,
            (0, false) => Answer::Unclear,
            _ => Answer::Against,
        };
    let said = format!(
        "clients of {lane} saw {}; streams begun {} each, events that came again {}",
        seen(ending),
        each(ending.streams, ending),
        each(ending.repeated_events, ending)
    );
    Part { name: format!("{lane} stops"), answer, said }
}

/// An EventSource that is told nothing: the same events again.
fn comes_back(lane: &str, ending: &Ending) -> Part {
    let answer = match (ending.first_events, ending.repeated_events) {
        (0, _) => Answer::Unclear,
        (_, 0) => Answer::Against,
        _ => Answer::For,
    };
    let said = format!(
        "those of {lane}, told nothing, saw {}; streams begun {} each on connections {}, events that came again {}, at \
         {} B down and {} B up",
        seen(ending),
        each(ending.streams, ending),
        each(ending.connections, ending),
        each(ending.repeated_events, ending),
        each(ending.repeated_down_bytes, ending),
        each(ending.repeated_up_bytes, ending)
    );
    Part { name: format!("{lane} comes back"), answer, said }
}

/// An EventSource that is told: nothing again.
fn heeds(lane: &str, how: &str, ending: &Ending) -> Part {
    let answer = match (ending.first_events, ending.repeated_events) {
        (0, _) => Answer::Unclear,
        (_, 0) => Answer::For,
        _ => Answer::Against,
    };
    let cost = ending.repeated_down_bytes + ending.repeated_up_bytes;
    let said = format!(
        "told by {how}, streams begun {} each, events that came again {}, at {} B of asking and being told",
        each(ending.streams, ending),
        each(ending.repeated_events, ending),
        each(cost, ending)
    );
    Part { name: format!("{lane} told by {how}"), answer, said }
}
