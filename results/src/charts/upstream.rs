//! What does a message from client to server cost: bytes by layer, with the answers it needs.

use super::axis::Axis;
use super::figure::{Bar, Bars, Figure, Key, Plot, Shape};
use super::{finding, reach};
use crate::conclude::basis;
use crate::metric::extract::per;
use crate::metric::messages;
use crate::run::{Bytes, Run, Trial};
use crate::stats::median;
use crate::summary::lanes;
use crate::value::number;

/// Name, hue, bytes.
type Layer = (&'static str, usize, fn(&Bytes) -> u64);

const LAYERS: [Layer; 6] = [
    ("body", 0, |bytes| bytes.up_payload),
    ("number", 4, |bytes| bytes.up_framing),
    ("frame header and mask, or request head", 1, |bytes| bytes.up_transport),
    ("compressed body and number", 2, |bytes| bytes.up_coded),
    ("TLS records, control frames", 6, messages::rest),
    ("answer, downward", 3, |bytes| bytes.answers),
];

/// The chart.
pub fn draw(run: &Run) -> Option<Figure> {
    let rows: Vec<Bar> = lanes(run)
        .into_iter()
        .filter_map(|lane| {
            let of = |layer: &Layer| {
                let one = |trial: &Trial| per((layer.2)(&trial.bytes), trial.bytes.messages);
                let size = median(&run.trials_of(lane).filter_map(one).collect::<Vec<_>>())?;
                (size > 0.0).then_some((layer.1, size))
            };
            let parts: Vec<(usize, f64)> = LAYERS.iter().filter_map(of).collect();
            let text = format!("{} B", number(parts.iter().map(|part| part.1).sum()));
            (!parts.is_empty()).then(|| Bar { group: lane.to_string(), parts, text, ..Bar::default() })
        })
        .collect();
    let used = |hue: usize| rows.iter().flat_map(|row| &row.parts).any(|part| part.0 == hue);
    let layers = LAYERS.iter().filter(|layer| used(layer.1));
    let legend = layers.map(|(name, hue, _)| Key::new(*name, *hue, Shape::Box)).collect();
    (!rows.is_empty()).then(|| Figure {
        name: "upstream",
        question: "How many bytes does a message from client to server cost?",
        finding: finding(run, &["message bytes"]),
        how: "Per message, as the client wrote and read them, without TCP/IP headers and without the echo, which \
              is an event like others. Heads of requests are as short as HTTP allows; a browser adds some \
              hundred bytes of its own to each, and cookies.",
        caption: basis(run),
        legend,
        plot: Plot::Bars(Bars { axis: Axis::from_zero("bytes per message", reach(&rows)), rows }),
    })
}
