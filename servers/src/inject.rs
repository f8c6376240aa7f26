//! Faults on purpose, by which the gate proves that it finds them: a server that is fatter, lossier or chattier.

use std::fmt;
use std::str::FromStr;

use scenarios::Scenario;
use serde::{Deserialize, Serialize};

/// What a server does wrong, as told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Inject {
    /// So many bytes more in the name of each event.
    Bytes(u64),
    /// So many events are lost, to all who are to get them.
    Drop(u64),
    /// So many segments more for each write.
    Segment(u64),
}

/// The first event that is lost: others, by which a lane warms up, stand before it.
const FIRST_DROPPED: u64 = 22;

/// A word, what it makes, and the most of it.
type Kind = (&'static str, fn(u64) -> Inject, u64);

const KINDS: [Kind; 3] =
    [("bytes", Inject::Bytes, 32), ("drop", Inject::Drop, 10), ("segment", Inject::Segment, 10)];

impl Inject {
    /// The scenario that both ends of the lane then have.
    #[must_use]
    pub fn fatten(self, scenario: &Scenario) -> Scenario {
        let more = if let Self::Bytes(more) = self { more } else { 0 };
        let more = "x".repeat(usize::try_from(more).expect("it is small"));
        Scenario { event: format!("{}{more}", scenario.event), ..scenario.clone() }
    }

    /// Whether an event is lost.
    #[must_use]
    pub fn drops(self, seq: u64) -> bool {
        matches!(self, Self::Drop(events) if (FIRST_DROPPED..FIRST_DROPPED + events).contains(&seq))
    }

    /// Bytes that leave apart, before each write.
    #[must_use]
    pub const fn apart(self) -> u64 {
        if let Self::Segment(more) = self { more } else { 0 }
    }
}

impl FromStr for Inject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = text.split_once('=').and_then(|(word, number)| {
            let (_, make, most) = KINDS.iter().find(|(kind, ..)| *kind == word)?;
            let number: u64 = number.parse().ok()?;
            (1..=*most).contains(&number).then(|| make(number))
        });
        let forms = || KINDS.map(|(word, _, most)| format!("{word}=1 (to {most})")).join(", ");
        read.ok_or_else(|| format!("`{text}` is nothing to inject; write {}", forms()))
    }
}

impl fmt::Display for Inject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, number) = match self {
            Self::Bytes(number) => ("bytes", number),
            Self::Drop(number) => ("drop", number),
            Self::Segment(number) => ("segment", number),
        };
        write!(out, "{word}={number}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_it_is_written() {
        for inject in [Inject::Bytes(1), Inject::Drop(1), Inject::Segment(2)] {
            assert_eq!(inject.to_string().parse(), Ok(inject));
        }
        for wrong in ["bytes", "bytes=0", "bytes=33", "drop=-1", "cpu=1", "segment=x"] {
            assert!(wrong.parse::<Inject>().unwrap_err().contains("drop=1"), "{wrong}");
        }
    }
}
