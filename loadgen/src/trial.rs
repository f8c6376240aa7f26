//! Puts one lane's measured phase together: what was published, received, used and counted.

use anyhow::{Context, Result};
use results::LatencyHistogram;
use results::run::{
    BlockResult, Bytes, KernelCounts, Ledger, Opening, Slow, Stages, Trial, Upward, UpwardLedger,
};
use scenarios::{Moment, Schedule, SlowPolicy};
use servers::contract::{HeardBlock, Totals};

use crate::contract::{Joined, Second};
use crate::lane::Measured;
use crate::pace::Cost;
use crate::stages;

/// Everything known of one lane in one repetition.
pub struct Facts<'a> {
    /// Which lane.
    pub lane: scenarios::Lane,
    /// The repetition, from 0.
    pub repetition: u64,
    /// Subscribers that were connected.
    pub subscribers: u64,
    /// Time zero of the measured phase.
    pub start: Moment,
    /// Its schedule.
    pub schedule: &'a Schedule,
    /// What connecting cost.
    pub joined: Joined,
    /// What opening the connections cost.
    pub opening: Opening,
    /// What was published and received.
    pub measured: Measured,
    /// Cost of the closed blocks, in order.
    pub costs: Vec<Cost>,
    /// What became of subscribers that lagged too far behind.
    pub slow_policy: SlowPolicy,
    /// The hosts' counters before and after the measured phase.
    pub totals: [Vec<Totals>; 2],
    /// The kernel's counters after connecting, before and after the measured phase.
    pub kernel: [KernelCounts; 3],
    /// Bytes that waited in the kernel when publishing ended: to be sent, and to be read.
    pub queued: (u64, u64),
    /// Memory of both sides at the end.
    pub pss_bytes: (u64, u64),
}

/// Builds the trial.
///
/// # Errors
/// The parts do not fit together.
pub fn build(facts: Facts<'_>) -> Result<Trial> {
    let Facts { measured, totals: [before, after], kernel: [connected, idle, done], .. } = &facts;
    let (mut latency, mut jitter) = (LatencyHistogram::default(), LatencyHistogram::default());
    for phase in &measured.phases {
        latency.merge(&phase.latency);
        jitter.merge(&phase.jitter);
    }
    let mut publish_lag = LatencyHistogram::default();
    measured.ran.iter().flat_map(|ran| &ran.lag_ns).for_each(|lag| publish_lag.record(*lag));
    let mut stages = Stages::default();
    for ((ran, totals), phase) in measured.ran.iter().zip(after).zip(&measured.phases) {
        stages::split(&mut stages, facts.start, facts.schedule, ran, totals, phase);
    }
    let total =
        |of: fn(&Totals) -> u64| after.iter().map(of).sum::<u64>() - before.iter().map(of).sum::<u64>();
    let first = measured.ran.first().context("a lane has a host")?;
    let received = measured.phases.iter().find_map(|phase| phase.received_sha256.clone());
    let slow = slow(&facts);
    // A connection that was ended takes its counts in the kernel with it.
    let is_counted = slow.as_ref().is_none_or(|slow| slow.disconnected == 0);
    let shows_bytes = facts.joined.bytes.is_some();
    Ok(Trial {
        lane: facts.lane,
        repetition: facts.repetition,
        subscribers: facts.subscribers,
        ledger: ledger(measured, total(|t| t.events_dropped)),
        blocks: blocks(&facts)?,
        bytes: bytes(measured, facts.joined.bytes),
        kernel: is_counted.then(|| *done - *idle),
        kernel_connect: Some(*connected),
        server_writes: total(|t| t.writes),
        published_sha256: first.bodies_sha256.clone(),
        addressed_sha256: first.addressed_sha256.clone(),
        received_sha256: received.unwrap_or_default(),
        failures: failures(measured),
        opening: Some(facts.opening),
        connect: facts.joined.connect.clone(),
        first_event: facts.joined.first_event.clone(),
        server_pss_bytes: facts.pss_bytes.0,
        client_pss_bytes: facts.pss_bytes.1,
        upward: upward(measured),
        latency,
        jitter,
        publish_lag,
        slow,
        heartbeats: None,
        session: None,
        stages: if shows_bytes { stages } else { Stages::default() },
    })
}

/// The slow readers of all fleets, with what was held for them.
fn slow(facts: &Facts<'_>) -> Option<Slow> {
    let all = facts.measured.phases.iter().filter_map(|phase| phase.slow.as_ref());
    let mut slow = all.cloned().reduce(|mut all, one| {
        all.subscribers += one.subscribers;
        all.ledger = all.ledger + one.ledger;
        all.latency.merge(&one.latency);
        all
    })?;
    slow.hub_peak_bytes = facts.totals[1].iter().map(|totals| totals.hub_peak_bytes).sum();
    if facts.slow_policy == SlowPolicy::Disconnect {
        slow.disconnected = facts.totals[1].iter().map(|totals| totals.slow_subscribers).sum();
    }
    (slow.send_queue_bytes, slow.receive_queue_bytes) = facts.queued;
    Some(slow)
}

fn ledger(measured: &Measured, dropped_by_server: u64) -> Ledger {
    let all = measured.phases.iter().fold(Ledger::default(), |all, phase| all + phase.ledger);
    Ledger { dropped_by_server, ..all }
}

