//! What a workload needs, each with what either transport costs there, judged by the run that is nearest to
//! it.
//!
//! A workload that goes both ways costs what pushing costs, by a run without messages, and what messages
//! cost, by a run where hardly anything else happened: nearly enough the two add up.

use scenarios::{Lane, Scenario};

use super::{Survey, Workload};
use crate::conclude::times;
use crate::metric::{Metric, extract, instants};
use crate::run::Run;
use crate::stats::{Effect, Judgement, MARGIN};
use crate::summary::{Standing, estimate, judged_further, lanes, standing};
use crate::sweep;
use crate::value::number;

/// The two that are chosen between.
pub const SIDES: [&str; 2] = ["sse-h1", "ws-h1"];

/// A run whose rate or payload differs by more than this is said to be far.
pub const FAR: f64 = 4.0;

/// A number of a need, at the size of the workload.
type Scale = fn(&Workload, f64) -> f64;

/// By which runs a need is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Those that push alone, near by event rate and payload.
    Pushing,
    /// Those that go as the workload goes, one way or both, near by all of it.
    Alike,
    /// Those with a connection beside the stream where the workload needs one: an idle connection's cost depends
    /// on nothing that happens.
    Idle,
    /// Those with messages upward, near by how many come to the server; only where the workload has some.
    Messages,
}

/// One row of what a workload needs: name, unit, deciding metric, scale, from which difference on it
/// matters, in that unit, and by which runs.
pub struct Kind(&'static str, &'static str, &'static str, Scale, f64, By);

const NEEDS: [Kind; 10] = [
    Kind("time to arrive, p99", "ms", "latency p99", |_, ms| ms, 5.0, By::Alike),
    Kind("time to arrive, median", "ms", "latency p50", |_, ms| ms, 5.0, By::Alike),
    Kind("message there and back, p99", "ms", "round trip p99", |_, ms| ms, 5.0, By::Messages),
    Kind("message there and back, median", "ms", "round trip p50", |_, ms| ms, 5.0, By::Messages),
    Kind("server CPU", "cores", "server CPU", |w, us| w.deliveries() * us / 1e6, 0.05, By::Pushing),
    Kind(
        "server CPU for messages",
        "cores",
        "message server CPU",
        |w, us| w.messages() * us / 1e6,
        0.05,
        By::Messages,
    ),
    Kind(
        "server memory",
        "MiB",
        "server memory",
        |w, kib| w.subscribers as f64 * kib / 1024.0,
        64.0,
        By::Idle,
    ),
    Kind(
        "traffic to readers",
        "Mbit/s",
        "wire bytes down",
        |w, b| w.deliveries() * b * 8.0 / 1e6,
        1.0,
        By::Pushing,
    ),
    Kind(
        "traffic from readers",
        "Mbit/s",
        "wire bytes up",
        |w, b| w.deliveries() * b * 8.0 / 1e6,
        1.0,
        By::Pushing,
    ),
    Kind(
        "traffic of messages and echoes",
        "Mbit/s",
        "message on the wire",
        |w, b| w.messages() * b * 8.0 / 1e6,
        1.0,
        By::Messages,
    ),
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
    /// By which runs it is judged.
    pub by: By,
    /// The run it comes from, and by which factor that run's workload differs.
    pub source: (String, f64),
}

/// The needs of a workload that some run judged.
pub fn needs(survey: &Survey, workload: &Workload) -> Vec<Need> {
    kinds(survey, workload).filter_map(|kind| need(survey, workload, kind)).collect()
}

/// The kinds of needs that a workload has, by name. A quick survey's few blocks tell nothing of times and CPU.
pub fn kinds(survey: &Survey, workload: &Workload) -> impl Iterator<Item = &'static Kind> {
    let (talks, quick) = (workload.messages() > 0.0, survey.is_quick());
    NEEDS.iter().filter(move |kind| {
        (talks || kind.5 != By::Messages) && !(quick && ["ms", "cores"].contains(&kind.1))
    })
}

impl Kind {
    /// What it is called.
    pub const fn name(&self) -> &'static str {
        self.0
    }
}

