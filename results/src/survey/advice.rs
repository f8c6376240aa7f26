//! What to choose for a workload: every need with what either transport costs there, judged by the run
//! that is nearest to it, and how sure that is.
//!
//! A need speaks for a transport only if the difference is proven (margin, interval, Holm: as in every
//! table) and large enough to matter at this workload's size. Both thresholds are stated, and a choice
//! that neither number carries is called a matter of convenience.

use super::needs::{By, FAR, Kind, Need, SIDES, Side, kinds, needs};
use super::{Survey, Workload};
use crate::summary::{Standing, standing};
use crate::value::number;

/// A choice whose deciding ratios all stay below this is a narrow one.
const NARROW: f64 = 1.25;

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

/// Judges every need of a workload.
#[must_use]
pub fn advise(survey: &Survey, workload: &Workload) -> Advice {
    let needs = needs(survey, workload);
    let speaks = |side| needs.iter().any(|need| need.speaks_for == Some(side));
    // What pushing costs is no answer for a workload whose other half nothing measured.
    let is_unknown = needs.is_empty() || unheard(workload, &needs);
    let choice = match (is_unknown, speaks(Side::Sse), speaks(Side::Ws)) {
        (true, ..) => Choice::Unknown,
        (_, true, true) => Choice::Trade,
        (_, true, false) => Choice::Take(Side::Sse),
        (_, false, true) => Choice::Take(Side::Ws),
        (_, false, false) if needs.iter().any(Need::is_open) => Choice::Open,
        (_, false, false) => Choice::Either,
    };
    let doubts = doubts(survey, workload, &needs);
    let known = needs.iter().filter(|need| !need.is_open()).count();
    let far = needs.iter().any(|need| need.source.1 > FAR);
    let sure = match (doubts.is_empty(), is_unknown || far || 2 * known < kinds(survey, workload).count()) {
        (true, _) => Certainty::Sure,
        (false, false) => Certainty::Fairly,
        (false, true) => Certainty::Unsure,
    };
    Advice { workload: workload.clone(), choice, sure, doubts, needs }
}

/// Whether it sends messages, and no run tells what they cost.
fn unheard(workload: &Workload, needs: &[Need]) -> bool {
    workload.messages() > 0.0 && !needs.iter().any(|need| need.by == By::Messages)
}

fn doubts(survey: &Survey, workload: &Workload, needs: &[Need]) -> Vec<String> {
    let mut doubts = Vec::new();
    if unheard(workload, needs) {
        doubts.push(format!(
            "readers send {} messages a second, and no valid run tells what messages cost",
            number(workload.messages())
        ));
    }
    if needs.is_empty() {
        doubts.push(format!("no valid run of {} and {} is there", SIDES[0], SIDES[1]));
    }
    let far: Vec<&Need> = needs.iter().filter(|need| need.source.1 > FAR).collect();
    if let Some(need) = far.first() {
        doubts.push(format!(
            "the nearest run, {}, differs from this workload by a factor of {} in {}",
            need.source.0,
            number(need.source.1),
            if need.by == By::Messages { "messages a second" } else { "rate, payload or readers" }
        ));
    }
    let missing: Vec<&str> = kinds(survey, workload)
        .map(Kind::name)
        .filter(|name| !needs.iter().any(|need| need.name == *name))
        .collect();
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
            Choice::Either => format!(
                "Either will do: no difference that was measured matters at this size. By convenience, not by measurement, \
                 that speaks for {}.",
                match self.workload.messages() > 0.0 {
                    true => "WebSocket: one connection carries both ways",
                    false => "Server-Sent Events where nothing is sent upward: it is a plain response",
                }
            ),
            Choice::Open => {
                let open: Vec<&str> =
                    self.needs.iter().filter(|need| need.is_open()).map(|need| need.name).collect();
                format!(
                    "These runs cannot tell: nothing that was proven matters at this size, and left open were {}.",
                    open.join(", ")
                )
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
