//! Does latency drift: median and 99th percentile by slice, all repetitions after each other.

use scenarios::Lane;

use super::axis::Axis;
use super::figure::{Curve, Curves, Figure, Key, Plot, Shape, Stroke};
use super::{hue, lane_keys, loud};
use crate::conclude::basis;
use crate::run::{Run, Slice, Trial};
use crate::stats::median;
use crate::summary::{lanes, repetitions};
use crate::value::number;

/// Every so many slices carry the lane's marker.
const MARKED: usize = 8;

/// The chart.
pub fn draw(run: &Run) -> Option<Figure> {
    let starts = starts(run);
    let lanes = lanes(run);
    let curves: Vec<Curve> = lanes.iter().flat_map(|lane| lines(run, *lane, &starts)).collect();
    let values: Vec<f64> = curves.iter().flat_map(|curve| &curve.points).map(|point| point.1).collect();
    let least = values.iter().copied().filter(|v| *v > 0.0).fold(f64::INFINITY, f64::min);
    let highest = values.iter().copied().fold(0.0, f64::max);
    let mut legend = lane_keys(run);
    // A line needs two slices; where no block has them, each is the marker of its median.
    if curves.iter().any(|curve| curve.stroke == Stroke::Dashed && curve.points.len() > 1) {
        legend.push(Key::new("99th percentile (solid: median)", 2, Shape::Line(Stroke::Dashed)));
    }
    let end = starts[starts.len() - 1];
    let time = Axis::from_zero("measured time, s (numbers: where a repetition begins)", end);
    let ticks = time.ticks.clone();
    let time = time.with_ticks((0.0, end), ticks);
    let marks = (0..repetitions(run)).map(|r| (starts[r as usize], format!("{}", r + 1))).collect();
    (highest > 0.0).then(|| Figure {
        name: "latency-over-time",
        question: "Does latency drift while the run goes on?",
        finding: loud(run, &drift(run, &lanes)),
        how: "Each point is a slice of at most one second. A level that rises within a repetition means a queue \
              builds up; a step from one repetition to the next is the machine, which is why lanes are compared \
              in pairs of neighbouring blocks.",
        caption: basis(run),
        legend,
        plot: Plot::Curves(Curves {
            x: time,
            y: Axis::log("latency, ms", least, highest),
            curves,
            marks,
            level: None,
        }),
    })
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

fn slices(trial: &Trial) -> impl Iterator<Item = &Slice> {
    trial.blocks.iter().flat_map(|block| &block.slices)
}

/// Where each repetition begins when they are laid after each other, s; the end of the last is last.
fn starts(run: &Run) -> Vec<f64> {
    let mut starts = vec![0.0];
    for r in 0..repetitions(run) {
        let own = run.trials.iter().filter(|trial| trial.repetition == r).flat_map(slices);
        let length = own.map(|slice| seconds(slice.start_ns + slice.span_ns)).fold(0.0, f64::max);
        starts.push(starts[starts.len() - 1] + length);
    }
    starts
}

fn lines(run: &Run, lane: Lane, starts: &[f64]) -> Vec<Curve> {
    let line = |trial: &Trial, stroke, value: fn(&Slice) -> u64| {
        let held = slices(trial).filter(|slice| slice.deliveries > 0);
        let middle = |slice: &Slice| seconds(slice.start_ns) + seconds(slice.span_ns) / 2.0;
        let start = starts[trial.repetition as usize];
        let points: Vec<(f64, f64)> =
            held.map(|slice| (start + middle(slice), value(slice) as f64 / 1e6)).collect();
        let marked = if stroke == Stroke::Thick { MARKED } else { usize::MAX };
        let markers = points.iter().skip(points.len().min(MARKED) / 2).step_by(marked).copied();
        let markers = if stroke == Stroke::Thick { markers.collect() } else { Vec::new() };
        Curve { hue: hue(run, lane), stroke, points, markers }
    };
    run.trials_of(lane)
        .flat_map(|trial| {
            [
                line(trial, Stroke::Dashed, |slice| slice.p99_ns),
                line(trial, Stroke::Thick, |slice| slice.p50_ns),
            ]
        })
        .collect()
}

/// By how much the median of a repetition differs between the calmest and the slowest.
fn drift(run: &Run, lanes: &[Lane]) -> String {
    let range = |lane: &Lane| {
        let of =
            |trial: &Trial| median(&slices(trial).map(|slice| slice.p50_ns as f64 / 1e6).collect::<Vec<_>>());
        let levels: Vec<f64> = run.trials_of(*lane).filter_map(of).collect();
        let low = levels.iter().copied().reduce(f64::min)?;
        let high = levels.iter().copied().reduce(f64::max)?;
        Some(match levels.len() {
            1 => format!("{lane} {} ms", number(low)),
            _ => format!("{lane} {} to {} ms", number(low), number(high)),
        })
    };
    let ranges: Vec<String> = lanes.iter().filter_map(range).collect();
    format!("Typical slice (median), lowest to highest repetition: {}.", ranges.join(", "))
}
