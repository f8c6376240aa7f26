//! Two runs, or two sets of repetitions, side by side: every metric with its ratio and what may be said of it.
//!
//! Exact numbers are judged to the digit. Of the others nothing is judged unless both come out of one invocation:
//! shared machines differ by 10 % and more from one session to the next (METHOD M22). Exchanging A and B flips every
//! verdict.

mod alike;
mod exact;
mod set;

use std::collections::BTreeSet;

use scenarios::Lane;

pub use alike::{differences, workload};
pub use set::Set;

use crate::judged::{Finding, Firmness, JUDGED_SCHEMA, Judged, Verdict};
use crate::metric::{self, Metric, Rank};
use crate::stats::{Effect, Judgement, Side, effect_between, holm};
use crate::summary::{estimate, lanes};

/// What is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// By what share of itself an exact number may differ: 0.01 for 1 %.
    pub margin: f64,
    /// The lanes to compare; all where none is named.
    pub lanes: Vec<Lane>,
}

/// What is said of a number that was not measured beside the other.
const SESSIONS: &str = "different sessions: the two were not measured side by side, and machines drift; `loadgen duet` measures two builds at once";

/// Compares.
///
/// # Errors
/// They differ in what matters (which is named, with both values), or hold nothing that could be compared.
pub fn compare(a: &Set, b: &Set, options: &Options) -> Result<Judged, String> {
    let chosen = chosen(a, b, options)?;
    let found = alike::differences(&a.run, &b.run, &chosen);
    if !found.is_empty() {
        let found = found.join("\n  ");
        return Err(format!(
            "A ({}) and B ({}) may not be compared; they differ in\n  {found}",
            a.name, b.name
        ));
    }
    let together = a.sessions == b.sessions;
    let mut findings = unusable(a, b);
    let usable = findings.is_empty();
    findings.extend(exact_findings(a, b, &chosen, options.margin));
    findings.extend(noisy_findings(a, b, &chosen, together));
    if !usable {
        findings.iter_mut().filter(|finding| finding.verdict != Verdict::Invalid).for_each(|finding| {
            finding.verdict = Verdict::NotComparable;
            finding.text = "A or B may not be used".into();
        });
    }
    if findings.is_empty() {
        return Err(format!("A ({}) and B ({}) hold no number that can be compared", a.name, b.name));
    }
    let subject = format!("B {} against A {}", told(b), told(a));
    Ok(Judged {
        schema: JUDGED_SCHEMA,
        command: "compare".into(),
        subject,
        findings,
        notes: notes(a, b, together, options),
    })
}

fn told(set: &Set) -> String {
    let runs = if set.len() > 1 { format!("{} runs, ", set.len()) } else { String::new() };
    format!("{} ({runs}commit {})", set.name, set.run.environment.commit)
}

/// The lanes to compare: named, or those of both, which must then be the same.
fn chosen(a: &Set, b: &Set, options: &Options) -> Result<Vec<Lane>, String> {
    let (of_a, of_b) = (lanes(&a.run), lanes(&b.run));
    let names = |lanes: &[Lane]| lanes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if options.lanes.is_empty() {
        let sets: [BTreeSet<Lane>; 2] = [&of_a, &of_b].map(|lanes| lanes.iter().copied().collect());
        return if sets[0] == sets[1] {
            Ok(of_a)
        } else {
            let (one, other) = (names(&of_a), names(&of_b));
            Err(format!("lanes: A has {one}, B has {other}; name those to compare with --lanes"))
        };
    }
    match options.lanes.iter().find(|lane| !of_a.contains(lane) || !of_b.contains(lane)) {
        None => Ok(options.lanes.clone()),
        Some(lane) => {
            Err(format!("lane {lane} is not in both: A has {}, B has {}", names(&of_a), names(&of_b)))
        }
    }
}

fn notes(a: &Set, b: &Set, together: bool, options: &Options) -> Vec<String> {
    let margin = match options.margin {
        0.0 => "exact numbers are judged without a margin".to_owned(),
        margin => format!("exact numbers may differ by {} %", margin * 100.0),
    };
    let session = if together {
        "A and B come out of the same invocation: noisy numbers are paired, repetition by repetition"
            .to_owned()
    } else {
        let when = |set: &Set| {
            set.sessions
                .iter()
                .map(|session| session.split(' ').next().unwrap_or("?").to_owned())
                .collect::<Vec<_>>()
                .join(", ")
        };
        format!("A was measured at {}, B at {}: noisy numbers are shown and not judged", when(a), when(b))
    };
    vec![margin, session]
}

fn unusable(a: &Set, b: &Set) -> Vec<Finding> {
    let of = |(side, set): (&str, &Set)| {
        let why = set.unusable.clone()?;
        Some(Finding {
            text: format!("{side}: {why}"),
            verdict: Verdict::Invalid,
            ..blank("measurement", "-", Firmness::Exact)
        })
    };
    [("A", a), ("B", b)].into_iter().filter_map(of).collect()
}

