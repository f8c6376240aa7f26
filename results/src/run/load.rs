//! Reading a run file that anybody may have written, cut off or edited.
//!
//! Everything behind this trusts a run: sums do not overflow, lanes are the scenario's, books close or the run says
//! that it is invalid. What cannot be what a run left behind is refused here, with the file and what is wrong.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use scenarios::Lane;
use serde::Deserialize;
use serde_json::Value;

use super::{Run, SCHEMA, Severity, Trial};
use crate::outage::doubts;

/// Bytes of a file that are read; the largest run so far has under 2 MiB.
const LARGEST: u64 = 64 << 20;

/// What all counts of a run may come to together, so that no sum of them, nor 52 bytes a segment, overflows. The most
/// that a run has come to is 2^49.
const MOST: u64 = 1 << 56;

/// Reads `run.json`, or the folder it lies in.
pub fn load(path: &Path) -> Result<Run> {
    let file = if path.is_dir() { path.join("run.json") } else { path.to_owned() };
    let name = file.display();
    let mut bytes = Vec::new();
    let read = std::fs::File::open(&file).and_then(|opened| opened.take(LARGEST + 1).read_to_end(&mut bytes));
    read.with_context(|| format!("cannot read run {name}"))?;
    ensure!(bytes.len() as u64 <= LARGEST, "{name} is larger than {} MiB: no run file", LARGEST >> 20);
    parse(&bytes, &name.to_string())
}

/// Reads the bytes of a run file; `name` stands in errors.
pub fn parse(bytes: &[u8], name: &str) -> Result<Run> {
    #[derive(Deserialize)]
    struct Version {
        schema: u32,
    }
    let version: Version =
        serde_json::from_slice(bytes).with_context(|| format!("{name} is not a run file"))?;
    if version.schema != SCHEMA {
        bail!(
            "{name} has schema {}, this program reads schema {SCHEMA}; redo the run or use the program that wrote it",
            version.schema
        );
    }
    let is_none = || format!("{name} is not a run file of schema {SCHEMA}");
    let run: Run = serde_json::from_slice(bytes).with_context(is_none)?;
    let document: Value = serde_json::from_slice(bytes).with_context(is_none)?;
    sound(&run, &document)
        .map_err(|wrong| anyhow::anyhow!("{name} cannot be what a run left behind: {wrong}"))?;
    Ok(run)
}

/// What is wrong with it, if something is.
fn sound(run: &Run, document: &Value) -> Result<(), String> {
    run.scenario.check().map_err(|wrong| format!("its scenario is refused: {wrong}"))?;
    counts(document)?;
    owned(run)?;
    repetitions(run)?;
    if run.worst() == Some(Severity::Invalid) {
        return Ok(());
    }
    // A run whose books do not close says so itself; one that does not was edited.
    run.trials.iter().try_for_each(closes)?;
    let resume = run.scenario.outage.as_ref().is_some_and(|outage| outage.resume);
    let found = run.outages.iter().find_map(|outage| doubts(outage, resume).into_iter().next());
    found.map_or(Ok(()), |doubt| Err(format!("it does not say that it is invalid, but {}", doubt.text)))
}

/// No number below zero, and no more altogether than any sum can hold.
fn counts(document: &Value) -> Result<(), String> {
    let measured = document.as_object().into_iter().flatten();
    let mut stack: Vec<(&str, &Value)> = measured
        .filter(|(name, _)| !["scenario", "environment", "budgets"].contains(&name.as_str()))
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    let mut sum: u64 = 0;
    while let Some((name, value)) = stack.pop() {
        match value {
            Value::Number(number) => {
                let count = number.as_u64();
                if count.is_none()
                    && number.as_f64().is_none_or(|value| !(0.0..=MOST as f64).contains(&value))
                {
                    return Err(format!("`{name}` is {number}"));
                }
                sum = sum.saturating_add(count.unwrap_or(0));
                if sum > MOST {
                    return Err(format!("its counts are larger than any run's, `{name}` is {number}"));
                }
            }
            Value::Array(items) => stack.extend(items.iter().map(|item| (name, item))),
            Value::Object(fields) => stack.extend(fields.iter().map(|(name, value)| (name.as_str(), value))),
            Value::Null | Value::Bool(_) | Value::String(_) => {}
        }
    }
    Ok(())
}

/// Every lane is one of the scenario's.
fn owned(run: &Run) -> Result<(), String> {
    let measured = [
        run.trials.iter().map(|one| one.lane).collect::<Vec<Lane>>(),
        run.memory.iter().map(|one| one.lane).collect(),
        run.sweep.iter().map(|one| one.lane).collect(),
        run.steps.iter().map(|one| one.lane).collect(),
        run.idle.iter().map(|one| one.lane).collect(),
        run.tabs.iter().map(|one| one.lane).collect(),
        run.outages.iter().map(|one| one.lane).collect(),
    ];
    let foreign = measured.concat().into_iter().find(|lane| !run.scenario.lanes.contains(lane));
    foreign.map_or(Ok(()), |lane| Err(format!("it measured lane `{lane}`, which its scenario does not have")))
}

/// No repetition twice or beyond the last, and none missing from a run that says it is whole.
fn repetitions(run: &Run) -> Result<(), String> {
    let planned = run.scenario.repetitions.0;
    let mut seen = BTreeSet::new();
    for trial in &run.trials {
        let (lane, repetition) = (trial.lane, trial.repetition);
        if repetition >= planned {
            return Err(format!(
                "repetition {repetition} of {lane} is none of the {planned} of its scenario"
            ));
        }
        if !seen.insert((lane, repetition)) {
            return Err(format!("repetition {repetition} of {lane} is there twice"));
        }
    }
    let beyond = run.outages.iter().find(|outage| outage.repetition >= planned);
    if let Some(outage) = beyond {
        return Err(format!(
            "repetition {} of an outage is none of the {planned} of its scenario",
            outage.repetition
        ));
    }
    let whole = planned.saturating_mul(run.scenario.lanes.len() as u64);
    let is_whole = run.partial || run.scenario.outage.is_some() || seen.len() as u64 == whole;
    let missing = || {
        format!(
            "trials are missing: {} of {whole} are there, and it does not say that it is partial",
            seen.len()
        )
    };
    if is_whole { Ok(()) } else { Err(missing()) }
}

/// The books of a trial close.
fn closes(trial: &Trial) -> Result<(), String> {
    let in_blocks: u64 = trial.blocks.iter().map(|block| block.deliveries).sum();
    let slow = trial.slow.as_ref().map_or(0, |slow| slow.ledger.delivered);
    let place = format!("repetition {} of {}", trial.repetition, trial.lane);
    let wrong = [
        (!trial.ledger.closes(), format!("the ledger does not close: {:?}", trial.ledger)),
        (
            !trial.upward.ledger.closes(),
            format!("the ledger of messages does not close: {:?}", trial.upward.ledger),
        ),
        (
            in_blocks + slow != trial.ledger.delivered,
            format!(
                "{} deliveries are in the ledger and {} in the blocks",
                trial.ledger.delivered,
                in_blocks + slow
            ),
        ),
    ];
    let first = wrong.into_iter().find(|(is_wrong, _)| *is_wrong);
    first.map_or(Ok(()), |(_, what)| Err(format!("{place}: it does not say that it is invalid, but {what}")))
}

#[cfg(test)]
mod tests;
