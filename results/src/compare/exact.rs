//! Numbers that are the same each time they are counted: compared as they are, to a stated margin.
//!
//! Bytes of an event depend on the event: on the digits of its number, on its body. Warm-up by rule lets one
//! repetition publish others than the next, so bytes are only compared between repetitions that published the
//! same, which their hash tells. The byte-only sweep publishes the same always.

use std::collections::BTreeMap;

use scenarios::{Carrier, Lane};

use crate::judged::Verdict;
use crate::metric::{Better, Metric, Source, Tier};
use crate::run::{Run, SweepPoint};

/// What was found of one number.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Of A.
    pub a: f64,
    /// Of B.
    pub b: f64,
    /// What is said of it.
    pub verdict: Verdict,
    /// Why, where the numbers alone do not say it.
    pub why: String,
}

/// Metrics that are exact but for lanes on which they move with time: seen in runs of the same program.
type Moving = (&'static str, fn(Lane) -> bool);
const MOVES: [Moving; 7] = [
    // Signatures in a certificate's handshake differ in length; what shares a record depends on what is written at once.
    ("handshake down", |lane| lane.tls || lane.carrier == Carrier::H2),
    ("TLS framing", |_| true),
    // HPACK leaves out what it sent before, and the date changes every second.
    ("answer bytes", |lane| lane.carrier == Carrier::H2),
    ("message bytes", |lane| lane.carrier == Carrier::H2),
    ("upward other", |lane| lane.tls || lane.carrier == Carrier::H2),
    ("poll heads", |_| true),
    ("skipped polls", |_| true),
];

/// Whether a metric is the same each time on this lane in this run. Slow readers lose what the moment decides.
#[must_use]
pub fn is_exact(metric: &Metric, run: &Run, lane: Lane) -> bool {
    let moves = MOVES.iter().any(|(name, on)| *name == metric.name && on(lane));
    metric.tier == Tier::Exact && !moves && run.scenario.slow <= 0.0
}

/// B worse than A where `worse`, by more than `margin` (0.01 for 1 %).
fn decide(better: Better, a: f64, b: f64, margin: f64) -> Verdict {
    // Multiplied on the smaller side, so that exchanging A and B flips the verdict exactly.
    let exceeds = |one: f64, other: f64| one > other * (1.0 + margin);
    match (better, exceeds(b, a), exceeds(a, b)) {
        (Better::Lower, true, _) | (Better::Higher, _, true) => Verdict::Worse,
        (Better::Lower, _, true) | (Better::Higher, true, _) => Verdict::Better,
        (_, false, false) => Verdict::Same,
    }
}

/// A metric of a lane in A and B; nothing where neither has it.
#[must_use]
pub fn of_metric(metric: &Metric, a: &Run, b: &Run, lane: Lane, margin: f64) -> Option<Result<Held, String>> {
    if matches!(metric.source, Source::Count(_)) {
        return of_count(metric, a, b, lane, margin);
    }
    let (a, b) = (by_events(metric, a, lane), by_events(metric, b, lane));
    if a.is_empty() && b.is_empty() {
        return None;
    }
    if a.is_empty() || b.is_empty() {
        return Some(Err(missing(a.is_empty())));
    }
    Some(paired(metric.better, &a, &b, margin))
}

fn missing(in_a: bool) -> String {
    format!("not measured in {}", if in_a { "A" } else { "B" })
}

/// Counts over a repetition: their mean, so that one bad repetition is not hidden.
fn of_count(metric: &Metric, a: &Run, b: &Run, lane: Lane, margin: f64) -> Option<Result<Held, String>> {
    let mean = |run: &Run| {
        let counts: Vec<f64> =
            run.trials_of(lane).filter_map(|trial| metric.trial(run, trial).known()).collect();
        (!counts.is_empty()).then(|| counts.iter().sum::<f64>() / counts.len() as f64)
    };
    match (mean(a), mean(b)) {
        (None, None) => None,
        (Some(a), Some(b)) => {
            let verdict = decide(metric.better, a, b, margin);
            Some(Ok(Held { a, b, verdict, why: "counted per repetition".into() }))
        }
        (a, _) => Some(Err(missing(a.is_none()))),
    }
}

/// The values by what was published.
type ByEvents = BTreeMap<String, Vec<f64>>;

fn by_events(metric: &Metric, run: &Run, lane: Lane) -> ByEvents {
    let mut held = ByEvents::new();
    for trial in run.trials_of(lane) {
        if let Some(value) = metric.trial(run, trial).known() {
            held.entry(trial.published_sha256.clone()).or_default().push(value);
        }
    }
    held
}

fn paired(better: Better, a: &ByEvents, b: &ByEvents, margin: f64) -> Result<Held, String> {
    let common: Vec<(&Vec<f64>, &Vec<f64>)> =
        a.iter().filter_map(|(events, values)| Some((values, b.get(events)?))).collect();
    if common.is_empty() {
        return Err("no repetition of A published the same events as one of B".into());
    }
    let mean = |values: &mut dyn Iterator<Item = f64>| {
        let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
        sum / count
    };
    let one = mean(&mut common.iter().map(|pair| pair.0[0]));
    let other = mean(&mut common.iter().map(|pair| pair.1[0]));
    let varies = |values: &[f64]| values.iter().any(|value| value.to_bits() != values[0].to_bits());
    let held = |verdict, why: &str| Held { a: one, b: other, verdict, why: why.into() };
    if common.iter().any(|(a, b)| varies(a) || varies(b)) {
        return Ok(held(Verdict::Inconclusive, "not exact here: repetitions that published the same differ"));
    }
    let verdicts: Vec<Verdict> = common.iter().map(|(a, b)| decide(better, a[0], b[0], margin)).collect();
    Ok(match (verdicts.contains(&Verdict::Worse), verdicts.contains(&Verdict::Better)) {
        (true, true) => held(Verdict::Inconclusive, "worse in some repetitions, better in others"),
        (true, false) => held(Verdict::Worse, ""),
        (false, true) => held(Verdict::Better, ""),
        (false, false) => held(Verdict::Same, ""),
    })
}

/// What is counted of a point of the byte-only sweep: name, unit, and the count over its events.
type Counted = (&'static str, &'static str, fn(&SweepPoint) -> u64);
pub const SWEPT: [Counted; 4] = [
    ("bytes down", "B/event", |point| point.bytes.down()),
    ("framing", "B/event", |point| {
        let bytes = point.bytes;
        bytes.event_framing.saturating_add(bytes.transport_framing)
    }),
    ("data segments down", "/event", |point| point.kernel.down_data_segments),
    ("sent up", "B/event", |point| point.bytes.up),
];

/// One count of the sweep at a size; nothing where neither run has the size.
#[must_use]
pub fn of_sweep(
    a: &Run,
    b: &Run,
    lane: Lane,
    size: u64,
    of: fn(&SweepPoint) -> u64,
    margin: f64,
) -> Option<Result<Held, String>> {
    let values = |run: &Run| {
        let points = run
            .sweep
            .iter()
            .filter(|point| point.lane == lane && point.payload_bytes == size && point.events > 0);
        let values: Vec<f64> = points.map(|point| of(point) as f64 / point.events as f64).collect();
        if values.is_empty() { ByEvents::new() } else { ByEvents::from([(String::new(), values)]) }
    };
    let (a, b) = (values(a), values(b));
    match (a.is_empty(), b.is_empty()) {
        (true, true) => None,
        (false, false) => Some(paired(Better::Lower, &a, &b, margin)),
        (in_a, _) => Some(Err(missing(in_a))),
    }
}
