//! Budgets held against a run: what a word stands for, whether a scenario can have it, and what came of it.
//!
//! A budget that cannot be checked never passes: what can be known beforehand is refused before anything is measured,
//! the rest is a finding [`Verdict::Invalid`].

use scenarios::budget::{Aggregate, Bound, Dimension, Measure, Subject, Unit};
use scenarios::{Arrivals, Budget, Lane, Plan, Scenario};

use crate::judged::{Finding, Firmness, JUDGED_SCHEMA, Judged, Verdict};
use crate::metric::{Independent, Source, eligible};
use crate::run::Run;
use crate::stats::paired_effect;
use crate::value::{Value, number as shown};
use reading::{Reading, readings};
use word::Number;

mod needs;
mod reading;
mod word;

pub use word::words;

/// Refuses budgets that this plan cannot have, or whose baseline lacks the number.
///
/// # Errors
/// Says which budget and why.
pub fn check(plan: &Plan, baseline: Option<&Run>) -> Result<(), String> {
    let budgets = &plan.scenario.budgets;
    let compares = |budget: &Budget| matches!(budget.bound, Bound::Baseline(_));
    if baseline.is_some() && !budgets.iter().any(compares) {
        return Err("no budget is held against the baseline; write one such as `cpu<=1.1x baseline`".into());
    }
    for budget in budgets {
        let refused = |why: String| budget.refused(&why);
        let number = numbered(budget, &plan.scenario).map_err(refused)?;
        bound(budget, &number).map_err(refused)?;
        for lane in lanes(budget, &plan.scenario.lanes) {
            if !plan.scenario.lanes.contains(&lane) {
                let all: Vec<String> = plan.scenario.lanes.iter().map(ToString::to_string).collect();
                return Err(refused(format!(
                    "lane `{lane}` is not in this run; there are {}",
                    all.join(", ")
                )));
            }
            number.needs(&plan.scenario, lane).map_err(refused)?;
            enough(plan, lane, &number).map_err(refused)?;
        }
        match (compares(budget), baseline) {
            (true, None) => return Err(refused("there is no baseline; name a run with --baseline".into())),
            (true, Some(baseline)) => had(budget, &number, plan, baseline).map_err(refused)?,
            (false, _) => {}
        }
    }
    Ok(())
}

/// What a budget's words stand for; a ratio has no unit, and needs numbers of its own on either side.
fn numbered(budget: &Budget, scenario: &Scenario) -> Result<Number, String> {
    let (Subject::Each(measure, _) | Subject::Ratio(measure, ..)) = &budget.subject;
    Number::of(measure, scenario.outage.is_some())
}

/// The lanes that a budget speaks of.
fn lanes(budget: &Budget, all: &[Lane]) -> Vec<Lane> {
    match &budget.subject {
        Subject::Each(_, None) => all.to_vec(),
        Subject::Each(_, Some(lane)) => vec![*lane],
        Subject::Ratio(_, a, b) => vec![*a, *b],
    }
}

/// METHOD M18, as far as it is known before: a quantile that so few instants cannot have.
fn enough(plan: &Plan, lane: Lane, number: &Number) -> Result<(), String> {
    let Number::Row(metric) = number else { return Ok(()) };
    let Source::Quantile(_, q, _, Independent::Events) = metric.source else { return Ok(()) };
    if plan.scenario.session.is_some() {
        return Ok(());
    }
    let at = plan.lanes().iter().position(|one| *one == lane);
    let blocks = plan.repetitions.iter().flat_map(|repetition| &repetition.blocks);
    let events: u64 = blocks.filter(|block| Some(block.lane) == at).map(|block| block.events).sum();
    let together = if let Arrivals::Bursts(together) = plan.scenario.arrivals { together.max(1) } else { 1 };
    let instants = events.div_ceil(together);
    if eligible(q, instants) {
        return Ok(());
    }
    Err(format!(
        "it rests on {} instants at least, and lane `{lane}` publishes at {instants} in all repetitions; lengthen `duration`, or add `repetitions`",
        shown((10.0 / (1.0 - q)).round())
    ))
}

/// The baseline has a number for every lane.
fn had(budget: &Budget, number: &Number, plan: &Plan, baseline: &Run) -> Result<(), String> {
    for subject in subjects(budget, number, plan.lanes(), baseline) {
        if subject.readings.is_empty() {
            return Err(format!("the baseline has no lane `{}`", subject.lane));
        }
        if let Some(reading) = subject.readings.iter().find(|reading| reading.value.known().is_none()) {
            return Err(format!("of `{}` the baseline says: {}", subject.lane, reading.value.note()));
        }
    }
    Ok(())
}

