//! What does a connection cost before it carries anything: CPU per connection of servers and clients.

use super::axis::Axis;
use super::figure::{Bar, Bars, Figure, Key, Plot, Shape};
use super::{bar_keys, finding, grouped, metric_bar, reach};
use crate::conclude::basis;
use crate::metric::Metric;
use crate::run::Run;
use crate::summary::lanes;

/// Metric, name of the row, hue.
const SIDES: [(&str, &str, usize); 2] =
    [("connect server CPU", "server", 0), ("connect client CPU", "client", 4)];

/// The chart.
pub fn draw(run: &Run) -> Option<Figure> {
    let bars = |lane| {
        let side = |(name, label, hue)| metric_bar(run, lane, Metric::named(name)?, label, hue);
        grouped(lane, SIDES.into_iter().filter_map(side).collect())
    };
    let rows: Vec<Bar> = lanes(run).into_iter().flat_map(bars).collect();
    let mut legend: Vec<Key> = SIDES.map(|(_, label, hue)| Key::new(label, hue, Shape::Box)).to_vec();
    legend.extend(bar_keys(&rows, "one repetition"));
    let trips = lanes(run).into_iter().map(|lane| format!("{lane} {}", lane.round_trips()));
    let trips = trips.collect::<Vec<_>>().join(", ");
    (!rows.is_empty()).then(|| Figure {
        name: "opening",
        question: "What does opening a connection cost?",
        finding: finding(run, &["connect server CPU", "connect client CPU"]),
        how: "User and system time of the lane's processes while its subscribers connected, over connections: \
              TCP, TLS where there is one, request and answer, and the greeting event. Lanes connect in turns. \
              Round trips are those the protocols demand; over loopback they cost nothing, over a network each \
              costs its round trip time.",
        caption: format!("Round trips: {trips}. {}", basis(run)),
        legend,
        plot: Plot::Bars(Bars { axis: Axis::from_zero("CPU time per connection, us", reach(&rows)), rows }),
    })
}
