//! How soon clients have all events again: the share of those who lost their stream, against time since the fault.

use super::{MOST, caption, length, plot, seconds, since};
use crate::charts::axis::Axis;
use crate::charts::figure::{Curve, Curves, Figure, Panel, Stroke};
use crate::charts::{hue, lane_keys, loud};
use crate::outage::{Case, Row, by_class, chosen, rows};
use crate::run::Run;
use scenarios::outage::FaultKind;

/// The share that the finding tells the time of.
const NEARLY_ALL: f64 = 0.95;

/// The chart.
pub fn draw(run: &Run) -> Option<Figure> {
    let (cases, left_out) = chosen(run, MOST, |row| lost_streams(row) > 0);
    let end =
        cases.iter().flat_map(|case| &case.rows).map(|row| length(&row.curve(|one| &one.caught_up))).max()?;
    let end = seconds(end + 2);
    let panels = cases.iter().map(|case| panel(run, case, end)).collect();
    Some(Figure {
        name: "survival",
        question: "How soon do clients have all events again?",
        finding: loud(run, &finding(run)),
        how: "Of the clients that lost their stream, those who have a stream again and every event that was due, by the last \
              time they had caught up; not of clients that come and go. A line that stays below 100 % is made of clients who stayed away or never had all \
              events again.",
        caption: caption(run, &left_out),
        legend: lane_keys(run),
        plot: plot(panels),
    })
}

/// Clients that lost their stream, over all repetitions: those who had caught up at last, and those who never did.
/// Clients that come and go have no last time that says anything.
fn lost_streams(row: &Row<'_>) -> u64 {
    if row.fault.kind == FaultKind::Churn {
        return 0;
    }
    row.curve(|one| &one.caught_up).iter().sum::<u64>() + row.away()
}

/// Share of them that had caught up by the end of each slice.
fn shares(row: &Row<'_>) -> Vec<f64> {
    let (mut back, whole) = (0, lost_streams(row));
    let share = |count: u64| {
        back += count;
        back as f64 / whole as f64
    };
    row.curve(|one| &one.caught_up).into_iter().map(share).collect()
}

fn panel(run: &Run, case: &Case<'_>, end: f64) -> Panel {
    let curve = |(at, row): (usize, &Row<'_>)| {
        let shares = shares(row);
        let rises = shares.iter().enumerate().map(|(tick, share)| (seconds(tick + 1), 100.0 * share));
        let last = 100.0 * shares.last().copied().unwrap_or(0.0);
        let shown = rises.take_while(|point| point.0 < end);
        let points: Vec<(f64, f64)> = [(0.0, 0.0)].into_iter().chain(shown).chain([(end, last)]).collect();
        // At another height on each line: lines that lie on each other show both markers.
        let height = last * (at + 1) as f64 / (case.rows.len() + 1) as f64;
        let marked = points.iter().find(|point| point.1 >= height).copied();
        Curve {
            hue: hue(run, row.lane),
            stroke: Stroke::Thick,
            markers: marked.into_iter().collect(),
            points,
        }
    };
    let y = Axis::from_zero("have all again, %", 100.0);
    let x = since(0.0, end);
    let curves = case.rows.iter().enumerate().map(curve).collect();
    Panel { title: case.title.clone(), curves: Curves { x, y, curves, marks: Vec::new(), level: None } }
}

/// Time until nearly all have all events again, s.
fn time_to(row: &Row<'_>) -> Option<f64> {
    (lost_streams(row) > 0)
        .then(|| shares(row))?
        .iter()
        .position(|share| *share >= NEARLY_ALL)
        .map(|tick| seconds(tick + 1))
}

fn finding(run: &Run) -> String {
    let never = |row: &Row<'_>| lost_streams(row) > 0 && time_to(row).is_none();
    let all = rows(run);
    let mut short: Vec<String> = Vec::new();
    for row in all.iter().filter(|row| never(row)) {
        let word = format!("{} after {}", row.lane, row.fault);
        if !short.contains(&word) {
            short.push(word);
        }
    }
    let short =
        if short.is_empty() { String::new() } else { format!(" Not even that: {}.", short.join(", ")) };
    let times = by_class(run, "s", time_to);
    let times = if times.is_empty() { "in no case".to_owned() } else { times };
    format!("Time until 95 % of those who lost their stream have all again: {times}.{short}")
}