/// Judges all budgets of a run; nothing if it has none.
#[must_use]
pub fn judge(run: &Run, baseline: Option<&Run>) -> Option<Judged> {
    let budgets = &run.scenario.budgets;
    if budgets.is_empty() {
        return None;
    }
    let mut findings: Vec<Finding> = budgets.iter().flat_map(|budget| one(run, baseline, budget)).collect();
    // A run that ended early because a budget was crossed has failed; what it cannot tell any more fails it no more.
    if run.partial && findings.iter().any(|finding| finding.verdict == Verdict::Crossed) {
        for finding in findings.iter_mut().filter(|finding| finding.verdict == Verdict::Invalid) {
            finding.verdict = Verdict::Inconclusive;
            finding.text += "; the run ended before";
        }
    }
    let mut notes = Vec::new();
    if let Some(baseline) = baseline {
        notes.push(format!(
            "the baseline is the run of {}; times, CPU and memory of two sessions differ by 10 % and more without any cause in the code",
            baseline.started
        ));
    }
    let subject = format!("{} of {}", run.name, run.started);
    Some(Judged { schema: JUDGED_SCHEMA, command: "budgets".into(), subject, findings, notes })
}

/// Whether a budget that ends the run is crossed, `elapsed` after it began; its sentence.
#[must_use]
pub fn aborts(run: &Run, baseline: Option<&Run>, elapsed: std::time::Duration) -> Option<String> {
    let due = |budget: &&Budget| budget.abort.is_some_and(|abort| abort.delay.0 <= elapsed);
    let mut findings = run.scenario.budgets.iter().filter(due).flat_map(|budget| one(run, baseline, budget));
    findings.find(|finding| finding.verdict == Verdict::Crossed).map(|finding| finding.text)
}

/// What came of each budget of a run as it was judged, in a line, and whether it is kept; notes last.
#[must_use]
pub fn lines(run: &Run) -> Vec<(bool, String)> {
    let Some(judged) = &run.budgets else { return Vec::new() };
    let words = [(Verdict::Kept, "kept"), (Verdict::Crossed, "CROSSED"), (Verdict::Inconclusive, "open")];
    let word = |verdict| words.iter().find(|(one, _)| *one == verdict).map_or("NOT TOLD", |(_, word)| word);
    let line = |finding: &Finding| {
        let text = format!("{}: {}, {}", finding.name, word(finding.verdict), finding.text);
        (finding.verdict == Verdict::Kept, text)
    };
    let notes = judged.notes.iter().map(|note| (true, note.clone()));
    judged.findings.iter().map(line).chain(notes).collect()
}

/// What a budget is held against on one lane, or on two.
struct Held {
    lane: String,
    readings: Vec<Reading>,
}

fn subjects(budget: &Budget, number: &Number, all: &[Lane], run: &Run) -> Vec<Held> {
    match &budget.subject {
        Subject::Each(..) => lanes(budget, all)
            .into_iter()
            .map(|lane| Held { lane: lane.to_string(), readings: readings(run, number, lane) })
            .collect(),
        Subject::Ratio(_, a, b) => {
            vec![Held { lane: format!("{a}/{b}"), readings: ratios(run, number, *a, *b) }]
        }
    }
}

/// One lane over another, case by case: by the blocks that stood beside each other, as in all tables, where there are
/// such.
fn ratios(run: &Run, number: &Number, a: Lane, b: Lane) -> Vec<Reading> {
    let (over, under) = (readings(run, number, a), readings(run, number, b));
    let both = over.into_iter().filter_map(|over| {
        let under = under.iter().find(|under| under.place == over.place)?;
        let value = match (over.value, under.value) {
            (Value::Known(a), Value::Known(b)) if b != 0.0 => Value::Known(a / b),
            (Value::Known(_), Value::Known(_)) => Value::Absent,
            (Value::Known(_), missing) | (missing, _) => missing,
        };
        Some(Reading { value, interval: None, place: over.place })
    });
    let mut both: Vec<Reading> = both.collect();
    if let (Number::Row(metric), [only]) = (number, &mut both[..])
        && only.value.known().is_some()
        && let Some(effect) = paired_effect(run, metric, a, b)
    {
        only.value = Value::Known(effect.ratio());
        only.interval = effect.interval().map(|ends| [ends.low, ends.high]);
    }
    both
}

/// The findings of one budget: one a lane, or one for two lanes.
fn one(run: &Run, baseline: Option<&Run>, budget: &Budget) -> Vec<Finding> {
    let number = match numbered(budget, &run.scenario) {
        Ok(number) => number,
        Err(why) => return vec![unable(budget, None, "", &why)],
    };
    let unit = if matches!(budget.subject, Subject::Ratio(..)) { "x" } else { number.unit() };
    let held = subjects(budget, &number, &run.scenario.lanes, run);
    held.into_iter()
        .map(|held| {
            let bound = match budget.bound {
                Bound::Number(..) => bound(budget, &number),
                Bound::Baseline(factor) => based(budget, &number, run, baseline, &held.lane, factor),
            };
            match bound {
                Ok(bound) => worst(budget, &held, unit, bound),
                Err(why) => unable(budget, Some(held.lane), unit, &why),
            }
        })
        .collect()
}

