//! Plan to run: the byte-only sweep, the memory phase, then repetition by repetition, saved after
//! each, so that whatever ends the run early takes nothing that was measured.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use results::Run;
use results::run::{Outage, SCHEMA, Severity, Warning};
use scenarios::{Moment, Plan};

use crate::lane::Cores;
use crate::progress::Progress;
use crate::repetition::{self, Repeated};
use crate::{environment, heartbeats, memory, outage, preflight, session, steps, sweep, tabs, validity};

/// Runs a plan and saves it into `folder` as it grows. A worker's death or a refused connection
/// comes back beside the run, which holds what was measured before. Budgets are held against `baseline` where they
/// say so.
pub fn run(
    plan: &Plan,
    baseline: Option<&Run>,
    folder: &Path,
    warnings: Vec<Warning>,
    progress: &Progress,
    stop: &AtomicBool,
) -> (Run, Result<()>) {
    let cores = preflight::cores();
    let mut run = Run {
        schema: SCHEMA,
        name: plan.name.clone(),
        started: environment::now().0,
        command: command(),
        partial: true,
        scenario: plan.scenario.clone(),
        environment: environment::read(cores),
        sockets: std::collections::BTreeMap::new(),
        trials: Vec::new(),
        memory: Vec::new(),
        sweep: Vec::new(),
        steps: Vec::new(),
        idle: Vec::new(),
        tabs: Vec::new(),
        outages: Vec::new(),
        warnings,
        budgets: None,
    };
    let watch = Watch { baseline, began: Moment::now() };
    let ended = phases(plan, &mut run, folder, &watch, cores, progress, stop);
    // What was measured is judged however the run ended.
    run.warnings.extend(validity::across(&run));
    run.budgets = results::budget::judge(&run, baseline);
    let saved = run.save(folder);
    progress.end();
    (run, ended.and(saved))
}

/// The command line; of the program's own path only its name, which is the same everywhere.
#[must_use]
pub fn command() -> Vec<String> {
    let program = std::env::args().next().unwrap_or_default();
    let name = Path::new(&program).file_name().map(|name| name.to_string_lossy().into_owned());
    name.into_iter().chain(std::env::args().skip(1)).collect()
}

/// What a run is watched for while it grows: budgets that end it.
struct Watch<'a> {
    baseline: Option<&'a Run>,
    began: Moment,
}

impl Watch<'_> {
    /// Whether a budget is crossed that ends the run, and repetitions are still to come.
    fn ends(&self, run: &Run, progress: &Progress) -> bool {
        let crossed = results::budget::aborts(run, self.baseline, Moment::now().since(self.began));
        let crossed = crossed.filter(|_| run.partial);
        if let Some(text) = &crossed {
            progress.line(&format!("ended early, a budget is crossed: {text}"));
        }
        crossed.is_some()
    }
}

fn phases(
    plan: &Plan,
    run: &mut Run,
    folder: &Path,
    watch: &Watch<'_>,
    cores: Cores,
    progress: &Progress,
    stop: &AtomicBool,
) -> Result<()> {
    let stopped = || stop.load(Ordering::Relaxed);
    save(run, folder)?;
    for &lane in plan.lanes() {
        // In lock-step a lane that holds events back would wait for ever.
        if !plan.scenario.sweep.is_empty() && !lane.holds_back() && !stopped() {
            progress.say(&format!("bytes of {lane} at {} sizes", plan.scenario.sweep.len()));
            run.sweep.extend(sweep::run(lane, &plan.scenario, cores)?);
        }
        if !plan.scenario.memory.is_empty() && !stopped() {
            run.memory.push(memory::run(lane, &plan.scenario, cores, progress, stop)?);
        }
        if plan.scenario.tabs.0 > 0 && !stopped() {
            progress.say(&format!("{} tabs of one browser on {lane}", plan.scenario.tabs.0));
            run.tabs.push(tabs::run(lane, &plan.scenario, cores)?);
        }
        save(run, folder)?;
    }
    if plan.scenario.heartbeats.0 > 0 && !stopped() {
        progress.say("idle connections behind a middlebox");
        run.idle = heartbeats::idle(plan.lanes(), &plan.scenario, cores, stop)?;
        save(run, folder)?;
    }
    let stepped = !plan.scenario.rates.is_empty() || !plan.scenario.sizes.is_empty();
    if stepped && !stopped() {
        run.steps = steps::run(plan, cores, progress, stop)?;
        save(run, folder)?;
    }
    for index in 0..plan.repetitions.len() {
        if stopped() {
            return Ok(());
        }
        if let Some(outage) = &plan.scenario.outage {
            let complete = outage::run::run(plan, index as u64, cores, progress, stop, |one, sockets| {
                progress.line(&told(&one));
                run.warnings.extend(results::outage::doubts(&one, outage.resume));
                run.outages.push(one);
                run.sockets.extend(sockets);
                save(run, folder)
            })?;
            run.partial = !(complete && index + 1 == plan.repetitions.len());
            save(run, folder)?;
            if watch.ends(run, progress) {
                return Ok(());
            }
            continue;
        }
        let repeated = match &plan.scenario.session {
            None => repetition::run(plan, index, cores, progress, stop)?,
            Some(session) => session::run::run(plan, session, index, cores, progress, stop)?,
        };
        let complete = repeated.complete;
        add(run, repeated, index);
        run.partial = !(complete && index + 1 == plan.repetitions.len());
        save(run, folder)?;
        progress.line(&said(run, index, plan.repetitions.len()));
        if watch.ends(run, progress) {
            return Ok(());
        }
    }
    Ok(())
}

/// Saves the run with what must be said of it as it stands: it may be all that is kept.
fn save(run: &Run, folder: &Path) -> Result<()> {
    let mut judged = run.clone();
    judged.warnings.extend(validity::across(run));
    judged.save(folder)
}

fn add(run: &mut Run, repeated: Repeated, index: usize) {
    run.warnings.extend(repeated.trials.iter().flat_map(validity::judge));
    if !repeated.steady && !repeated.trials.is_empty() {
        run.warnings.push(Warning {
            severity: Severity::Note,
            lane: None,
            repetition: Some(index as u64),
            text: "the cost per delivery was not steady when the warm-up ended".into(),
        });
    }
    run.sockets.extend(repeated.sockets);
    run.trials.extend(repeated.trials);
}

/// A repetition's result in a line.
fn said(run: &Run, index: usize, of: usize) -> String {
    let lanes = run.trials.iter().filter(|trial| trial.repetition == index as u64).map(|trial| {
        let p50 = trial.latency.quantile(0.5).map_or("not delivered".to_owned(), |nanos| {
            format!("p50 {:.2} ms", std::time::Duration::from_nanos(nanos).as_secs_f64() * 1e3)
        });
        format!("{} {p50}, {} of {} delivered", trial.lane, trial.ledger.delivered, trial.ledger.expected)
    });
    format!("repetition {} of {of}: {}", index + 1, lanes.collect::<Vec<_>>().join(" · "))
}

/// One outage in a line.
fn told(outage: &Outage) -> String {
    let Outage { lane, fault, own_policy, ledger, clients, still_away, .. } = outage;
    let blind = outage.unavailable.quantile(0.5).map_or("for good".to_owned(), |nanos| {
        format!("{:.2} s at the median", std::time::Duration::from_nanos(nanos).as_secs_f64())
    });
    let away = still_away + outage.gave_up.values().sum::<u64>();
    format!(
        "{lane}: {fault}, {own_policy}: blind {blind}, {} of {} delivered, {away} of {clients} stayed away",
        ledger.delivered, ledger.expected
    )
}
