//! What a sweep of rates or of payload sizes shows: latency until the knee, latency and CPU by size.

use scenarios::Lane;

use super::axis::Axis;
use super::figure::{Curve, Curves, Figure, Key, Plot, Shape, Stroke};
use super::{hue, lane_keys, loud};
use crate::conclude::path;
use crate::run::Run;
use crate::steps::{BOUND_MS, Knee, Lack, Place, SATURATED, knee, places};
use crate::summary::lanes;
use crate::value::number;

/// One line of a lane.
type Line = (Stroke, fn(&Place<'_>) -> Option<f64>);

const LATENCY: [Line; 2] =
    [(Stroke::Dashed, |place| place.latency_ms(0.99)), (Stroke::Thick, |place| place.latency_ms(0.5))];
/// Without the tail: a step of one size has too few events for it.
const MEDIAN: [Line; 1] = [(Stroke::Thick, |place| place.latency_ms(0.5))];
const CPU: [Line; 2] = [
    (Stroke::Dashed, |place| place.cpu_us().map(|cpu| cpu[1])),
    (Stroke::Thick, |place| place.cpu_us().map(|cpu| cpu[0])),
];

/// Latency against offered rate.
pub fn rates(run: &Run) -> Option<Figure> {
    let curves = curves(run, |place| place.rate, &LATENCY)?;
    let knees = lanes(run).into_iter().filter_map(|lane| Some((lane, knee(run, lane)?)));
    let said: Vec<String> = knees.map(|(lane, knee)| written(lane, knee)).collect();
    let said =
        if said.is_empty() { "no lane keeps up with the lowest rate".to_owned() } else { said.join(", ") };
    let plot = plot(curves, "offered rate, events/s", "latency, ms", Some(BOUND_MS));
    let bound = format!("bound of the 99th percentile, {BOUND_MS} ms");
    let bound = Key::new(bound, 2, Shape::Line(Stroke::Level));
    Some(Figure {
        name: "knee",
        question: "Up to which rate does a lane keep up?",
        finding: loud(run, &format!("Kept up to: {said}.")),
        how: "Each point is a short block at that rate, all passes together: median and 99th percentile over \
              deliveries of few events, so a sign of a queue rather than a judged quantile. A lane keeps up while nothing is lost, the 99th percentile stays below the bound \
              and its server uses less than 95 % of a core, in every pass. A line ends where its lane was not \
              pushed further, or where the quantile lies among what was lost.",
        caption: format!("Payload {}; {}", run.scenario.payload, steps_of(run)),
        legend: keys(run, ["median", "99th percentile"]).into_iter().chain([bound]).collect(),
        plot,
    })
}

fn written(lane: Lane, knee: Knee) -> String {
    let rate = number(knee.rate);
    let Some((next, lack)) = knee.beyond else { return format!("{lane} at least {rate} events/s") };
    let lacks = match lack {
        Lack::Whole => "not all of it arrived".to_owned(),
        Lack::Time => "it was late".to_owned(),
        Lack::Cpu => format!("its server used {} % of a core or more", SATURATED * 100.0),
    };
    format!("{lane} {rate} events/s (at {} {lacks})", number(next))
}

/// Latency against payload size.
pub fn size_latency(run: &Run) -> Option<Figure> {
    let curves = curves(run, |place| place.payload_bytes as f64, &MEDIAN)?;
    Some(Figure {
        name: "size-latency",
        question: "How much later does a larger event arrive?",
        finding: loud(run, &ends(run, "latency p50", "ms", |place| place.latency_ms(0.5))),
        how: "Each point is short blocks of events of that size at the same rate, all passes together: the median \
              over deliveries. A block has too few events for its tail.",
        caption: steps_of(run),
        legend: lane_keys(run),
        plot: plot(curves, "payload, bytes", "latency, ms", None),
    })
}

/// CPU against payload size.
pub fn size_cpu(run: &Run) -> Option<Figure> {
    let curves = curves(run, |place| place.payload_bytes as f64, &CPU)?;
    Some(Figure {
        name: "size-cpu",
        question: "How much more CPU does a larger event cost?",
        finding: loud(run, &ends(run, "server CPU", "us/delivery", |place| place.cpu_us().map(|cpu| cpu[0]))),
        how: "Each point is short blocks of events of that size at the same rate, all passes together; CPU of \
              the lane's processes over deliveries.",
        caption: steps_of(run),
        legend: keys(run, ["server", "client"]),
        plot: plot(curves, "payload, bytes", "CPU per delivery, us", None),
    })
}

/// What the points rest on.
fn steps_of(run: &Run) -> String {
    let scenario = &run.scenario;
    let passes = run.steps.iter().map(|step| step.pass + 1).max().unwrap_or(0);
    let least = run.steps.iter().map(|step| step.events).min().unwrap_or(0);
    format!(
        "{passes} passes over the steps, each a block of {} a lane with {least} events or more; {} subscribers \
         per lane; {}.",
        scenario.block,
        number(scenario.subscribers.0 as f64),
        path(run)
    )
}

/// The value of each lane at the smallest and at the largest size.
fn ends(run: &Run, what: &str, unit: &str, value: fn(&Place<'_>) -> Option<f64>) -> String {
    let of = |lane: Lane| {
        let places = places(run, lane);
        let (first, last) = (places.first()?, places.last()?);
        let (low, high) = (number(value(first)?), number(value(last)?));
        let [least, most] = [first, last].map(|place| number(place.payload_bytes as f64));
        Some(format!("{lane} {low} at {least} B, {high} at {most} B"))
    };
    let said: Vec<String> = lanes(run).into_iter().filter_map(of).collect();
    format!("{what}, {unit}: {}.", said.join("; "))
}

/// The lines of all lanes; nothing unless the abscissa takes at least two values.
fn curves(run: &Run, x: fn(&Place<'_>) -> f64, lines: &[Line]) -> Option<Vec<Curve>> {
    let line = |lane: Lane, places: &[Place<'_>], (stroke, value): Line| {
        let points: Vec<(f64, f64)> =
            places.iter().filter_map(|place| Some((x(place), value(place)?))).collect();
        let markers = if stroke == Stroke::Thick { points.clone() } else { Vec::new() };
        Curve { hue: hue(run, lane), stroke, points, markers }
    };
    let of = |lane: Lane| {
        let places = places(run, lane);
        lines.iter().map(|one| line(lane, &places, *one)).collect::<Vec<_>>()
    };
    let curves: Vec<Curve> =
        lanes(run).into_iter().flat_map(of).filter(|curve| !curve.points.is_empty()).collect();
    let values = || curves.iter().flat_map(|curve| &curve.points).map(|point| point.0);
    (values().fold(f64::INFINITY, f64::min) < values().fold(0.0, f64::max)).then_some(curves)
}

fn plot(curves: Vec<Curve>, x: &str, y: &str, level: Option<f64>) -> Plot {
    let range = |of: fn(&(f64, f64)) -> f64| {
        let values = || curves.iter().flat_map(|curve| &curve.points).map(of);
        (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max))
    };
    let ((left, right), (low, high)) = (range(|point| point.0), range(|point| point.1));
    let high = level.map_or(high, |level| high.max(level));
    Plot::Curves(Curves {
        x: Axis::log(x, left, right),
        y: Axis::log(y, low, high),
        curves,
        marks: Vec::new(),
        level,
    })
}

fn keys(run: &Run, [thick, dashed]: [&str; 2]) -> Vec<Key> {
    let mut keys = lane_keys(run);
    keys.push(Key::new(format!("{dashed} (solid: {thick})"), 2, Shape::Line(Stroke::Dashed)));
    keys
}
