//! How much a server must keep so that nothing is lost: lost events against the size of the window.

use super::{by_window, caption, plot};
use crate::charts::figure::Figure;
use crate::charts::{lane_keys, loud};
use crate::outage::{Row, rows, spread_of};
use crate::run::Run;
use crate::summary::lanes;
use crate::value::number;

/// The chart.
pub fn draw(run: &Run) -> Option<Figure> {
    let panels = by_window(run, "lost per client", lost)?;
    Some(Figure {
        name: "loss-by-window",
        question: "How much must the server keep so that nothing is lost?",
        finding: loud(run, &format!("Smallest window with which nothing was lost: {}.", smallest(run))),
        how: "Events that a client never got, against the number of events that the server kept for those who come back. \
              A window that covers the time without events, times the rate, loses nothing; what is lost whatever the \
              window belongs to clients who stay away.",
        caption: caption(run, ""),
        legend: lane_keys(run),
        plot: plot(panels),
    })
}

fn lost(row: &Row<'_>) -> Option<f64> {
    row.per(|one| one.ledger.lost, |one| one.clients)
}

/// By lane, over the cases that differ in the window alone.
fn smallest(run: &Run) -> String {
    let all = rows(run);
    let of = |lane| {
        let own: Vec<&Row<'_>> = all.iter().filter(|row| row.lane == lane).collect();
        let same = |a: &Row<'_>, b: &Row<'_>| (a.fault, a.policy, a.hint) == (b.fault, b.policy, b.hint);
        let mut firsts: Vec<&Row<'_>> = Vec::new();
        own.iter().for_each(|row| {
            if !firsts.iter().any(|first| same(first, row)) {
                firsts.push(row);
            }
        });
        let least = |first: &&Row<'_>| {
            let whole = own.iter().filter(|row| same(first, row) && lost(row) == Some(0.0));
            whole.map(|row| row.window).min()
        };
        let found: Vec<Option<u64>> = firsts.iter().map(least).collect();
        let known: Vec<f64> = found.iter().flatten().map(|window| *window as f64).collect();
        let short = found.iter().filter(|window| window.is_none()).count();
        let known = if known.is_empty() { String::new() } else { format!(" {} events", spread_of(&known)) };
        let short = match short {
            0 => String::new(),
            some => format!(" none of them in {} of {} cases", number(some as f64), found.len()),
        };
        (!own.is_empty()).then(|| format!("{lane}{known}{short}"))
    };
    lanes(run).into_iter().filter_map(of).collect::<Vec<_>>().join("; ")
}
