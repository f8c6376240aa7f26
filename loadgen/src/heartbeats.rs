//! What keeping connections alive costs, and what becomes of those that nobody keeps alive.
//!
//! Cost: when the events of a repetition are measured, every lane in turn sends a heartbeat to all its
//! connections, which say nothing else meanwhile, so that whatever moves is a heartbeat's. Need: a few
//! connections behind a middlebox that cuts idle ones, left alone and then kept alive.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result};
use results::run::{Bytes, Cut, Heartbeats, Idle, KernelCounts};
use scenarios::{Count, Lane, Moment, Scenario};

use crate::lane::{Cores, LaneProcesses, Place};
use crate::middlebox::Middlebox;
use crate::pace::sleep_until;
use crate::usage::Usage;

/// Time in which acknowledgements that the kernel delays have left.
const SETTLED_NS: u64 = 300_000_000;

/// Connections behind the middlebox.
const BEHIND: u64 = 10;

/// How many time-outs either half of the experiment lasts.
pub const LASTS: u32 = 3;

/// What is read before and after.
struct Reading {
    usage: (Usage, Usage),
    kernel: KernelCounts,
    bytes: Bytes,
}

impl Reading {
    fn take(lane: &mut LaneProcesses) -> Result<Self> {
        Ok(Self { usage: lane.usage()?, kernel: lane.kernel()?, bytes: lane.bytes()? })
    }
}

/// Sends the scenario's heartbeats on every lane in turn: one entry a lane; none when interrupted.
///
/// # Errors
/// A process is gone.
pub fn measure(
    lanes: &mut [LaneProcesses],
    scenario: &Scenario,
    stop: &AtomicBool,
) -> Result<Vec<Heartbeats>> {
    let before = lanes.iter_mut().map(Reading::take).collect::<Result<Vec<_>>>()?;
    let interval = u64::try_from(scenario.heartbeat.0.as_nanos()).expect("bounded by its checks");
    let mut due = Moment::now();
    for _ in 0..scenario.heartbeats.0 {
        for lane in lanes.iter_mut() {
            due = due.plus_nanos(interval);
            if sleep_until(due, stop) {
                return Ok(Vec::new());
            }
            lane.beat()?;
        }
    }
    if sleep_until(due.plus_nanos(interval.max(SETTLED_NS)), stop) {
        return Ok(Vec::new());
    }
    let sent = scenario.heartbeats.0 * scenario.subscribers.0;
    let one = |(lane, before): (&mut LaneProcesses, Reading)| {
        let after = Reading::take(lane)?;
        Ok(Heartbeats {
            sent,
            bytes: after.bytes - before.bytes,
            kernel: after.kernel - before.kernel,
            server_cpu_ns: after.usage.0.since(before.usage.0).cpu_ns,
            client_cpu_ns: after.usage.1.since(before.usage.1).cpu_ns,
        })
    };
    lanes.iter_mut().zip(before).map(one).collect()
}

/// Puts a few connections of every lane behind a middlebox and leaves them alone for some of its
/// time-outs; then others, which get a heartbeat every half time-out. One entry a lane; none when
/// interrupted.
///
/// # Errors
/// A worker dies or cannot connect.
pub fn idle(lanes: &[Lane], scenario: &Scenario, cores: Cores, stop: &AtomicBool) -> Result<Vec<Idle>> {
    let silent = half(lanes, scenario, cores, stop, false)?;
    let beating = half(lanes, scenario, cores, stop, true)?;
    let pairs = lanes.iter().zip(silent).zip(beating);
    Ok(pairs.map(|((lane, silent), beating)| Idle { lane: *lane, silent, beating }).collect())
}

fn half(
    lanes: &[Lane],
    scenario: &Scenario,
    cores: Cores,
    stop: &AtomicBool,
    beats: bool,
) -> Result<Vec<Cut>> {
    let few = Scenario { subscribers: Count(BEHIND), slow: 0.0, upstream: 0.0, ..scenario.clone() };
    let mut behind = Vec::new();
    for lane in lanes {
        behind.push(connected(*lane, &few, cores)?);
        // Those that are there must outlive the start of those that are not.
        if beats {
            behind.iter_mut().try_for_each(|(lane, _)| lane.beat())?;
        }
    }
    let patience = scenario.idle_timeout.0;
    let half_ns = u64::try_from(patience.as_nanos() / 2).expect("bounded by its checks");
    let mut due = Moment::now();
    for _ in 0..2 * LASTS {
        if beats {
            behind.iter_mut().try_for_each(|(lane, _)| lane.beat())?;
        }
        due = due.plus_nanos(half_ns);
        if sleep_until(due, stop) {
            return Ok(Vec::new());
        }
    }
    behind.iter_mut().map(|(lane, middlebox)| cut(lane, middlebox, patience * LASTS)).collect()
}

/// A lane whose subscribers have connected through a middlebox.
fn connected(lane: Lane, few: &Scenario, cores: Cores) -> Result<(LaneProcesses, Middlebox)> {
    let mut middlebox = None;
    let mut through = |server| {
        let started = Middlebox::start(server, few.idle_timeout.0)?;
        Ok(middlebox.insert(started).address())
    };
    let place = Place { server: None, cores, through: &mut through, browser: None };
    let mut lane = LaneProcesses::start_in(lane, few, &few.payload, BEHIND, place)?;
    lane.step(0)?;
    lane.connect(usize::try_from(BEHIND)?)?;
    Ok((lane, middlebox.context("a lane has a server, so there was one to put a middlebox before")?))
}

fn cut(lane: &mut LaneProcesses, middlebox: &Middlebox, watched: Duration) -> Result<Cut> {
    anyhow::ensure!(middlebox.is_running(), "the middlebox before lane {} has ended", lane.lane);
    let (open, seen) = lane.alive()?;
    Ok(Cut {
        subscribers: BEHIND,
        alive: open as u64,
        connections_cut: middlebox.cut(),
        watched_ns: u64::try_from(watched.as_nanos()).unwrap_or(u64::MAX),
        seen,
    })
}
