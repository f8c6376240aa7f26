//! What a run has to say of what broke: the trials of one case on one lane, taken together over the repetitions.
//!
//! Tables, charts and claims all read these rows, so that none of them can pool by a rule of its own.

use std::collections::BTreeMap;

use scenarios::Lane;
use scenarios::outage::{Fault, Hint, Policy};

use crate::latency::LatencyHistogram;
use crate::run::outage::Losses;
use crate::run::{Outage, Run};
use crate::stats::median;
use crate::summary::lanes;
use crate::value::number;

mod cases;
mod columns;
mod doubts;
mod said;

pub use cases::{Case, Naming, cases, chosen};
pub use columns::{COLUMNS, Column, Table, tables};
pub use doubts::doubts;
pub use said::{by_class, checked, said, spread_of};

/// One case on one lane, over all repetitions.
#[derive(Clone)]
pub struct Row<'a> {
    /// The lane.
    pub lane: Lane,
    /// What broke.
    pub fault: Fault,
    /// How clients come back, as written.
    pub policy: Policy,
    /// The same on this lane.
    pub own_policy: Policy,
    /// What the server told of the reconnection time.
    pub hint: Hint,
    /// Events that the server kept.
    pub window: u64,
    /// The repetitions.
    pub outages: Vec<&'a Outage>,
}

/// Which of the two tables a policy belongs to (METHOD M26).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// What clients of a transport do by themselves, or by their usual library.
    Native,
    /// The same on every lane: what the protocol costs.
    Same,
}

impl Class {
    /// Both, in the order of the tables.
    pub const ALL: [Self; 2] = [Self::Native, Self::Same];

    /// The words of the tables.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Native => "native policy",
            Self::Same => "same policy",
        }
    }
}

/// All cases of all lanes: by case as the scenario lists them, then by lane.
#[must_use]
pub fn rows(run: &Run) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for outage in &run.outages {
        match rows.iter_mut().find(|row| row.holds(outage)) {
            Some(row) => row.outages.push(outage),
            None => rows.push(Row::new(outage)),
        }
    }
    let lanes = lanes(run);
    rows.sort_by_key(|row| (row.place(run), lanes.iter().position(|lane| *lane == row.lane)));
    rows.iter_mut().for_each(|row| row.outages.sort_by_key(|outage| outage.repetition));
    rows
}

impl<'a> Row<'a> {
    fn new(outage: &'a Outage) -> Self {
        let Outage { lane, fault, policy, own_policy, hint, window, .. } = *outage;
        Self { lane, fault, policy, own_policy, hint, window, outages: vec![outage] }
    }

    fn holds(&self, outage: &Outage) -> bool {
        let own = (self.lane, self.fault, self.policy, self.hint, self.window);
        own == (outage.lane, outage.fault, outage.policy, outage.hint, outage.window)
    }

    /// Places of fault, policy and hint in the scenario, and the window.
    fn place(&self, run: &Run) -> ([usize; 3], u64) {
        let Some(outage) = &run.scenario.outage else { return ([0; 3], self.window) };
        let fault = outage.faults.iter().position(|one| *one == self.fault);
        let policy = outage.policies.iter().position(|one| *one == self.policy);
        let hint = outage.hints.iter().position(|one| *one == self.hint);
        ([fault, policy, hint].map(|place| place.unwrap_or(usize::MAX)), self.window)
    }

    /// Which table it stands in.
    #[must_use]
    pub fn class(&self) -> Class {
        if self.policy.is_native() { Class::Native } else { Class::Same }
    }

    /// What its clients were told of the reconnection time; nothing where they do not heed it.
    #[must_use]
    pub fn heeded(&self) -> Option<Hint> {
        self.own_policy.heeds_hints().then_some(self.hint)
    }

    /// A count over all repetitions.
    #[must_use]
    pub fn sum(&self, of: fn(&Outage) -> u64) -> u64 {
        self.outages.iter().map(|outage| of(outage)).sum()
    }

    /// Clients who never had all events again: those who gave up, and those who were still to come back.
    #[must_use]
    pub fn away(&self) -> u64 {
        self.sum(|outage| outage.still_away + outage.gave_up.values().sum::<u64>())
    }

    /// One count over another, of all repetitions.
    #[must_use]
    pub fn per(&self, count: fn(&Outage) -> u64, whole: fn(&Outage) -> u64) -> Option<f64> {
        let whole = self.sum(whole);
        (whole > 0).then(|| self.sum(count) as f64 / whole as f64)
    }

    /// Times without events, all recoveries.
    #[must_use]
    pub fn unavailable(&self) -> LatencyHistogram {
        let mut all = LatencyHistogram::default();
        self.outages.iter().for_each(|outage| all.merge(&outage.unavailable));
        all
    }

    /// From the beginning of the attempt that opened a stream again to the first event on it.
    #[must_use]
    pub fn first_event(&self) -> LatencyHistogram {
        let mut all = LatencyHistogram::default();
        self.outages.iter().for_each(|outage| all.merge(&outage.to_first_event));
        all
    }

