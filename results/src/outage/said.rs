//! What outages come to in sentences: how long clients were blind, what they lost, who stayed away, and whether the
//! books close.

use scenarios::Lane;

use super::{Class, Row, causes, counted, doubts, rows};
use crate::run::{Run, Warning};
use crate::summary::lanes;
use crate::value::number;

/// `2.90 to 3.20`, or one number.
#[must_use]
pub fn spread_of(values: &[f64]) -> String {
    let low = number(values.iter().copied().fold(f64::INFINITY, f64::min));
    let high = number(values.iter().copied().fold(f64::NEG_INFINITY, f64::max));
    if low == high { low } else { format!("{low} to {high}") }
}

/// The rows of a table, lane by lane.
fn by_lane<'a>(run: &'a Run, class: Class) -> Vec<(Lane, Vec<Row<'a>>)> {
    let all = rows(run);
    let of = |lane: Lane| {
        let own = all.iter().filter(|row| row.lane == lane && row.class() == class);
        (lane, own.cloned().collect::<Vec<Row<'a>>>())
    };
    lanes(run).into_iter().map(of).filter(|(_, rows)| !rows.is_empty()).collect()
}

/// A number of each row as its range by table and lane: `by native policy sse-h1 2.90 to 3.20 s, ws-h1 2.60 s`.
#[must_use]
pub fn by_class(run: &Run, unit: &str, of: impl Fn(&Row<'_>) -> Option<f64>) -> String {
    let one = |class: Class| {
        let lane = |(lane, rows): (Lane, Vec<Row<'_>>)| {
            let values: Vec<f64> = rows.iter().filter_map(&of).collect();
            let said = || format!("{lane} {} {unit}", spread_of(&values)).trim_end().to_owned();
            (!values.is_empty()).then(said)
        };
        let said: Vec<String> = by_lane(run, class).into_iter().filter_map(lane).collect();
        (!said.is_empty()).then(|| format!("by {} {}", class.words(), said.join(", ")))
    };
    Class::ALL.into_iter().filter_map(one).collect::<Vec<_>>().join("; ")
}

/// What an architect needs first, a sentence a table.
#[must_use]
pub fn said(run: &Run) -> Vec<String> {
    let one = |class: Class| {
        let lanes: Vec<String> =
            by_lane(run, class).into_iter().map(|(lane, rows)| blind(lane, &rows)).collect();
        let mut words = class.words().to_owned();
        words[..1].make_ascii_uppercase();
        (!lanes.is_empty()).then(|| format!("{words}: {}.", lanes.join("; ")))
    };
    Class::ALL.into_iter().filter_map(one).collect()
}

/// How long the clients of a lane were blind, what they lost, and who stayed away.
fn blind(lane: Lane, rows: &[Row<'_>]) -> String {
    let medians: Vec<f64> =
        rows.iter().filter_map(|row| row.unavailable_ms(0.5)).map(|ms| ms / 1e3).collect();
    let longest = rows.iter().filter_map(|row| Some((row, row.unavailable().max()?)));
    let longest = longest.max_by_key(|(_, nanos)| *nanos);
    let time = match longest {
        None => "nobody was without events and had them again".to_owned(),
        Some((row, nanos)) => format!(
            "clients were without events for {} s (median{}; longest {} s, {})",
            spread_of(&medians),
            if medians.len() > 1 { " by case" } else { "" },
            number(nanos as f64 / 1e9),
            row.fault
        ),
    };
    format!("{lane}: {time}, {}, {}", lost(rows), away(rows))
}

fn lost(rows: &[Row<'_>]) -> String {
    let lost: u64 = rows.iter().map(|row| row.sum(|one| one.ledger.lost)).sum();
    let expected: u64 = rows.iter().map(|row| row.sum(|one| one.ledger.expected)).sum();
    if lost == 0 {
        return "nothing was lost".to_owned();
    }
    let mut by_cause = std::collections::BTreeMap::new();
    for (cause, count) in rows.iter().flat_map(|row| causes(&row.lost())) {
        *by_cause.entry(cause).or_default() += count;
    }
    format!(
        "{} of {} deliveries were lost ({})",
        number(lost as f64),
        number(expected as f64),
        counted(&by_cause)
    )
}

fn away(rows: &[Row<'_>]) -> String {
    let of = |row: &Row<'_>| row.away();
    let (away, clients) = rows
        .iter()
        .fold((0, 0), |(away, clients), row| (away + of(row), clients + row.sum(|one| one.clients)));
    if away == 0 {
        return "and all came back".to_owned();
    }
    let mut faults: Vec<String> = Vec::new();
    for row in rows.iter().filter(|row| of(row) > 0) {
        let fault = row.fault.to_string();
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    format!(
        "and {} of {} clients stayed away ({})",
        number(away as f64),
        number(clients as f64),
        faults.join(", ")
    )
}

/// Whether the books of all outages close: a sentence, and what is wrong.
#[must_use]
pub fn checked(run: &Run) -> (String, Vec<Warning>) {
    let resume = run.scenario.outage.as_ref().is_none_or(|outage| outage.resume);
    let found: Vec<Warning> = run.outages.iter().flat_map(|outage| doubts(outage, resume)).collect();
    let apart = run.outages.iter().map(|outage| outage.parts_differ_by_ns).max().unwrap_or(0);
    let said = match found.is_empty() {
        true => format!(
            "Checked again from the data: all {} ledgers close, every lost delivery has its cause, and no time without \
             events differs from the sum of its five parts by more than {} ms.",
            run.outages.len(),
            number(apart as f64 / 1e6)
        ),
        false => format!(
            "Checked again from the data: it does not add up in {} places, so the run is invalid.",
            found.len()
        ),
    };
    (said, found)
}
