//! What can break, and when.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::defaults;
use crate::quantity::Span;

/// Something that breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// When, from time zero.
    #[serde(default = "defaults::at")]
    pub at: Span,
    /// It comes at a moment drawn from this span behind `at`.
    #[serde(default)]
    pub within: Span,
    /// How long it lasts; of churn, how long a client stays away on average.
    #[serde(default)]
    pub down: Span,
    /// Of churn: how long a client stays on average.
    #[serde(default)]
    pub every: Span,
}

/// What can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The server ends every stream in good order: the end of the body, or a close frame. With `down` it ends too, and
    /// a new one listens when that time is over.
    Drain,
    /// The server is killed, and a new one listens after `down`.
    Kill,
    /// The server resets every connection, and lives on.
    Reset,
    /// Every connection passes nothing any more, in either direction, and nothing tells so. New ones are not affected.
    Blackhole,
    /// The server stands still for `down`.
    Stop,
    /// Every stream ends in good order, and for `down` requests are answered with 503.
    Unavailable,
    /// The same with 204, which tells an event stream not to come back.
    NoContent,
    /// A middlebox between the ends forgets connections that were silent for `idle_timeout`; nothing is published for
    /// `down`.
    Idle,
    /// Of two servers one drains, is away for `down` and comes back, then the other.
    Rolling,
    /// Clients leave and come back.
    Churn,
}

/// Whether a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// It is over at once.
    No,
    /// It may last.
    May,
    /// It lasts.
    Must,
}

/// Words of the kinds, as written, and whether they last.
const KINDS: [(FaultKind, &str, Lasting); 10] = [
    (FaultKind::Drain, "drain", Lasting::May),
    (FaultKind::Kill, "kill", Lasting::May),
    (FaultKind::Reset, "reset", Lasting::No),
    (FaultKind::Blackhole, "blackhole", Lasting::No),
    (FaultKind::Stop, "stop", Lasting::Must),
    (FaultKind::Unavailable, "unavailable", Lasting::Must),
    (FaultKind::NoContent, "no-content", Lasting::Must),
    (FaultKind::Idle, "idle", Lasting::Must),
    (FaultKind::Rolling, "rolling", Lasting::Must),
    (FaultKind::Churn, "churn", Lasting::Must),
];

impl FaultKind {
    fn row(self) -> (&'static str, Lasting) {
        let row = KINDS.iter().find(|(kind, ..)| *kind == self).expect("every kind has its row");
        (row.1, row.2)
    }

    /// Its word in a scenario.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.row().0
    }

    /// Whether it lasts.
    #[must_use]
    pub fn lasting(self) -> Lasting {
        self.row().1
    }

    /// Whether what is lost in it is lost by its meaning: clients are told not to come back, or stay away.
    #[must_use]
    pub const fn means_loss(self) -> bool {
        matches!(self, Self::NoContent)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.kind.word())?;
        if self.kind == FaultKind::Churn {
            return write!(out, " every {}, away {}", self.every, self.down);
        }
        if self.down == Span::default() { Ok(()) } else { write!(out, " for {}", self.down) }
    }
}
