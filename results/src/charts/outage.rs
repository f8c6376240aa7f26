//! The charts of what broke: what they share. Many cases become small plots beside each other, with the lanes of a
//! case in one of them; a single case fills the picture.

use super::axis::Axis;
use super::figure::{Curve, Curves, Panel, Plot, Stroke};
use super::hue;
use crate::conclude::basis;
use crate::outage::{Naming, Row, rows};
use crate::run::Run;
use crate::run::outage::TICK_NS;
use crate::value::number;

pub mod herd;
pub mod parts;
pub mod replay;
pub mod server;
pub mod survival;
pub mod timeline;
pub mod window;

/// The charts of this kind, by name: they stand together on the page.
pub const NAMES: [&str; 7] = [
    "survival",
    "herd",
    "recovery-parts",
    "latency-around-faults",
    "loss-by-window",
    "replay",
    "server-around-faults",
];

/// Small plots that can still be read in one picture.
const MOST: usize = 8;

/// Time since the fault, from and to where there is something to show.
fn since(from: f64, to: f64) -> Axis {
    let axis = Axis::linear("time since the fault, s", from, to);
    let ticks = axis.ticks.clone();
    axis.with_ticks((from, to), ticks)
}

/// Seconds from the fault to the beginning of a slice.
fn seconds(tick: usize) -> f64 {
    tick as f64 * TICK_NS as f64 / 1e9
}

/// Slices up to the last that holds anything.
fn length(curve: &[u64]) -> usize {
    curve.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1)
}

fn plot(mut panels: Vec<Panel>) -> Plot {
    match panels.len() {
        1 => Plot::Curves(panels.remove(0).curves),
        _ => Plot::Panels(panels),
    }
}

/// Which of the cases are shown, what all of them have in common, and what the figure rests on.
fn caption(run: &Run, left_out: &str) -> String {
    let rows = rows(run);
    let common = Naming::of(&rows).common(&rows);
    let common = if common.is_empty() { common } else { format!("All: {common}. ") };
    format!("{left_out}{common}{}", basis(run))
}

/// A number against the events that the server keeps, by fault, policy and hint; nothing unless there are several
/// windows.
fn by_window(run: &Run, y: &str, of: impl Fn(&Row<'_>) -> Option<f64>) -> Option<Vec<Panel>> {
    let rows = rows(run);
    let held = |row: &Row<'_>| Some((row.window as f64, of(row)?));
    let points: Vec<(f64, f64)> = rows.iter().filter_map(held).collect();
    let least = points.iter().map(|point| point.0).fold(f64::INFINITY, f64::min);
    let most = points.iter().map(|point| point.0).fold(0.0, f64::max);
    if least >= most {
        return None;
    }
    let mut windows: Vec<u64> = rows.iter().map(|row| row.window).collect();
    windows.sort_unstable();
    windows.dedup();
    let windows: Vec<(f64, String)> =
        windows.into_iter().map(|window| (window.max(1) as f64, number(window as f64))).collect();
    let naming = Naming::of(&rows).beside_windows();
    let mut named: Vec<(String, Vec<Curve>)> = Vec::new();
    for row in &rows {
        let Some(point) = held(row) else { continue };
        let (title, own) = (naming.name(row), hue(run, row.lane));
        let panel = named.iter().position(|(held, _)| *held == title).unwrap_or_else(|| {
            named.push((title, Vec::new()));
            named.len() - 1
        });
        let curves = &mut named[panel].1;
        let at = curves.iter().position(|curve| curve.hue == own).unwrap_or_else(|| {
            let (points, markers) = Default::default();
            curves.push(Curve { hue: own, stroke: Stroke::Thick, points, markers });
            curves.len() - 1
        });
        curves[at].points.push(point);
        curves[at].markers.push(point);
    }
    let panel = |(title, curves): (String, Vec<Curve>)| {
        let highest = curves.iter().flat_map(|curve| &curve.points).map(|point| point.1).fold(0.0, f64::max);
        // A window of nothing stands where one of a single event does.
        let x = Axis::log("events that the server keeps", least.max(1.0), most);
        let x = x.with_ticks((least.max(1.0), most), windows.clone());
        let curves = Curves { x, y: Axis::from_zero(y, highest), curves, marks: Vec::new(), level: None };
        Panel { title, curves }
    };
    Some(named.into_iter().take(MOST).map(panel).collect())
}
