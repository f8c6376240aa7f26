//! The command: parse, dispatch, say what went wrong, exit with a code that CI can trust.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use clap::Parser as _;
use loadgen::args::{Args, Command, DuetArgs, GateArgs, OutputArgs, RunArgs, ScenarioArgs, SurveyArgs};
use loadgen::exit::{BadInput, Exit};
use loadgen::progress::{Progress, planned};
use loadgen::{compare, duet, environment, fleet, folder, gate, preflight, runner, survey};
use results::judged::{Finding, Judged, Verdict};
use results::run::Severity;
use results::survey::Survey;
use results::{Format, Run};
use scenarios::payload::KINDS;
use scenarios::{Budget, Lane, Plan, Scenario, catalog};
use servers::allocations::Counting;

/// Counted in every process and on every lane alike, for the exact tier of the gate.
#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(err) => {
            // Nobody reads it any more: nothing to do about that.
            let _ = err.print();
            return if err.use_stderr() { Exit::BadInput } else { Exit::Good }.into();
        }
    };
    match dispatch(args) {
        Ok(exit) => exit.into(),
        Err(err) => {
            eprintln!("error: {err:#}");
            Exit::of(&err).into()
        }
    }
}

fn dispatch(args: Args) -> Result<Exit> {
    match args.command.unwrap_or(Command::Run(args.run)) {
        Command::Run(run) => measure(&run),
        Command::List => print(&list()).map(|()| Exit::Good),
        Command::Doctor(scenario) => doctor(&scenario),
        Command::Survey(args) => survey(&args),
        Command::Gate(args) => hold_counts(&args),
        Command::Duet(args) => duel(&args),
        Command::Report { run, format } => report(&run, format),
        Command::Compare(args) => judged(&compare::run(&args)?, &args.output),
        Command::History(args) => print(&compare::history(&args)?).map(|()| Exit::Good),
        Command::Host => servers::host::run().map(|()| Exit::Good),
        Command::Fleet => fleet::run().map(|()| Exit::Good),
    }
}

fn plan(args: &ScenarioArgs) -> Result<Plan> {
    let overrides = args.overrides().map_err(BadInput)?;
    let (name, scenario) =
        Scenario::load(&args.scenario, &overrides).map_err(|err| BadInput(err.to_string()))?;
    Ok(Plan::new(name, scenario))
}

fn measure(args: &RunArgs) -> Result<Exit> {
    let plan = budgeted(plan(&args.scenario)?, &args.budget)?;
    let baseline = args.baseline.as_deref().map(Run::load).transpose();
    let baseline = baseline.map_err(|err| BadInput(format!("{err:#}")))?;
    results::budget::check(&plan, baseline.as_ref()).map_err(BadInput)?;
    preflight::raise_descriptors();
    let found = preflight::check(&plan, &environment::read(preflight::cores()));
    if !found.refusals.is_empty() {
        return Err(BadInput(found.refusals.join("\n       ")).into());
    }
    if let Some(file) = args.history.as_deref().filter(|file| file.exists()) {
        // Said before minutes of measuring, not after them.
        results::history::read(file).map_err(|err| BadInput(format!("{err:#}")))?;
    }
    let folder = folder::made(args.output.as_deref(), &plan.name, "run")?;
    let stop = interrupts().context("cannot listen for Ctrl-C")?;
    let progress = Progress::new(&plan, args.quiet);
    progress.line(&format!(
        "{}: {} lanes, {} subscribers each, about {} s; into {}",
        plan.name,
        plan.lanes().len(),
        plan.scenario.subscribers,
        planned(&plan).as_secs(),
        folder.display()
    ));
    let (run, ended) = runner::run(&plan, baseline.as_ref(), &folder, found.warnings, &progress, &stop);
    results::report::write(&run, &folder)?;
    print(&results::render(&run, args.format, colour()))?;
    progress.line(&format!("report: {}", folder.join("report.html").display()));
    if stop.load(Ordering::Relaxed) {
        eprintln!("interrupted: {} trials were kept in {}", run.trials.len(), folder.display());
        return Ok(Exit::Interrupted);
    }
    ended?;
    let exit = verdict(&run);
    if let Some(file) = args.history.as_deref().filter(|_| exit == Exit::Good) {
        let rows = results::history::append(file, &run)?;
        progress.line(&format!("history: {rows} rows into {}", file.display()));
    }
    Ok(exit)
}

/// Writes what was judged in the form that is asked for, and into a folder all forms.
fn judged(judged: &Judged, output: &OutputArgs) -> Result<Exit> {
    print(&results::judged::render(judged, output.format))?;
    if let Some(folder) = &output.output {
        results::judged::write(judged, folder)?;
    }
    Ok(Exit::of_judged(judged))
}