/// The bound in the number's own unit.
fn bound(budget: &Budget, number: &Number) -> Result<f64, String> {
    let Bound::Number(value, written) = budget.bound else { return Ok(f64::NAN) };
    let ratio = matches!(budget.subject, Subject::Ratio(..));
    let (dimension, size) = if ratio { (Dimension::Count, 1.0) } else { number.scale() };
    match written {
        None if number.is_rate() && !ratio => Ok(value * 100.0),
        None => Ok(value),
        Some(Unit { dimension: own, size: factor, .. }) if own == dimension => Ok(value * factor / size),
        Some(wrong) if ratio => Err(format!("a ratio has no unit, and `{}` is one", wrong.name)),
        Some(wrong) => Err(format!("it is in {}, and `{}` is none of it", number.unit(), wrong.name)),
    }
}

/// So many times what the baseline has; where several things break, of the worst.
fn based(
    budget: &Budget,
    number: &Number,
    run: &Run,
    baseline: Option<&Run>,
    lane: &str,
    factor: f64,
) -> Result<f64, String> {
    let baseline = baseline.ok_or("there is no baseline")?;
    let held =
        subjects(budget, number, &run.scenario.lanes, baseline).into_iter().find(|one| one.lane == lane);
    let values = held.iter().flat_map(|held| &held.readings).filter_map(|reading| reading.value.known());
    let most = values.max_by(f64::total_cmp).ok_or_else(|| format!("the baseline has none of `{lane}`"))?;
    Ok(most * factor)
}

/// Where something breaks in several ways, each must keep to the bound: the one that is furthest on the wrong side.
fn worst(budget: &Budget, held: &Held, unit: &str, bound: f64) -> Finding {
    let judged = held.readings.iter().map(|reading| finding(budget, held, reading, unit, bound));
    let places = [Verdict::Invalid, Verdict::Crossed];
    let rank =
        |finding: &Finding| places.iter().position(|place| *place == finding.verdict).map_or(0, |at| at + 1);
    let off = |finding: &Finding| finding.value.map_or(f64::INFINITY, |value| (value - bound).abs());
    // Of those that keep to it, the nearest to the bound.
    let nearness = |finding: &Finding| if rank(finding) == 0 { -off(finding) } else { off(finding) };
    let by = |a: &Finding, b: &Finding| rank(a).cmp(&rank(b)).then(nearness(a).total_cmp(&nearness(b)));
    let none = || unable(budget, Some(held.lane.clone()), unit, "it was not measured");
    judged.max_by(by).unwrap_or_else(none)
}

fn finding(budget: &Budget, held: &Held, reading: &Reading, unit: &str, bound: f64) -> Finding {
    let place = if reading.place.is_empty() { String::new() } else { format!(" ({})", reading.place) };
    let wants_less = budget.comparison.holds(f64::MIN, bound) && !budget.comparison.holds(f64::MAX, bound);
    let (value, verdict, said) = match reading.value {
        Value::Known(value) if budget.comparison.holds(value, bound) => {
            (Some(value), Verdict::Kept, format!("is {} {unit}, within", shown(value)))
        }
        Value::Known(value) => (Some(value), Verdict::Crossed, format!("is {} {unit}, beyond", shown(value))),
        // METHOD M4: what never arrived is above every bound.
        Value::NotDelivered if wants_less => {
            (None, Verdict::Crossed, "lies among what was never delivered, beyond".to_owned())
        }
        Value::NotDelivered | Value::TooFew | Value::Absent => {
            let why = format!("{}{place}", reading.value.note());
            return unable(budget, Some(held.lane.clone()), unit, &why);
        }
    };
    let bound_said = match budget.bound {
        Bound::Number(..) => format!("{} {unit}", shown(bound)),
        Bound::Baseline(factor) => format!("{factor} times the baseline, {} {unit}", shown(bound)),
    };
    Finding {
        name: budget.text.clone(),
        lane: Some(held.lane.clone()),
        firmness: Firmness::Budget,
        unit: unit.to_owned(),
        reference: Some(bound),
        value,
        ratio: value.filter(|_| bound != 0.0).map(|value| value / bound),
        interval: reading.interval,
        verdict,
        text: format!("{}: it {said} the budget of {bound_said}{place}", held.lane),
    }
}

fn unable(budget: &Budget, lane: Option<String>, unit: &str, why: &str) -> Finding {
    Finding {
        name: budget.text.clone(),
        text: format!(
            "{}it cannot be told: {why}",
            lane.as_ref().map_or(String::new(), |lane| format!("{lane}: "))
        ),
        lane,
        firmness: Firmness::Budget,
        unit: unit.to_owned(),
        reference: None,
        value: None,
        ratio: None,
        interval: None,
        verdict: Verdict::Invalid,
    }
}

/// What an aggregate is called with a word.
fn spelt(measure: &Measure) -> String {
    let of = |aggregate: Aggregate| format!("{}: {aggregate}", measure.word);
    measure.aggregate.map_or_else(|| measure.word.clone(), of)
}

#[cfg(test)]
mod tests;
