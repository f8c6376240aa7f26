//! One repetition: fresh processes, all lanes up and connected, publishing in interleaved blocks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use results::run::{KernelCounts, Opening, Sockets, Trial};
use scenarios::{Block, Carrier, Http2, Lane, Moment, Payload, Plan, Repetition, Scenario, Schedule};
use servers::contract::SocketFacts;

use crate::contract::Joined;
use crate::heartbeats;
use crate::lane::{Cores, LaneProcesses, Measured};
use crate::pace::{self, Cost};
use crate::progress::Progress;
use crate::trial::{self, Facts};
use crate::warmup;
use crate::worker::PATIENCE;

/// Subscribers one lane connects before it is the next lane's turn.
const TURN: usize = 500;

/// How long deliveries may take after the last block before they count as lost: two seconds, and until
/// the next poll where they are polled for.
#[must_use]
pub fn drain(scenario: &Scenario, lane: Lane) -> Duration {
    Duration::from_secs(2) + scenario.gap_after(lane) - scenario.gap.0
}

/// What one repetition left behind.
#[derive(Default)]
pub struct Repeated {
    /// One trial a lane that closed a block.
    pub trials: Vec<Trial>,
    /// Socket options by lane and side.
    pub sockets: BTreeMap<String, Sockets>,
    /// Whether the warm-up ended steady.
    pub steady: bool,
    /// Whether every planned block was closed.
    pub complete: bool,
}

/// Runs repetition `index` of a plan. An interrupt ends it at the end of the current block.
///
/// # Errors
/// A worker cannot be started, dies, or cannot connect.
pub fn run(
    plan: &Plan,
    index: usize,
    cores: Cores,
    progress: &Progress,
    stop: &AtomicBool,
) -> Result<Repeated> {
    let repetition = &plan.repetitions[index];
    let mut lanes = start(plan, repetition, &plan.scenario.payload, cores)?;
    let Some(openings) = connect(plan, repetition, &mut lanes, progress, stop)? else {
        return Ok(Repeated::default());
    };
    let before = before(&mut lanes, openings)?;
    progress.say("warming up");
    let warmed = warmup::run(plan, &mut lanes, stop)?;
    if stop.load(Ordering::Relaxed) {
        return Ok(Repeated::default());
    }
    let (trials, sockets, complete) =
        measure(plan, index, &warmed.next_seq, &mut lanes, before, progress, stop)?;
    Ok(Repeated { trials, sockets, steady: warmed.steady, complete })
}

/// Reads what connecting came to.
///
/// # Errors
/// A process is gone.
pub fn before(lanes: &mut [LaneProcesses], openings: Vec<Opening>) -> Result<Before> {
    let of = |(lane, opening): (&mut LaneProcesses, Opening)| Ok((lane.joined()?, lane.kernel()?, opening));
    lanes.iter_mut().zip(openings).map(of).collect()
}

/// Starts all processes, lanes in seeded order; the result is in the plan's order of lanes.
///
/// # Errors
/// A worker cannot be started.
pub fn start(
    plan: &Plan,
    repetition: &Repetition,
    payload: &Payload,
    cores: Cores,
) -> Result<Vec<LaneProcesses>> {
    let mut started = Vec::new();
    for &lane in &repetition.order {
        let (name, scenario) = (plan.lanes()[lane], &plan.scenario);
        let processes = LaneProcesses::start(name, scenario, payload, scenario.subscribers.0, cores)?;
        started.push((lane, processes));
    }
    started.sort_by_key(|(lane, _)| *lane);
    Ok(started.into_iter().map(|(_, processes)| processes).collect())
}