/// Messages upward: what the fleets sent and got back, beside what the hosts heard in the blocks that
/// were published to their end.
fn upward(measured: &Measured) -> Upward {
    let mut all = Upward::default();
    for ((ran, phase), heard) in measured.ran.iter().zip(&measured.phases).zip(&measured.heard) {
        let Some(echoed) = &phase.echoed else { continue };
        let done = usize::try_from(ran.blocks_done).unwrap_or(usize::MAX);
        let sum = |of: fn(&HeardBlock) -> u64| heard.blocks.iter().take(done).map(of).sum::<u64>();
        let (one, sum) = (&echoed.ledger, [sum(|b| b.received), sum(|b| b.echoed), sum(|b| b.dropped)]);
        let ledger = &mut all.ledger;
        *ledger = UpwardLedger {
            expected: ledger.expected + one.expected,
            sent: ledger.sent + one.sent,
            unsent: ledger.unsent + one.unsent,
            received: ledger.received + sum[0],
            echoed: ledger.echoed + sum[1],
            dropped_by_server: ledger.dropped_by_server + sum[2],
            returned: ledger.returned + one.returned,
            lost: ledger.lost + one.lost,
            duplicated: ledger.duplicated + one.duplicated + heard.duplicated,
            reordered: ledger.reordered + one.reordered + heard.reordered,
            corrupted: ledger.corrupted + one.corrupted,
            unexpected: ledger.unexpected + one.unexpected + heard.unexpected,
        };
        all.round_trip.merge(&echoed.round_trip);
        all.lag.merge(&echoed.lag);
        heard.one_way_ns.iter().for_each(|nanos| all.one_way.record(*nanos));
        all.one_way.add_lost(one.expected.saturating_sub(sum[0]));
    }
    all
}

/// Steady-state bytes of the phase beside the handshakes of joining; zeros where the stack hides
/// them.
fn bytes(measured: &Measured, joined: Option<Bytes>) -> Bytes {
    let steady: Bytes = measured.phases.iter().filter_map(|phase| phase.bytes).sum();
    let joined = joined.unwrap_or_default();
    Bytes {
        connections: joined.connections,
        handshake_down: joined.handshake_down,
        handshake_up: joined.handshake_up,
        ..steady
    }
}

fn failures(measured: &Measured) -> std::collections::BTreeMap<String, u64> {
    let mut all = std::collections::BTreeMap::new();
    for (kind, (count, _)) in measured.phases.iter().flat_map(|phase| &phase.failures) {
        *all.entry(kind.clone()).or_insert(0) += count;
    }
    all
}

fn blocks(facts: &Facts<'_>) -> Result<Vec<BlockResult>> {
    let planned = facts.schedule.blocks().iter().zip(&facts.costs).enumerate();
    let one = |(index, (block, cost))| block_result(facts, index, block, cost);
    planned.map(one).collect()
}

fn block_result(
    Facts { measured, schedule, .. }: &Facts<'_>,
    index: usize,
    block: &scenarios::Block,
    cost: &Cost,
) -> Result<BlockResult> {
    let parts: Vec<_> = measured.phases.iter().filter_map(|phase| phase.blocks.get(index)).collect();
    let echoes = || measured.phases.iter().filter_map(|phase| phase.echoed.as_ref()?.blocks.get(index));
    let heard = measured.heard.iter().filter_map(|heard| heard.blocks.get(index));
    let seconds = parts.first().map_or(0, |part| part.1.len());
    let slices = (0..seconds).map(|second| {
        let fleets: Vec<&Second> = parts.iter().filter_map(|part| part.1.get(second)).collect();
        Second::join(&fleets)
    });
    Ok(BlockResult {
        round: block.round,
        start_ns: block.start_ns,
        span_ns: block.span_ns,
        events: block.events,
        instants: instants(schedule, block),
        deliveries: parts.iter().map(|part| part.0.deliveries).sum(),
        latency_sum_ns: parts.iter().map(|part| part.0.latency_sum_ns).sum(),
        echoes: echoes().map(|block| block.echoes).sum(),
        round_trip_sum_ns: echoes().map(|block| block.round_trip_sum_ns).sum(),
        one_way_sum_ns: heard.map(|block| block.one_way_sum_ns).sum(),
        server_cpu_ns: cost.server.cpu_ns,
        client_cpu_ns: cost.client.cpu_ns,
        server_kernel_ns: cost.server.kernel_ns,
        client_kernel_ns: cost.client.kernel_ns,
        server_switches: cost.server.switches,
        client_switches: cost.client.switches,
        steal_ns: cost.machine.steal_ns,
        cpu_pressure_ns: cost.machine.cpu_pressure_ns,
        undrained: cost.undrained,
        slices: slices.collect::<Result<_>>()?,
    })
}

/// The instants at which the events of a block are meant to leave.
fn instants(schedule: &Schedule, block: &scenarios::Block) -> u64 {
    let mut offsets: Vec<_> =
        (block.first_seq..block.first_seq + block.events).map(|seq| schedule.intended(seq)).collect();
    offsets.dedup();
    offsets.len() as u64
}
