//! Plain sentences computed from a run: what it measured, how far to trust it, what an architect may
//! conclude.
//!
//! No sentence claims a difference that the interval and the margin do not carry (METHOD M19).

use scenarios::{Audience, Lane, Outage, Span, Transport};

use crate::metric::{Metric, events};
use crate::run::{Run, Severity};
use crate::stats::{Effect, Judgement};
use crate::summary::{Comparison, Standing, Summary, lanes, repetitions, standing};
use crate::value::{number, ratio};

mod layers;

/// What was measured, in one sentence.
#[must_use]
pub fn measured(run: &Run) -> String {
    let scenario = &run.scenario;
    let names: Vec<String> = lanes(run).iter().map(ToString::to_string).collect();
    let (each, lasting) = match (&scenario.session, &scenario.outage) {
        (None, None) => (addressed(scenario.audience), format!("publishing {}", publishing(run))),
        (None, Some(outage)) => (String::new(), breaking(outage, scenario.duration)),
        (Some(session), _) => (
            format!(" to each in streams of {}", session.events),
            format!("watching every subscriber for {}", scenario.duration),
        ),
    };
    format!(
        "{}: {} subscribers per lane, {} events/s of {}{each}, on {} ({} of {} repetitions, each {lasting}).",
        run.name,
        number(scenario.subscribers.0 as f64),
        number(scenario.rate),
        scenario.payload,
        if names.is_empty() { "no lane yet".to_owned() } else { names.join(", ") },
        repetitions(run),
        scenario.repetitions,
    )
}

/// What a repetition is where something breaks: each case in processes of its own.
fn breaking(outage: &Outage, duration: Span) -> String {
    let joined = |words: Vec<String>| words.join(", ");
    format!(
        "publishing {duration} a case while something breaks: {}; clients come back by {}",
        joined(outage.faults.iter().map(ToString::to_string).collect()),
        joined(outage.policies.iter().map(ToString::to_string).collect())
    )
}

/// To whom events go, where that is not everybody.
fn addressed(audience: Audience) -> String {
    match audience {
        Audience::All => String::new(),
        Audience::Rooms(rooms) => format!(", each to one of {} rooms", number(rooms as f64)),
        Audience::Each => ", each to one subscriber".into(),
    }
}

/// How long each lane published in a repetition.
fn publishing(run: &Run) -> String {
    let of = |lane: &Lane| {
        let spans =
            run.trials_of(*lane).map(|trial| trial.blocks.iter().map(|block| block.span_ns).sum::<u64>());
        spans.max().map(|nanos| format!("{:.1} s", nanos as f64 / 1e9))
    };
    let all: Vec<(Lane, String)> =
        lanes(run).into_iter().filter_map(|lane| Some((lane, of(&lane)?))).collect();
    let Some((_, first)) = all.first() else { return format!("{} per lane", run.scenario.duration) };
    let others =
        all.iter().filter(|(_, time)| time != first).map(|(lane, time)| format!(", {time} on {lane}"));
    format!("{first} per lane{}", others.collect::<String>())
}

/// How far to trust the run: a word and a sentence.
#[must_use]
pub fn trust(run: &Run) -> (Standing, &'static str, String) {
    let first = |severity| run.warnings.iter().find(|warning| warning.severity == severity);
    let standing = standing(run);
    let (word, text) = match standing {
        Standing::Valid => ("VALID", "no doubt was raised while measuring.".to_owned()),
        Standing::Doubtful => ("VALID, WITH DOUBTS", "read the warnings before the numbers.".to_owned()),
        Standing::Partial => (
            "PARTIAL",
            format!(
                "only {} of {} repetitions were measured; intervals are wider than planned.",
                repetitions(run),
                run.scenario.repetitions
            ),
        ),
        Standing::Invalid => (
            "INVALID",
            format!(
                "conclude nothing from these numbers. {}",
                first(Severity::Invalid).map_or("", |warning| warning.text.as_str())
            ),
        ),
    };
    (standing, word, text)
}

/// A ratio with its interval: `1.32x (1.29 to 1.36)`.
#[must_use]
pub fn times(effect: &Effect) -> String {
    let interval = effect.interval().map(|i| (ratio(i.low), ratio(i.high)));
    let interval = interval.filter(|(low, high)| low != high);
    let interval = interval.map_or(String::new(), |(low, high)| format!(" ({low} to {high})"));
    format!("{}x{interval}", ratio(effect.ratio()))
}

/// One effect as a sentence without its full stop.
#[must_use]
pub fn sentence(metric: &Metric, a: Lane, b: Lane, effect: &Effect) -> String {
    let name = metric.name;
    match effect.judgement {
        Judgement::Better | Judgement::Worse => {
            format!("{a} has {} the {name} of {b}: {}", times(effect), effect.judgement.word())
        }
        Judgement::Same => {
            format!("{name}: no practical difference between {a} and {b}, {}", times(effect))
        }
        Judgement::Inconclusive if effect.log_interval.is_none() => {
            format!("{name}: {a} against {b} was measured once, {}; no verdict", times(effect))
        }
        Judgement::Inconclusive => {
            format!("{name}: this run cannot tell {a} from {b}, {}", times(effect))
        }
    }
}

