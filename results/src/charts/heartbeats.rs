//! What does keeping a connection alive cost: bytes of a heartbeat on the wire, both ways.

use super::axis::Axis;
use super::figure::{Bar, Bars, Figure, Key, Plot, Shape};
use super::{bar_keys, finding, grouped, metric_bar, reach};
use crate::conclude::basis;
use crate::metric::Metric;
use crate::run::{Idle, Run};
use crate::summary::lanes;

/// Metric, name of the row, hue.
const WAYS: [(&str, &str, usize); 2] = [("heartbeat wire down", "down", 0), ("heartbeat wire up", "up", 3)];

/// The chart.
pub fn draw(run: &Run) -> Option<Figure> {
    let bars = |lane| {
        let way = |(name, label, hue)| metric_bar(run, lane, Metric::named(name)?, label, hue);
        grouped(lane, WAYS.into_iter().filter_map(way).collect())
    };
    let rows: Vec<Bar> = lanes(run).into_iter().flat_map(bars).collect();
    let mut legend: Vec<Key> = WAYS.map(|(_, label, hue)| Key::new(label, hue, Shape::Box)).to_vec();
    legend.extend(bar_keys(&rows, "one repetition"));
    let lived: Vec<String> = run.idle.iter().map(lived).collect();
    let caption = format!(
        "Living behind an idle time-out, without and with heartbeats: {}. {}",
        lived.join(", "),
        basis(run)
    );
    (!rows.is_empty()).then(|| Figure {
        name: "heartbeats",
        question: "What does keeping an idle connection alive cost?",
        finding: finding(run, &["heartbeat server CPU", "heartbeat client CPU"]),
        how: "Bytes of one heartbeat on a network, with TCP/IP headers of 52 bytes a segment: an SSE comment is \
              acknowledged, a WebSocket ping is answered with a pong, which is acknowledged too. They were all that \
              happened meanwhile, so their CPU, in the finding, is counted alone.",
        caption: if run.idle.is_empty() { basis(run) } else { caption },
        legend,
        plot: Plot::Bars(Bars { axis: Axis::from_zero("bytes per heartbeat", reach(&rows)), rows }),
    })
}

/// What became of the connections of a lane without heartbeats and with them.
fn lived(idle: &Idle) -> String {
    let (silent, beating) = (&idle.silent, &idle.beating);
    format!("{} {} and {} of {}", idle.lane, silent.alive, beating.alive, beating.subscribers)
}
