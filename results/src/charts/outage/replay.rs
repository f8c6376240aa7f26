//! What catching up costs in bytes: replayed events and the handshake of each recovery.

use super::{by_window, caption, plot};
use crate::charts::axis::Axis;
use crate::charts::figure::{Bar, Bars, Figure, Key, Plot, Shape};
use crate::charts::{lane_keys, loud, reach};
use crate::outage::{Case, Row, by_class, chosen};
use crate::run::Run;
use crate::value::number;

const REPLAYED: usize = 0;
const HANDSHAKES: usize = 4;

/// Cases whose bars can still be read in one picture.
const MOST: usize = 12;

/// The chart: against the window where there are several, by case where there is one.
pub fn draw(run: &Run) -> Option<Figure> {
    let (cases, left_out) = chosen(run, MOST, |row| kilobytes(row).is_some());
    if cases.is_empty() {
        return None;
    }
    let panels = by_window(run, "replayed, kB", |row| kilobytes(row).map(|parts| parts[0]));
    let (plot, legend) = match panels {
        Some(panels) => (plot(panels), lane_keys(run)),
        None => {
            let rows: Vec<Bar> = cases.iter().flat_map(bars).collect();
            let axis = Axis::from_zero("kB a recovery", reach(&rows));
            let keys = [("replayed events", REPLAYED), ("handshakes", HANDSHAKES)];
            let legend = keys.map(|(name, hue)| Key::new(name, hue, Shape::Box)).to_vec();
            (Plot::Bars(Bars { axis, rows }), legend)
        }
    };
    Some(Figure {
        name: "replay",
        question: "What does catching up cost in bytes?",
        finding: loud(
            run,
            &format!(
                "Replayed for each recovery: {}. Handshakes: {}.",
                by_class(run, "kB", |row| kilobytes(row).map(|parts| parts[0])),
                by_class(run, "kB", |row| kilobytes(row).map(|parts| parts[1]))
            ),
        ),
        how: "Bytes from the opening of a stream to having all events, and of the handshakes that opened streams, in both \
              directions, over recoveries. They grow with the time without events and end where the window does.",
        caption: caption(run, &left_out),
        legend,
        plot,
    })
}

/// Replayed and handshakes of a recovery, kB.
fn kilobytes(row: &Row<'_>) -> Option<[f64; 2]> {
    let replayed = row.per(|one| one.replayed_bytes, |one| one.recovered)?;
    Some([replayed, row.per(|one| one.handshake_bytes, |one| one.recovered)?].map(|bytes| bytes / 1e3))
}

fn bars(case: &Case<'_>) -> Vec<Bar> {
    let bar = |row: &Row<'_>| {
        let [replayed, handshakes] = kilobytes(row)?;
        Some(Bar {
            label: row.lane.to_string(),
            parts: vec![(REPLAYED, replayed), (HANDSHAKES, handshakes)],
            text: format!("{} kB", number(replayed + handshakes)),
            ..Bar::default()
        })
    };
    let mut bars: Vec<Bar> = case.rows.iter().filter_map(bar).collect();
    if let Some(first) = bars.first_mut() {
        first.group.clone_from(&case.title);
    }
    bars
}
