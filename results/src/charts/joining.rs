//! How fast is a subscriber in: time to connect and to the first event, while all of them arrive.

use super::axis::Axis;
use super::figure::{Bar, Bars, Figure, Key, Plot, Shape};
use super::{bar_keys, finding, grouped, metric_bar, reach};
use crate::conclude::basis;
use crate::metric::Metric;
use crate::run::Run;
use crate::summary::lanes;

/// Metric, name of the row, hue.
const ROWS: [(&str, &str, usize); 4] = [
    ("connect p50", "connect p50", 0),
    ("connect p99", "p99", 6),
    ("first event p50", "1st event p50", 1),
    ("first event p99", "p99", 4),
];

/// The chart.
pub fn draw(run: &Run) -> Option<Figure> {
    let bars = |lane| {
        let row = |(name, label, hue)| metric_bar(run, lane, Metric::named(name)?, label, hue);
        grouped(lane, ROWS.into_iter().filter_map(row).collect())
    };
    let rows: Vec<Bar> = lanes(run).into_iter().flat_map(bars).collect();
    let drawn = |hue: usize| rows.iter().flat_map(|row| &row.parts).any(|part| part.0 == hue);
    let mut legend: Vec<Key> = ROWS
        .into_iter()
        .filter(|(_, _, hue)| drawn(*hue))
        .map(|(name, _, hue)| Key::new(name, hue, Shape::Box))
        .collect();
    legend.extend(bar_keys(&rows, "one repetition"));
    (!rows.is_empty()).then(|| Figure {
        name: "joining",
        question: "How long until a new subscriber has its first event?",
        finding: finding(run, &["connect p50", "first event p50"]),
        how: "From the start of connecting to the end of the handshake, and to the latest event, which is sent \
              on joining. All subscribers of all lanes arrive in one ramp, so these are times under that load, \
              not of a single connection.",
        caption: basis(run),
        legend,
        plot: Plot::Bars(Bars { axis: Axis::from_zero("time since connecting began, ms", reach(&rows)), rows }),
    })
}
