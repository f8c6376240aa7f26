//! What a run has to say for or against a claim: pairs of lanes with their judged metrics, and how
//! the answers to several questions make one verdict.
//!
//! Apart from the claims, so that none of them can weigh evidence by a rule of its own.

use scenarios::Lane;

use super::Verdict;
use crate::conclude::times;
use crate::metric::{Metric, Tier};
use crate::run::Run;
use crate::stats::{Effect, Judgement, paired_effect};
use crate::summary::{Entry, estimate, judged, judged_further, lanes};
use crate::value::ratio;

/// What one question says about a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    For,
    Against,
    /// Measured, and not told apart.
    Unclear,
    /// No number on one of the lanes.
    Missing,
}

/// One question with its answer and the numbers.
pub struct Part {
    pub name: String,
    pub answer: Answer,
    pub said: String,
}

/// An SSE lane beside a WebSocket lane, or beside the lane it is compared with instead.
pub struct Pair<'a> {
    pub run: &'a Run,
    pub sse: Lane,
    pub ws: Lane,
    entries: Vec<Entry>,
}

/// All that claims are judged by.
pub struct Evidence<'a> {
    /// Where all of it comes from.
    pub run: &'a Run,
    /// This project's servers and clients.
    pub tuned: Option<Pair<'a>>,
    /// The framework's stock servers.
    pub stock: Option<Pair<'a>>,
    /// The tuned ones on other carriers, which open their streams otherwise.
    pub opened_otherwise: Vec<Pair<'a>>,
    /// The tuned ones on other carriers, whose messages go upward otherwise.
    pub spoken_otherwise: Vec<Pair<'a>>,
    /// SSE beside traditional polling, then beside long polling.
    pub polled: [Option<Pair<'a>>; 2],
    /// The same over HTTP/2, as far as it was measured: told, not judged.
    pub polled_otherwise: Vec<Pair<'a>>,
}

/// What may stand behind `sse` and `ws` beside HTTP/1.1 without TLS.
const CARRIERS: [&str; 3] = ["-h1+tls", "-h2", "-h2+tls"];

/// Over HTTP/2 requests share the stream's connection, and a frame needs none.
const SPOKEN: [(&str, &str); 3] =
    [("sse-h2", "ws-h1"), ("sse-h1+tls", "ws-h1+tls"), ("sse-h2+tls", "ws-h1+tls")];

impl<'a> Evidence<'a> {
    pub fn new(run: &'a Run) -> Self {
        Self {
            run,
            tuned: Pair::new(run, "sse-h1", "ws-h1", judged_further),
            opened_otherwise: CARRIERS
                .iter()
                .filter_map(|on| Pair::new(run, &format!("sse{on}"), &format!("ws{on}"), judged_further))
                .collect(),
            spoken_otherwise: SPOKEN
                .iter()
                .filter_map(|(sse, ws)| Pair::new(run, sse, ws, judged_further))
                .collect(),
            stock: Pair::new(run, "sse-h1%axum", "ws-h1%axum", judged),
            polled_otherwise: ["poll-h2", "longpoll-h2"]
                .iter()
                .filter_map(|lane| Pair::new(run, "sse-h2", lane, judged_further))
                .collect(),
            polled: ["poll-h1", "longpoll-h1"].map(|lane| Pair::new(run, "sse-h1", lane, judged_further)),
        }
    }
}

impl<'a> Pair<'a> {
    fn new(run: &'a Run, sse: &str, ws: &str, judge: fn(&Run, Lane, Lane) -> Vec<Entry>) -> Option<Self> {
        let measured = lanes(run);
        let named = |name: &str| measured.iter().copied().find(|lane| lane.to_string() == name);
        let (sse, ws) = (named(sse)?, named(ws)?);
        Some(Self { run, sse, ws, entries: judge(run, sse, ws) })
    }

    /// A metric of one of the lanes.
    pub fn level(&self, name: &str, lane: Lane) -> Option<f64> {
        estimate(self.run, Metric::named(name)?, lane).value.known()
    }

