//! Cases beside each other: how they are named so that only what differs is said, and which of many are shown.

use std::collections::BTreeSet;

use super::{Row, rows};
use crate::run::Run;
use crate::value::number;

/// Which of a case's four coordinates take more than one value in a run, and so have to be said.
#[derive(Clone, Copy, Debug)]
pub struct Naming {
    faults: bool,
    policies: bool,
    hints: bool,
    windows: bool,
}

fn several<T: Ord>(values: impl Iterator<Item = T>) -> bool {
    values.collect::<BTreeSet<T>>().len() > 1
}

impl Naming {
    /// What differs between these rows.
    #[must_use]
    pub fn of(rows: &[Row<'_>]) -> Self {
        Self {
            faults: several(rows.iter().map(|row| row.fault.to_string())),
            policies: several(rows.iter().map(|row| row.policy)),
            hints: several(rows.iter().filter_map(Row::heeded)),
            windows: several(rows.iter().map(|row| row.window)),
        }
    }

    /// What tells this row from others of its lane.
    #[must_use]
    pub fn name(self, row: &Row<'_>) -> String {
        let hint = row.heeded().filter(|_| self.hints).map(|hint| format!("hint {hint}"));
        let words = [
            self.faults.then(|| row.fault.to_string()),
            self.policies.then(|| row.policy.to_string()),
            hint,
            self.windows.then(|| format!("window {}", number(row.window as f64))),
        ];
        words.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// The same where windows are told otherwise.
    #[must_use]
    pub const fn beside_windows(self) -> Self {
        Self { windows: false, ..self }
    }

    /// What all of the rows have in common.
    #[must_use]
    pub fn common(self, rows: &[Row<'_>]) -> String {
        let Some(first) = rows.first() else { return String::new() };
        let mut words = vec![];
        words.extend((!self.faults).then(|| format!("fault {}", first.fault)));
        words.extend((!self.policies).then(|| format!("policy {}", own(rows))));
        let hint = rows.iter().find_map(Row::heeded).filter(|_| !self.hints);
        words.extend(hint.map(|hint| format!("hint {hint}")));
        words.extend((!self.windows).then(|| format!("window {}", number(first.window as f64))));
        words.join(", ")
    }
}

/// A policy and what it is on each lane: `native (eventsource on sse-h1, reconnecting-websocket on ws-h1)`.
fn own(rows: &[Row<'_>]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let mut named: Vec<String> = Vec::new();
    for row in rows.iter().filter(|row| row.own_policy != row.policy) {
        let word = format!("{} on {}", row.own_policy, row.lane);
        if !named.contains(&word) {
            named.push(word);
        }
    }
    let written = first.policy.to_string();
    if named.is_empty() { written } else { format!("{written} ({})", named.join(", ")) }
}

/// One case: its rows, one a lane.
#[derive(Clone)]
pub struct Case<'a> {
    /// What tells it from the others; what broke, where there is only one.
    pub title: String,
    /// One a lane.
    pub rows: Vec<Row<'a>>,
}

/// All cases of a run, in the order of the tables. Clients that heed no hint come back alike under all of them, so
/// their lanes stand in the first of the cases that differ in hint alone.
#[must_use]
pub fn cases(run: &Run) -> Vec<Case<'_>> {
    let rows = rows(run);
    let naming = Naming::of(&rows);
    let mut cases: Vec<Case<'_>> = Vec::new();
    for row in rows {
        let beside = |case: &&mut Case<'_>| {
            let held = &case.rows[0];
            let own = (held.fault, held.policy, held.window);
            own == (row.fault, row.policy, row.window) && held.hint == row.hint
        };
        match cases.iter_mut().find(beside) {
            Some(case) => case.rows.push(row),
            None => cases.push(Case { title: String::new(), rows: vec![row] }),
        }
    }
    for case in &mut cases {
        let told = case.rows.iter().find(|row| row.heeded().is_some()).unwrap_or(&case.rows[0]);
        let name = naming.name(told);
        case.title = if name.is_empty() { told.fault.to_string() } else { name };
    }
    cases
}

/// How much a client that stays away counts beside one that comes back, ms.
const AWAY_MS: f64 = 1e4;

/// How far apart the lanes of a case are: in the mean time without events, and in who stays away.
fn apart(case: &Case<'_>) -> f64 {
    let blind = |row: &Row<'_>| {
        let away = row.away() as f64 / row.sum(|outage| outage.clients).max(1) as f64;
        row.mean_ms().unwrap_or(0.0) + AWAY_MS * away
    };
    let all = || case.rows.iter().map(blind);
    all().fold(0.0, f64::max) - all().fold(f64::INFINITY, f64::min)
}

/// The rows that have something to show; of more than `most` cases those whose lanes are furthest apart, in the
/// order of the tables. And a sentence where some were left out.
#[must_use]
pub fn chosen(run: &Run, most: usize, has: fn(&Row<'_>) -> bool) -> (Vec<Case<'_>>, String) {
    let mut all = cases(run);
    all.iter_mut().for_each(|case| case.rows.retain(has));
    all.retain(|case| !case.rows.is_empty());
    let count = all.len();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| apart(&all[*b]).total_cmp(&apart(&all[*a])));
    order.truncate(most);
    let mut at = 0..;
    all.retain(|_| at.next().is_some_and(|at| order.contains(&at)));
    let left_out = match count > most {
        true => {
            format!("The {most} of {count} cases whose lanes are furthest apart; all are in outages.csv. ")
        }
        false => String::new(),
    };
    (all, left_out)
}
