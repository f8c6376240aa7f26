//! The survey: the runs that the claims and a decision need, one after the other into one folder, and
//! taken up where it was left.
//!
//! Which runs these are is the table below: a scenario of the catalog, what differs from it, and how deep
//! a survey must be to hold it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use results::survey::{self, SCHEMA, Survey, Workload, Written};
use results::{Run, report, run::Severity};
use scenarios::{Plan, Scenario};

use crate::args::SurveyArgs;
use crate::exit::{BadInput, Exit};
use crate::progress::{Progress, planned};
use crate::{environment, preflight, runner};

mod cells;

pub use cells::{CELLS, Cell, Depth};

impl Cell {
    /// The run it stands for.
    ///
    /// # Errors
    /// The table names what there is not.
    pub fn plan(&self) -> Result<Plan> {
        let set: Vec<(String, String)> =
            self.set.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect();
        let (_, scenario) = Scenario::load(self.scenario, &set)
            .with_context(|| format!("cannot plan the run {} of the survey", self.name))?;
        Ok(Plan::new(self.name.to_owned(), scenario))
    }
}

/// Runs a survey, or what is left of one, and writes its decision. Without anything left it only
/// answers for the workload that is asked about.
///
/// # Errors
/// Bad arguments, a run that cannot begin here, a folder that cannot be written.
pub fn run(args: &SurveyArgs, stop: &AtomicBool) -> Result<(Exit, Survey)> {
    let (folder, written, done) = match &args.resume {
        Some(folder) => resumed(args, folder)?,
        None => begun(args)?,
    };
    let left = left(&written, &done)?;
    std::fs::create_dir_all(&folder).map_err(|err| unwritable(&folder, &err))?;
    written.save(&folder).map_err(|err| BadInput(format!("{err:#}; name another folder with -o")))?;
    announce(args.quiet, &left, &folder);
    let mut failed = false;
    for (number, (cell, plan)) in left.iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        talk(args.quiet, &format!("run {} of {}: {}, {}", number + 1, left.len(), cell.name, cell.about));
        if let Err(err) = measure(plan, &folder.join(cell.name), args.quiet, stop) {
            talk(false, &format!("error: run {}: {err:#}", cell.name));
            failed = true;
        }
        survey::write(&Survey::load(&folder)?, &folder)?;
    }
    let survey = Survey::load(&folder)?;
    survey::write(&survey, &folder)?;
    talk(args.quiet, &format!("decision: {}", folder.join("decision.html").display()));
    let exit = if stop.load(Ordering::Relaxed) {
        talk(false, &format!("interrupted; go on with: loadgen survey --resume {}", folder.display()));
        Exit::Interrupted
    } else if failed {
        Exit::Runtime
    } else {
        verdict(&survey)
    };
    Ok((exit, survey))
}

fn unwritable(folder: &Path, err: &std::io::Error) -> BadInput {
    BadInput(format!("cannot write into {}: {err}; name another folder with -o", folder.display()))
}

fn verdict(survey: &Survey) -> Exit {
    let invalid: Vec<&str> = survey
        .runs()
        .filter(|(_, run)| run.worst() == Some(Severity::Invalid))
        .map(|(name, _)| name)
        .collect();
    if invalid.is_empty() {
        return Exit::Good;
    }
    talk(
        false,
        &format!("INVALID: {} may not be used and judged nothing; see their reports", invalid.join(", ")),
    );
    Exit::Invalid
}

/// Where it goes, what is planned, and which of its runs are there already.
type Begun = (PathBuf, Written, Vec<String>);

/// A new survey, in a folder that holds none.
fn begun(args: &SurveyArgs) -> Result<Begun> {
    let depth = args.depth();
    let planned: Vec<&str> =
        CELLS.iter().filter(|cell| cell.depths.contains(&depth)).map(|cell| cell.name).collect();
    if let Some(unknown) = args.only.iter().find(|name| !planned.contains(&name.as_str())) {
        let text = format!("a {depth} survey has no run `{unknown}`; it has {}", planned.join(", "));
        return Err(BadInput(text).into());
    }
    let wanted = |name: &&str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let cells = planned.into_iter().filter(wanted).map(str::to_owned).collect();
    let default = || Path::new("results/runs").join(format!("{}-survey-{depth}", environment::now().1));
    let folder = args.output.clone().unwrap_or_else(default);
    if Survey::is_at(&folder) {
        let text = format!(
            "{} holds a survey already; go on with --resume, or name another folder with -o",
            folder.display()
        );
        return Err(BadInput(text).into());
    }
    let (_, ticker) = Scenario::load("ticker", &[])?;
    let written = Written {
        schema: SCHEMA,
        started: environment::now().0,
        command: runner::command(),
        depth: depth.to_string(),
        cells,
        workload: args.workload(Workload::of("ticker", &ticker))?,
    };
    Ok((folder, written, Vec::new()))
}

/// A survey that was begun before, asked for another workload if one is named.
fn resumed(args: &SurveyArgs, folder: &Path) -> Result<Begun> {
    if args.quick || args.full || args.output.is_some() || !args.only.is_empty() {
        let text = "--resume goes on with a survey as it was planned: --quick, --full, --only and -o belong to a new one";
        return Err(BadInput(text.into()).into());
    }
    let found = Survey::load(folder).map_err(|err| BadInput(format!("{err:#}")))?;
    let done = found.cells.iter().filter(|cell| cell.is_complete()).map(|cell| cell.name.clone()).collect();
    let workload = args.workload(found.written.workload.clone())?;
    Ok((folder.to_owned(), Written { workload, ..found.written }, done))
}

/// The planned runs that are not there yet, refused as a whole if one of them cannot run here.
fn left(written: &Written, done: &[String]) -> Result<Vec<(&'static Cell, Plan)>> {
    preflight::raise_descriptors();
    let environment = environment::read(preflight::cores());
    let mut left = Vec::new();
    for name in written.cells.iter().filter(|name| !done.contains(name)) {
        let known = CELLS.iter().find(|known| known.name == name);
        let known =
            known.ok_or_else(|| BadInput(format!("this program knows no run `{name}` of a survey")))?;
        let plan = known.plan()?;
        if let Some(refusal) = preflight::check(&plan, &environment).refusals.first() {
            return Err(BadInput(format!("run {name}: {refusal}")).into());
        }
        left.push((known, plan));
    }
    Ok(left)
}

/// Runs one cell anew: what an interrupted one left behind is no evidence.
fn measure(plan: &Plan, folder: &Path, quiet: bool, stop: &AtomicBool) -> Result<Run> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let warnings = preflight::check(plan, &environment::read(preflight::cores())).warnings;
    let progress = Progress::new(plan, quiet);
    let (run, ended) = runner::run(plan, None, folder, warnings, &progress, stop);
    report::write(&run, folder)?;
    ended.map(|()| run)
}

fn announce(quiet: bool, left: &[(&Cell, Plan)], folder: &Path) {
    let seconds: u64 = left.iter().map(|(_, plan)| planned(plan).as_secs()).sum();
    let text = match left.len() {
        0 => format!("every run of {} is there: nothing is measured", folder.display()),
        runs => format!("survey: {runs} runs, about {} min; into {}", seconds.div_ceil(60), folder.display()),
    };
    talk(quiet, &text);
}

fn talk(quiet: bool, text: &str) {
    if !quiet {
        eprintln!("{text}");
    }
}
