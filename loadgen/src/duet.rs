//! `duet`: two builds of one server alive at once, measured in pairs of blocks, and a second session before anybody is failed
//! (METHOD M22).

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Result;
use results::duet::{DUET_SCHEMA, Duet, Session, evaluate, is_clear, is_regression, is_settled, judge, play};
use results::judged::{Judged, Verdict};
use scenarios::{Plan, Scenario};
use servers::inject::Inject;

use crate::args::DuetArgs;
use crate::exit::{BadInput, Exit};
use crate::lane::{Cores, Server};
use crate::progress::Progress;
use crate::{environment, folder, preflight, runner};
use builds::Build;
use session::{Looking, Subject};

mod builds;
mod calibrate;
mod session;
mod timetable;
mod validity;

/// A session of the default length lasts no longer.
const LIMIT: Duration = Duration::from_secs(150);

/// Pairs that a session has at least: two of each stretch whose means are compared.
const LEAST_PAIRS: usize = 2 * results::duet::BATCHES;

/// What all sessions of one invocation have in common.
pub struct Setting<'a> {
    /// What is compared with.
    pub a: &'a Build,
    /// What is judged.
    pub b: &'a Build,
    /// The scenario.
    pub scenario: &'a Scenario,
    /// Pairs a lane.
    pub pairs: usize,
}

/// Does what the options say; the text for stdout.
///
/// # Errors
/// [`BadInput`] for what the user can mend; whatever fails while measuring.
pub fn run(args: &DuetArgs, stop: &AtomicBool) -> Result<(Exit, String)> {
    if let Some(folder) = &args.evaluate {
        return evaluated(folder, args.pairs, args.evaluations).map(|text| (Exit::Good, text));
    }
    let named = args.a.is_some() || args.b.is_some() || args.aa || args.inject.is_some() || args.calibrate;
    if !named {
        return Err(BadInput("a duet needs two builds: name --a or --b (rev:main, a program, a command line), or --aa for one against itself".into()).into());
    }
    let overrides = args.scenario().overrides().map_err(BadInput)?;
    let loaded = Scenario::load(&args.scenario, &overrides).map_err(|err| BadInput(err.to_string()))?;
    let scenario = checked(loaded.1, args.inject)?;
    let pairs = pairs(&scenario, args.pairs)?;
    let plan = timetable::plan(&loaded.0, &scenario, pairs);
    preflight::raise_descriptors();
    let cores = preflight::cores();
    let found = preflight::check(&plan, &environment::read(cores));
    if !found.refusals.is_empty() {
        return Err(BadInput(found.refusals.join("\n       ")).into());
    }
    let progress = Progress::new(&plan, args.quiet);
    let say = |text: &str| progress.line(text);
    let a = builds::resolve(args.a.as_deref(), &say)?;
    let b = match (args.b.is_some(), args.a.is_some(), args.aa || args.inject.is_some()) {
        (false, _, true) => a.clone(),
        (true, ..) | (false, _, false) => builds::resolve(args.b.as_deref(), &say)?,
    };
    let setting = Setting { a: &a, b: &b, scenario: &scenario, pairs };
    if args.calibrate {
        let calibrated =
            calibrate::run(&setting, args.evaluations, args.output.as_deref(), cores, &progress, stop);
        progress.end();
        return calibrated;
    }
    measure(args, &setting, &plan, cores, &progress, stop)
}

/// The scenario as a duet runs it.
fn checked(scenario: Scenario, inject: Option<Inject>) -> Result<Scenario, BadInput> {
    for (is_there, what) in [
        (scenario.session.is_some(), "sessions"),
        (scenario.outage.is_some(), "outages"),
        (scenario.upstream > 0.0, "messages upward"),
        (scenario.slow > 0.0, "slow readers"),
    ] {
        if is_there {
            return Err(BadInput(format!(
                "a duet measures events that all subscribers hear and read, this scenario has {what}; use `duet` or another without"
            )));
        }
    }
    let refusal = |lane| inject.and_then(|inject| inject.refusal(lane, &scenario));
    if let Some(refusal) = scenario.lanes.iter().find_map(|lane| refusal(*lane)) {
        return Err(BadInput(refusal));
    }
    if let Some(lane) = scenario.lanes.iter().find(|lane| lane.holds_back()) {
        return Err(BadInput(format!(
            "lane `{lane}` holds events back, so no block of it ever drains; leave it out"
        )));
    }
    // Both sides of a lane are warmed by as many slices.
    let sides = 2 * scenario.lanes.len() as u64;
    let warmup = scenarios::Count(scenario.warmup.0.next_multiple_of(sides));
    Ok(Scenario { warmup, heartbeats: scenarios::Count(0), ..scenario })
}

/// Pairs a lane: an even number, so that each order of the sides comes equally often.
fn pairs(scenario: &Scenario, wanted: Option<usize>) -> Result<usize, BadInput> {
    let all = scenario.duration.0.as_nanos() / scenario.block.0.as_nanos().max(1);
    let shared = usize::try_from(all).unwrap_or(usize::MAX) / scenario.lanes.len();
    let pairs = wanted.unwrap_or(shared);
    match pairs {
        LEAST_PAIRS..=10_000 => Ok(pairs - pairs % 2),
        _ => Err(BadInput(format!(
            "a duet of {pairs} pairs a lane cannot be judged: it takes {LEAST_PAIRS} to 10000; set --pairs, or the scenario's `duration`"
        ))),
    }
}

