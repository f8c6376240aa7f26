//! What to choose for a workload: every need with what either transport costs there, judged by the run
//! that is nearest to it, and how sure that is.
//!
//! A need speaks for a transport only if the difference is proven (margin, interval, Holm: as in every
//! table) and large enough to matter at this workload's size. Both thresholds are stated, and a choice
//! that neither number carries is called a matter of convenience.

use scenarios::Lane;

use super::{Survey, Workload};
use crate::conclude::times;
use crate::metric::{Metric, extract};
use crate::run::Run;
use crate::stats::{Effect, Judgement};
use crate::summary::{Standing, estimate, judged, lanes, repetitions, standing};
use crate::sweep;
use crate::value::number;

/// The two that are chosen between.
const SIDES: [&str; 2] = ["sse-h1", "ws-h1"];

/// A run whose rate or payload differs by more than this is said to be far.
const FAR: f64 = 4.0;

/// A choice whose deciding ratios all stay below this is a narrow one.
const NARROW: f64 = 1.25;

/// A number of a need, at the size of the workload.
type Scale = fn(&Workload, f64) -> f64;

/// One row of what a workload needs: name, unit, deciding metric, scale, and from which difference on it
/// matters, in that unit.
struct Kind(&'static str, &'static str, &'static str, Scale, f64);

const NEEDS: [Kind; 6] = [
    Kind("time to arrive, p99", "ms", "latency p99", |_, ms| ms, 5.0),
    Kind("time to arrive, median", "ms", "latency p50", |_, ms| ms, 5.0),
    Kind("server CPU", "cores", "server CPU", |w, us| w.deliveries() * us / 1e6, 0.05),
    Kind("server memory", "MiB", "server memory", |w, kib| w.subscribers as f64 * kib / 1024.0, 64.0),
    Kind("traffic to readers", "Mbit/s", "wire bytes down", |w, b| w.deliveries() * b * 8.0 / 1e6, 1.0),
    Kind("traffic from readers", "Mbit/s", "wire bytes up", |w, b| w.deliveries() * b * 8.0 / 1e6, 1.0),
];

/// Which of the two a need speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Server-Sent Events.
    Sse,
    /// WebSocket.
    Ws,
}

/// One need with its numbers.
#[derive(Clone, Debug)]
pub struct Need {
    /// What it is.
    pub name: &'static str,
    /// Unit of `costs`.
    pub unit: &'static str,
    /// SSE's and WebSocket's cost at the size of the workload.
    pub costs: [f64; 2],
    /// SSE over WebSocket, and what may be said about it.
    pub effect: Effect,
    /// Whom it speaks for.
    pub speaks_for: Option<Side>,
    /// The run it comes from, and by which factor that run's workload differs.
    pub source: (String, f64),
}

/// What to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Every need that decides speaks for one.
    Take(Side),
    /// Needs speak for both.
    Trade,
    /// No need speaks for either: each is the same, or proven and too small to matter.
    Either,
    /// No need speaks for either, and some were left open.
    Open,
    /// There is no run to judge by.
    Unknown,
}

/// How sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// Everything was judged, in a valid run near to this workload.
    Sure,
    /// Something was left open, or the runs are far, doubtful or partial.
    Fairly,
    /// Most was left open.
    Unsure,
}

/// A recommendation.
#[derive(Clone, Debug)]
pub struct Advice {
    /// For which workload.
    pub workload: Workload,
    /// What to choose.
    pub choice: Choice,
    /// How sure that is.
    pub sure: Certainty,
    /// Why it is not surer; empty when it is sure.
    pub doubts: Vec<String>,
    /// The needs that could be judged.
    pub needs: Vec<Need>,
}

impl Workload {
    /// Events times subscribers, a second.
    #[must_use]
    pub fn deliveries(&self) -> f64 {
        self.rate * self.subscribers as f64
    }
}

