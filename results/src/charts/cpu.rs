//! What does a delivery cost: CPU per delivery of servers and clients.

use super::axis::Axis;
use super::figure::{Bar, Bars, Figure, Key, Plot, Shape};
use super::{bar_keys, finding, grouped, metric_bar, reach};
use crate::conclude::basis;
use crate::metric::Metric;
use crate::run::Run;
use crate::summary::lanes;

/// Metric, name of the row, hue.
const SIDES: [(&str, &str, usize); 2] = [("server CPU", "server", 0), ("client CPU", "client", 4)];

/// The chart.
pub fn draw(run: &Run) -> Option<Figure> {
    let bars = |lane| {
        let side = |(name, label, hue)| metric_bar(run, lane, Metric::named(name)?, label, hue);
        grouped(lane, SIDES.into_iter().filter_map(side).collect())
    };
    let rows: Vec<Bar> = lanes(run).into_iter().flat_map(bars).collect();
    let mut legend: Vec<Key> = SIDES.map(|(_, label, hue)| Key::new(label, hue, Shape::Box)).to_vec();
    legend.extend(bar_keys(&rows, "one repetition"));
    (!rows.is_empty()).then(|| Figure {
        name: "cpu",
        question: "How much CPU does a delivery cost?",
        finding: finding(run, &["server CPU", "client CPU"]),
        how: "User and system time of the lane's processes over the deliveries of its blocks; bars are medians. \
              On loopback the receiver's TCP input runs inside the sender's send, so part of the client's work \
              stands on the server's bill. Repetitions move together: compare lanes by the ratio, not by the \
              overlap of intervals.",
        caption: basis(run),
        legend,
        plot: Plot::Bars(Bars { axis: Axis::from_zero("CPU time per delivery, us", reach(&rows)), rows }),
    })
}
