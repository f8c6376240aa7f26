//! The exact account of one subscriber: which events came, twice, late, or never, counted among those
//! that are addressed to it.
//!
//! Pure and small on purpose: it is touched once a delivery, holds 32 bytes a subscriber, and
//! allocates only when something is missing (METHOD M7).

use std::ops::Range;

/// What an arriving sequence number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// The next one, or one after a gap.
    First,
    /// It had been missing: a later one came before it.
    Reordered,
    /// It had come before.
    Duplicate,
}

/// The account of one subscriber.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    next: u64,
    missing: Vec<Range<u64>>,
}

impl Ledger {
    /// An account of the events from `first` on.
    #[must_use]
    pub const fn starting_at(first: u64) -> Self {
        Self { next: first, missing: Vec::new() }
    }

    /// The event after the latest that came.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Enters an arrival.
    pub fn arrive(&mut self, seq: u64) -> Arrived {
        if seq >= self.next {
            if seq > self.next {
                self.missing.push(self.next..seq);
            }
            self.next = seq + 1;
            return Arrived::First;
        }
        match self.missing.iter().position(|gap| gap.contains(&seq)) {
            None => Arrived::Duplicate,
            Some(index) => {
                let gap = self.missing.swap_remove(index);
                self.missing
                    .extend([gap.start..seq, seq + 1..gap.end].into_iter().filter(|part| !part.is_empty()));
                Arrived::Reordered
            }
        }
    }

    /// The ranges below `end` that never came, in order.
    #[must_use]
    pub fn lost(&self, end: u64) -> Vec<Range<u64>> {
        let mut lost: Vec<Range<u64>> = self
            .missing
            .iter()
            .map(|gap| gap.start..gap.end.min(end))
            .filter(|gap| !gap.is_empty())
            .collect();
        if self.next < end {
            lost.push(self.next..end);
        }
        lost.sort_by_key(|gap| gap.start);
        lost
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use proptest::prelude::*;

    fn ranges(seqs: impl IntoIterator<Item = Range<u64>>) -> Vec<u64> {
        seqs.into_iter().flatten().collect()
    }

    fn account(arrivals: &[u64]) -> (Vec<Arrived>, Ledger) {
        let mut ledger = Ledger::starting_at(10);
        (arrivals.iter().map(|seq| ledger.arrive(*seq)).collect(), ledger)
    }

    #[test]
    fn one_lost_is_one_lost() {
        let (arrived, ledger) = account(&[10, 12, 13]);
        assert_eq!(arrived, [Arrived::First; 3]);
        assert_eq!(ranges(ledger.lost(14)), [11]);
    }

    #[test]
    fn one_duplicated_is_one_duplicate() {
        let (arrived, ledger) = account(&[10, 11, 11, 12]);
        assert_eq!(arrived, [Arrived::First, Arrived::First, Arrived::Duplicate, Arrived::First]);
        assert!(ledger.lost(13).is_empty());
    }

    #[test]
    fn one_swapped_is_one_reordered() {
        let (arrived, ledger) = account(&[10, 12, 11, 13]);
        assert_eq!(arrived, [Arrived::First, Arrived::First, Arrived::Reordered, Arrived::First]);
        assert!(ledger.lost(14).is_empty());
    }

    #[test]
    fn what_never_came_at_the_end_is_lost_too() {
        let (_, ledger) = account(&[10, 11]);
        assert_eq!(ranges(ledger.lost(20)), (12..20).collect::<Vec<_>>());
        assert!(ledger.lost(12).is_empty());
    }

    proptest! {
        /// Against the plain definition with sets: every expected event is delivered or lost.
        #[test]
        fn it_closes_for_any_arrivals(arrivals in proptest::collection::vec(10u64..40, 0..60)) {
            let (arrived, ledger) = account(&arrivals);
            let distinct: HashSet<u64> = arrivals.iter().copied().collect();
            let duplicates = arrived.iter().filter(|what| **what == Arrived::Duplicate).count();
            prop_assert_eq!(duplicates, arrivals.len() - distinct.len());
            let lost = ranges(ledger.lost(40));
            let never: Vec<u64> = (10..40).filter(|seq| !distinct.contains(seq)).collect();
            prop_assert_eq!(lost, never);
        }
    }
}
