//! Exit codes: an interface that CI jobs build on (DESIGN 3.10).

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Good = 0,
    /// The measurement is invalid.
    Invalid = 97,
    /// Bad scenario or arguments.
    BadInput = 104,
    /// Interrupted; what was measured is kept.
    Interrupted = 105,
    /// Something failed while running.
    Runtime = 107,
}

/// What the user can mend: a scenario, an argument, a limit.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadInput(pub String);

impl Exit {
    /// The code of an error.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Self {
        if error.is::<BadInput>() { Self::BadInput } else { Self::Runtime }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
