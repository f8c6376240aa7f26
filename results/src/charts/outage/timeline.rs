//! What latency looks like around the fault, with what happened when as marks.

use super::{MOST, caption, plot, since};
use crate::charts::axis::Axis;
use crate::charts::figure::{Curve, Curves, Figure, Key, Panel, Shape, Stroke};
use crate::charts::{hue, lane_keys, loud};
use crate::outage::{Case, Row, by_class, chosen};
use crate::run::{Outage, Run, Slice};
use crate::value::number;

/// How much is shown of the time before the fault, s.
const BEFORE: f64 = 1.0;

/// What happens within so many seconds has one mark.
const TOGETHER: f64 = 0.05;

type Points = Vec<(f64, f64)>;

/// The chart.
pub fn draw(run: &Run) -> Option<Figure> {
    let (cases, left_out) =
        chosen(run, MOST, |row| row.outages[0].timeline.iter().any(|slice| slice.deliveries > 0));
    let mut panels: Vec<Panel> = cases.iter().map(|case| panel(run, case)).collect();
    let points = || panels.iter().flat_map(|panel| &panel.curves.curves).flat_map(|curve| &curve.points);
    let values = || points().map(|point| point.1).filter(|value| *value > 0.0);
    let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    let end = points().map(|point| point.0).fold(0.0, f64::max);
    if most <= 0.0 {
        return None;
    }
    for panel in &mut panels {
        // Room for the words of marks above the curves.
        panel.curves.y = Axis::log("latency, ms", least, 4.0 * most);
        panel.curves.x = since(-BEFORE, end);
    }
    let mut legend = lane_keys(run);
    legend.push(Key::new("99th percentile (solid: median)", 2, Shape::Line(Stroke::Dashed)));
    Some(Figure {
        name: "latency-around-faults",
        question: "What does latency look like around the fault?",
        finding: loud(
            run,
            &format!(
                "The latest event came late by: {}.",
                by_class(run, "s", |row| Some(latest(row.outages[0]).max()? as f64 / 1e9))
            ),
        ),
        how: "Events that arrived, by 100 ms of the first repetition; a replayed one counts from the instant it was meant \
              for, so that it is as late as the time without it was long. Where a line is broken nothing arrived.",
        caption: format!("First of {} starts. {}", number(starts(&cases) as f64), caption(run, &left_out)),
        legend,
        plot: plot(panels),
    })
}

fn starts(cases: &[Case<'_>]) -> usize {
    cases.iter().flat_map(|case| &case.rows).map(|row| row.outages.len()).max().unwrap_or(0)
}

/// The latest of each slice, ns.
fn latest(outage: &Outage) -> impl Iterator<Item = u64> {
    outage.timeline.iter().map(|slice| slice.max_ns)
}

/// Seconds behind the fault.
fn behind(outage: &Outage, at_ns: u64) -> f64 {
    (at_ns as f64 - outage.broke_ns as f64) / 1e9
}

fn panel(run: &Run, case: &Case<'_>) -> Panel {
    let lines = |row: &Row<'_>| {
        let own = hue(run, row.lane);
        let outage = row.outages[0];
        let mut curves = pieces(outage, own, Stroke::Dashed, |slice| slice.p99_ns);
        curves.extend(pieces(outage, own, Stroke::Thick, |slice| slice.p50_ns));
        curves
    };
    let curves = case.rows.iter().flat_map(lines).collect();
    let first = case.rows[0].outages[0];
    let marks = marks(first);
    // Both are made anew when all panels are known.
    let (x, y) = (since(-BEFORE, 1.0), Axis::from_zero("", 1.0));
    Panel { title: case.title.clone(), curves: Curves { x, y, curves, marks, level: None } }
}

/// What happened when: the first of what happened together, and the fault itself where nothing else tells of it.
fn marks(outage: &Outage) -> Vec<(f64, String)> {
    let mut all: Vec<(f64, String)> =
        outage.marks.iter().map(|(word, at)| (behind(outage, *at), word.clone())).collect();
    all.push((TOGETHER, "fault".to_owned()));
    all.retain(|mark| mark.0 >= -BEFORE);
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.dedup_by(|later, earlier| later.0 - earlier.0 <= TOGETHER);
    // What stands for the fault stands where it broke.
    all.iter_mut().filter(|mark| mark.0.abs() <= TOGETHER).for_each(|mark| mark.0 = 0.0);
    all
}

/// A line that is broken where nothing arrived; a slice alone between two such is a marker.
fn pieces(outage: &Outage, hue: usize, stroke: Stroke, value: fn(&Slice) -> u64) -> Vec<Curve> {
    let mut pieces: Vec<Points> = vec![Vec::new()];
    for slice in &outage.timeline {
        let at = behind(outage, slice.start_ns + slice.span_ns / 2);
        match (slice.deliveries > 0, pieces.last_mut()) {
            (true, Some(piece)) if at >= -BEFORE => piece.push((at, value(slice) as f64 / 1e6)),
            (false, Some(piece)) if !piece.is_empty() => pieces.push(Vec::new()),
            _ => {}
        }
    }
    let curve = |points: Points| {
        let alone = points.len() == 1 && stroke == Stroke::Thick;
        let markers = if alone { points.clone() } else { Vec::new() };
        Curve { hue, stroke, points, markers }
    };
    pieces.into_iter().filter(|points| !points.is_empty()).map(curve).collect()
}
