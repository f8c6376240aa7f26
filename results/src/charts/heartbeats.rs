//! What does keeping a connection alive cost: bytes of a heartbeat on the wire, both ways.

use scenarios::Lane;

use super::axis::Axis;
use super::figure::{Bar, Bars, Figure, Key, Plot, Shape};
use super::{bar_keys, compared, grouped, loud, metric_bar, reach};
use crate::conclude::basis;
use crate::metric::Metric;
use crate::run::{Idle, Run};
use crate::summary::{estimate, lanes};
use crate::value::number;

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
    let cpu = compared(run, &["heartbeat server CPU", "heartbeat client CPU"]);
    (!rows.is_empty()).then(|| Figure {
        name: "heartbeats",
        question: "What does keeping an idle connection alive cost?",
        finding: loud(run, &format!("{}{}{cpu}", weights(run), needed(run))),
        how: "Bytes of one heartbeat on a network, with TCP/IP headers of 52 bytes a segment: an SSE comment is \
              acknowledged, a WebSocket ping is answered with a pong, which is acknowledged too. They were all that \
              happened meanwhile, so their CPU, in the finding, is counted alone.",
        caption: basis(run),
        legend,
        plot: Plot::Bars(Bars { axis: Axis::from_zero("bytes per heartbeat", reach(&rows)), rows }),
    })
}

/// Bytes of a heartbeat of each lane, both ways.
fn weights(run: &Run) -> String {
    let of = |lane: Lane| {
        let way = |(name, _, _): (&str, &str, usize)| estimate(run, Metric::named(name)?, lane).value.known();
        let both: Option<f64> = WAYS.into_iter().map(way).sum();
        both.map(|bytes| format!("{lane} {} B", number(bytes)))
    };
    let said: Vec<String> = lanes(run).into_iter().filter_map(of).collect();
    if said.is_empty() { String::new() } else { format!("Both ways: {}. ", said.join(", ")) }
}

/// What became of idle connections without heartbeats and with them, said once where it is the same on all lanes.
fn needed(run: &Run) -> String {
    let of = |idle: &Idle| {
        let Idle { silent, beating, .. } = idle;
        format!(
            "{} of {} without heartbeats and {} of {} with them",
            silent.alive, silent.subscribers, beating.alive, beating.subscribers
        )
    };
    let open = "Still open behind an idle time-out";
    match &run.idle[..] {
        [] => String::new(),
        [first, rest @ ..] if rest.iter().all(|idle| of(idle) == of(first)) => {
            format!("{open}: {}, on every lane. ", of(first))
        }
        all => {
            let all: Vec<String> = all.iter().map(|idle| format!("{} {}", idle.lane, of(idle))).collect();
            format!("{open}: {}. ", all.join(", "))
        }
    }
}