    /// A quantile of the times without events, ms.
    #[must_use]
    pub fn unavailable_ms(&self, q: f64) -> Option<f64> {
        self.unavailable().quantile(q).map(millis)
    }

    /// The mean of each of the five parts, ms: detect, back off, connect, first event, catch up.
    #[must_use]
    pub fn parts_ms(&self) -> Option<[f64; 5]> {
        let recovered = self.sum(|outage| outage.recovered);
        let part = |at: usize| self.outages.iter().map(|outage| outage.parts.sums_ns[at]).sum::<u64>();
        let mean = |at| part(at) as f64 / recovered as f64 / 1e6;
        (recovered > 0).then(|| [0, 1, 2, 3, 4].map(mean))
    }

    /// The mean time without events, ms: the sum of the five parts.
    #[must_use]
    pub fn mean_ms(&self) -> Option<f64> {
        self.parts_ms().map(|parts| parts.iter().sum())
    }

    /// Lost events by cause.
    #[must_use]
    pub fn lost(&self) -> Losses {
        self.outages.iter().map(|outage| outage.lost).fold(Losses::default(), |all, one| Losses {
            out_of_window: all.out_of_window + one.out_of_window,
            began_anew: all.began_anew + one.began_anew,
            gave_up: all.gave_up + one.gave_up,
            still_away: all.still_away + one.still_away,
            unexplained: all.unexplained + one.unexplained,
        })
    }

    /// Counts by a word, over all repetitions.
    #[must_use]
    pub fn counts(&self, of: fn(&Outage) -> &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (word, count) in self.outages.iter().flat_map(|outage| of(outage)) {
            *all.entry(word.clone()).or_default() += count;
        }
        all
    }

    /// A curve over time since the fault: the sum of all repetitions.
    #[must_use]
    pub fn curve(&self, of: fn(&Outage) -> &Vec<u64>) -> Vec<u64> {
        let mut all: Vec<u64> = Vec::new();
        for curve in self.outages.iter().map(|outage| of(outage)) {
            all.resize(all.len().max(curve.len()), 0);
            all.iter_mut().zip(curve).for_each(|(sum, one)| *sum += one);
        }
        all
    }

    /// The most streams that were opened within a slice of 100 ms, in any repetition.
    #[must_use]
    pub fn peak(&self) -> Option<u64> {
        self.outages.iter().filter_map(|outage| outage.opened.iter().max().copied()).max()
    }

    /// Distance of the 5th from the 95th percentile of first attempts, s: the median of the repetitions.
    #[must_use]
    pub fn spread_s(&self, of: fn(&Outage) -> Option<u64>) -> Option<f64> {
        let spreads = self.outages.iter().filter_map(|outage| of(outage)).map(|nanos| nanos as f64 / 1e9);
        median(&spreads.collect::<Vec<_>>())
    }

    /// From the first attempt of all to the last client that has all events again, s: the median of the repetitions.
    #[must_use]
    pub fn back_s(&self) -> Option<f64> {
        self.spread_s(|outage| outage.back_ns)
    }

    /// CPU of the server in a repetition, ms, from the first reading on; nothing where it was not read.
    #[must_use]
    pub fn server_cpu_ms(&self) -> Option<f64> {
        let read: Vec<&&Outage> = self.outages.iter().filter(|outage| outage.server.len() > 1).collect();
        let cpu: u64 = read.iter().flat_map(|outage| &outage.server[1..]).map(|tick| tick.cpu_ns).sum();
        (!read.is_empty()).then(|| cpu as f64 / read.len() as f64 / 1e6)
    }

    /// The most resident memory of the server, MiB.
    #[must_use]
    pub fn peak_rss_mib(&self) -> Option<f64> {
        let ticks = self.outages.iter().flat_map(|outage| &outage.server);
        ticks.map(|tick| tick.rss_bytes).max().map(|bytes| bytes as f64 / f64::from(1 << 20))
    }
}

fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

/// `2 close 1001, 1 silence`; a dash where there is nothing.
#[must_use]
pub fn counted(counts: &BTreeMap<String, u64>) -> String {
    let held = counts.iter().filter(|(_, count)| **count > 0);
    let said: Vec<String> = held.map(|(word, count)| format!("{} {word}", number(*count as f64))).collect();
    if said.is_empty() { "-".to_owned() } else { said.join(", ") }
}

/// Lost events by cause, the causes in words.
#[must_use]
pub fn causes(lost: &Losses) -> BTreeMap<String, u64> {
    let named = [
        ("out of the window", lost.out_of_window),
        ("began anew", lost.began_anew),
        ("gave up", lost.gave_up),
        ("still away", lost.still_away),
        ("unexplained", lost.unexplained),
    ];
    named.into_iter().map(|(word, count)| (word.to_owned(), count)).collect()
}

#[cfg(test)]
mod tests;
