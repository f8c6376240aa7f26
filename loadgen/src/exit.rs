//! Exit codes: an interface that CI jobs build on (DESIGN 3.10).

use std::process::ExitCode;

use results::judged::{Judged, Verdict};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Good = 0,
    /// The measurement is invalid.
    Invalid = 97,
    /// Worse than what it was compared with.
    Regression = 98,
    /// A budget is crossed.
    Crossed = 99,
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

    /// The code of what was judged: invalid before worse before crossed; what is inconclusive fails nobody.
    #[must_use]
    pub fn of_judged(judged: &Judged) -> Self {
        let firsts = [
            (Verdict::Invalid, Self::Invalid),
            (Verdict::Worse, Self::Regression),
            (Verdict::Crossed, Self::Crossed),
        ];
        let first = firsts.into_iter().find(|(verdict, _)| judged.with(*verdict).next().is_some());
        first.map_or(Self::Good, |(_, exit)| exit)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use results::judged::{Finding, Firmness, JUDGED_SCHEMA};

    #[test]
    fn the_gravest_finding_is_the_exit_code() {
        let finding = |verdict| Finding {
            name: "bytes".into(),
            lane: None,
            firmness: Firmness::Exact,
            unit: "B".into(),
            reference: None,
            value: None,
            ratio: None,
            interval: None,
            verdict,
            text: String::new(),
        };
        let exit = |verdicts: &[Verdict]| {
            let findings = verdicts.iter().map(|verdict| finding(*verdict)).collect();
            let (command, subject) = ("gate".to_owned(), String::new());
            Exit::of_judged(&Judged { schema: JUDGED_SCHEMA, command, subject, findings, notes: Vec::new() })
        };
        use Verdict as V;
        assert_eq!(exit(&[V::Same, V::Better, V::Inconclusive, V::NotComparable, V::Kept]), Exit::Good);
        assert_eq!(exit(&[V::Same, V::Crossed]), Exit::Crossed);
        assert_eq!(exit(&[V::Crossed, V::Worse]), Exit::Regression);
        assert_eq!(exit(&[V::Crossed, V::Worse, V::Invalid]), Exit::Invalid);
    }
}
