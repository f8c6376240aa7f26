//! One side of a comparison: a run, or several runs of the same as one with more repetitions.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::alike;
use crate::run::{Memory, MemoryPoint, Run, Severity};
use crate::summary::repetitions;

/// A run, or several as one.
pub struct Set {
    /// Where it was read from.
    pub name: String,
    /// All of them as one run.
    pub run: Run,
    /// The invocations it came out of.
    pub sessions: Vec<String>,
    /// Why its numbers may not be used, if so.
    pub unusable: Option<String>,
}

impl Set {
    /// Reads a `run.json`, the folder of a run, or a folder of such folders.
    ///
    /// # Errors
    /// No run is there, one cannot be read, or those of a folder are not repetitions of the same.
    pub fn load(path: &Path) -> Result<Self> {
        let files = if path.is_dir() && !path.join("run.json").exists() {
            folders(path)?
        } else {
            vec![path.to_owned()]
        };
        let runs = files.iter().map(|file| Ok((file.display().to_string(), Run::load(file)?)));
        Self::of(path.display().to_string(), runs.collect::<Result<_>>()?)
    }

    /// From runs and their names.
    ///
    /// # Errors
    /// There is none, or they are not repetitions of the same.
    pub fn of(name: String, runs: Vec<(String, Run)>) -> Result<Self> {
        let mut rest = runs.into_iter();
        let (first, mut run) = rest.next().with_context(|| format!("{name} holds no run"))?;
        let mut sessions = vec![run.session()];
        let mut unusable = unusable(&first, &run);
        let mut counted = 1;
        for (other, more) in rest {
            let found = alike::differences(&run, &more, &run.scenario.lanes);
            let lanes = (run.scenario.lanes != more.scenario.lanes).then(|| "lanes differ".to_owned());
            let found: Vec<String> = lanes.into_iter().chain(found).collect();
            if !found.is_empty() {
                bail!(
                    "{name} holds runs of different things, no repetitions: {first} (A) and {other} (B)\n  {}",
                    found.join("\n  ")
                );
            }
            sessions.push(more.session());
            unusable = unusable.or_else(|| self::unusable(&other, &more));
            add(&mut run, more);
            counted += 1;
        }
        run.memory.iter_mut().flat_map(|memory| &mut memory.points).for_each(|point| divide(point, counted));
        sessions.sort();
        Ok(Self { name, run, sessions, unusable })
    }

    /// How many runs it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether it holds none, which is refused when it is read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }
}

fn folders(path: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("cannot read folder {}", path.display());
    let entries = std::fs::read_dir(path).with_context(cannot)?;
    let paths =
        entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>().with_context(cannot)?;
    let mut held: Vec<PathBuf> = paths.into_iter().filter(|path| path.join("run.json").exists()).collect();
    held.sort();
    if held.is_empty() {
        bail!("{} holds no run.json, and no folder with one", path.display());
    }
    Ok(held)
}

/// An invalid run, or one of which repetitions are missing.
fn unusable(name: &str, run: &Run) -> Option<String> {
    let invalid = run.warnings.iter().find(|warning| warning.severity == Severity::Invalid);
    let invalid = invalid.map(|warning| format!("{name} is invalid: {}", warning.text));
    let (held, of) = (repetitions(run), run.scenario.repetitions);
    invalid.or_else(|| {
        run.partial.then(|| format!("{name} is partial: {held} of {of} repetitions were measured"))
    })
}

/// Appends a run's repetitions and passes; memory is summed level by level, to be divided at the end.
fn add(run: &mut Run, more: Run) {
    let repetition = repetitions(run);
    let pass = run.steps.iter().map(|step| step.pass + 1).max().unwrap_or(0);
    run.trials.extend(more.trials.into_iter().map(|mut trial| {
        trial.repetition += repetition;
        trial
    }));
    run.steps.extend(more.steps.into_iter().map(|mut step| {
        step.pass += pass;
        step
    }));
    run.sweep.extend(more.sweep);
    for memory in more.memory {
        match run.memory.iter_mut().find(|held| held.lane == memory.lane) {
            Some(held) => sum(held, &memory),
            None => run.memory.push(memory),
        }
    }
    run.warnings.extend(more.warnings);
}

fn sum(held: &mut Memory, more: &Memory) {
    for (one, other) in held.points.iter_mut().zip(&more.points) {
        one.server_pss_bytes += other.server_pss_bytes;
        one.client_pss_bytes += other.client_pss_bytes;
        one.slab_bytes += other.slab_bytes;
    }
}

fn divide(point: &mut MemoryPoint, by: u64) {
    point.server_pss_bytes /= by;
    point.client_pss_bytes /= by;
    point.slab_bytes /= by;
}
