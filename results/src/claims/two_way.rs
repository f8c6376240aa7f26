//! The claims about traffic that goes both ways: what a message upward costs, and whom a workload suits.

use super::evidence::{Evidence, sides, weigh};
use super::judges::no_lanes;
use super::{Claim, Finding, Verdict};
use crate::run::{Run, Trial};
use crate::stats::Judgement;
use crate::value::number;

/// Claim 1: a message upward costs SSE more in every respect; other carriers are told beside it.
pub fn upward(claim: &Claim, evidence: &Evidence<'_>) -> Finding {
    let Some(pair) = &evidence.tuned else { return no_lanes() };
    if !goes_up(pair.run) {
        return (Verdict::NotMeasured, "No messages went upward in this run.".to_owned());
    }
    let parts = pair.parts(claim.metrics, Judgement::Worse);
    let verdict = weigh(&parts, || sides(&parts));
    let layers = ["upward payload", "upward transport", "answer bytes"].map(|name| {
        let of = |lane| pair.level(name, lane).map_or("no".to_owned(), number);
        format!("{name} {} and {} B", of(pair.sse), of(pair.ws))
    });
    let mut said = format!("{}. Of a message's bytes: {}.", pair.found(&parts), layers.join(", "));
    for pair in &evidence.spoken_otherwise {
        said += &format!(" {}.", pair.found(&pair.parts(claim.metrics, Judgement::Worse)));
    }
    (verdict, said)
}

/// Whether clients sent messages.
pub fn goes_up(run: &Run) -> bool {
    run.trials.iter().any(Trial::talks)
}

/// The workloads that the saying names, by a scenario's name.
const DRIVEN: [&str; 5] = ["ticker", "news", "logs", "interval", "notifications"];
const BOTH_WAYS: [&str; 3] = ["chat", "game", "collab"];

/// What a workload that goes both ways is judged by.
pub const SUIT_BOTH_WAYS: [&str; 5] =
    ["latency mean", "round trip mean", "server CPU", "client CPU", "message bytes"];

/// Claim 9: the transport that is said to suit this workload is the better one in everything.
pub fn suited(claim: &Claim, evidence: &Evidence<'_>) -> Finding {
    let Some(pair) = &evidence.tuned else { return no_lanes() };
    let name = pair.run.name.as_str();
    let (metrics, expected, kind, suits) = match (DRIVEN.contains(&name), BOTH_WAYS.contains(&name)) {
        (true, _) => (claim.metrics, Judgement::Better, "is driven by the server", pair.sse),
        (_, true) if goes_up(pair.run) => (&SUIT_BOTH_WAYS[..], Judgement::Worse, "goes both ways", pair.ws),
        (_, true) => {
            let said = format!("`{name}` goes both ways, but nothing travelled upward in this run.");
            return (Verdict::NotMeasured, said);
        }
        (false, false) => {
            let said = format!("`{name}` is none of the workloads that the saying names.");
            return (Verdict::NotMeasured, said);
        }
    };
    let parts = pair.parts(metrics, expected);
    let verdict = weigh(&parts, || sides(&parts));
    (verdict, format!("`{name}` {kind}: {suits} is said to suit it. {}.", pair.found(&parts)))
}
