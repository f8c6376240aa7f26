//! Where do pushing and polling cross: bytes of an event against the event rate, computed from what
//! this run counted.

use super::axis::Axis;
use super::figure::{Curve, Curves, Figure, Key, Plot, Shape, Stroke};
use super::{hue, loud};
use crate::conclude::basis;
use crate::metric::extract::{arrived, down_on_the_wire, up_on_the_wire};
use crate::polling::Costs;
use crate::run::Run;
use crate::summary::lanes;
use crate::value::number;
use scenarios::Lane;

/// Points of the curve.
const POINTS: u32 = 60;

/// The chart.
pub fn draw(run: &Run) -> Option<Figure> {
    let named = |name: &str| lanes(run).into_iter().find(|lane| lane.to_string() == name);
    let (push, poll) = (named("sse-h1")?, named("poll-h1")?);
    let costs = Costs::of(run, push, poll)?;
    let (least, most) = (0.05, costs.most().max(2.0));
    let at = |point: u32| least * (most / least).powf(f64::from(point) / f64::from(POINTS));
    let rate = |events: f64| events / costs.interval;
    let polled: Vec<(f64, f64)> = (0..=POINTS).map(|p| (rate(at(p)), costs.polled(at(p)))).collect();
    let flat = |bytes: f64| vec![(rate(least), bytes), (rate(most), bytes)];
    let held = named("longpoll-h1").and_then(|lane| Some((lane, per_event(run, lane)?)));
    let mut curves = vec![curve(run, push, flat(costs.push)), curve(run, poll, polled)];
    curves.extend(held.map(|(lane, bytes)| curve(run, lane, flat(bytes))));
    let drawn = [Some(push), Some(poll), held.map(|held| held.0)];
    let key = |lane: Lane| Key::new(lane.to_string(), hue(run, lane), Shape::Line(Stroke::Thick));
    let highest = costs.polled(least);
    let mut marks = vec![(run.scenario.rate, "this run".to_owned())];
    marks.extend(costs.crossing().map(|events| (rate(events), "they cross".to_owned())));
    Some(Figure {
        name: "polling",
        question: "From which event rate on does polling cost fewer bytes than pushing?",
        finding: loud(run, &said(&costs, run.scenario.rate)),
        how: "Bytes on the wire of one event and client, both ways, TCP/IP headers included. A poll costs its request and \
              head whether there is an event or not, and several events share one answer; a pushed event is always alone. \
              Computed for every rate from the costs of a poll, an answer and an event that this run counted, at its \
              interval and payload, while an answer fits one segment. Long polling: as counted at this run's rate, while \
              each event is answered alone.",
        caption: basis(run),
        legend: drawn.into_iter().flatten().map(key).collect(),
        plot: Plot::Curves(Curves {
            x: Axis::log("events per second", rate(least), rate(most)),
            y: Axis::log("bytes per event", costs.push.min(costs.polled(most)) * 0.8, highest),
            curves,
            marks,
            level: None,
        }),
    })
}

fn curve(run: &Run, lane: Lane, points: Vec<(f64, f64)>) -> Curve {
    let ends = [points.first(), points.last()].into_iter().flatten().copied().collect();
    Curve { hue: hue(run, lane), stroke: Stroke::Thick, markers: ends, points }
}

/// Bytes on the wire of an event, both ways.
fn per_event(run: &Run, lane: Lane) -> Option<f64> {
    let bytes = run.trials_of(lane).map(|trial| {
        let kernel = trial.kernel?;
        Some(down_on_the_wire(&kernel) + up_on_the_wire(&kernel))
    });
    let (bytes, events) = (bytes.sum::<Option<u64>>()?, run.trials_of(lane).map(arrived).sum::<u64>());
    (events > 0).then(|| bytes as f64 / events as f64)
}

/// Where they cross, in events an interval and in events a second, and how far from what was measured.
pub fn said(costs: &Costs, measured: f64) -> String {
    match costs.crossing() {
        Some(events) => format!(
            "Computed from this run's bytes, not measured: below {} events an interval ({}/s at one poll every {} s, {} times \
             the rate of this run) pushing costs fewer bytes, above it polling does, because several events share one answer.",
            number(events),
            number(events / costs.interval),
            number(costs.interval),
            number(events / costs.interval / measured)
        ),
        None => format!(
            "Computed from this run's bytes: up to {} events an interval, which is as many as one segment holds, the two \
             do not cross.",
            number(costs.most())
        ),
    }
}
