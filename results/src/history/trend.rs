//! Has anything changed from run to run: a small plot a metric, a line a lane, a mark where its level changed.

use scenarios::Lane;

use super::{History, Series};
use crate::charts::axis::Axis;
use crate::charts::figure::{Curve, Curves, Key, Panel, Plot, Shape, Stroke};
use crate::charts::{Figure, svg};
use crate::value::number;

/// The metrics that are drawn.
const DRAWN: [&str; 6] =
    ["latency p50", "latency p99", "server CPU", "client CPU", "server memory", "wire bytes down"];

/// Changes that the finding names.
const NAMED: usize = 4;

/// The chart; nothing for fewer than two runs.
#[must_use]
pub fn draw(history: &History) -> Option<Figure> {
    let lanes = lanes(history);
    let panels: Vec<Panel> = DRAWN.iter().filter_map(|name| panel(history, name, &lanes)).collect();
    let key = |(hue, lane): (usize, &Lane)| Key::new(lane.to_string(), hue, Shape::Line(Stroke::Thick));
    let first = history.series.first()?.rows.first()?;
    (!panels.is_empty()).then(|| Figure {
        name: "trend",
        question: "Has anything changed from run to run?",
        finding: finding(history),
        how: "Each point is a run. A mark is a run from which on the level is another, by E-divisive with a permutation \
              test at 1 %. The machine may have changed as well as the program: nothing fails because of it.",
        caption: format!("{} on {}; runs from {}, valid ones only.", first.scenario, first.machine, first.started),
        legend: lanes.iter().enumerate().map(key).collect(),
        plot: Plot::Panels(panels),
    })
}

/// The chart as SVG.
#[must_use]
pub fn drawn(history: &History) -> Option<String> {
    draw(history).map(|figure| svg(&figure))
}

fn lanes(history: &History) -> Vec<Lane> {
    let mut lanes = Vec::new();
    for series in &history.series {
        if !lanes.contains(&series.rows[0].lane) {
            lanes.push(series.rows[0].lane);
        }
    }
    lanes
}

fn panel(history: &History, name: &str, lanes: &[Lane]) -> Option<Panel> {
    let held =
        || history.series.iter().filter(|series| series.rows[0].metric == name && series.rows.len() > 1);
    let curve = |series: &Series| Curve {
        hue: lanes.iter().position(|lane| *lane == series.rows[0].lane).unwrap_or(0),
        stroke: Stroke::Thick,
        points: series.rows.iter().enumerate().map(|(i, row)| ((i + 1) as f64, row.value)).collect(),
        markers: series
            .changes
            .iter()
            .map(|change| ((change.at + 1) as f64, series.rows[change.at].value))
            .collect(),
    };
    let curves: Vec<Curve> = held().map(curve).collect();
    let unit = &held().next()?.rows[0].unit;
    let highest = curves.iter().flat_map(|curve| &curve.points).map(|point| point.1).fold(0.0, f64::max);
    let runs = held().map(|series| series.rows.len()).max()?;
    let mut marks: Vec<(f64, String)> = held()
        .flat_map(|series| &series.changes)
        .map(|change| ((change.at + 1) as f64, format!("{}", change.at + 1)))
        .collect();
    marks.sort_by(|a, b| a.0.total_cmp(&b.0));
    marks.dedup_by(|a, b| a.0.total_cmp(&b.0).is_eq());
    let time = Axis::linear("run, the oldest first", 1.0, runs as f64);
    let ticks = time.ticks.clone();
    Some(Panel {
        title: name.to_owned(),
        curves: Curves {
            x: time.with_ticks((1.0, runs as f64), ticks),
            // Room for the marks' words above the curves.
            y: Axis::from_zero(unit, 1.2 * highest),
            curves,
            marks,
            level: None,
        },
    })
}

/// A change in words, and which run it came with.
struct Told {
    at: usize,
    what: String,
    with: String,
}

/// Every change, the newest first.
fn changes(history: &History) -> Vec<Told> {
    let mut all: Vec<Told> = history.series.iter().flat_map(told).collect();
    all.sort_by_key(|told| std::cmp::Reverse(told.at));
    all
}

/// Every change in words, the newest first.
#[must_use]
pub fn said(history: &History) -> Vec<String> {
    changes(history).into_iter().map(|told| format!("{} ({})", told.what, told.with)).collect()
}

fn told(series: &Series) -> Vec<Told> {
    let one = |change: &super::changes::Change| {
        let row = &series.rows[change.at];
        let percent = (change.after / change.before - 1.0) * 100.0;
        let percent = if change.before > 0.0 { format!(", {percent:+.1} %,") } else { String::new() };
        let (before, after, run) = (number(change.before), number(change.after), change.at + 1);
        Told {
            at: change.at,
            what: format!(
                "{} of {} went from {before} to {after} {}{percent} at run {run}",
                row.metric, row.lane, row.unit
            ),
            with: format!("{}, commit {}", row.started, row.commit),
        }
    };
    series.changes.iter().map(one).collect()
}

fn finding(history: &History) -> String {
    let said: Vec<String> = changes(history).into_iter().map(|told| told.what).collect();
    let runs = history.series.iter().map(|series| series.rows.len()).max().unwrap_or(0);
    let fewest = 2 * super::changes::FEWEST;
    match said.len() {
        0 if runs < fewest => format!("{runs} runs so far; changes are looked for from {fewest} on."),
        0 => format!("No change of level in {runs} runs."),
        n => {
            let more = if n > NAMED { format!("; and {} more", n - NAMED) } else { String::new() };
            format!("{}{more}.", said[..n.min(NAMED)].join("; "))
        }
    }
}

/// The history for a terminal: what it is of, a line a series, then the changes.
#[must_use]
pub fn text(history: &History) -> String {
    let Some(first) = history.series.first().and_then(|series| series.rows.first()) else {
        return String::new();
    };
    let plain = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let mut out = format!(
        "{} on {} (fingerprint {}, workload {})\n",
        plain(&first.scenario),
        plain(&first.machine),
        plain(&first.fingerprint),
        plain(&first.workload)
    );
    let cell = |of: &dyn Fn(&Series) -> String| history.series.iter().map(of).collect::<Vec<String>>();
    let ends =
        |series: &Series| [&series.rows[0], &series.rows[series.rows.len() - 1]].map(|row| number(row.value));
    let grid = crate::table::Grid {
        corner: String::new(),
        labels: cell(&|series| plain(&series.rows[0].metric)),
        columns: vec![
            ("lane".into(), cell(&|series| series.rows[0].lane.to_string())),
            ("runs".into(), cell(&|series| series.rows.len().to_string())),
            ("first".into(), cell(&|series| ends(series)[0].clone())),
            ("last".into(), cell(&|series| ends(series)[1].clone())),
            ("unit".into(), cell(&|series| plain(&series.rows[0].unit))),
            ("changes".into(), cell(&|series| series.changes.len().to_string())),
        ],
    };
    grid.lines().iter().for_each(|line| out.push_str(&format!("{}\n", line.join("  ").trim_end())));
    said(history).iter().for_each(|line| out.push_str(&format!("- {}\n", plain(line))));
    out + &format!("{}\n", plain(&finding(history)))
}
