//! The books when all is over: what each client lost and why, and its recoveries by their parts and by its log.

use std::ops::Range;

use results::LatencyHistogram;
use results::run::outage::{Losses, TICK_NS};
use sha2::{Digest as _, Sha256};

use super::super::curves::slice;
use super::{Account, Client};
use crate::contract::Endured;

/// The difference that is told of a recovery which the log does not know: thirteen days, and a count that a file may have.
const UNKNOWN_NS: u64 = 1 << 50;

impl Account {
    /// What came of the events below `end_seq`, and of every loss.
    pub(super) fn into_endured(mut self, end_seq: u64) -> Endured {
        let Some(expected) = self.expected.take() else { return self.endured };
        self.endured.sockets = self.sockets.take();
        let start = self.start;
        let events = end_seq - expected.first_seq();
        for client in &self.clients {
            let lost = client.ledger.lost(end_seq);
            let missing: u64 = lost.iter().map(|gap| gap.end - gap.start).sum();
            self.endured.ledger.expected += events;
            self.endured.ledger.lost += missing;
            lost.iter().for_each(|gap| client.explain(gap.clone(), &mut self.endured.lost));
            self.endured.still_away += u64::from(client.episode.is_some() && !client.gone);
            let up = client.caught_up.filter(|_| client.episode.is_none());
            self.endured.caught_up.extend(up.map(|at| at.nanos_since(start)));
            for episode in &client.recovered {
                self.endured.recovered += 1;
                let parts = episode.parts_ns();
                self.endured.parts.record(parts);
                let without_ns = client.log.without_ns(episode.known, &expected);
                without_ns.into_iter().for_each(|ns| self.endured.unavailable.record(ns));
                // A recovery that the log does not know of is a fault of the books.
                let differ = without_ns.map_or(UNKNOWN_NS, |ns| ns.abs_diff(parts.iter().sum()));
                self.endured.parts_differ_by_ns = self.endured.parts_differ_by_ns.max(differ);
            }
        }
        let lost_any = self.clients.first().is_none_or(|first| !first.ledger.lost(end_seq).is_empty());
        let hex = |hash: Sha256| hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        self.endured.received_sha256 = self.witness.filter(|_| !lost_any).map(hex);
        self.endured.timeline =
            (0..).zip(self.ticks).map(|(tick, late)| slice(tick * TICK_NS, late)).collect();
        self.endured
    }
}

impl Client {
    /// Counts lost events by why they are.
    fn explain(&self, gap: Range<u64>, lost: &mut Losses) {
        for seq in gap {
            let holds = |ranges: &[Range<u64>]| ranges.iter().any(|range| range.contains(&seq));
            let is_behind = seq >= self.log.next();
            *match () {
                () if holds(&self.gaps) => &mut lost.out_of_window,
                () if holds(&self.anew) => &mut lost.began_anew,
                () if is_behind && self.gone => &mut lost.gave_up,
                () if is_behind && self.episode.is_some() => &mut lost.still_away,
                () => &mut lost.unexplained,
            } += 1;
        }
    }
}

/// Adds to a histogram of each part.
trait Record {
    fn record(&mut self, parts_ns: [u64; 5]);
}

impl Record for results::run::outage::Parts {
    fn record(&mut self, parts_ns: [u64; 5]) {
        let Self { detect, back_off, connect, first_event, catch_up, sums_ns } = self;
        let all: [&mut LatencyHistogram; 5] = [detect, back_off, connect, first_event, catch_up];
        for ((histogram, sum), part_ns) in all.into_iter().zip(sums_ns).zip(parts_ns) {
            histogram.record(part_ns);
            *sum += part_ns;
        }
    }
}