/// Judges every need of a workload.
#[must_use]
pub fn advise(survey: &Survey, workload: &Workload) -> Advice {
    let needs: Vec<Need> = NEEDS.iter().filter_map(|kind| need(survey, workload, kind)).collect();
    let speaks = |side| needs.iter().any(|need| need.speaks_for == Some(side));
    let choice = match (needs.is_empty(), speaks(Side::Sse), speaks(Side::Ws)) {
        (true, ..) => Choice::Unknown,
        (_, true, true) => Choice::Trade,
        (_, true, false) => Choice::Take(Side::Sse),
        (_, false, true) => Choice::Take(Side::Ws),
        (_, false, false) if needs.iter().any(Need::is_open) => Choice::Open,
        (_, false, false) => Choice::Either,
    };
    let doubts = doubts(survey, &needs);
    let known = needs.iter().filter(|need| !need.is_open()).count();
    let far = needs.iter().any(|need| need.source.1 > FAR);
    let sure = match (doubts.is_empty(), far || 2 * known < NEEDS.len()) {
        (true, _) => Certainty::Sure,
        (false, false) => Certainty::Fairly,
        (false, true) => Certainty::Unsure,
    };
    Advice { workload: workload.clone(), choice, sure, doubts, needs }
}

/// The need as the nearest run judges it that measured its metric on both sides.
fn need(survey: &Survey, workload: &Workload, kind: &Kind) -> Option<Need> {
    let Kind(name, unit, metric, scale, matters) = kind;
    let metric = Metric::named(metric)?;
    // Times to arrive are not scaled, so a far run has none to tell.
    let reach = if metric.name.starts_with("latency") { FAR } else { f64::INFINITY };
    let mut runs: Vec<(f64, &str, &Run)> = survey
        .runs()
        .filter(|(_, run)| standing(run) != Standing::Invalid && run.scenario.session.is_none())
        .map(|(name, run)| (workload.factor(&run.scenario), name, run))
        .filter(|(factor, ..)| *factor <= reach)
        .collect();
    // Of runs about equally near, the one that rests on most starts.
    let near = |factor: f64| factor.log2().round();
    runs.sort_by(|a, b| near(a.0).total_cmp(&near(b.0)).then(repetitions(b.2).cmp(&repetitions(a.2))));
    runs.into_iter().find_map(|(factor, run_name, run)| {
        let [sse, ws] = SIDES.map(|side| lanes(run).into_iter().find(|lane| lane.to_string() == side));
        let (sse, ws) = (sse?, ws?);
        let column = judged(run, sse, ws);
        let effect = column.into_iter().find(|(held, _)| held.name == metric.name)?.1?;
        let [sse, ws] = levels(run, metric, workload, [sse, ws])?;
        let costs = [scale(workload, sse), scale(workload, ws)];
        let lower = if costs[0] < costs[1] { Side::Sse } else { Side::Ws };
        let proven = match effect.judgement {
            Judgement::Better => lower == Side::Sse,
            Judgement::Worse => lower == Side::Ws,
            Judgement::Same | Judgement::Inconclusive => false,
        };
        let speaks_for = (proven && (costs[0] - costs[1]).abs() >= *matters).then_some(lower);
        let source = (run_name.to_owned(), factor);
        Some(Need { name, unit, costs, effect, speaks_for, source })
    })
}

/// A metric of both lanes: as this run measured it, but bytes at the workload's own payload size where its
/// sweep of sizes tells them of both.
fn levels(run: &Run, metric: &Metric, workload: &Workload, sides: [Lane; 2]) -> Option<[f64; 2]> {
    let both = |of: &dyn Fn(Lane) -> Option<f64>| Some([of(sides[0])?, of(sides[1])?]);
    let count: Option<sweep::Count> = match metric.name {
        "wire bytes down" => Some(|point| extract::down_on_the_wire(&point.kernel)),
        "wire bytes up" => Some(|point| extract::up_on_the_wire(&point.kernel)),
        _ => None,
    };
    let swept = count.and_then(|count| both(&|lane| sweep::at(run, lane, workload.payload_bytes, count)));
    swept.or_else(|| both(&|lane| estimate(run, metric, lane).value.known()))
}

