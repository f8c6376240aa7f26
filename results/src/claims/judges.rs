//! How each claim is judged: what its metrics would show if it were true, and the sentence about what
//! they do show.
//!
//! A judge states expectations and words; whether numbers meet them is decided in `evidence`.

use scenarios::{Coding, Identity, Lane};
use serde::Serialize;

use super::evidence::{Answer, Evidence, Pair, Part, sides, times_between, weigh};
use super::two_way::goes_up;
use super::{Claim, Finding, Verdict};
use crate::charts::polling::said as crossing;
use crate::polling::Costs;
use crate::run::{Idle, Tabs};
use crate::stats::{Judgement, MARGIN};
use crate::summary::lanes;
use crate::sweep::{pairs, ratios, settled, stream};
use crate::value::{number, ratio};

/// The shortest head a response can have: `HTTP/1.1 200 ` and two line ends (RFC 9112, section 4).
/// Framing below it cannot contain headers.
const SHORTEST_HEAD_BYTES: f64 = 17.0;

const HEADERS: &str = "repeated headers";

/// No experiment yet.
pub fn not_yet(_: &Claim, _: &Evidence<'_>) -> Finding {
    (Verdict::NotMeasured, String::new())
}

pub fn no_lanes() -> Finding {
    (Verdict::NotMeasured, "This run did not measure both sse-h1 and ws-h1.".to_owned())
}

/// Claim 2: opening is cheaper for SSE in every respect; other carriers are told beside it.
pub fn opening(claim: &Claim, evidence: &Evidence<'_>) -> Finding {
    let Some(pair) = &evidence.tuned else { return no_lanes() };
    if goes_up(pair.run) {
        let said = "For messages upward SSE opens a second connection over HTTP/1.1, so opening is not compared here.";
        return (Verdict::NotMeasured, said.to_owned());
    }
    let parts = pair.parts(claim.metrics, Judgement::Better);
    let verdict = weigh(&parts, || sides(&parts));
    let used_up = used_up(pair).map_or(String::new(), |events| {
        format!(" After {events} the larger events of SSE have used up the bytes it saves by opening.")
    });
    let trips = |pair: &Pair<'_>| format!("{} and {}", pair.sse.round_trips(), pair.ws.round_trips());
    let mut said = format!("{}.{used_up} Round trips by protocol: {}.", pair.found(&parts), trips(pair));
    for pair in &evidence.opened_otherwise {
        let parts = pair.parts(claim.metrics, Judgement::Better);
        said += &format!(" {}; round trips {}.", pair.found(&parts), trips(pair));
    }
    (verdict, said)
}

/// After how many events the stream bytes of SSE, which opened with fewer, exceed WebSocket's.
fn used_up(pair: &Pair<'_>) -> Option<String> {
    let sum = |names: &[&str], lane| names.iter().map(|name| pair.level(name, lane)).sum::<Option<f64>>();
    let more = |names: &[&str]| Some(sum(names, pair.sse)? - sum(names, pair.ws)?);
    let saved = -more(&["handshake down", "handshake up"])?;
    let extra = more(&["payload", "event framing", "transport framing"])?;
    let events = (saved / extra).floor() + 1.0;
    let text = if events == 1.0 { "1 event".to_owned() } else { format!("{} events", number(events)) };
    (saved > 0.0 && extra > 0.0).then_some(text)
}

/// Claim 3: SSE is later at every quantile.
pub fn sooner(claim: &Claim, evidence: &Evidence<'_>) -> Finding {
    let Some(pair) = &evidence.tuned else { return no_lanes() };
    let parts = pair.parts(claim.metrics, Judgement::Worse);
    let verdict = weigh(&parts, || sides(&parts));
    (verdict, format!("{}.", pair.found(&parts)))
}

