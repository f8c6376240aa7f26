//! One repetition of a scenario whose subscribers have streams of their own: fresh processes, lane after lane.
//!
//! Nothing is published to all, so there are no blocks to interleave: a lane is watched in one stretch, the
//! others idle, in an order that is mirrored from one repetition to the next.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use results::LatencyHistogram;
use results::run::{BlockResult, KernelCounts, Ledger, Sessions, Stages, Trial, Upward};
use scenarios::{Moment, Plan, Scenario, Session};
use servers::contract::{Released, Sessions as Served, Totals};
use sha2::{Digest as _, Sha256};

use crate::contract::{Joined, Visit, Visited};
use crate::lane::{Cores, LaneProcesses};
use crate::pace::{self, Cost};
use crate::progress::Progress;
use crate::repetition::{self, Repeated, socket_rows};
use crate::usage;

/// Time for the fleets to make the bodies that they expect, ns, and as much more for each of them.
const LEAD_NS: u64 = 200_000_000;
const LEAD_EACH_NS: u64 = 10_000;

/// How long servers may take to let go of the last streams.
const RELEASE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);

/// Runs repetition `index` of a plan. An interrupt ends it at the end of the current lane.
///
/// # Errors
/// A worker cannot be started, or dies.
pub fn run(
    plan: &Plan,
    session: &Session,
    index: usize,
    cores: Cores,
    progress: &Progress,
    stop: &AtomicBool,
) -> Result<Repeated> {
    let repetition = &plan.repetitions[index];
    let mut lanes = repetition::start(plan, repetition, &plan.scenario.payload, cores)?;
    let mut order = repetition.order.clone();
    if index % 2 == 1 {
        order.clone_from(&plan.repetitions[index - 1].order);
        order.reverse();
    }
    let mut repeated = Repeated { steady: true, ..Repeated::default() };
    for (done, &number) in order.iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let lane = &mut lanes[number];
        progress.say(&format!("{}: {} streams of their own", lane.lane, plan.scenario.subscribers));
        let (trial, joined, totals) = visit(lane, &plan.scenario, session, index as u64, stop)?;
        let server = totals.first().and_then(|totals| totals.sockets.as_ref());
        repeated.sockets.extend(socket_rows(lane.lane, &plan.scenario, joined.sockets.as_ref(), server));
        repeated.trials.push(trial);
        repeated.complete = done + 1 == order.len();
    }
    Ok(repeated)
}

/// One lane from its first request to the last stream's release.
fn visit(
    lane: &mut LaneProcesses,
    scenario: &Scenario,
    session: &Session,
    repetition: u64,
    stop: &AtomicBool,
) -> Result<(Trial, Joined, Vec<Totals>)> {
    let before = lane.totals()?;
    let (descriptors, pss_before_bytes) = (usage::descriptors(&lane.host_pids())?, lane.pss_bytes()?.0);
    let bodies = scenario.subscribers.0 * (session.events.0 + 1);
    let start = Moment::now().plus_nanos(LEAD_NS + bodies * LEAD_EACH_NS);
    lane.invite(start)?;
    // An interrupt is heeded when this lane is done.
    let _interrupted = pace::sleep_until(Moment::from_nanos(start.as_nanos() - LEAD_NS / 10), stop);
    let (used, machine) = (lane.usage()?, usage::machine());
    let visited = lane.visited(patience(scenario, session))?;
    let (now_used, now_machine) = (lane.usage()?, usage::machine());
    let span_ns = Moment::now().nanos_since(start);
    let served = released(lane)?;
    let cost = Cost {
        server: now_used.0.since(used.0),
        client: now_used.1.since(used.1),
        machine: now_machine.since(machine),
        undrained: false,
    };
    let after = lane.totals()?;
    let joined = Joined { sockets: visited.sockets.clone(), ..Joined::default() };
    let facts = Facts {
        descriptors: [descriptors, usage::descriptors(&lane.host_pids())?],
        pss_before_bytes,
        session,
        scenario,
        repetition,
        span_ns,
        cost,
        totals: [&before, &after],
        pss_bytes: lane.pss_bytes()?,
    };
    let trial = build(lane.lane, facts, visited, &served).context("cannot put a trial together")?;
    Ok((trial, joined, after))
}

/// The longest that all clients may take.
fn patience(scenario: &Scenario, session: &Session) -> Duration {
    let stream = Duration::from_nanos(scenario.interval_ns() * session.events.0);
    session.within.0 + scenario.duration.0 + session.retry.0 + stream
}

/// What the servers know of their streams, when they have let go of all of them.
fn released(lane: &mut LaneProcesses) -> Result<Served> {
    let deadline = Moment::now().plus_nanos(u64::try_from(RELEASE.as_nanos())?);
    loop {
        let served = lane.sessions()?;
        if served.released.len() as u64 == served.begun || Moment::now() >= deadline {
            return Ok(served);
        }
        std::thread::sleep(LOOK);
    }
}

