//! What of a duet is the same however often it is counted: deliveries by what became of them, and bytes. One lost event or
//! one more byte is a finding at once, without a second session.

use super::{Counts, Part, Session};
use crate::run::Ledger;
use crate::stats::Judgement;

/// One exact number of both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Exact {
    /// Its name.
    pub name: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// A's and B's.
    pub values: [f64; 2],
    /// What may be said; inconclusive where the two cannot be compared.
    pub judgement: Judgement,
    /// Why, with its numbers.
    pub text: String,
}

type Column = (&'static str, fn(&Ledger) -> u64);

/// What a ledger counts that ought not to be. The first is told even when there is none.
const FAULTS: [Column; 4] = [
    ("lost", |ledger| ledger.lost),
    ("duplicated", |ledger| ledger.duplicated),
    ("reordered", |ledger| ledger.reordered),
    ("corrupted", |ledger| ledger.corrupted),
];

/// The exact numbers of one lane.
#[must_use]
pub fn exact(part: &Part) -> Vec<Exact> {
    let [a, b] = part.counts;
    let fault = |(index, (name, of)): (usize, &Column)| {
        let counts = [of(&a.ledger), of(&b.ledger)];
        let expected = [a.ledger.expected, b.ledger.expected];
        (index == 0 || counts != [0, 0]).then(|| Exact {
            name,
            unit: "deliveries",
            values: counts.map(|count| count as f64),
            judgement: compare(counts[0], counts[1]),
            text: format!("{name}: A {} of {}, B {} of {}", counts[0], expected[0], counts[1], expected[1]),
        })
    };
    FAULTS.iter().enumerate().filter_map(fault).chain(bytes(part)).collect()
}

/// Whether a session has an exact number that got worse.
#[must_use]
pub fn is_regression(session: &Session) -> bool {
    session.lanes.iter().flat_map(exact).any(|one| one.judgement == Judgement::Worse)
}

fn compare(a: u64, b: u64) -> Judgement {
    match b.cmp(&a) {
        std::cmp::Ordering::Less => Judgement::Better,
        std::cmp::Ordering::Equal => Judgement::Same,
        std::cmp::Ordering::Greater => Judgement::Worse,
    }
}

/// Bytes per event: both sides sent the same events, so where all of them came the sums are the same to the byte.
fn bytes(part: &Part) -> Option<Exact> {
    let [a, b] = part.counts;
    let came = |counts: &Counts| counts.ledger.delivered + counts.ledger.duplicated;
    if part.lane.transport.polls() || a.bytes == 0 || b.bytes == 0 {
        return None;
    }
    let each = [a, b].map(|counts| counts.bytes as f64 / came(&counts).max(1) as f64);
    let whole = came(&a) == came(&b) && [a, b].iter().all(|counts| came(counts) == counts.ledger.expected);
    let (judgement, why) = if whole {
        let more = i128::from(b.bytes) - i128::from(a.bytes);
        (compare(a.bytes, b.bytes), format!("B sent {more:+} bytes over {} deliveries", came(&a)))
    } else {
        (Judgement::Inconclusive, "not compared: not every event came, and events differ in size".to_owned())
    };
    let text = format!("bytes per event: A {:.3}, B {:.3}; {why}", each[0], each[1]);
    Some(Exact { name: "bytes per event", unit: "B", values: each, judgement, text })
}
