//! One session: fresh processes of both sides, connected and warmed alike, measured from look to look until the answer is
//! clear.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use results::duet::{Block, Counts, Decision, Look, Pair, Part, Session, decide, is_regression, looks};
use results::run::{BlockResult, Trial};
use scenarios::{Moment, Plan, Scenario};

use super::validity;
use crate::exit::BadInput;
use crate::lane::{Cores, LaneProcesses, Place, Server};
use crate::progress::Progress;
use crate::repetition::{self, Before};
use crate::warmup;

/// What is measured.
pub struct Subject<'a> {
    /// A and B.
    pub servers: [&'a Server; 2],
    /// The scenario.
    pub scenario: &'a Scenario,
    /// Pairs a lane.
    pub pairs: usize,
    /// Where the two ends run.
    pub cores: Cores,
    /// A session ends at the look after which it would last longer than this.
    pub limit: Option<Duration>,
}

/// What of a session is looked at.
pub struct Looking<'a> {
    /// Whether a lane's metric is asked about.
    pub asked: &'a dyn Fn(usize, usize) -> bool,
    /// Whether what was found ends the session.
    pub stop: fn(&[Decision]) -> bool,
}

/// Measures one session; nothing when it was interrupted before its first look.
///
/// # Errors
/// A process cannot be started, connect, or dies.
pub fn run(
    subject: &Subject<'_>,
    seed: u64,
    looking: Option<&Looking<'_>>,
    progress: &Progress,
    stop: &AtomicBool,
) -> Result<Option<Session>> {
    let began = Moment::now();
    let scenario = Scenario { seed, ..subject.scenario.clone() };
    let plan = super::timetable::plan("duet", &scenario, subject.pairs);
    let mut lanes = start(subject, &plan)?;
    let Some(openings) = repetition::connect(&plan, &plan.repetitions[0], &mut lanes, progress, stop)? else {
        return Ok(None);
    };
    let before = repetition::before(&mut lanes, openings)?;
    progress.say("warming up");
    let warmed = warmup::run(&plan, &mut lanes, stop)?;
    let parts = scenario.lanes.iter().map(|lane| Part {
        lane: *lane,
        pairs: Vec::new(),
        counts: [Counts::default(); 2],
    });
    let mut session = Session { seed, lanes: parts.collect(), invalid: Vec::new(), notes: Vec::new() };
    if !warmed.steady {
        session.notes.push("the cost per delivery was not steady when the warm-up ended".into());
    }
    let mut measured =
        Measured { next_seq: warmed.next_seq, start_ns: 0, trials: vec![Vec::new(); lanes.len()] };
    let looks = looks(subject.pairs);
    for (index, look) in looks.iter().enumerate() {
        let complete =
            stretch(&plan, index, &before, &mut lanes, &mut measured, &mut session, progress, stop)?;
        let is_last = index + 1 == looks.len();
        if !complete || is_last || ends(&mut session, *look, looking, began, subject.limit, &plan, index + 1)
        {
            break;
        }
    }
    validity::judge(&mut session, &measured.trials);
    let is_empty = session.lanes.iter().all(|part| part.pairs.is_empty());
    Ok((!is_empty).then_some(session))
}

/// What was measured so far, beyond the pairs.
struct Measured {
    next_seq: Vec<u64>,
    start_ns: u64,
    /// By side of each lane, one a stretch.
    trials: Vec<Vec<Trial>>,
}

/// Starts both servers of each lane and their generators, in seeded order.
fn start(subject: &Subject<'_>, plan: &Plan) -> Result<Vec<LaneProcesses>> {
    let scenario = subject.scenario;
    let mut started = Vec::new();
    for &side in &plan.repetitions[0].order {
        let server = subject.servers[side % 2];
        let place = Place { server: Some(server), cores: subject.cores, through: &mut Ok, browser: None };
        let (lane, subscribers) = (plan.lanes()[side], scenario.subscribers.0);
        let processes = LaneProcesses::start_in(lane, &plan.scenario, &scenario.payload, subscribers, place)
            .map_err(|err| BadInput(format!("{} cannot be measured: {err:#}", server.name)))?;
        started.push((side, processes));
    }
    started.sort_by_key(|(side, _)| *side);
    Ok(started.into_iter().map(|(_, processes)| processes).collect())
}

/// Measures the pairs up to the next look; whether all of them.
#[expect(clippy::too_many_arguments, reason = "a stretch is a part of the session and shares all it has")]
fn stretch(
    plan: &Plan,
    index: usize,
    before: &Before,
    lanes: &mut [LaneProcesses],
    measured: &mut Measured,
    session: &mut Session,
    progress: &Progress,
    stop: &AtomicBool,
) -> Result<bool> {
    let (trials, _, complete) =
        repetition::measure(plan, index, &measured.next_seq, lanes, before.clone(), progress, stop)?;
    if trials.len() < lanes.len() {
        return Ok(false);
    }
    for (part, sides) in session.lanes.iter_mut().zip(trials.chunks(2)) {
        add(part, [&sides[0], &sides[1]], measured.start_ns);
    }
    let blocks = &plan.repetitions[index].blocks;
    for block in blocks {
        measured.next_seq[block.lane] += block.events;
    }
    measured.start_ns += blocks.last().context("a stretch has blocks")?.end_ns();
    measured.trials.iter_mut().zip(trials).for_each(|(held, trial)| held.push(trial));
    Ok(complete)
}

/// Adds the pairs of a stretch, and what both sides counted.
fn add(part: &mut Part, sides: [&Trial; 2], start_ns: u64) {
    let block = |one: &BlockResult| Block {
        deliveries: one.deliveries,
        server_cpu_ns: one.server_cpu_ns,
        client_cpu_ns: one.client_cpu_ns,
        latency_sum_ns: one.latency_sum_ns,
        undrained: one.undrained,
    };
    let pair = |(a, b): (&BlockResult, &BlockResult)| Pair {
        start_ns: start_ns + a.start_ns.min(b.start_ns),
        b_first: b.start_ns < a.start_ns,
        a: block(a),
        b: block(b),
    };
    // An interrupt may leave a last block without its other half, which `zip` leaves out.
    part.pairs.extend(sides[0].blocks.iter().zip(&sides[1].blocks).map(pair));
    for (counts, trial) in part.counts.iter_mut().zip(sides) {
        *counts = Counts {
            ledger: counts.ledger + trial.ledger,
            bytes: counts.bytes + trial.bytes.down() - trial.bytes.tls,
        };
    }
}

/// Whether a session ends at a look: its answer is clear, an exact number got worse, or its time is up.
fn ends(
    session: &mut Session,
    look: Look,
    looking: Option<&Looking<'_>>,
    began: Moment,
    limit: Option<Duration>,
    plan: &Plan,
    next: usize,
) -> bool {
    let Some(Looking { asked, stop }) = looking else { return false };
    if is_regression(session) || stop(&decide(session, look, asked)) {
        return true;
    }
    let needs = plan.repetitions[next].blocks.last().map_or(0, scenarios::Block::end_ns);
    let lasted = Moment::now().since(began) + Duration::from_nanos(needs);
    let is_late = limit.is_some_and(|limit| lasted > limit);
    if is_late {
        session.notes.push(format!("ended after {} pairs: its time was up", look.pairs));
    }
    is_late
}

/// Whether somebody interrupted.
#[must_use]
pub fn is_stopped(stop: &AtomicBool) -> bool {
    stop.load(Ordering::Relaxed)
}