fn blank(name: &str, unit: &str, firmness: Firmness) -> Finding {
    Finding {
        name: name.into(),
        lane: None,
        firmness,
        unit: unit.into(),
        reference: None,
        value: None,
        ratio: None,
        interval: None,
        verdict: Verdict::NotComparable,
        text: String::new(),
    }
}

/// `b / a`, where both are there and there is something to divide by.
fn over(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    let (a, b) = (a?, b?);
    Some(b / a).filter(|ratio| ratio.is_finite())
}

fn exact_finding(name: &str, unit: &str, lane: Lane, held: Result<exact::Held, String>) -> Finding {
    let blank = Finding { lane: Some(lane.to_string()), ..blank(name, unit, Firmness::Exact) };
    match held {
        Err(why) => Finding { text: why, ..blank },
        Ok(held) => {
            let (reference, value) = (Some(held.a), Some(held.b));
            let text = match held.why.is_empty() {
                false => held.why,
                true if held.verdict == Verdict::Same => "the same within the margin".into(),
                true => format!("{} in A, {} in B, and a difference beyond the margin", held.a, held.b),
            };
            Finding { reference, value, ratio: over(reference, value), verdict: held.verdict, text, ..blank }
        }
    }
}

fn exact_findings(a: &Set, b: &Set, lanes: &[Lane], margin: f64) -> Vec<Finding> {
    let (a, b) = (&a.run, &b.run);
    let mut found = Vec::new();
    for metric in metric::ALL {
        for lane in lanes.iter().filter(|lane| exact::is_exact(metric, a, **lane)) {
            let held = exact::of_metric(metric, a, b, *lane, margin);
            found.extend(held.map(|held| exact_finding(metric.name, metric.unit, *lane, held)));
        }
    }
    let sizes: BTreeSet<u64> = a.sweep.iter().chain(&b.sweep).map(|point| point.payload_bytes).collect();
    for (name, unit, of) in exact::SWEPT {
        for (size, lane) in sizes.iter().flat_map(|size| lanes.iter().map(move |lane| (*size, *lane))) {
            let held = exact::of_sweep(a, b, lane, size, of, margin);
            let name = format!("{name} at {size} B");
            found.extend(held.map(|held| exact_finding(&name, unit, lane, held)));
        }
    }
    found
}

fn noisy_findings(a: &Set, b: &Set, lanes: &[Lane], together: bool) -> Vec<Finding> {
    let by_lane = lanes.iter().map(|lane| {
        let noisy = metric::ALL.iter().filter(|metric| !exact::is_exact(metric, &a.run, *lane));
        let mut effects: Vec<(&Metric, Option<Effect>)> =
            noisy.map(|metric| (metric, together.then(|| effect(metric, a, b, *lane)).flatten())).collect();
        let family = effects.iter_mut().filter(|(metric, _)| metric.rank == Rank::Headline);
        holm(&mut family.filter_map(|(_, effect)| effect.as_mut()).collect::<Vec<_>>());
        effects
            .into_iter()
            .filter_map(|(metric, effect)| noisy_finding(metric, a, b, *lane, together, effect))
            .collect::<Vec<_>>()
    });
    by_lane.flatten().collect()
}

/// B over A.
fn effect(metric: &Metric, a: &Set, b: &Set, lane: Lane) -> Option<Effect> {
    effect_between(metric, Side { run: &b.run, lane }, Side { run: &a.run, lane })
}

fn noisy_finding(
    metric: &Metric,
    a: &Set,
    b: &Set,
    lane: Lane,
    together: bool,
    effect: Option<Effect>,
) -> Option<Finding> {
    let values = [a, b].map(|set| estimate(&set.run, metric, lane).value);
    let known = values.map(crate::value::Value::known);
    if values.iter().all(|value| *value == crate::value::Value::Absent) {
        return None;
    }
    let [reference, value] = known;
    let blank = Finding {
        lane: Some(lane.to_string()),
        reference,
        value,
        ratio: over(reference, value),
        ..blank(metric.name, metric.unit, Firmness::Noisy)
    };
    let Some(effect) = effect else {
        let unknown = ["A", "B"].into_iter().zip(values).find(|(_, value)| value.known().is_none());
        let text = match unknown {
            Some((side, value)) => format!("{} in {side}", value.note()),
            None if together => "no ratio can be taken of these numbers".into(),
            None => SESSIONS.into(),
        };
        return Some(Finding { text, ..blank });
    };
    let verdict = match effect.judgement {
        Judgement::Better => Verdict::Better,
        Judgement::Worse => Verdict::Worse,
        Judgement::Same => Verdict::Same,
        Judgement::Inconclusive => Verdict::Inconclusive,
    };
    let interval = effect.interval().map(|held| [held.low, held.high]);
    let text = format!("{} pairs of {} starts, judged against 3 %", effect.pairs, effect.starts);
    Some(Finding { ratio: Some(effect.ratio()), interval, verdict, text, ..blank })
}

#[cfg(test)]
mod tests;