/// A side as it is started.
fn server(side: &str, build: &Build, inject: Option<Inject>) -> Server {
    Server { name: format!("{side} ({})", build.name), program: build.program.clone(), inject }
}

/// A duet without sessions.
fn duet(setting: &Setting<'_>, inject: Option<Inject>, cores: Cores) -> Duet {
    Duet {
        schema: DUET_SCHEMA,
        started: environment::now().0,
        command: runner::command(),
        a: setting.a.name.clone(),
        b: setting.b.name.clone(),
        inject: inject.map(|inject| inject.to_string()),
        scenario: setting.scenario.clone(),
        environment: environment::read(cores),
        planned_pairs: setting.pairs,
        sessions: Vec::new(),
    }
}

/// Measures, judges and saves.
fn measure(
    args: &DuetArgs,
    setting: &Setting<'_>,
    plan: &Plan,
    cores: Cores,
    progress: &Progress,
    stop: &AtomicBool,
) -> Result<(Exit, String)> {
    let folder = folder::made(args.output.as_deref(), "duet", "duet")?;
    let mut duet = duet(setting, args.inject, cores);
    progress.line(&format!(
        "duet of A ({}) and B ({}{}): up to {} pairs on {}; into {}",
        duet.a,
        duet.b,
        args.inject.map_or(String::new(), |inject| format!(" with {inject}")),
        setting.pairs,
        plan.lanes().iter().step_by(2).map(ToString::to_string).collect::<Vec<_>>().join(" and "),
        folder.display()
    ));
    let (a, b) = (server("A", setting.a, None), server("B", setting.b, args.inject));
    let limit = args.pairs.is_none().then_some(LIMIT);
    let subject =
        Subject { servers: [&a, &b], scenario: setting.scenario, pairs: setting.pairs, cores, limit };
    let first = Looking { asked: &|_, _| true, stop: is_clear };
    let looking = (!args.record).then_some(&first);
    let measured = sessions(&mut duet, &subject, looking, &folder, progress, stop);
    progress.end();
    measured?;
    if duet.sessions.is_empty() {
        return Ok((Exit::Interrupted, String::new()));
    }
    results::duet::write(&duet, &folder)?;
    let judged = judge(&duet);
    results::judged::write(&judged, &folder)?;
    let text = results::judged::render(&judged, args.format);
    progress.line(&format!("pairs, findings and chart: {}", folder.display()));
    if session::is_stopped(stop) {
        return Ok((Exit::Interrupted, text));
    }
    Ok((ended(&judged, args.record), text))
}

/// The first session, and a second one if there is something to confirm.
fn sessions(
    duet: &mut Duet,
    subject: &Subject<'_>,
    looking: Option<&Looking<'_>>,
    folder: &Path,
    progress: &Progress,
    stop: &AtomicBool,
) -> Result<()> {
    let seed = subject.scenario.seed;
    duet.sessions.extend(session::run(subject, seed, looking, progress, stop)?);
    duet.save(folder)?;
    let Some(first) = duet.sessions.first().filter(|_| looking.is_some() && !session::is_stopped(stop))
    else {
        return Ok(());
    };
    let suspects = suspects(first, subject.pairs);
    if suspects.is_empty() || is_regression(first) || !first.invalid.is_empty() {
        return Ok(());
    }
    progress.line("a difference shows: a second session with fresh processes has to find it too");
    let asked = |lane: usize, measure: usize| suspects.contains(&(lane, measure));
    let again = Looking { asked: &asked, stop: is_settled };
    duet.sessions.extend(session::run(subject, seed.wrapping_add(1), Some(&again), progress, stop)?);
    duet.save(folder)
}

/// Lanes and metrics in which the sides differ.
fn suspects(session: &Session, pairs: usize) -> Vec<(usize, usize)> {
    let played = play(session, pairs, is_clear, |_, _| true);
    let decisions = played.into_iter().flat_map(|played| played.decisions);
    decisions.filter(results::duet::Decision::is_suspicion).map(|one| (one.lane, one.measure)).collect()
}

/// How the program ends; a session that was only recorded fails nobody unless it is invalid.
fn ended(judged: &Judged, record: bool) -> Exit {
    let exit = Exit::of_judged(judged);
    if exit == Exit::Invalid {
        eprintln!("INVALID: this measurement may not be used; see the findings");
    } else if exit == Exit::Good && judged.with(Verdict::Inconclusive).next().is_some() {
        eprintln!("warning: inconclusive, nobody is failed; see the findings");
    }
    if record && exit != Exit::Invalid { Exit::Good } else { exit }
}

/// Resamples the duets in a folder, or in the folders in it.
fn evaluated(folder: &Path, pairs: Option<usize>, evaluations: u64) -> Result<String> {
    let unreadable = |err| BadInput(format!("cannot read folder {}: {err}", folder.display()));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.join("duet.json").is_file() {
            found.push(path);
        }
    }
    if folder.join("duet.json").is_file() {
        found.push(folder.to_owned());
    }
    found.sort();
    let loaded: Result<Vec<Duet>> = found.iter().map(|path| Duet::load(path)).collect();
    let duets = loaded.map_err(|err| BadInput(format!("{err:#}")))?;
    let longest = duets.iter().map(|duet| duet.planned_pairs).max().unwrap_or(0);
    let planned = pairs.unwrap_or(longest).max(LEAST_PAIRS);
    let text = evaluate::evaluate(&duets, planned, evaluations);
    Ok(text.map_err(|why| BadInput(format!("cannot evaluate {}: {why}", folder.display())))?)
}
