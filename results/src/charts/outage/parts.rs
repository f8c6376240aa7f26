//! Where the time without events goes: the five parts of a recovery, their means stacked.

use super::caption;
use crate::charts::axis::Axis;
use crate::charts::figure::{Bar, Bars, Figure, Key, Plot, Shape};
use crate::charts::{loud, reach};
use crate::outage::{Case, Row, by_class, chosen};
use crate::run::Run;
use crate::value::number;

/// Name and hue, in the order of the parts.
const PARTS: [(&str, usize); 5] =
    [("detect", 2), ("back off", 4), ("connect", 0), ("first event", 3), ("catch up", 5)];

/// Cases whose bars can still be read in one picture.
const MOST: usize = 12;

/// The chart.
pub fn draw(run: &Run) -> Option<Figure> {
    let (cases, left_out) = chosen(run, MOST, |row| row.parts_ms().is_some());
    let rows: Vec<Bar> = cases.iter().flat_map(bars).collect();
    let waiting = |row: &Row<'_>| {
        let (parts, mean) = (row.parts_ms()?, row.mean_ms()?);
        (mean > 0.0).then(|| 100.0 * parts[1] / mean)
    };
    (!rows.is_empty()).then(|| Figure {
        name: "recovery-parts",
        question: "Where does the time without events go?",
        finding: loud(
            run,
            &format!(
                "Mean time without events: {}. Of it is waiting before attempts: {}.",
                by_class(run, "ms", |row| row.mean_ms()),
                by_class(run, "%", waiting)
            ),
        ),
        how: "From the last event that arrived live to having all again, over those who recovered: knowing that the stream \
              is over, waiting before attempts, connecting in all of them, the first event, and the rest that was due. Each \
              part is stamped by itself; together they are the time that the ledger shows.",
        caption: caption(run, &left_out),
        legend: PARTS.map(|(name, hue)| Key::new(name, hue, Shape::Box)).to_vec(),
        plot: Plot::Bars(Bars { axis: Axis::from_zero("mean time, ms", reach(&rows)), rows }),
    })
}

fn bars(case: &Case<'_>) -> Vec<Bar> {
    let bar = |row: &Row<'_>| {
        let parts = row.parts_ms()?;
        Some(Bar {
            label: row.lane.to_string(),
            parts: PARTS.iter().zip(parts).map(|((_, hue), length)| (*hue, length)).collect(),
            text: format!("{} ms", number(parts.iter().sum())),
            ..Bar::default()
        })
    };
    let mut bars: Vec<Bar> = case.rows.iter().filter_map(bar).collect();
    if let Some(first) = bars.first_mut() {
        first.group.clone_from(&case.title);
    }
    bars
}
