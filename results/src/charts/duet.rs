//! How a duet settles: each pair's ratio, and the estimate with its interval as pairs come in.

use super::axis::Axis;
use super::figure::{Curve, Curves, Figure, Key, Panel, Plot, Shape, Stroke};
use crate::duet::{ALPHA, BATCHES, Duet, HEADLINE, Measure, Part, estimate, judge};
use crate::judged::{Finding, Firmness, Verdict};
use crate::stats::MARGIN;

/// Pairs from one point of the estimate to the next.
const STEP: usize = 6;

/// Ratios are shown so far from 1 at least.
const LEAST_SPAN: f64 = 0.06;

/// The chart; nothing before there is an interval to draw.
#[must_use]
pub fn draw(duet: &Duet) -> Option<Figure> {
    let lanes = duet.sessions.first()?.lanes.len();
    let panels: Vec<Panel> = (0..lanes)
        .flat_map(|lane| HEADLINE.iter().map(move |measure| (lane, measure)))
        .filter_map(|(lane, measure)| panel(duet, lane, measure))
        .collect();
    if panels.is_empty() {
        return None;
    }
    Some(Figure {
        name: "duet",
        question: "Is B slower than A?",
        finding: finding(duet),
        how: "Each pair is a block of A and a block of B beside each other. The estimate settles as pairs come in; a session \
              stops when its answer is clear.",
        caption: format!(
            "B: {}{}; A: {}. {} subscribers a lane, {} events/s, blocks of {}; loopback. Intervals are drawn at {:.0} % for one look; \
             judging is stricter, for it looks several times.",
            duet.b,
            duet.inject.as_ref().map_or(String::new(), |how| format!(" made worse by {how}")),
            duet.a,
            duet.scenario.subscribers,
            duet.scenario.rate,
            duet.scenario.block,
            (1.0 - ALPHA) * 100.0
        ),
        legend: vec![
            Key::new("estimate", 0, Shape::Line(Stroke::Thick)),
            Key::new("its interval", 0, Shape::Line(Stroke::Dashed)),
            Key::new("one pair", 2, Shape::Line(Stroke::Thin)),
            Key::new(format!("margin of {:.0} %", MARGIN * 100.0), 1, Shape::Line(Stroke::Dotted)),
        ],
        plot: Plot::Panels(panels),
    })
}

fn finding(duet: &Duet) -> String {
    let judged = judge(duet);
    let word = |finding: &Finding| match finding.verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::Same => "no practical difference",
        Verdict::Inconclusive => "inconclusive",
        Verdict::NotComparable | Verdict::Kept | Verdict::Crossed | Verdict::Invalid => "not to be judged",
    };
    let noisy = judged.findings.iter().filter(|one| one.firmness == Firmness::Noisy);
    let said = noisy.filter_map(|one| {
        let ([low, high], ratio) = (one.interval?, one.ratio?);
        let lane = one.lane.as_deref().unwrap_or_default();
        Some(format!("{lane} {}: {} ({ratio:.3}, {low:.3} to {high:.3})", one.name, word(one)))
    });
    let said: Vec<String> = said.collect();
    let invalid = judged.with(Verdict::Invalid).next().map_or("", |_| "INVALID. ");
    format!("{invalid}{}.", said.join("; "))
}

fn panel(duet: &Duet, lane: usize, measure: &Measure) -> Option<Panel> {
    let mut curves = Vec::new();
    let (mut first, mut marks, mut shown) = (0usize, Vec::new(), vec![1.0 - LEAST_SPAN, 1.0 + LEAST_SPAN]);
    for (number, part) in duet.sessions.iter().filter_map(|session| session.lanes.get(lane)).enumerate() {
        marks.push((first as f64, format!("session {}", number + 1)));
        curves.extend(lines(part, measure, first, &mut shown));
        first += part.pairs.len();
    }
    let end = first as f64;
    let low = shown.iter().copied().fold(f64::INFINITY, f64::min);
    let high = shown.iter().copied().fold(0.0, f64::max);
    for level in [1.0 + MARGIN, 1.0 / (1.0 + MARGIN)] {
        let points = vec![(0.0, level), (end, level)];
        curves.push(Curve { hue: 1, stroke: Stroke::Dotted, points, markers: Vec::new() });
    }
    let x = Axis::from_zero("pairs", end);
    let ticks = x.ticks.clone();
    let title = format!("{}, {}", duet.sessions[0].lanes[lane].lane, measure.name);
    let y = Axis::linear("B / A", low, high);
    let curves = Curves {
        x: x.with_ticks((0.0, end), ticks),
        y,
        curves,
        marks: if duet.sessions.len() > 1 { marks } else { Vec::new() },
        level: Some(1.0),
    };
    (first >= BATCHES).then_some(Panel { title, curves })
}

/// The pairs of one session, its estimate and the ends of its interval; `shown` gets what has to be seen.
fn lines(part: &Part, measure: &Measure, first: usize, shown: &mut Vec<f64>) -> Vec<Curve> {
    let logs = part.logs(measure, usize::MAX);
    let at = |seen: usize| (first + seen) as f64;
    let pairs = logs.iter().enumerate().map(|(index, log)| (at(index) + 0.5, log.exp())).collect();
    let mut sorted = logs.clone();
    sorted.sort_by(f64::total_cmp);
    // The middle four fifths: what is trimmed may be drawn at the edge.
    let cut = sorted.len() / 10;
    shown.extend(sorted[cut..sorted.len() - cut].iter().map(|log| log.exp()));
    let seen = (BATCHES..logs.len()).step_by(STEP).chain([logs.len()]);
    let estimates: Vec<_> =
        seen.filter_map(|seen| Some((at(seen), estimate(&logs[..seen], ALPHA)?))).collect();
    let line = |stroke, of: fn(&crate::duet::Estimate) -> f64| {
        let points: Vec<(f64, f64)> = estimates.iter().map(|(x, one)| (*x, of(one).exp())).collect();
        let markers =
            if stroke == Stroke::Thick { points.last().copied().into_iter().collect() } else { Vec::new() };
        Curve { hue: 0, stroke, points, markers }
    };
    vec![
        Curve { hue: 2, stroke: Stroke::Thin, points: pairs, markers: Vec::new() },
        line(Stroke::Dashed, |one| one.log - one.half),
        line(Stroke::Dashed, |one| one.log + one.half),
        line(Stroke::Thick, |one| one.log),
    ]
}