/// Connects all subscribers, lanes in turn; each is greeted with event 0. What it cost each lane;
/// `None` when interrupted.
///
/// # Errors
/// A worker is gone, or a subscriber cannot connect.
pub fn connect(
    plan: &Plan,
    repetition: &Repetition,
    lanes: &mut [LaneProcesses],
    progress: &Progress,
    stop: &AtomicBool,
) -> Result<Option<Vec<Opening>>> {
    lanes.iter_mut().try_for_each(|lane| lane.step(0))?;
    let mut openings = vec![Opening::default(); lanes.len()];
    while lanes.iter().any(|lane| lane.to_connect() > 0) {
        for &lane in &repetition.order {
            let count = TURN.min(lanes[lane].to_connect());
            if count > 0 {
                let open = turn(&mut lanes[lane], count, &mut openings[lane])?;
                progress.say(&format!(
                    "{}: {open} of {} connected",
                    lanes[lane].lane, plan.scenario.subscribers.0
                ));
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
        }
    }
    Ok(Some(openings))
}

/// One turn of a lane's connecting, added to what it has cost so far; the number now open.
fn turn(lane: &mut LaneProcesses, count: usize, opening: &mut Opening) -> Result<usize> {
    let (before, began, waiting) = (lane.usage()?, Moment::now(), lane.to_connect());
    let open = lane.connect(count)?;
    let (after, ended) = (lane.usage()?, Moment::now());
    // Several pairs of processes each take an equal share, rounded up.
    opening.connections += (waiting - lane.to_connect()) as u64;
    opening.span_ns += ended.nanos_since(began);
    opening.server_cpu_ns += after.0.since(before.0).cpu_ns;
    opening.client_cpu_ns += after.1.since(before.1).cpu_ns;
    Ok(open)
}

/// What each lane's connections had come to before anything was measured.
pub type Before = Vec<(Joined, KernelCounts, Opening)>;

/// Publishes the blocks of repetition `index`, their seqs behind `next_seq` by lane, and collects one trial a lane, with the
/// socket options and whether all blocks were closed.
///
/// # Errors
/// A process is gone.
pub fn measure(
    plan: &Plan,
    index: usize,
    next_seq: &[u64],
    lanes: &mut [LaneProcesses],
    before: Before,
    progress: &Progress,
    stop: &AtomicBool,
) -> Result<(Vec<Trial>, BTreeMap<String, Sockets>, bool)> {
    let blocks = shifted(&plan.repetitions[index].blocks, next_seq);
    let schedules: Vec<Schedule> = (0..lanes.len()).map(|lane| plan.schedule(&blocks, lane)).collect();
    let mut idle = Vec::new();
    for lane in lanes.iter_mut() {
        idle.push((lane.totals()?, lane.kernel()?));
    }
    let slowly = plan.scenario.slow > 0.0;
    let slow = |lanes: &mut [LaneProcesses], on| {
        lanes.iter_mut().filter(|_| slowly).try_for_each(|lane| lane.slow(on))
    };
    slow(lanes, true)?;
    let start = pace::begin(lanes, &schedules)?;
    let gap_ns = |lane| plan.scenario.gap_after(lane).as_nanos().try_into().expect("bounded by its checks");
    let costs = pace::walk(lanes, &blocks, start, gap_ns, stop, |lane, done, before| {
        let (arrived, p99_ns) = lane.arrivals(u64::MAX, Moment::now())?;
        let block = &blocks[done];
        let came = arrived - before;
        let own = blocks[..=done].iter().filter(|one| one.lane == block.lane).count();
        let messages = [own - 1, own].map(|blocks| lane.messages_in(&schedules[block.lane], blocks));
        let per_second = came * 1_000_000_000 / block.span_ns;
        progress.block(lane.lane, index, done + 1, blocks.len(), per_second, p99_ns);
        // What a lane that holds events back lets go of in a block are those of blocks before.
        Ok(!lane.lane.holds_back() && came >= deliveries(plan, block) + messages[1] - messages[0])
    })?;
    let complete = costs.len() == blocks.len();
    let mut queued = Vec::new();
    for lane in lanes.iter() {
        queued.push(if slowly { lane.queued()? } else { (0, 0) });
    }
    slow(lanes, false)?;
    let (mut trials, mut sockets) = (Vec::new(), BTreeMap::new());
    for (number, ((joined, connected, opening), (totals, kernel))) in before.into_iter().zip(idle).enumerate()
    {
        let lane = &mut lanes[number];
        let schedule = &schedules[number];
        let own = blocks.iter().zip(&costs).filter(|(block, _)| block.lane == number);
        let mut costs: Vec<Cost> = own.map(|(_, cost)| *cost).collect();
        let measured = lane.collect(
            schedule,
            PATIENCE,
            drain(&plan.scenario, lane.lane),
            if slowly { &totals } else { &[] },
        )?;
        costs.truncate(blocks_done(&measured));
        let after = lane.totals()?;
        let done = lane.kernel()?;
        let server = after.first().and_then(|totals| totals.sockets.as_ref());
        sockets.extend(socket_rows(lane.lane, &plan.scenario, joined.sockets.as_ref(), server));
        if costs.is_empty() {
            continue;
        }
        trials.push(trial::build(Facts {
            lane: lane.lane,
            repetition: index as u64,
            subscribers: plan.scenario.subscribers.0,
            start,
            schedule,
            joined,
            opening,
            measured,
            costs,
            slow_policy: plan.scenario.slow_policy,
            totals: [totals, after],
            kernel: [connected, kernel, done],
            pss_bytes: lane.pss_bytes()?,
            queued: queued[number],
        })?);
    }
    if complete && plan.scenario.heartbeats.0 > 0 {
        progress.say("heartbeats");
        let measured = heartbeats::measure(lanes, &plan.scenario, stop)?;
        // Every lane has its trial, for every block was closed.
        trials.iter_mut().zip(measured).for_each(|(trial, one)| trial.heartbeats = Some(one));
    }
    Ok((trials, sockets, complete))
}

/// Deliveries that a block owes to the subscribers that are not slow.
pub fn deliveries(plan: &Plan, block: &Block) -> u64 {
    let events = block.first_seq..block.first_seq + block.events;
    plan.scenario.addressing().deliveries(events, &(0..plan.scenario.fast()))
}

/// Blocks that every host published to their end.
fn blocks_done(measured: &Measured) -> usize {
    let least = measured.ran.iter().map(|ran| ran.blocks_done).min().unwrap_or(0);
    usize::try_from(least).unwrap_or(usize::MAX)
}

/// The measured blocks behind the warm-up's sequence numbers.
fn shifted(blocks: &[Block], next_seq: &[u64]) -> Vec<Block> {
    blocks
        .iter()
        .map(|block| Block { first_seq: block.first_seq + next_seq[block.lane], ..block.clone() })
        .collect()
}

/// The options of a lane's sockets, by lane and side.
pub fn socket_rows(
    lane: Lane,
    scenario: &Scenario,
    client: Option<&Sockets>,
    server: Option<&SocketFacts>,
) -> Vec<(String, Sockets)> {
    let client = client.cloned().map(|sockets| (format!("{lane} client"), sockets));
    let server = server.cloned().map(|facts| {
        let sockets = Sockets {
            congestion: facts.congestion,
            nodelay: facts.nodelay,
            mss: facts.mss,
            send_buffer_bytes: facts.send_buffer_bytes,
            receive_buffer_bytes: facts.receive_buffer_bytes,
            read_buffer_bytes: facts.read_buffer_bytes,
            backlog: facts.backlog,
            tls: None,
            http2: (lane.carrier == Carrier::H2).then(|| Http2::of(lane, scenario)),
        };
        (format!("{lane} server"), sockets)
    });
    client.into_iter().chain(server).collect()
}