fn verdict(run: &Run) -> Exit {
    if run.worst() == Some(Severity::Invalid) {
        eprintln!("INVALID: this measurement may not be used; see the warnings");
        return Exit::Invalid;
    }
    let Some(budgets) = &run.budgets else { return Exit::Good };
    let exit = Exit::of_judged(budgets);
    let failed = |finding: &&Finding| [Verdict::Crossed, Verdict::Invalid].contains(&finding.verdict);
    for finding in budgets.findings.iter().filter(failed) {
        eprintln!("budget `{}`: {}", finding.name, finding.text);
    }
    exit
}

/// The plan with the command line's budgets behind the scenario's.
fn budgeted(plan: Plan, budgets: &[String]) -> Result<Plan> {
    let read = budgets.iter().map(|text| text.parse::<Budget>());
    let read: Vec<Budget> = read.collect::<Result<_, _>>().map_err(|err| BadInput(err.to_string()))?;
    let Plan { name, mut scenario, .. } = plan;
    scenario.budgets.extend(read);
    Ok(Plan::new(name, scenario))
}

/// Set by the first Ctrl-C (or SIGTERM); the second ends the program at once.
fn interrupts() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(
            signal,
            Exit::Interrupted as i32,
            Arc::clone(&stop),
        )?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

fn list() -> String {
    let about = |(name, source): &(&str, &str)| {
        let read = Scenario::parse(name, source, &[]);
        ((*name).to_owned(), read.map_or_else(|err| err.to_string(), |scenario| scenario.about))
    };
    let lanes = Lane::all().into_iter().map(|lane| (lane.to_string(), lane.about()));
    section("scenarios", &catalog::all().iter().map(about).collect::<Vec<_>>())
        + &section("lanes", &lanes.collect::<Vec<_>>())
        + &section("payloads", &KINDS.iter().map(|kind| (kind.form(), kind.about.into())).collect::<Vec<_>>())
        + &words("words of budgets", false)
        + &words("words of budgets where something breaks", true)
}

/// What budgets may name.
fn words(title: &str, breaks: bool) -> String {
    format!("{title}\n  {}\n", results::budget::words(breaks).join(", "))
}

/// Names with what they are, in two columns.
fn section(title: &str, rows: &[(String, String)]) -> String {
    let wide = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let rows = rows.iter().map(|(name, about)| format!("  {name:<wide$} {about}\n"));
    format!("{title}\n{}", rows.collect::<String>())
}

fn doctor(args: &ScenarioArgs) -> Result<Exit> {
    let plan = plan(args)?;
    preflight::raise_descriptors();
    let environment = environment::read(preflight::cores());
    let found = preflight::check(&plan, &environment);
    let facts = serde_json::to_string_pretty(&environment).context("cannot write the environment")?;
    let mut text = format!("{facts}\n{} takes about {} s\n", plan.name, planned(&plan).as_secs());
    text.extend(found.warnings.iter().map(|warning| format!("warning: {}\n", warning.text)));
    text.extend(found.refusals.iter().map(|refusal| format!("in the way: {refusal}\n")));
    print(&text)?;
    Ok(if found.refusals.is_empty() { Exit::Good } else { Exit::BadInput })
}

fn survey(args: &SurveyArgs) -> Result<Exit> {
    let stop = interrupts().context("cannot listen for Ctrl-C")?;
    let (exit, survey) = survey::run(args, &stop)?;
    print(&results::survey::text(&survey)).map(|()| exit)
}

fn hold_counts(args: &GateArgs) -> Result<Exit> {
    match gate::run(args)? {
        gate::Outcome::Judged(found) => judged(&found, &args.output),
        gate::Outcome::Written(text) => print(&text).map(|()| Exit::Good),
    }
}

fn duel(args: &DuetArgs) -> Result<Exit> {
    let stop = interrupts().context("cannot listen for Ctrl-C")?;
    let (exit, text) = duet::run(args, &stop)?;
    print(&text).map(|()| exit)
}

fn report(path: &Path, format: Format) -> Result<Exit> {
    if Survey::is_at(path) {
        let survey = Survey::load(path).map_err(|err| BadInput(format!("{err:#}")))?;
        results::survey::write(&survey, path)?;
        return print(&results::survey::text(&survey)).map(|()| Exit::Good);
    }
    let run = Run::load(path).map_err(|err| BadInput(format!("{err:#}")))?;
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new(".")) };
    results::report::write(&run, folder)?;
    print(&results::render(&run, format, colour()))?;
    Ok(verdict(&run))
}

fn colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Writes to stdout; a reader that went away (`| head`) is no error.
fn print(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(err) if err.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(err).context("cannot write to stdout")
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
