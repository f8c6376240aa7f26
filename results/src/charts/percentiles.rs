//! How long does an event take: latency by percentile, the tail stretched as HdrHistogram plots do.

use scenarios::Lane;

use super::axis::Axis;
use super::figure::{Curve, Curves, Figure, Key, Plot, Shape, Stroke};
use super::{finding, hue, lane_keys};
use crate::conclude::basis;
use crate::metric::{eligible, instants};
use crate::run::{Run, Trial};
use crate::stats::Pool;
use crate::summary::lanes;

/// Where the markers and ticks stand: quantile and name.
const NAMED: [(f64, &str); 7] = [
    (0.0, "0 %"),
    (0.5, "50 %"),
    (0.9, "90 %"),
    (0.99, "99 %"),
    (0.999, "99.9 %"),
    (0.9999, "99.99 %"),
    (0.99999, "99.999 %"),
];

/// Points a power of ten of `1/(1-q)`.
const FINENESS: f64 = 24.0;

/// `1/(1-q)`.
fn rarity(q: f64) -> f64 {
    1.0 / (1.0 - q)
}

/// The chart.
pub fn draw(run: &Run) -> Option<Figure> {
    let lanes: Vec<Lane> = lanes(run).into_iter().filter(|lane| !pool(run, *lane).is_empty()).collect();
    let most = lanes.iter().map(|lane| instants(run.trials_of(*lane))).max().filter(|most| *most > 0)?;
    let last = (most as f64).max(20.0);
    let mut curves: Vec<Curve> = lanes.iter().flat_map(|lane| repetitions(run, *lane)).collect();
    curves.extend(lanes.iter().flat_map(|lane| pooled(run, *lane)));
    let values: Vec<f64> = curves.iter().flat_map(|curve| &curve.points).map(|point| point.1).collect();
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = values.iter().copied().fold(0.0, f64::max);
    let ticks = NAMED.map(|(q, name)| (rarity(q), name.to_owned())).to_vec();
    let mut legend = lane_keys(run);
    legend.push(Key::new("one repetition", 2, Shape::Line(Stroke::Thin)));
    legend.push(Key::new("too few events to rely on", 2, Shape::Line(Stroke::Dotted)));
    (!values.is_empty()).then(|| Figure {
        name: "latency-percentiles",
        question: "How long does an event take to arrive?",
        finding: finding(run, &["latency p50", "latency p99"]),
        how: "Read upwards from a percentile: that share of deliveries took at most so long. Lower is better; a \
              line that ends early lost events. Where fewer than ten independent events lie above a \
              percentile, the line is dotted.",
        caption: basis(run),
        legend,
        plot: Plot::Curves(Curves {
            x: Axis::log("share of deliveries, by 1/(1 - share)", 1.0, last).with_ticks((1.0, last), ticks),
            y: Axis::log("latency, ms", least, highest),
            curves,
            marks: Vec::new(),
            level: None,
        }),
    })
}

fn pool(run: &Run, lane: Lane) -> Pool {
    Pool::new(run.trials_of(lane).map(|trial| &trial.latency))
}

/// `(1/(1-q), ms)` up to a rarity, as far as events were delivered.
fn points(pool: &Pool, last: f64) -> Vec<(f64, f64)> {
    let steps = (last.log10() * FINENESS).floor() as i32;
    let rare = (0..=steps).map(|step| 10f64.powf(f64::from(step) / FINENESS));
    rare.map_while(|rare| Some((rare, pool.quantile(1.0 - 1.0 / rare)? / 1e6))).collect()
}

fn repetitions(run: &Run, lane: Lane) -> Vec<Curve> {
    let one = |trial: &Trial| Curve {
        hue: hue(run, lane),
        stroke: Stroke::Thin,
        points: points(&Pool::new([&trial.latency]), (instants([trial]) as f64).max(1.0)),
        markers: Vec::new(),
    };
    run.trials_of(lane).map(one).collect()
}

fn pooled(run: &Run, lane: Lane) -> [Curve; 2] {
    let (pool, units) = (pool(run, lane), instants(run.trials_of(lane)));
    let all = points(&pool, (units as f64).max(1.0));
    let sure = all.iter().filter(|point| eligible(1.0 - 1.0 / point.0, units)).count();
    let marker = |(q, _): &(f64, &str)| {
        let value = pool.quantile(*q).filter(|_| *q > 0.0 && eligible(*q, units))?;
        Some((rarity(*q), value / 1e6))
    };
    let curve = |stroke, points: &[(f64, f64)], markers| Curve {
        hue: hue(run, lane),
        stroke,
        points: points.to_vec(),
        markers,
    };
    [
        curve(Stroke::Dotted, &all[sure.saturating_sub(1)..], Vec::new()),
        curve(Stroke::Thick, &all[..sure], NAMED.iter().filter_map(marker).collect()),
    ]
}
