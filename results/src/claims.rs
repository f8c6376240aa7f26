//! The common claims about Server-Sent Events and WebSocket, each judged from one run.
//!
//! A verdict belongs to a proposition that this harness can measure, which stands beside the claim as
//! people say it. It rests on the same effects as the tables (margin, intervals, Holm, stress): no
//! claim is better founded than the numbers that are printed, and what a run lacks is not judged.

mod endings;
mod evidence;
mod judges;
mod reconnecting;
mod table;
mod two_way;

use crate::run::Run;
use crate::summary::{Standing, standing};
pub use endings::counted;
use evidence::Evidence;
pub use table::ALL;

/// What a run says about a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every deciding metric speaks for it.
    Supported,
    /// Every deciding metric speaks against it.
    Refuted,
    /// Some speak for it and some against; on what it depends.
    Depends(String),
    /// Measured, but an interval is too wide to tell; which metrics leave it open.
    Inconclusive(String),
    /// The run has no evidence, or not all that is needed.
    NotMeasured,
}

/// One claim.
pub struct Claim {
    /// Its number, from 1.
    pub number: u8,
    /// As people say it.
    pub said: &'static str,
    /// The sentence that the verdict belongs to; empty while there is no experiment for it.
    pub proposition: &'static str,
    /// What must be run to judge it.
    pub experiment: &'static str,
    /// The metrics whose numbers stand beside the verdict, SSE against WebSocket; those that decide, where metrics
    /// do.
    pub metrics: &'static [&'static str],
    /// The charts that show it.
    pub charts: &'static [&'static str],
    /// What the verdict does not cover.
    pub limits: &'static str,
    judge: fn(&Claim, &Evidence<'_>) -> Finding,
}

/// A verdict and the sentence with its numbers.
type Finding = (Verdict, String);

/// One claim with what the run says about it.
pub struct Judged {
    /// The claim.
    pub claim: &'static Claim,
    /// The verdict.
    pub verdict: Verdict,
    /// The numbers behind it, with units and 95 % intervals; or what was missing, if that is known.
    pub finding: String,
}

impl Verdict {
    /// One word or two.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Refuted => "refuted",
            Self::Depends(_) => "depends",
            Self::Inconclusive(_) => "inconclusive",
            Self::NotMeasured => "not measured",
        }
    }
}

impl Judged {
    /// Whether there is evidence at all.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        self.verdict != Verdict::NotMeasured
    }

    /// On what it depends or what leaves it open, and the numbers.
    #[must_use]
    pub fn reason(&self) -> String {
        match &self.verdict {
            Verdict::Depends(on) => format!("It depends on {on}. {}", self.finding),
            Verdict::Inconclusive(open) => format!("Left open by {open}. {}", self.finding),
            Verdict::Supported | Verdict::Refuted | Verdict::NotMeasured => self.finding.clone(),
        }
    }

    /// Number, verdict, proposition and reason in a line.
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "{}, {}: {} {}",
            self.claim.number,
            self.verdict.word(),
            self.claim.proposition,
            self.reason()
        )
    }
}

/// Claims about streams that begin with a request of their own and end; all others are about what is published to
/// all, on connections that are open.
const OF_OWN_STREAMS: [u8; 1] = [12];
const OWN_STREAMS: &str =
    "Every subscriber of this run had a stream of its own, and its figures include the openings.";

/// Claims about connections that drop; in such a run nothing else is measured.
const OF_OUTAGES: [u8; 3] = [13, 14, 15];
const OUTAGES: &str = "Connections of this run were broken on purpose, and nothing else was measured.";

/// All claims in their order, judged from this run alone. An invalid run judges none.
#[must_use]
pub fn judge(run: &Run) -> Vec<Judged> {
    let evidence = (standing(run) != Standing::Invalid).then(|| Evidence::new(run));
    let one = |claim: &'static Claim| {
        let (verdict, finding) = match &evidence {
            Some(_) if run.scenario.session.is_some() && !OF_OWN_STREAMS.contains(&claim.number) => {
                (Verdict::NotMeasured, OWN_STREAMS.to_owned())
            }
            Some(_) if run.scenario.outage.is_some() && !OF_OUTAGES.contains(&claim.number) => {
                (Verdict::NotMeasured, OUTAGES.to_owned())
            }
            Some(evidence) => (claim.judge)(claim, evidence),
            None => (Verdict::NotMeasured, "The run is invalid, so nothing is judged from it.".to_owned()),
        };
        Judged { claim, verdict, finding }
    };
    ALL.iter().map(one).collect()
}

/// The claims that got a verdict, a line each.
#[must_use]
pub fn lines(run: &Run) -> Vec<String> {
    judge(run).iter().filter(|judged| judged.is_measured()).map(Judged::line).collect()
}

#[cfg(test)]
mod tests;
