//! Streams of one's own: how evenly their events come, and how soon a server lets go of a stream whose client
//! has left.

use super::axis::Axis;
use super::figure::{Bar, Bars, Figure, Key, Plot, Shape};
use super::{bar_keys, finding, grouped, loud, metric_bar, reach};
use crate::conclude::basis;
use crate::metric::Metric;
use crate::run::Run;
use crate::summary::{estimate, lanes};
use crate::value::number;

/// Metric, name of the row, hue.
type Rows = [(&'static str, &'static str, usize); 2];

const GAPS: Rows = [("event gap p50", "p50", 0), ("event gap p90", "p90", 4)];
const RELEASES: Rows = [("release p50", "p50", 0), ("release max", "longest", 4)];

/// How evenly events come.
pub fn gaps(run: &Run) -> Option<Figure> {
    let rows = rows(run, &GAPS);
    (!rows.is_empty()).then(|| Figure {
        name: "event-gaps",
        question: "How evenly do the events of a stream come?",
        finding: finding(run, &["first event p50", "event gap p90"]),
        how: "Time from one event to the next in the same stream, over all streams. Events are meant to be evenly spaced, so \
              the distance of the two bars is what a reader sees as stutter. The finding tells of the time to the first \
              event too, from the request for the stream on.",
        caption: basis(run),
        legend: legend(&GAPS, &rows),
        plot: Plot::Bars(Bars { axis: Axis::from_zero("time between events, ms", reach(&rows)), rows }),
    })
}

/// How soon a server lets go.
pub fn releases(run: &Run) -> Option<Figure> {
    let rows = rows(run, &RELEASES);
    (!rows.is_empty()).then(|| Figure {
        name: "leaving",
        question: "How soon does the server stop when a client has left?",
        finding: loud(run, &stopped(run)),
        how: "Time from a client's leaving in the middle of its stream to the server's letting go of it: no event is \
              produced for it any more. A server that noticed only at its next write would need the time between two \
              events.",
        caption: basis(run),
        legend: legend(&RELEASES, &rows),
        plot: Plot::Bars(Bars { axis: Axis::from_zero("time to release, ms", reach(&rows)), rows }),
    })
}

/// How soon all servers stopped, and whether anything stayed behind.
fn stopped(run: &Run) -> String {
    let level = |lane, name| estimate(run, Metric::named(name)?, lane).value.known();
    let all = |name| lanes(run).into_iter().filter_map(move |lane| level(lane, name));
    let (least, most) = all("release p50")
        .fold((f64::MAX, 0.0), |(least, most): (f64, f64), one| (least.min(one), most.max(one)));
    let sessions = || run.trials.iter().filter_map(|trial| trial.session.as_ref());
    let longest = sessions().filter_map(|session| session.release.max()).max().unwrap_or(0);
    let left: u64 = sessions().map(|session| session.left).sum();
    format!(
        "Half of the {left} streams that were left were let go of within {} to {} ms by lane, all within {} ms; left behind: {}.",
        number(least),
        number(most),
        number(longest as f64 / 1e6),
        number(all("left behind").sum())
    )
}

fn rows(run: &Run, rows: &Rows) -> Vec<Bar> {
    let bars = |lane| {
        let row = |(name, label, hue): &(&str, &str, usize)| {
            metric_bar(run, lane, Metric::named(name)?, label, *hue)
        };
        grouped(lane, rows.iter().filter_map(row).collect())
    };
    lanes(run).into_iter().flat_map(bars).collect()
}

fn legend(rows: &Rows, bars: &[Bar]) -> Vec<Key> {
    let mut keys: Vec<Key> = rows.iter().map(|(_, label, hue)| Key::new(*label, *hue, Shape::Box)).collect();
    keys.extend(bar_keys(bars, "one repetition"));
    keys
}