/// Claim 4: headers are repeated, and an event weighs more, here and at every size of the sweep.
pub fn overhead(_: &Claim, evidence: &Evidence<'_>) -> Finding {
    let Some(pair) = &evidence.tuned else { return no_lanes() };
    let mut parts = vec![repeated_headers(pair), pair.part("wire bytes down", Judgement::Worse)];
    // What bytes cost as text is claim 6.
    let points = match pair.run.scenario.payload.is_binary() {
        true => Vec::new(),
        false => ratios(&pairs(pair.run, pair.sse, pair.ws), stream),
    };
    parts.extend(by_size(&points));
    let verdict = weigh(&parts, || {
        let halves = (parts[0].answer == Answer::Against)
            .then(|| "what is meant (headers are not repeated, framing is paid)".to_owned());
        let on: Vec<String> = halves.into_iter().chain(break_even(&points)).collect();
        if on.is_empty() { "which bytes are meant".to_owned() } else { on.join(" and on ") }
    });
    let headers = parts.remove(0).said;
    let layers = ["event framing", "transport framing"].map(|name| pair.part(name, Judgement::Worse));
    parts.extend(layers);
    (verdict, format!("{headers}. {}.", pair.found(&parts)))
}

/// Whether what HTTP adds to an event can hold the head of a response.
fn repeated_headers(pair: &Pair<'_>) -> Part {
    let framing = pair.level("transport framing", pair.sse);
    let Some((framing, head)) = framing.zip(pair.level("handshake down", pair.sse)) else {
        let said = format!("HTTP framing of {}: not measured", pair.sse);
        return Part { name: HEADERS.to_owned(), answer: Answer::Missing, said };
    };
    let (answer, word) = match framing {
        bytes if bytes >= head => (Answer::For, "repeated"),
        bytes if bytes < SHORTEST_HEAD_BYTES => (Answer::Against, "not repeated"),
        _ => (Answer::Unclear, "perhaps repeated in part"),
    };
    let said = format!(
        "{} opens with response headers of {} B and adds {} B of HTTP framing to each event: headers are {word}",
        pair.sse,
        number(head),
        number(framing)
    );
    Part { name: HEADERS.to_owned(), answer, said }
}

/// The smallest payload at which SSE's stream costs more, the largest at which it does not.
fn by_size(points: &[(f64, f64)]) -> Vec<Part> {
    let costs_more = |point: &&(f64, f64)| point.1 > 1.0 + MARGIN;
    let part = |answer| {
        move |point: &(f64, f64)| Part {
            name: "stream bytes".to_owned(),
            answer,
            said: format!("stream bytes {}x at a payload of {} B", ratio(point.1), number(point.0)),
        }
    };
    let dearer = points.iter().find(costs_more).map(part(Answer::For));
    let equal = points.iter().rfind(|point| !costs_more(point)).map(part(Answer::Against));
    dearer.into_iter().chain(equal).collect()
}

/// Between which measured sizes the stream of SSE stops costing more.
fn break_even(points: &[(f64, f64)]) -> Option<String> {
    let at = settled(points).filter(|at| *at > 0)?;
    let (before, after) = (points[at - 1], points[at]);
    (before.1 > 1.0).then(|| {
        format!(
            "the payload: from a size between {} B and {} B on, stream bytes differ by less than 3 %",
            number(before.0),
            number(after.0)
        )
    })
}

/// Claim 7: fields cost SSE less than an envelope costs WebSocket.
pub fn built_in(claim: &Claim, evidence: &Evidence<'_>) -> Finding {
    let Some(pair) = &evidence.tuned else { return no_lanes() };
    let scenario = &pair.run.scenario;
    if scenario.identity == Identity::None {
        return (Verdict::NotMeasured, "Events of this run carry no identity.".to_owned());
    }
    if scenario.payload.is_binary() {
        let said = "In this run the framing of SSE holds base64 too, which is no identity.";
        return (Verdict::NotMeasured, said.to_owned());
    }
    let parts = pair.parts(claim.metrics, Judgement::Better);
    let verdict = weigh(&parts, || sides(&parts));
    let (identity, envelope) = (word(&scenario.identity), word(&scenario.envelope));
    (verdict, format!("{}; identity `{identity}`, envelope `{envelope}`.", pair.found(&parts)))
}

