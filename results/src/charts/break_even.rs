//! From which payload on does the framing no longer matter: SSE over WebSocket against size.

use super::axis::Axis;
use super::figure::{Curve, Curves, Figure, Key, Plot, Shape, Stroke};
use super::{loud, pair};
use crate::conclude::inside_tls;
use crate::metric::extract::{down_on_the_wire, up_on_the_wire};
use crate::run::Run;
use crate::sweep::{self, Count};
use crate::value::{number, ratio};

/// Name, hue, bytes.
const COUNTS: [(&str, usize, Count); 3] = [
    ("stream alone (payload and framing)", 0, sweep::stream),
    ("on the wire, down", 1, |point| down_on_the_wire(&point.kernel)),
    ("on the wire, both ways", 3, |point| down_on_the_wire(&point.kernel) + up_on_the_wire(&point.kernel)),
];

/// The chart.
pub fn draw(run: &Run) -> Option<Figure> {
    let (a, b) = pair(run)?;
    let pairs = sweep::pairs(run, a, b);
    let (first, last) = (pairs.first()?.0.payload_bytes, pairs.last()?.0.payload_bytes);
    let curves: Vec<Curve> =
        COUNTS.iter().filter_map(|(_, hue, count)| curve(*hue, sweep::ratios(&pairs, *count))).collect();
    let values = || curves.iter().flat_map(|curve| &curve.points).map(|point| point.1);
    let (least, most) = (values().fold(1.0, f64::min), values().fold(1.0, f64::max));
    let drawn = COUNTS.iter().filter(|count| curves.iter().any(|curve| curve.hue == count.1));
    let mut legend: Vec<Key> =
        drawn.map(|(name, hue, _)| Key::new(*name, *hue, Shape::Line(Stroke::Thick))).collect();
    legend.insert(0, Key::new("1: as many bytes", 2, Shape::Line(Stroke::Level)));
    (!curves.is_empty()).then(|| Figure {
        name: "break-even",
        question: "From which payload size on does the framing no longer matter?",
        finding: loud(run, &said(&curves[0], &format!("{a} over {b}"))),
        how: "Bytes per event of the first lane over those of the second, one subscriber, events in lock-step. \
              Where a line meets 1 the two cost the same; TCP/IP headers and acknowledgements dilute the \
              difference.",
        caption: format!(
            "{a} over {b}; {} payload sizes, {} events each, one subscriber, in lock-step; {}; loopback.",
            pairs.len(),
            pairs[0].0.events,
            inside_tls(&[a, b])
        ),
        legend,
        plot: Plot::Curves(Curves {
            x: Axis::log("payload, bytes", first as f64, last as f64),
            y: Axis::linear(&format!("bytes of {a} / bytes of {b}"), least, most),
            curves,
            marks: Vec::new(),
            level: Some(1.0),
        }),
    })
}

fn curve(hue: usize, points: Vec<(f64, f64)>) -> Option<Curve> {
    (!points.is_empty()).then(|| Curve { hue, stroke: Stroke::Thick, markers: points.clone(), points })
}

/// The extremes of the stream's ratio, and from which size on it stays inside the margin.
fn said(curve: &Curve, lanes: &str) -> String {
    let (first, last) = (curve.points[0], curve.points[curve.points.len() - 1]);
    let settled = match sweep::settled(&curve.points).map(|at| curve.points[at]) {
        Some(point) => format!("no practical difference (3 %) from {} B on", number(point.0)),
        None => "the difference exceeds 3 % up to the largest payload".to_owned(),
    };
    format!(
        "{lanes}, stream bytes: {}x at {} B, {}x at {} B; {settled}.",
        ratio(first.1),
        number(first.0),
        ratio(last.1),
        number(last.0)
    )
}
