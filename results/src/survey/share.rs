//! From which share of messages upward on does WebSocket cost less than SSE with requests beside it: CPU as
//! runs that differ in nothing else measured it, bytes as they add up.
//!
//! Bytes of an event and of a message do not depend on how many there are, so any mixture of them can be
//! computed; CPU does, so its points are measured and nothing is drawn for other shares.

use scenarios::{Lane, Scenario};

use super::Survey;
use super::needs::SIDES;
use crate::charts::axis::Axis;
use crate::charts::figure::{Curve, Curves, Figure, Key, Plot, Shape, Stroke};
use crate::metric::Metric;
use crate::run::Run;
use crate::stats::{Judgement, MARGIN};
use crate::summary::{Standing, estimate, judged_further, lanes, standing};
use crate::value::{number, ratio};

/// What is compared with WebSocket, with its hue.
const LANES: [(&str, usize); 2] = [(SIDES[0], 0), ("sse-h2", 1)];

/// Shares that make a curve.
const LEAST: usize = 3;

/// What of an event travels on its stream.
const EVENT: [&str; 3] = ["payload", "event framing", "transport framing"];

/// A run of the family, and how much of what travels in it goes upward.
struct Place<'a> {
    share: f64,
    name: &'a str,
    run: &'a Run,
}

/// The chart, and the first of the runs that it rests on.
pub fn figure(survey: &Survey) -> Option<(&str, Figure)> {
    let places = family(survey)?;
    let (mut curves, mut legend, mut said) = (Vec::new(), Vec::new(), Vec::new());
    for (lane, hue) in LANES {
        for (name, fewer, stroke, line) in [
            ("server CPU", "less", Stroke::Thick, measured(&places, lane)),
            ("bytes", "fewer", Stroke::Dashed, added(&places, lane)),
        ] {
            let Some(Line { points, markers, turns }) = line else { continue };
            let (first, last) = (points[0].1, points[points.len() - 1].1);
            let ends = format!("{}x to {}x", ratio(first), ratio(last));
            said.push(format!("{} needs {fewer} {name} than {lane} {turns} ({ends})", SIDES[1]));
            legend.push(Key::new(format!("{lane}, {name}"), hue, Shape::Line(stroke)));
            curves.push(Curve { hue, stroke, markers, points });
        }
    }
    let values = || curves.iter().flat_map(|curve: &Curve| &curve.points).map(|point| point.1);
    let (least, most) = (values().fold(1.0, f64::min), values().fold(1.0, f64::max));
    let names: Vec<&str> = places.iter().map(|place| place.name).collect();
    let scenario = &places[0].run.scenario;
    let figure = Figure {
        name: "upstream-share",
        question: "From which share of messages upward on does WebSocket cost less?",
        finding: format!("{}.", said.join("; ")),
        how: "Of all events and messages, so many per cent are messages from client to server. Markers of thick lines are measured \
              runs, each message echoed. Dashed lines are computed from the bytes that an event and a message with its answer \
              have on their streams, without echoes and TCP/IP headers. Above 1, WebSocket costs less.",
        caption: format!(
            "{} events and messages a second for each of {} subscribers, in the runs {}; a difference counts beyond {} %; loopback.",
            number(scenario.rate + scenario.upstream),
            number(scenario.subscribers.0 as f64),
            names.join(", "),
            MARGIN * 100.0
        ),
        legend,
        plot: Plot::Curves(Curves {
            x: Axis::linear("messages among events and messages, %", 0.0, 100.0),
            y: Axis::linear("cost of SSE with requests / cost of WebSocket", least, most),
            curves,
            marks: Vec::new(),
            level: Some(1.0),
        }),
    };
    (!said.is_empty()).then_some((names[0], figure))
}

/// The largest set of valid runs that differ in their share alone, in its order.
fn family(survey: &Survey) -> Option<Vec<Place<'_>>> {
    let valid = survey.runs().filter(|(_, run)| standing(run) != Standing::Invalid);
    let all: Vec<(&str, &Run)> =
        valid.filter(|(_, run)| SIDES.iter().all(|side| named(run, side).is_some())).collect();
    let of = |(_, first): &(&str, &Run)| {
        let alike = all.iter().filter(|(_, run)| is_alike(&first.scenario, &run.scenario));
        let mut places: Vec<Place<'_>> =
            alike.map(|(name, run)| Place { share: share(&run.scenario), name, run }).collect();
        places.sort_by(|a, b| a.share.total_cmp(&b.share));
        places.dedup_by(|a, b| a.share == b.share);
        places
    };
    all.iter().map(of).max_by_key(Vec::len).filter(|places| places.len() >= LEAST)
}

/// Whether as much travels in both, of the same kind and among as many.
fn is_alike(one: &Scenario, other: &Scenario) -> bool {
    let all = |scenario: &Scenario| scenario.rate + scenario.upstream;
    let what = |scenario: &Scenario| {
        (
            scenario.subscribers,
            scenario.audience,
            scenario.payload.clone(),
            scenario.upstream_payload.clone(),
            scenario.session.is_some(),
        )
    };
    (all(one) - all(other)).abs() < 1e-9 && what(one) == what(other)
}

fn share(scenario: &Scenario) -> f64 {
    100.0 * scenario.upstream / (scenario.rate + scenario.upstream)
}