/// How a word of the scenario is written in it.
fn word(value: &impl Serialize) -> String {
    let written = serde_json::to_value(value).ok();
    written.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Claim 6: what SSE carries as base64 weighs, costs and takes more.
pub fn bytes_as_text(claim: &Claim, evidence: &Evidence<'_>) -> Finding {
    let Some(pair) = &evidence.tuned else { return no_lanes() };
    if !pair.run.scenario.payload.is_binary() {
        return (Verdict::NotMeasured, "The bodies of this run are text.".to_owned());
    }
    let parts = pair.parts(claim.metrics, Judgement::Worse);
    let verdict = weigh(&parts, || sides(&parts));
    let framing = pair.part("event framing", Judgement::Worse).said;
    let compression = compression(pair);
    (verdict, format!("{}. Base64 makes four bytes of three: {framing}. {compression}", pair.found(&parts)))
}

/// What lanes that compress save on the wire and cost in CPU, against the same lane without.
fn compression(pair: &Pair<'_>) -> String {
    // Against the same lane without it; what is held back on purpose is no answer.
    let coded = lanes(pair.run).into_iter().filter(|lane| {
        let plain = Lane { coding: Coding::Plain, ..*lane };
        lane.coding != Coding::Plain && !lane.holds_back() && [pair.sse, pair.ws].contains(&plain)
    });
    let against = |lane: Lane| {
        let plain = if lane.transport == pair.sse.transport { pair.sse } else { pair.ws };
        let [wire, server, client] = ["wire bytes down", "server CPU", "client CPU"]
            .map(|name| times_between(pair.run, name, lane, plain));
        format!(
            "{lane} has {wire} the bytes on the wire of {plain}, {server} the CPU of its server, {client} that of its client"
        )
    };
    let said: Vec<String> = coded.map(against).collect();
    if said.is_empty() {
        return "What compression changes was not measured in this run.".to_owned();
    }
    format!("With compression (ratio, 95 % interval): {}.", said.join("; "))
}

/// Claim 5: an event costs less over SSE and is fresher, against either kind of polling, at the rate of
/// this run, over HTTP/1.1; what was measured over HTTP/2 is told beside it, and the rate at which bytes turn is
/// computed.
pub fn polling(claim: &Claim, evidence: &Evidence<'_>) -> Finding {
    let (mut parts, mut numbers) = (Vec::new(), Vec::new());
    for (pair, lane) in evidence.polled.iter().zip(["poll-h1", "longpoll-h1"]) {
        let Some(pair) = pair else {
            let said = format!("This run did not measure both sse-h1 and {lane}.");
            numbers.push(said.clone());
            parts.push(Part { name: lane.to_owned(), answer: Answer::Missing, said });
            continue;
        };
        let found = pair.parts(claim.metrics, Judgement::Better);
        numbers.push(format!("{}.", pair.found(&found)));
        parts.extend(found.into_iter().map(|part| Part { name: format!("{} ({lane})", part.name), ..part }));
    }
    let otherwise = evidence.polled_otherwise.iter();
    numbers.extend(
        otherwise.map(|pair| format!("{}.", pair.found(&pair.parts(claim.metrics, Judgement::Better)))),
    );
    let poll = evidence.polled[0].as_ref();
    numbers.extend(
        poll.and_then(|pair| Costs::of(pair.run, pair.sse, pair.ws))
            .map(|costs| crossing(&costs, evidence.run.scenario.rate)),
    );
    (weigh(&parts, || sides(&parts)), numbers.join(" "))
}

/// Claim 8: left alone behind a middlebox, WebSocket is cut and SSE is not; what keeping alive costs is told
/// beside it.
pub fn heartbeats(claim: &Claim, evidence: &Evidence<'_>) -> Finding {
    let Some(pair) = &evidence.tuned else { return no_lanes() };
    let of = |lane: Lane| pair.run.idle.iter().find(|idle| idle.lane == lane);
    let Some((sse, ws)) = of(pair.sse).zip(of(pair.ws)) else {
        let said = "This run had no idle connections behind a middlebox (`heartbeats` is 0).";
        return (Verdict::NotMeasured, said.to_owned());
    };
    let parts = [need(sse, false), need(ws, true)];
    // One sentence about both: half of it true is not it.
    let verdict = match parts.each_ref().map(|part| part.answer) {
        [Answer::For, Answer::For] => Verdict::Supported,
        answers if answers.contains(&Answer::Against) => Verdict::Refuted,
        _ => weigh(&parts, String::new),
    };
    let timeout = pair.run.scenario.idle_timeout;
    let costs = pair.parts(claim.metrics, Judgement::Better);
    let said = parts.map(|part| part.said).join("; ");
    let finding = format!(
        "Behind a middlebox that cuts what is idle for {timeout}: {said}. What a heartbeat costs, {}.{}",
        pair.found(&costs),
        at_scale(pair).unwrap_or_default()
    );
    (verdict, finding)
}

/// Whether a lane needs heartbeats as the saying has it, and what became of its connections.
fn need(idle: &Idle, expected: bool) -> Part {
    let (silent, beating) = (&idle.silent, &idle.beating);
    let answer = match (silent.alive, beating.alive) {
        (_, alive) if alive < beating.subscribers => Answer::Unclear,
        (0, _) if expected => Answer::For,
        (alive, _) if !expected && alive == silent.subscribers => Answer::For,
        (0, _) => Answer::Against,
        (alive, _) if alive == silent.subscribers => Answer::Against,
        _ => Answer::Unclear,
    };
    let said = format!(
        "of {} connections of {} {} lived without heartbeats and {} of {} with one every half time-out",
        silent.subscribers, idle.lane, silent.alive, beating.alive, beating.subscribers
    );
    Part { name: format!("{} left alone", idle.lane), answer, said }
}

/// What heartbeats cost those who hold many connections, at the interval that the standard suggests for SSE
/// (WHATWG HTML 9.2.7: "every 15 seconds or so").
fn at_scale(pair: &Pair<'_>) -> Option<String> {
    const PER_SECOND: f64 = 10_000.0 / 15.0;
    let of = |lane| {
        let cpu = pair.level("heartbeat server CPU", lane)?;
        let bytes = pair.level("heartbeat wire down", lane)? + pair.level("heartbeat wire up", lane)?;
        Some(format!(
            "{lane} {} % of a core and {} kB/s both ways",
            number(cpu * PER_SECOND / 1e4),
            number(bytes * PER_SECOND / 1e3)
        ))
    };
    Some(format!(
        " For 10,000 connections and a heartbeat every 15 s that is {} and {}.",
        of(pair.sse)?,
        of(pair.ws)?
    ))
}

/// Claim 11: a browser's tabs get six streams over HTTP/1.1, and all they ask for over HTTP/2.
pub fn six_streams(_: &Claim, evidence: &Evidence<'_>) -> Finding {
    let run = evidence.run;
    let of = |name: &str| run.tabs.iter().find(|tabs| tabs.lane.to_string() == name);
    let Some((h1, h2)) = of("sse-h1").zip(of("sse-h2+mux")) else {
        let said =
            "This run did not open tabs on both sse-h1 and sse-h2+mux (`tabs` is 0, or a lane is missing).";
        return (Verdict::NotMeasured, said.to_owned());
    };
    if h1.tabs.min(h2.tabs) <= 6 {
        return (Verdict::NotMeasured, "It takes more than six tabs to see a limit of six.".to_owned());
    }
    let late = |name: &str| Verdict::Inconclusive(format!("streams of {name} that did not open in time"));
    let verdict = match (h1.open, h2.open) {
        (0..6, _) => late("sse-h1"),
        (_, open) if (7..h2.tabs).contains(&open) => late("sse-h2+mux"),
        (6, open) if open == h2.tabs => Verdict::Supported,
        _ => Verdict::Refuted,
    };
    let one = |tabs: &Tabs| {
        format!(
            "{}: {} of {} streams opened, on {} connections",
            tabs.lane, tabs.open, tabs.tabs, tabs.connections
        )
    };
    (verdict, format!("{}.", run.tabs.iter().map(one).collect::<Vec<_>>().join("; ")))
}

/// Claim 10: an SSE server needs less of everything, on the tuned stack and on the stock one. One of
/// them alone would mislead: a library's default turns the verdict.
pub fn resources(claim: &Claim, evidence: &Evidence<'_>) -> Finding {
    let stacks = [(&evidence.tuned, "tuned"), (&evidence.stock, "stock")];
    let (mut parts, mut numbers) = (Vec::new(), Vec::new());
    for (pair, stack) in stacks {
        let Some(pair) = pair else {
            let said = format!("The {stack} servers were not in this run.");
            numbers.push(said.clone());
            parts.push(Part { name: format!("the {stack} servers"), answer: Answer::Missing, said });
            continue;
        };
        let found = pair.parts(claim.metrics, Judgement::Better);
        numbers.push(format!("{}.", pair.found(&found)));
        parts.extend(found.into_iter().map(|part| Part { name: format!("{} ({stack})", part.name), ..part }));
    }
    (weigh(&parts, || sides(&parts)), numbers.join(" "))
}