/// SHA-256 over the bodies that the first client stays for, hex, if it leaves.
fn addressed(scenario: &Scenario, session: &Session) -> Option<String> {
    let mut hash = Sha256::new();
    for index in 0..session.leaves_after(0)? {
        hash.update(scenario.own_event(session, 0, index).1);
    }
    Some(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// From a client's leaving to the server's letting go of its stream.
fn release(visits: &[Visit], released: &[Released]) -> LatencyHistogram {
    let when: BTreeMap<_, _> = released.iter().map(|one| ((one.client, one.visit), one.released)).collect();
    let mut held = LatencyHistogram::default();
    for visit in visits {
        let let_go = when.get(&(visit.client, visit.visit));
        if let Some((left, released)) = visit.left.zip(let_go) {
            held.record(released.nanos_since(left));
        }
    }
    held
}

/// What is known beside what was served and seen.
struct Facts<'a> {
    session: &'a Session,
    descriptors: [u64; 2],
    pss_before_bytes: u64,
    scenario: &'a Scenario,
    repetition: u64,
    span_ns: u64,
    cost: Cost,
    totals: [&'a [Totals]; 2],
    pss_bytes: (u64, u64),
}

fn build(lane: scenarios::Lane, facts: Facts<'_>, visited: Visited, served: &Served) -> Result<Trial> {
    let [before, after] = facts.totals;
    let total =
        |of: fn(&Totals) -> u64| after.iter().map(of).sum::<u64>() - before.iter().map(of).sum::<u64>();
    let sent = total(|totals| totals.bytes_sent);
    let mut publish_lag = LatencyHistogram::default();
    served.lag_ns.iter().for_each(|lag| publish_lag.record(*lag));
    let produced: u64 = served.released.iter().map(|one| one.produced).sum();
    let received: u64 = visited.visits.iter().map(|one| one.received).sum();
    let session = Sessions {
        endings: visited.endings,
        gap: visited.gap,
        completion: visited.completion,
        ask_lag: visited.ask_lag,
        unread_bytes: visited.unread_bytes,
        vain_bytes: sent.saturating_sub(visited.kernel.down_bytes),
        vain_events: produced.saturating_sub(received),
        leaked: served.begun - served.released.len() as u64,
        left: visited.visits.iter().filter(|visit| visit.left.is_some()).count() as u64,
        release: release(&visited.visits, &served.released),
        open_connections: after.iter().map(|totals| totals.open).sum(),
        descriptors: facts.descriptors,
        server_pss_before_bytes: facts.pss_before_bytes,
    };
    let Cost { server, client, machine, .. } = facts.cost;
    let block = BlockResult {
        span_ns: facts.span_ns,
        events: produced,
        // The events of a stream share its connection, and its fate.
        instants: served.begun,
        deliveries: visited.ledger.delivered,
        latency_sum_ns: visited.latency_sum_ns,
        server_cpu_ns: server.cpu_ns,
        client_cpu_ns: client.cpu_ns,
        server_kernel_ns: server.kernel_ns,
        client_kernel_ns: client.kernel_ns,
        server_switches: server.switches,
        client_switches: client.switches,
        steal_ns: machine.steal_ns,
        cpu_pressure_ns: machine.cpu_pressure_ns,
        ..BlockResult::default()
    };
    Ok(Trial {
        lane,
        repetition: facts.repetition,
        subscribers: facts.scenario.subscribers.0,
        ledger: Ledger { dropped_by_server: total(|totals| totals.events_dropped), ..visited.ledger },
        latency: visited.latency,
        jitter: visited.jitter,
        publish_lag,
        connect: visited.connect,
        first_event: visited.first_event,
        opening: None,
        slow: None,
        heartbeats: None,
        session: Some(session),
        upward: Upward::default(),
        stages: Stages { pickup: visited.pickup, ..Stages::default() },
        blocks: vec![block],
        bytes: visited.bytes,
        kernel: Some(KernelCounts { server_sent_bytes: sent, ..visited.kernel }),
        kernel_connect: None,
        server_writes: total(|totals| totals.writes),
        server_pss_bytes: facts.pss_bytes.0,
        client_pss_bytes: facts.pss_bytes.1,
        published_sha256: served.witness_sha256.clone(),
        addressed_sha256: addressed(facts.scenario, facts.session).unwrap_or_default(),
        received_sha256: visited.witness_sha256.unwrap_or_default(),
        failures: visited
            .failures
            .into_iter()
            .map(|(kind, (count, _))| (kind, count))
            .collect::<BTreeMap<_, _>>(),
    })
}
