//! How the herd comes back: streams opened in each 100 ms since the fault, and first attempts as they were meant.

use super::{MOST, caption, length, plot, seconds, since};
use crate::charts::axis::Axis;
use crate::charts::figure::{Curve, Curves, Figure, Key, Panel, Shape, Stroke};
use crate::charts::{hue, lane_keys, loud};
use crate::outage::{Case, Row, by_class, chosen};
use crate::run::{Outage, Run};

/// The chart.
pub fn draw(run: &Run) -> Option<Figure> {
    let (cases, left_out) = chosen(run, MOST, |row| row.peak().is_some_and(|peak| peak > 0));
    let reach = |row: &Row<'_>| length(&row.curve(opened)).max(length(&row.curve(scheduled)));
    let end = cases.iter().flat_map(|case| &case.rows).map(reach).max()?;
    let panels = cases.iter().map(|case| panel(run, case, end + 1)).collect();
    let mut legend = lane_keys(run);
    legend.push(Key::new(
        "first attempts as scheduled (solid: streams opened)",
        2,
        Shape::Line(Stroke::Dashed),
    ));
    Some(Figure {
        name: "herd",
        question: "How does the herd come back?",
        finding: loud(
            run,
            &format!(
                "Most streams opened within 100 ms: {}. First attempts from 5 to 95 % over: {}.",
                by_class(run, "", |row| row.peak().map(|peak| peak as f64)),
                by_class(run, "s", |row| row.spread_s(|one| one.actual_spread_ns))
            ),
        ),
        how: "Streams opened in each 100 ms, the mean of the repetitions, beside the first attempts as the policy had \
              scheduled them: where the solid line lags behind the dashed one, the server, the listen queue or a closed \
              port shaped the herd. Each plot has a scale of its own.",
        caption: caption(run, &left_out),
        legend,
        plot: plot(panels),
    })
}

fn opened(one: &Outage) -> &Vec<u64> {
    &one.opened
}

fn scheduled(one: &Outage) -> &Vec<u64> {
    &one.scheduled
}

fn panel(run: &Run, case: &Case<'_>, end: usize) -> Panel {
    let curve = |row: &Row<'_>, stroke, of: fn(&Outage) -> &Vec<u64>| {
        let counts = row.curve(of);
        let mean =
            |tick: usize| counts.get(tick).map_or(0.0, |count| *count as f64 / row.outages.len() as f64);
        let points: Vec<(f64, f64)> =
            (0..end).map(|tick| (seconds(tick) + seconds(1) / 2.0, mean(tick))).collect();
        let highest = points.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
        let markers = highest.filter(|_| stroke == Stroke::Thick).into_iter().collect();
        Curve { hue: hue(run, row.lane), stroke, points, markers }
    };
    let both = |row: &Row<'_>| [curve(row, Stroke::Dashed, scheduled), curve(row, Stroke::Thick, opened)];
    let curves: Vec<Curve> = case.rows.iter().flat_map(both).collect();
    let highest = curves.iter().flat_map(|curve| &curve.points).map(|point| point.1).fold(0.0, f64::max);
    Panel {
        title: case.title.clone(),
        curves: Curves {
            x: since(0.0, seconds(end)),
            y: Axis::from_zero("per 100 ms", highest),
            curves,
            marks: Vec::new(),
            level: None,
        },
    }
}