/// What may be concluded from one comparison: a sentence for each lane and judgement. The raw lane is
/// a yardstick and no choice, so nothing is concluded about it.
#[must_use]
pub fn conclusions(comparison: &Comparison) -> Vec<String> {
    let mut sentences = Vec::new();
    let choices = comparison.lanes.iter().enumerate().filter(|(_, lane)| lane.transport != Transport::Raw);
    for (at, lane) in choices {
        for (judgement, opening) in [
            (Judgement::Worse, "costs more than"),
            (Judgement::Better, "does better than"),
            (Judgement::Same, "makes no practical difference to"),
            (Judgement::Inconclusive, "shows no clear result against"),
        ] {
            let found: Vec<String> = comparison
                .rows
                .iter()
                .filter_map(|(metric, effects)| Some((metric, effects[at].as_ref()?)))
                .filter(|(_, effect)| effect.judgement == judgement)
                .map(|(metric, effect)| format!("{} {}", metric.name, times(effect)))
                .collect();
            if !found.is_empty() {
                sentences.push(format!("{lane} {opening} {} in {}.", comparison.reference, found.join(", ")));
            }
        }
    }
    sentences
}

/// What may be concluded from a run: of its first comparison, and why the twin servers differ if they do.
#[must_use]
pub fn concluded(summary: &Summary<'_>) -> Vec<String> {
    let mut said = summary.comparisons.first().map(conclusions).unwrap_or_default();
    said.extend(layers::why_servers_differ(summary.run));
    said
}

/// What a figure rests on (METHOD M30): events, blocks, starts, load, segment size, congestion
/// control, TLS, and that it was loopback.
#[must_use]
pub fn basis(run: &Run) -> String {
    let blocks: usize = run.trials.iter().map(|trial| trial.blocks.len()).sum();
    let trials = run.trials.iter().map(|trial| trial.subscribers);
    let subscribers = trials.chain(run.outages.iter().map(|outage| outage.clients)).max();
    let counted = match run.outages.len() {
        0 => format!("{} events in {blocks} blocks", number(events(&run.trials) as f64)),
        outages => format!("{} disconnections in {outages} outages", number(disconnections(run))),
    };
    let mut parts = vec![
        format!("{counted}, {}", plural(repetitions(run), "start")),
        format!(
            "{} subscribers per lane, {} events/s{}{}",
            number(subscribers.unwrap_or(run.scenario.subscribers.0) as f64),
            number(run.scenario.rate),
            addressed(run.scenario.audience),
            upward(run.scenario.upstream)
        ),
    ];
    parts.push(path(run));
    let ledgers = run.trials.iter().map(|trial| trial.ledger);
    let loss: u64 = ledgers.chain(run.outages.iter().map(|outage| outage.ledger)).map(|one| one.lost).sum();
    if loss > 0 {
        parts.push(format!("{} deliveries lost", number(loss as f64)));
    }
    format!("{}.", parts.join("; "))
}

/// What lay between the two ends.
pub fn path(run: &Run) -> String {
    let read = run.sockets.values().next();
    let mss = read.map_or("MSS unknown".into(), |sockets| format!("MSS {}", sockets.mss));
    let congestion = read.map_or(&run.scenario.congestion, |sockets| &sockets.congestion);
    format!("{mss}; {congestion}; {}; loopback", inside_tls(&lanes(run)))
}

/// So many of them.
pub fn plural(count: u64, one: &str) -> String {
    format!("{} {one}{}", number(count as f64), if count == 1 { "" } else { "s" })
}

fn disconnections(run: &Run) -> f64 {
    run.outages.iter().map(|outage| outage.disconnections).sum::<u64>() as f64
}

/// What subscribers send.
fn upward(rate: f64) -> String {
    if rate > 0.0 { format!(", {} messages/s up from each", number(rate)) } else { String::new() }
}

/// Which of these lanes ran inside TLS.
pub fn inside_tls(lanes: &[Lane]) -> String {
    let secured: Vec<String> = lanes.iter().filter(|lane| lane.tls).map(ToString::to_string).collect();
    if secured.is_empty() { "TLS none".into() } else { format!("TLS 1.3 on {}", secured.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn sentences_of_a_run() {
        let mut run = sample::run();
        let summary = Summary::new(&run);
        let said = conclusions(&summary.comparisons[0]).join("\n");
        insta::assert_snapshot!(format!("{}\n{}\n{said}", measured(&run), basis(&run)));
        run.partial = true;
        run.trials.retain(|trial| trial.repetition < 2);
        assert!(trust(&run).2.contains("only 2 of 5 repetitions"));
    }

    /// One start is no ground for a verdict on a noisy metric.
    #[test]
    fn one_repetition_claims_no_difference_in_noisy_metrics() {
        let run = sample::with(&["sse-h1", "ws-h1"], 1);
        let summary = Summary::new(&run);
        let said = conclusions(&summary.comparisons[0]);
        let differences = said.iter().filter(|s| s.contains("costs more") || s.contains("does better"));
        assert!(differences.clone().all(|s| !s.contains("CPU") && !s.contains("latency")), "{said:#?}");
    }
}
