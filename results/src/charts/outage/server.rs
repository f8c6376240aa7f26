//! What the herd costs the server: CPU and resident memory around the fault.

use super::{caption, plot, since};
use crate::charts::axis::Axis;
use crate::charts::figure::{Curve, Curves, Figure, Panel, Stroke};
use crate::charts::{hue, lane_keys, loud};
use crate::outage::{Case, Row, by_class, chosen};
use crate::run::outage::{ServerTick, TICK_NS};
use crate::run::{Outage, Run};

/// Cases with two small plots each that can still be read in one picture.
const MOST: usize = 4;

/// How much is shown of the time before the fault, s.
const BEFORE: f64 = 1.0;

/// What is shown: its name, the ordinate, and its value between two ticks.
type Quantity = (&'static str, &'static str, fn(&ServerTick, u64) -> f64);

const QUANTITIES: [Quantity; 2] = [
    ("CPU", "% of a core", |tick, span_ns| 100.0 * tick.cpu_ns as f64 / span_ns.max(1) as f64),
    ("memory", "resident, MiB", |tick, _| tick.rss_bytes as f64 / 1_048_576.0),
];

/// The chart.
pub fn draw(run: &Run) -> Option<Figure> {
    let (cases, left_out) = chosen(run, MOST, |row| row.outages[0].server.len() > 1);
    let panels: Vec<Panel> =
        cases.iter().flat_map(|case| QUANTITIES.iter().map(|quantity| panel(run, case, quantity))).collect();
    (!panels.is_empty()).then(|| Figure {
        name: "server-around-faults",
        question: "What does the herd cost the server?",
        finding: loud(
            run,
            &format!(
                "Busiest 100 ms or so, of a core: {}. Most resident memory: {}.",
                by_class(run, "%", busiest),
                by_class(run, "MiB", |row| row.peak_rss_mib())
            ),
        ),
        how: "CPU of the server's processes between two readings about 100 ms apart, and their resident memory, in the first \
              repetition. A server that was ended holds nothing until the next one listens. The highest readings are over \
              all repetitions.",
        caption: caption(run, &left_out),
        legend: lane_keys(run),
        plot: plot(panels),
    })
}

/// Each reading with the time since the one before it; the first holds what was used before time zero.
fn spans(outage: &Outage) -> impl Iterator<Item = (&ServerTick, u64)> {
    outage.server.windows(2).map(|pair| (&pair[1], pair[1].at_ns.saturating_sub(pair[0].at_ns)))
}

/// The highest share of a core between two readings that are not closer than half a tick: over a shorter time CPU is
/// read too coarsely.
fn busiest(row: &Row<'_>) -> Option<f64> {
    let all = row.outages.iter().flat_map(|outage| spans(outage));
    let shares = all.filter(|(_, span)| *span >= TICK_NS / 2).map(|(tick, span)| QUANTITIES[0].2(tick, span));
    shares.reduce(f64::max)
}

fn panel(run: &Run, case: &Case<'_>, (name, label, value): &Quantity) -> Panel {
    let curve = |row: &Row<'_>| {
        let outage = row.outages[0];
        let at = |tick: &ServerTick| (tick.at_ns as f64 - outage.broke_ns as f64) / 1e9;
        let points = spans(outage).map(|(tick, span)| (at(tick), value(tick, span)));
        let points: Vec<(f64, f64)> = points.filter(|point| point.0 >= -BEFORE).collect();
        let highest = points.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
        Curve {
            hue: hue(run, row.lane),
            stroke: Stroke::Thick,
            markers: highest.into_iter().collect(),
            points,
        }
    };
    let curves: Vec<Curve> = case.rows.iter().map(curve).collect();
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let highest = points().map(|point| point.1).fold(0.0, f64::max);
    let end = points().map(|point| point.0).fold(0.0, f64::max);
    Panel {
        title: format!("{}: {name}", case.title),
        curves: Curves {
            x: since(-BEFORE, end),
            // Room for the mark's word above the curves.
            y: Axis::from_zero(label, 1.2 * highest),
            curves,
            marks: vec![(0.0, "fault".to_owned())],
            level: None,
        },
    }
}
