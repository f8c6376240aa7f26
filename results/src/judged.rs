//! What comparing, a gate, a duet or a budget found: one list of findings, and the exit code that follows from it.
//!
//! Every command that judges builds a [`Judged`]; every output for people and for CI draws one.

mod format;
mod github;
mod json;
mod junit;
mod markdown;
mod text;
mod words;

pub use format::{JudgedFormat, render, write};
pub use words::line;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The newest form of a [`Judged`] in JSON.
pub const JUDGED_SCHEMA: u32 = 1;

/// How firm the number is that a finding rests on (METHOD M22).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Firmness {
    /// The same number each time it is counted.
    Exact,
    /// Moves with the machine.
    Noisy,
    /// Held against a bound of the user's own.
    Budget,
}

/// What is said of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Better than the reference by more than the margin.
    Better,
    /// Worse than the reference by more than the margin: a regression.
    Worse,
    /// No practical difference.
    Same,
    /// The interval is too wide to tell.
    Inconclusive,
    /// The two may not be compared; the finding's text says why.
    NotComparable,
    /// A budget that is kept.
    Kept,
    /// A budget that is crossed.
    Crossed,
    /// What a gate was to check cannot be found, or the measurement is invalid; the text says why.
    Invalid,
}

impl Verdict {
    /// Whether it fails whoever relies on it.
    #[must_use]
    pub const fn fails(self) -> bool {
        matches!(self, Self::Worse | Self::Crossed | Self::Invalid)
    }

    /// Whether it leaves the question open.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Inconclusive | Self::NotComparable)
    }

    /// As people read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Same => "no practical difference",
            Self::Inconclusive => "inconclusive",
            Self::NotComparable => "not comparable",
            Self::Kept => "kept",
            Self::Crossed => "crossed",
            Self::Invalid => "invalid",
        }
    }
}

/// One judged number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The metric's name, or the budget as written.
    pub name: String,
    /// The lane, or two of them (`sse-h1/ws-h1`), if it is of a lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// How firm it is.
    pub firmness: Firmness,
    /// The unit of both numbers.
    pub unit: String,
    /// The number of the baseline, of A, or the budget's bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<f64>,
    /// The number that is judged, of B.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The value over the reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// Both ends of the ratio's interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// What is said of it.
    pub verdict: Verdict,
    /// A sentence that says why, with its numbers.
    pub text: String,
}

/// All that one invocation judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Judged {
    /// [`JUDGED_SCHEMA`] when it was written.
    pub schema: u32,
    /// `compare`, `gate`, `duet` or `budgets`.
    pub command: String,
    /// What was judged against what, in a line.
    pub subject: String,
    /// Every number that was judged, in the order of the metrics.
    pub findings: Vec<Finding>,
    /// What else a reader has to know: confidence, sessions, what was not compared.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl Judged {
    /// Findings with this verdict.
    pub fn with(&self, verdict: Verdict) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.verdict == verdict)
    }
}

#[cfg(test)]
mod tests;