impl By {
    /// By which factor a run differs; infinite where it tells nothing: of half the readers when they do not read,
    /// of text when it carries bytes.
    fn factor(self, workload: &Workload, scenario: &Scenario) -> f64 {
        let is_of_others = scenario.slow > 0.0 || scenario.payload.is_binary() != workload.binary;
        if self != Self::Idle && is_of_others {
            return f64::INFINITY;
        }
        match self {
            Self::Pushing if scenario.upstream > 0.0 => f64::INFINITY,
            Self::Pushing => workload.factor(scenario),
            Self::Alike => {
                let paces = workload.factor(scenario).max(workload.factor_up(scenario));
                paces.max(workload.factor_heard(scenario))
            }
            Self::Idle if (workload.messages() > 0.0) == (scenario.upstream > 0.0) => 1.0,
            Self::Idle => f64::INFINITY,
            Self::Messages => workload.factor_up(scenario),
        }
    }
}

/// The need as the nearest run judges it that measured its metric on both sides.
fn need(survey: &Survey, workload: &Workload, kind: &Kind) -> Option<Need> {
    let Kind(name, unit, metric, scale, matters, by) = kind;
    let metric = Metric::named(metric)?;
    // Times are not scaled, so a far run has none to tell.
    let reach = if *unit == "ms" { FAR } else { f64::MAX };
    let mut runs: Vec<(f64, &str, &Run)> = survey
        .runs()
        .filter(|(_, run)| standing(run) != Standing::Invalid)
        .filter(|(_, run)| run.scenario.session.is_none() && run.scenario.outage.is_none())
        .map(|(name, run)| (by.factor(workload, &run.scenario), name, run))
        .filter(|(factor, ..)| *factor <= reach)
        .collect();
    // Of runs about equally near, the one that rests on most instants.
    let near = |factor: f64| factor.log2().round();
    runs.sort_by(|a, b| near(a.0).total_cmp(&near(b.0)).then(rests_on(b.2).cmp(&rests_on(a.2))));
    runs.into_iter().find_map(|(factor, run_name, run)| {
        let [sse, ws] = SIDES.map(|side| lanes(run).into_iter().find(|lane| lane.to_string() == side));
        let (sse, ws) = (sse?, ws?);
        let column = judged_further(run, sse, ws);
        let effect = column.into_iter().find(|(held, _)| held.name == metric.name)?.1?;
        let (effect, [sse, ws]) = at_size(run, metric, workload, [sse, ws], effect)?;
        let costs = [scale(workload, sse), scale(workload, ws)];
        let lower = if costs[0] < costs[1] { Side::Sse } else { Side::Ws };
        let proven = match effect.judgement {
            Judgement::Better => lower == Side::Sse,
            Judgement::Worse => lower == Side::Ws,
            Judgement::Same | Judgement::Inconclusive => false,
        };
        let speaks_for = (proven && (costs[0] - costs[1]).abs() >= *matters).then_some(lower);
        let source = (run_name.to_owned(), factor);
        Some(Need { name, unit, costs, effect, speaks_for, by: *by, source })
    })
}

/// Instants of all events that a run published to one lane's subscribers.
fn rests_on(run: &Run) -> u64 {
    instants(run.trials.iter().filter(|trial| trial.lane.to_string() == SIDES[0]))
}

/// A metric of both lanes with what may be said of it: as this run measured it, but bytes at the workload's own
/// payload size, as a sweep of sizes counted them one by one, or a run of that very size; nothing without.
fn at_size(
    run: &Run,
    metric: &Metric,
    workload: &Workload,
    sides: [Lane; 2],
    effect: Effect,
) -> Option<(Effect, [f64; 2])> {
    let both = |of: &dyn Fn(Lane) -> Option<f64>| Some([of(sides[0])?, of(sides[1])?]);
    let count: Option<sweep::Count> = match metric.name {
        "wire bytes down" => Some(|point| extract::down_on_the_wire(&point.kernel)),
        "wire bytes up" => Some(|point| extract::up_on_the_wire(&point.kernel)),
        _ => None,
    };
    if let Some([sse, ws]) =
        count.and_then(|count| both(&|lane| sweep::at(run, lane, workload.payload_bytes, count)))
    {
        return Some((Effect::counted(metric, sse / ws), [sse, ws]));
    }
    let is_of_this_size = Workload::of("", &run.scenario).payload_bytes / workload.payload_bytes;
    if count.is_some() && is_of_this_size.ln().abs() > MARGIN {
        return None;
    }
    Some((effect, both(&|lane| estimate(run, metric, lane).value.known())?))
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
    #[must_use]
    pub fn is_open(&self) -> bool {
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
