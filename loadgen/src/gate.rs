//! `loadgen gate`: exact counts of every lane against a committed baseline (METHOD M22).
//!
//! Nothing here looks at a clock but to give up: the same program counts the same numbers on a busy machine and on a
//! quiet one, so one more byte fails a build, and nothing else does.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use results::exact::{Exact, Tolerance};
use results::judged::Judged;
use results::run::write_atomically;
use scenarios::Lane;

use crate::args::GateArgs;
use crate::environment;
use crate::exit::BadInput;

mod count;
mod tap;

/// The lanes that are counted, unless others are named: every transport, carrier, coding and stock server that can be
/// counted in lock-step.
const LANES: [&str; 15] = [
    "raw",
    "sse-h1",
    "sse-h1+gzip",
    "sse-h1+tls",
    "sse-h1%axum",
    "sse-h2",
    "sse-h2+gzip",
    "ws-h1",
    "ws-h1+deflate",
    "ws-h1+deflate-stateless",
    "ws-h1+tls",
    "ws-h1%axum",
    "ws-h2",
    "ws-h2+deflate",
    "longpoll-h1",
];

/// What came of it.
pub enum Outcome {
    /// What was found against the baseline.
    Judged(Judged),
    /// The baseline was written; what changed in it.
    Written(String),
}

/// Measures, and writes the baseline or judges by it.
///
/// # Errors
/// A baseline that is missing, unreadable or of other settings; a worker that dies.
pub fn run(args: &GateArgs) -> Result<Outcome> {
    let file = if args.baseline.is_dir() || args.baseline.extension().is_none() {
        args.baseline.join("exact.toml")
    } else {
        args.baseline.clone()
    };
    let mut tolerance = Tolerance::default();
    args.tolerance.iter().try_for_each(|text| tolerance.add(text)).map_err(BadInput)?;
    // Before anything is measured.
    let baseline = read(&file, args.update_baseline)?;
    let lanes = lanes(args)?;
    if let Some(baseline) = baseline.as_ref().filter(|_| !args.update_baseline) {
        let named = lanes.iter().map(|lane| (lane.to_string(), results::exact::Counts::default()));
        let promised = Exact { lanes: named.collect(), ..empty() };
        baseline.judge(&promised, &tolerance).map_err(|why| unfit(&file, &why))?;
    }
    let mut now = empty();
    for lane in lanes {
        if !args.quiet {
            eprintln!("counting {lane}");
        }
        now.lanes.insert(lane.to_string(), count::lane(lane, args.inject)?);
    }
    match baseline {
        Some(baseline) if !args.update_baseline => {
            Ok(Outcome::Judged(baseline.judge(&now, &tolerance).map_err(|why| unfit(&file, &why))?))
        }
        old => Ok(Outcome::Written(update(&file, old, now, !args.lanes.is_empty())?)),
    }
}

fn unfit(file: &Path, why: &str) -> BadInput {
    BadInput(format!("baseline {}: {why}", file.display()))
}

/// The baseline; one that is missing is none only where it is to be written.
fn read(file: &Path, may_miss: bool) -> Result<Option<Exact>, BadInput> {
    match std::fs::read_to_string(file) {
        Ok(text) => Exact::parse(&text).map(Some).map_err(|why| unfit(file, &why)),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound && may_miss => Ok(None),
        Err(err) => {
            Err(unfit(file, &format!("cannot read it: {err}; `loadgen gate --update-baseline` writes one")))
        }
    }
}

/// The lanes to count; one that cannot be counted is refused.
fn lanes(args: &GateArgs) -> Result<Vec<Lane>, BadInput> {
    if args.lanes.is_empty() {
        return Ok(LANES.iter().map(|name| name.parse().expect("a lane of the table")).collect());
    }
    match args.lanes.iter().find(|lane| !count::is_countable(**lane)) {
        None => Ok(args.lanes.clone()),
        Some(lane) => Err(BadInput(format!(
            "lane `{lane}` cannot be counted in lock-step: it holds events back, polls at an interval, has dates in its heads whose length changes (HTTP/2), or its client hides its bytes; lanes that can: {} and their like",
            LANES.join(", ")
        ))),
    }
}

/// Nothing counted yet, under the settings of this program.
fn empty() -> Exact {
    let words = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let made = words(&[("rustc", env!("LOADGEN_RUSTC")), ("profile", environment::profile())]);
    Exact { settings: count::settings(), made, lanes: BTreeMap::new(), deliveries: count::DELIVERIES }
}

/// Writes the baseline; what was counted of some lanes only leaves the others as they are.
fn update(file: &Path, old: Option<Exact>, now: Exact, is_part: bool) -> Result<String> {
    let mut new = now;
    if let Some(old) = old.as_ref().filter(|_| is_part) {
        if old.settings != new.settings {
            let why = "it was made with other settings, so all lanes must be counted anew; leave out --lanes";
            return Err(unfit(file, why).into());
        }
        let kept = old.lanes.iter().filter(|(lane, _)| !new.lanes.contains_key(*lane));
        let kept: Vec<_> = kept.map(|(lane, counts)| (lane.clone(), counts.clone())).collect();
        new.lanes.extend(kept);
    }
    let changes = old.map(|old| old.changes(&new));
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    write_atomically(file, new.text().as_bytes())?;
    let said = match changes {
        None => format!("written: {} lanes", new.lanes.len()),
        Some(changes) if changes.is_empty() => "nothing changed".to_owned(),
        Some(changes) => format!("{} numbers changed\n  {}", changes.len(), changes.join("\n  ")),
    };
    Ok(format!("{}: {said}\n", file.display()))
}
