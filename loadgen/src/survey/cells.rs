//! The runs of a survey: a row each.

use std::fmt;

/// How much a survey measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// About two minutes: bytes and connections.
    Quick,
    /// About fifteen minutes: what the claims and a decision need.
    Default,
    /// Everything.
    Full,
}

impl fmt::Display for Depth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quick => "quick",
            Self::Default => "default",
            Self::Full => "full",
        })
    }
}

/// One run of a survey.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// Its name and folder.
    pub name: &'static str,
    /// What it is for, in a line.
    pub about: &'static str,
    /// The scenario it is made from.
    pub scenario: &'static str,
    /// The fields that differ.
    pub set: &'static [(&'static str, &'static str)],
    /// Which surveys hold it.
    pub depths: &'static [Depth],
}

/// Every run, in the order in which they are measured: what decides most comes first.
pub const CELLS: &[Cell] = &[
    Cell {
        name: "bytes",
        about: "bytes at every payload size, handshakes and joining",
        scenario: "ticker",
        set: &[
            ("subscribers", "500"),
            ("duration", "\"1200ms\""),
            ("repetitions", "2"),
            ("warmup", "0"),
            ("memory", "[]"),
            ("share", "{}"),
        ],
        depths: &[Depth::Quick],
    },
    Cell {
        name: "ticker",
        about: "small quotes to many, on the lanes one chooses between",
        scenario: "ticker",
        set: &[("repetitions", "4")],
        depths: &[Depth::Default, Depth::Full],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_can_be_planned_and_names_are_unique() {
        for (at, cell) in CELLS.iter().enumerate() {
            assert!(CELLS[..at].iter().all(|other| other.name != cell.name), "{}", cell.name);
            assert!(!cell.plan().unwrap().lanes().is_empty() && !cell.depths.is_empty(), "{}", cell.name);
        }
    }
}
