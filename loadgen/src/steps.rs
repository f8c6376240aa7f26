//! The sweep of rates or payload sizes: short blocks, all lanes at each step before the next step.
//!
//! Steps go up to where a lane no longer keeps up; it is then not pushed further, and nothing is
//! measured before what it still owes has gone, so that no lane pays for another's overload.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use results::LatencyHistogram;
use results::run::Step;
use results::steps::keeps_up;
use scenarios::{Block, Moment, Payload, Plan, Schedule};

use crate::lane::{Cores, LaneProcesses};
use crate::progress::Progress;
use crate::repetition;
use crate::worker::PATIENCE;
use crate::{pace, usage};

/// How often a lane that still sends is looked at, and for how long at most.
const LOOK: Duration = Duration::from_millis(100);
const LOOKS: usize = 300;

/// CPU of a server in one look below which it has nothing left to send.
const IDLE_NS: u64 = 2_000_000;

/// Rate, size of the bodies, and events of one step.
struct Asked {
    rate: f64,
    payload_bytes: u64,
    events: u64,
}

/// Measures every step on every lane, as many passes as the scenario has repetitions.
///
/// # Errors
/// A worker dies or cannot connect.
pub fn run(plan: &Plan, cores: Cores, progress: &Progress, stop: &AtomicBool) -> Result<Vec<Step>> {
    let (asked, payload) = asked(plan);
    let mut found = Vec::new();
    let repetition = &plan.repetitions[0];
    let mut lanes = repetition::start(plan, repetition, &payload, cores)?;
    if repetition::connect(plan, repetition, &mut lanes, progress, stop)?.is_none() {
        return Ok(found);
    }
    let mut order = repetition.order.clone();
    let mut limits = vec![f64::INFINITY; lanes.len()];
    let mut next_seq = 1_u64.next_multiple_of(asked.first().map_or(1, |one| one.events));
    for pass in 0..plan.scenario.repetitions.0 {
        for one in &asked {
            // Lanes in turns that mirror each other, as blocks are.
            order.reverse();
            for &number in &order {
                if one.rate >= limits[number] {
                    continue;
                }
                if stop.load(Ordering::Relaxed) {
                    return Ok(found);
                }
                let lane = &mut lanes[number];
                progress.say(&format!("{}: {} events/s of {} B", lane.lane, one.rate, one.payload_bytes));
                let step = step(plan, lane, one, pass, next_seq, stop)?;
                if !keeps_up(&step) && !plan.scenario.rates.is_empty() {
                    limits[number] = one.rate;
                }
                if step.delivered < step.expected {
                    quiet(lane)?;
                }
                found.push(step);
            }
            next_seq += one.events;
        }
    }
    Ok(found)
}

/// The steps of a pass, and bodies for them.
fn asked(plan: &Plan) -> (Vec<Asked>, Payload) {
    let scenario = &plan.scenario;
    let events = |rate| plan.events_in_a_block(rate);
    if scenario.sizes.is_empty() {
        let mean =
            (1..=100).map(|seq| scenario.payload.body(scenario.seed, seq).len() as u64).sum::<u64>() / 100;
        let at = |rate: &f64| Asked { rate: *rate, payload_bytes: mean, events: events(*rate) };
        return (scenario.rates.iter().map(at).collect(), scenario.payload.clone());
    }
    let (rate, each) = (scenario.rate, events(scenario.rate));
    let sizes: Vec<u64> = scenario.sizes.iter().map(|size| size.0).collect();
    let at = |size: &u64| Asked { rate, payload_bytes: *size, events: each };
    let asked = sizes.iter().map(at).collect();
    // The first stretch of events greets; a pass begins with the stretch after it.
    let mut sizes = sizes;
    sizes.rotate_right(1);
    (asked, Payload::Sweep { sizes, each, binary: scenario.payload.is_binary() })
}

fn step(
    plan: &Plan,
    lane: &mut LaneProcesses,
    asked: &Asked,
    pass: u64,
    first_seq: u64,
    stop: &AtomicBool,
) -> Result<Step> {
    let scenario = &plan.scenario;
    let span_ns = u64::try_from(scenario.block.0.as_nanos())?;
    let block = Block { lane: 0, round: pass, start_ns: 0, span_ns, first_seq, events: asked.events };
    let schedule = Schedule::new(scenario.arrivals, scenario.seed, vec![block.clone()]);
    let expected = repetition::deliveries(plan, &block);
    let gap_ns = u64::try_from(scenario.gap_after(lane.lane).as_nanos())?;
    let (name, own) = (lane.lane, std::slice::from_mut(lane));
    let before = own[0].totals()?;
    let start = pace::begin(own, std::slice::from_ref(&schedule))?;
    let costs = pace::walk(
        own,
        &[block],
        start,
        |_| gap_ns,
        stop,
        |lane, _, _| Ok(lane.arrivals(u64::MAX, Moment::now())?.0 >= expected),
    )?;
    let measured = own[0].collect(&schedule, PATIENCE, repetition::drain(scenario, name), &before)?;
    let mut latency = LatencyHistogram::default();
    measured.phases.iter().for_each(|phase| latency.merge(&phase.latency));
    let cost = costs.first().copied().unwrap_or_default();
    Ok(Step {
        lane: name,
        pass,
        rate: asked.rate,
        payload_bytes: asked.payload_bytes,
        events: asked.events,
        span_ns,
        expected,
        delivered: measured.phases.iter().map(|phase| phase.ledger.delivered).sum(),
        latency,
        server_cpu_ns: cost.server.cpu_ns,
        client_cpu_ns: cost.client.cpu_ns,
        undrained: cost.undrained,
    })
}

/// Waits until a lane's server has sent what it still owed.
fn quiet(lane: &LaneProcesses) -> Result<()> {
    let mut before = usage::of(&lane.host_pids())?;
    for _ in 0..LOOKS {
        std::thread::sleep(LOOK);
        let now = usage::of(&lane.host_pids())?;
        if now.since(before).cpu_ns < IDLE_NS {
            break;
        }
        before = now;
    }
    Ok(())
}