    /// One metric as a question: the claim expects SSE to be better or worse than WebSocket.
    pub fn part(&self, name: &str, expected: Judgement) -> Part {
        let entry = self.entries.iter().find(|(metric, _)| metric.name == name);
        let (answer, said) = match entry {
            Some((metric, Some(effect))) => (answer(effect.judgement, expected), self.said(metric, effect)),
            Some((metric, None)) => (Answer::Missing, self.missing(metric)),
            None => (Answer::Missing, format!("{name}: not compared")),
        };
        Part { name: name.to_owned(), answer, said }
    }

    /// The same for several metrics.
    pub fn parts(&self, names: &[&str], expected: Judgement) -> Vec<Part> {
        names.iter().map(|name| self.part(name, expected)).collect()
    }

    fn said(&self, metric: &Metric, effect: &Effect) -> String {
        let [sse, ws] = [self.sse, self.ws].map(|lane| estimate(self.run, metric, lane).value.text());
        let ratio = with_interval(metric, effect);
        let verdict = match effect.judgement {
            Judgement::Better | Judgement::Worse => "",
            Judgement::Same => ", no practical difference",
            Judgement::Inconclusive => ", unclear",
        };
        format!("{} {sse} against {ws} {}, {ratio}{verdict}", metric.name, metric.unit)
    }

    fn missing(&self, metric: &Metric) -> String {
        let of = |lane: Lane| {
            let note = estimate(self.run, metric, lane).value.note();
            (!note.is_empty()).then(|| format!("{note} on {lane}"))
        };
        let notes: Vec<String> = [self.sse, self.ws].into_iter().filter_map(of).collect();
        let notes = if notes.is_empty() { "not comparable".to_owned() } else { notes.join(", ") };
        format!("{}: {notes}", metric.name)
    }

    /// The lanes and what was found between them.
    pub fn found(&self, parts: &[Part]) -> String {
        let said: Vec<&str> = parts.iter().map(|part| part.said.as_str()).collect();
        format!("{} against {} (ratio, 95 % interval): {}", self.sse, self.ws, said.join("; "))
    }
}

fn answer(judgement: Judgement, expected: Judgement) -> Answer {
    match judgement {
        Judgement::Inconclusive => Answer::Unclear,
        held if held == expected => Answer::For,
        Judgement::Better | Judgement::Worse | Judgement::Same => Answer::Against,
    }
}

/// `1.10x (1.07 to 1.12)`; an exact metric says that it is, one start that it was alone.
fn with_interval(metric: &Metric, effect: &Effect) -> String {
    let ends = effect.interval().map(|held| (ratio(held.low), ratio(held.high)));
    match ends {
        None => format!("{} measured once", times(effect)),
        Some((low, high)) if low == high && metric.tier == Tier::Exact => {
            format!("{} (exact)", times(effect))
        }
        Some((low, high)) => format!("{}x ({low} to {high})", ratio(effect.ratio())),
    }
}

/// How many times as much of a metric one lane has as another, paired, with its interval.
pub fn times_between(run: &Run, name: &str, lane: Lane, other: Lane) -> String {
    let metric = Metric::named(name).expect("metrics are named as in their table");
    paired_effect(run, metric, lane, other)
        .map_or_else(|| "an unknown multiple of".to_owned(), |effect| with_interval(metric, &effect))
}

/// One verdict of several answers. A disagreement is a finding of its own; short of one, all that is
/// missing or unclear must be known before anything is said.
pub fn weigh(parts: &[Part], on: impl FnOnce() -> String) -> Verdict {
    let has = |answer| parts.iter().any(|part| part.answer == answer);
    match (has(Answer::For), has(Answer::Against)) {
        (true, true) => Verdict::Depends(on()),
        _ if has(Answer::Missing) => Verdict::NotMeasured,
        _ if has(Answer::Unclear) => Verdict::Inconclusive(names(parts, Answer::Unclear)),
        (true, false) => Verdict::Supported,
        (false, true) => Verdict::Refuted,
        (false, false) => Verdict::NotMeasured,
    }
}

fn names(parts: &[Part], answer: Answer) -> String {
    let answered = parts.iter().filter(|part| part.answer == answer);
    answered.map(|part| part.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Which questions speak for a claim and which against it.
pub fn sides(parts: &[Part]) -> String {
    let (pros, cons) = (names(parts, Answer::For), names(parts, Answer::Against));
    format!("what counts: for it speak {pros}; against it {cons}")
}
