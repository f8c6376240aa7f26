//! How long does a message take to the server and back: quantiles by lane.

use super::axis::Axis;
use super::figure::{Bar, Bars, Figure, Key, Plot, Shape};
use super::{bar_keys, finding, grouped, metric_bar, reach};
use crate::conclude::basis;
use crate::metric::Metric;
use crate::run::Run;
use crate::summary::lanes;

/// Metric, name of the row, hue.
const ROWS: [(&str, &str, usize); 4] = [
    ("upward one way p50", "one way p50", 4),
    ("round trip p50", "round trip p50", 0),
    ("upward one way p99", "one way p99", 4),
    ("round trip p99", "round trip p99", 0),
];

/// The chart.
pub fn draw(run: &Run) -> Option<Figure> {
    let bars = |lane| {
        let row = |(name, label, hue)| metric_bar(run, lane, Metric::named(name)?, label, hue);
        grouped(lane, ROWS.into_iter().filter_map(row).collect())
    };
    let rows: Vec<Bar> = lanes(run).into_iter().flat_map(bars).collect();
    let mut legend =
        vec![Key::new("to the server", 4, Shape::Box), Key::new("there and back", 0, Shape::Box)];
    legend.extend(bar_keys(&rows, "one repetition"));
    (!rows.is_empty()).then(|| Figure {
        name: "round-trips",
        question: "How long does a message take to the server and back?",
        finding: finding(run, &["round trip mean"]),
        how: "From the instant at which the message was meant to leave to its arrival at the server, and to \
              the arrival of its echo in the sender's own stream. A message that waits until an earlier request \
              is answered is late by that wait.",
        caption: basis(run),
        legend,
        plot: Plot::Bars(Bars { axis: Axis::from_zero("time, ms", reach(&rows)), rows }),
    })
}
