//! What does an event weigh on the wire: bytes by layer, down and up.

use scenarios::Lane;

use super::axis::Axis;
use super::figure::{Bar, Bars, Figure, Key, Plot, Shape};
use super::{finding, grouped, reach};
use crate::conclude::basis;
use crate::metric::extract::{HEADER_BYTES, arrived, per};
use crate::run::{Bytes, KernelCounts, Run, Trial};
use crate::stats::median;
use crate::summary::lanes;
use crate::value::number;

/// What a layer adds to an event.
type Layer = (&'static str, usize, fn(&Bytes, &KernelCounts) -> u64);

const DOWN: [Layer; 7] = [
    ("payload", 0, |bytes, _| bytes.payload),
    ("event framing", 4, |bytes, _| bytes.event_framing),
    ("payload and event framing, compressed", 7, |bytes, _| bytes.coded),
    ("HTTP/WebSocket framing, heads of polls", 1, |bytes, _| {
        bytes.transport_framing + bytes.control + bytes.poll_heads
    }),
    ("TLS records", 6, |bytes, _| bytes.tls),
    (
        "stream, not split by this client",
        5,
        |bytes, kernel| if bytes.down() == 0 { kernel.down_bytes } else { 0 },
    ),
    ("TCP/IP headers", 2, |_, kernel| HEADER_BYTES * kernel.down_segments),
];

const UP: [Layer; 2] = [
    ("sent upwards", 3, |_, kernel| kernel.up_bytes),
    ("TCP/IP headers", 2, |_, kernel| HEADER_BYTES * kernel.up_segments),
];

/// The chart.
pub fn draw(run: &Run) -> Option<Figure> {
    if run.trials.iter().any(|trial| trial.talks()) {
        // Segments and acknowledgements of events cannot be told from those of messages.
        return None;
    }
    let bars = |lane| {
        let rows = [bar(run, lane, "down", &DOWN), bar(run, lane, "up", &UP)];
        grouped(lane, rows.into_iter().flatten().collect())
    };
    let rows: Vec<Bar> = lanes(run).into_iter().flat_map(bars).collect();
    let used = |hue: usize| rows.iter().flat_map(|row| &row.parts).any(|part| part.0 == hue);
    let layers = DOWN.iter().chain(&UP[..1]).filter(|layer| used(layer.1));
    let legend = layers.map(|(name, hue, _)| Key::new(*name, *hue, Shape::Box)).collect();
    (!rows.is_empty()).then(|| Figure {
        name: "bytes",
        question: "How many bytes does an event cost on the wire?",
        finding: finding(run, &["wire bytes down", "wire bytes up"]),
        how: "Per event and subscriber, after the handshake. Payload and framing are what the decoder counted; \
              TCP/IP headers are 52 bytes a segment (IPv4 with timestamps), as a network with this segment size \
              would carry them; up, those of acknowledgements. The smaller the payload, the more the headers weigh.",
        caption: format!("{}{}", other_bodies(&rows), basis(run)),
        legend,
        plot: Plot::Bars(Bars { axis: Axis::from_zero("bytes per event", reach(&rows)), rows }),
    })
}

/// Bodies of one size on average are the same events; where they differ, a lane published fewer of them.
fn other_bodies(rows: &[Bar]) -> &'static str {
    let sizes =
        || rows.iter().flat_map(|row| &row.parts).filter(|part| part.0 == DOWN[0].1).map(|part| part.1);
    let (least, most) = (sizes().fold(f64::INFINITY, f64::min), sizes().fold(0.0, f64::max));
    if most > least * 1.002 {
        "Payloads differ because a lane published fewer events, and its bodies are others on average. "
    } else {
        ""
    }
}

fn bar(run: &Run, lane: Lane, label: &str, layers: &[Layer]) -> Option<Bar> {
    let of = |layer: &Layer| {
        let one = |trial: &Trial| {
            let kernel = trial.kernel.unwrap_or_default();
            per((layer.2)(&trial.bytes, &kernel), arrived(trial))
        };
        let size = median(&run.trials_of(lane).filter_map(one).collect::<Vec<_>>())?;
        (size > 0.0).then_some((layer.1, size))
    };
    let parts: Vec<(usize, f64)> = layers.iter().filter_map(of).collect();
    let whole: f64 = parts.iter().map(|part| part.1).sum();
    let text = format!("{} B", number(whole));
    (!parts.is_empty()).then(|| Bar { label: label.into(), parts, text, ..Bar::default() })
}