fn doubts(survey: &Survey, needs: &[Need]) -> Vec<String> {
    let mut doubts = Vec::new();
    if needs.is_empty() {
        doubts.push(format!("no valid run of {} and {} is there", SIDES[0], SIDES[1]));
    }
    let far: Vec<&Need> = needs.iter().filter(|need| need.source.1 > FAR).collect();
    if let Some(need) = far.first() {
        doubts.push(format!(
            "the nearest run, {}, differs from this workload by a factor of {} in rate or payload",
            need.source.0,
            number(need.source.1)
        ));
    }
    let missing: Vec<&str> =
        NEEDS.iter().map(|kind| kind.0).filter(|name| !needs.iter().any(|need| need.name == *name)).collect();
    if !missing.is_empty() {
        doubts.push(format!("no run near enough measured: {}", missing.join("; ")));
    }
    let open: Vec<&str> = needs.iter().filter(|need| need.is_open()).map(|need| need.name).collect();
    if !open.is_empty() {
        doubts.push(format!("left open by their intervals: {}", open.join("; ")));
    }
    for (name, run) in survey.runs().filter(|(name, _)| needs.iter().any(|need| need.source.0 == *name)) {
        let why = match standing(run) {
            Standing::Valid | Standing::Invalid => continue,
            Standing::Doubtful => "was measured with doubts, which its report names",
            Standing::Partial => "is not complete",
        };
        doubts.push(format!("the run {name} {why}"));
    }
    doubts
}

impl Side {
    /// The transport's name.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sse => "Server-Sent Events",
            Self::Ws => "WebSocket",
        }
    }
}

impl Need {
    /// Whether its interval is too wide to say anything.
    fn is_open(&self) -> bool {
        self.effect.judgement == Judgement::Inconclusive
    }

    /// The need in a sentence without its full stop.
    #[must_use]
    pub fn sentence(&self) -> String {
        let [sse, ws] = self.costs.map(number);
        let verdict = match (self.speaks_for, self.effect.judgement) {
            (Some(side), _) => format!("speaks for {}", side.word()),
            (None, Judgement::Better | Judgement::Worse) => "proven, but too small to matter here".to_owned(),
            (None, Judgement::Same) => "no practical difference".to_owned(),
            (None, Judgement::Inconclusive) => "left open".to_owned(),
        };
        format!(
            "{}: SSE {sse} against WebSocket {ws} {}, {}: {verdict}",
            self.name,
            self.unit,
            times(&self.effect)
        )
    }
}

impl Advice {
    /// The recommendation in a sentence.
    #[must_use]
    pub fn headline(&self) -> String {
        let for_ = |side| {
            let names = self.needs.iter().filter(|need| need.speaks_for == Some(side)).map(|need| need.name);
            names.collect::<Vec<_>>().join(", ")
        };
        match self.choice {
            Choice::Take(side) => {
                let narrowly = if self.is_narrow() { ", narrowly" } else { "" };
                format!("Choose {}{narrowly}: it costs less in {}.", side.word(), for_(side))
            }
            Choice::Trade => format!(
                "It is a trade: Server-Sent Events cost less in {}; WebSocket costs less in {}.",
                for_(Side::Sse),
                for_(Side::Ws)
            ),
            Choice::Either => "Either will do: no difference that was measured matters at this size. By convenience, not by \
                 measurement, that speaks for Server-Sent Events where nothing is sent upward: it is a plain response."
                .to_owned(),
            Choice::Open => {
                let open: Vec<&str> =
                    self.needs.iter().filter(|need| need.is_open()).map(|need| need.name).collect();
                format!("These runs cannot tell: nothing that was proven matters at this size, and left open were {}.", open.join(", "))
            }
            Choice::Unknown => "This survey cannot tell.".to_owned(),
        }
    }

    /// Whether no need that decides differs by more than a quarter.
    fn is_narrow(&self) -> bool {
        let mut deciding = self.needs.iter().filter(|need| need.speaks_for.is_some());
        deciding.all(|need| (need.costs[0] / need.costs[1]).ln().abs() < NARROW.ln())
    }

    /// How sure that is, in a sentence.
    #[must_use]
    pub fn certainty(&self) -> String {
        let word = match self.sure {
            Certainty::Sure => {
                return "Sure: every need was judged by a valid run near to this workload.".to_owned();
            }
            Certainty::Fairly => "Fairly sure",
            Certainty::Unsure => "Not sure",
        };
        format!("{word}: {}.", self.doubts.join("; "))
    }
}