/// A ratio by share, and where WebSocket costs less, in words.
struct Line {
    points: Vec<(f64, f64)>,
    markers: Vec<(f64, f64)>,
    turns: String,
}

/// Server CPU as measured.
fn measured(places: &[Place<'_>], lane: &str) -> Option<Line> {
    let effect = |place: &Place<'_>| {
        let column = judged_further(place.run, named(place.run, lane)?, named(place.run, SIDES[1])?);
        let effect = column.into_iter().find(|(metric, _)| metric.name == "server CPU")?.1?;
        Some((place.share, effect.ratio(), effect.judgement))
    };
    let found: Vec<_> = places.iter().filter_map(effect).collect();
    let points: Vec<(f64, f64)> = found.iter().map(|(share, ratio, _)| (*share, *ratio)).collect();
    let less: Vec<(f64, bool)> =
        found.iter().map(|(share, _, judged)| (*share, *judged == Judgement::Worse)).collect();
    (found.len() >= LEAST).then(|| Line { turns: between(&less), markers: points.clone(), points })
}

/// At which measured shares something is so.
fn between(places: &[(f64, bool)]) -> String {
    let percent = |place: &(f64, bool)| format!("{} %", number(place.0.round()));
    let holds: Vec<String> = places.iter().filter(|place| place.1).map(percent).collect();
    let first = places.iter().position(|place| place.1).unwrap_or(places.len());
    match (first, places[first..].iter().all(|place| place.1)) {
        (at, _) if at == places.len() => "at no measured share".to_owned(),
        (0, true) => "at every measured share".to_owned(),
        (at, true) => {
            format!("from a share between {} and {} on", percent(&places[at - 1]), percent(&places[at]))
        }
        (_, false) => format!("at {}, and is not proven to at the other shares", holds.join(", ")),
    }
}

/// Bytes on the streams, computed from those of an event and of a message.
fn added(places: &[Place<'_>], lane: &str) -> Option<Line> {
    let (pushed, sent) = (places.first()?.run, places.last()?.run);
    let both =
        |run: &Run, metrics: &[&str]| Some([level(run, lane, metrics)?, level(run, SIDES[1], metrics)?]);
    let ends = Ends { event: both(pushed, &EVENT)?, message: both(sent, &["message bytes"])? };
    let points: Vec<(f64, f64)> =
        (0..=20).map(|step| 5.0 * f64::from(step)).map(|share| (share, ends.ratio(share / 100.0))).collect();
    Some(Line { markers: vec![points[0], points[20]], points, turns: ends.said() })
}

/// A cost of the two lanes, of an event and of a message.
#[derive(Clone, Copy, Debug)]
struct Ends {
    event: [f64; 2],
    message: [f64; 2],
}

impl Ends {
    /// SSE's over WebSocket's, where this share of all is messages.
    fn ratio(&self, share: f64) -> f64 {
        let mixed = |side: usize| (1.0 - share) * self.event[side] + share * self.message[side];
        mixed(0) / mixed(1)
    }

    /// Where WebSocket costs less by more than the margin.
    fn said(&self) -> String {
        let excess = |of: [f64; 2]| of[0] - (1.0 + MARGIN) * of[1];
        let (none, all) = (excess(self.event), excess(self.message));
        let turn = || format!("{} %", number((none / (none - all) * 100.0).round()));
        match (none > 0.0, all > 0.0) {
            (true, true) => "at any share".to_owned(),
            (false, false) => "at no share".to_owned(),
            (false, true) => format!("from a share of {} on", turn()),
            (true, false) => format!("up to a share of {}", turn()),
        }
    }
}

/// The sum of some metrics of a lane.
fn level(run: &Run, lane: &str, metrics: &[&str]) -> Option<f64> {
    let lane = named(run, lane)?;
    metrics.iter().map(|name| estimate(run, Metric::named(name)?, lane).value.known()).sum()
}

fn named(run: &Run, lane: &str) -> Option<Lane> {
    lanes(run).into_iter().find(|one| one.to_string() == lane)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_at_which_bytes_turn_follows_from_the_ends() {
        let ends = |event: [f64; 2], message: [f64; 2]| Ends { event, message };
        // Equal at 103 : 100; 90 + 60 s = 1.03 x 100 at s = 0.217.
        assert_eq!(ends([90.0, 100.0], [150.0, 100.0]).said(), "from a share of 22 % on");
        assert_eq!(ends([150.0, 100.0], [90.0, 100.0]).said(), "up to a share of 78 %");
        assert_eq!(ends([110.0, 100.0], [150.0, 100.0]).said(), "at any share");
        assert_eq!(ends([102.0, 100.0], [90.0, 100.0]).said(), "at no share");
        assert!((ends([90.0, 100.0], [300.0, 200.0]).ratio(0.5) - 1.3).abs() < 1e-12);
    }

    #[test]
    fn measured_shares_are_told_as_what_lies_between() {
        let said = |holds: [bool; 3]| between(&[(0.0, holds[0]), (50.0, holds[1]), (95.0, holds[2])]);
        assert_eq!(said([true, true, true]), "at every measured share");
        assert_eq!(said([false, false, false]), "at no measured share");
        assert_eq!(said([false, true, true]), "from a share between 0 % and 50 % on");
        assert_eq!(said([true, false, true]), "at 0 %, 95 %, and is not proven to at the other shares");
    }
}
