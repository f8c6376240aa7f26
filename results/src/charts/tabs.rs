//! How many tabs of one browser get their stream: open and waiting, by lane.

use super::axis::Axis;
use super::figure::{Bar, Bars, Figure, Key, Plot, Shape};
use super::{loud, reach};
use crate::conclude::{basis, plural};
use crate::run::{Run, Tabs};

const OPEN: usize = 0;
const WAITING: usize = 1;

/// The chart.
#[expect(clippy::cast_precision_loss, reason = "a number of tabs")]
pub fn draw(run: &Run) -> Option<Figure> {
    let bar = |tabs: &Tabs| Bar {
        group: tabs.lane.to_string(),
        label: plural(tabs.connections, "connection"),
        parts: vec![(OPEN, tabs.open as f64), (WAITING, (tabs.tabs - tabs.open) as f64)],
        text: format!("{} of {} open", tabs.open, tabs.tabs),
        ..Bar::default()
    };
    let rows: Vec<Bar> = run.tabs.iter().map(bar).collect();
    let said = |tabs: &Tabs| format!("{} of {} streams open on {}", tabs.open, tabs.tabs, tabs.lane);
    let said = run.tabs.iter().map(said).collect::<Vec<_>>().join("; ");
    (!rows.is_empty()).then(|| Figure {
        name: "tabs",
        question: "How many tabs of one browser get their stream?",
        finding: loud(run, &format!("{said}.")),
        how: "Tabs of one browser open a stream each to one origin. This project's client applies the browsers' rule: six \
              connections to an origin over HTTP/1.1, one over HTTP/2 whose streams all tabs share, and WebSockets in a \
              pool of their own. What does not open waits until another tab is closed.",
        caption: basis(run),
        legend: vec![Key::new("open", OPEN, Shape::Box), Key::new("waiting", WAITING, Shape::Box)],
        plot: Plot::Bars(Bars { axis: Axis::from_zero("tabs", reach(&rows)), rows }),
    })
}
