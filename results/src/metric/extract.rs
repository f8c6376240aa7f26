//! How each metric is computed from a run: small pure functions, named as in the table.
//!
//! Apart from the table, so that the table reads as one.

use std::sync::LazyLock;

use scenarios::{Coding, Lane, Told};

use super::messages;
use crate::latency::LatencyHistogram;
use crate::run::{
    BlockResult, Bytes, Ending, Heartbeats, KernelCounts, MemoryPoint, Opening, Run, Sessions, Trial,
};
use crate::stats::slope;
use crate::steps;

/// IPv4 and TCP header with timestamps, bytes a segment (METHOD M9).
pub const HEADER_BYTES: u64 = 52;

macro_rules! histograms {
    ($($name:ident: $($field:ident).+;)*) => {
        $(pub const fn $name(trial: &Trial) -> &LatencyHistogram { &trial.$($field).+ })*
    };
}
histograms! {
    latency: latency;
    jitter: jitter;
    publish_lag: publish_lag;
    connect: connect;
    first_event: first_event;
    pickup: stages.pickup;
    service: stages.service;
    round_trip: upward.round_trip;
    one_way: upward.one_way;
    send_lag: upward.lag;
}

/// `sum / count`, nothing when there is nothing to divide by.
pub fn per(sum: u64, count: u64) -> Option<f64> {
    (count > 0).then(|| sum as f64 / count as f64)
}

macro_rules! counted {
    ($($name:ident)*) => {
        $(pub fn $name(_: &Run, trial: &Trial) -> Option<f64> { Some(trial.ledger.$name as f64) })*
    };
}
counted! { expected delivered lost duplicated reordered corrupted }

/// Events as they came in, echoes among them, whatever became of them: what bytes are divided by.
pub const fn arrived(trial: &Trial) -> u64 {
    let (ledger, echoes) = (&trial.ledger, &trial.upward.ledger);
    let events = ledger.delivered + ledger.duplicated + ledger.corrupted + ledger.unexpected;
    events + echoes.returned + echoes.corrupted
}

macro_rules! slow {
    ($($name:ident: $of:expr;)*) => {
        $(pub fn $name(_: &Run, trial: &Trial) -> Option<f64> { trial.slow.as_ref().and_then($of) })*
    };
}
slow! {
    slow_delivered: |slow| per(slow.ledger.delivered, slow.ledger.expected).map(|share| share * 100.0);
    slow_disconnected: |slow| Some(slow.disconnected as f64);
    slow_dropped: |slow| Some(slow.ledger.lost as f64);
    hub_peak: |slow| Some(slow.hub_peak_bytes as f64 / 1024.0);
    send_queue: |slow| per(slow.send_queue_bytes, slow.subscribers).map(|bytes| bytes / 1024.0);
    receive_queue: |slow| per(slow.receive_queue_bytes, slow.subscribers).map(|bytes| bytes / 1024.0);
}

pub fn failures(_: &Run, trial: &Trial) -> Option<f64> {
    Some(trial.failures.values().sum::<u64>() as f64)
}

/// Nothing where events were lost: the mean of the others would be the better the more is lost.
pub fn latency_mean(_: &Run, trial: &Trial) -> Option<f64> {
    trial.latency.mean().filter(|_| trial.latency.lost() == 0).map(|nanos| nanos / 1e6)
}

/// Sums a field over the blocks.
fn total(trial: &Trial, field: fn(&BlockResult) -> u64) -> u64 {
    trial.blocks.iter().map(field).sum()
}

/// Over the blocks that had drained when their cost was read: of the others part is missing. Nothing where
/// there are slow readers, whose deliveries cost too and are in no block.
fn per_delivery(trial: &Trial, field: fn(&BlockResult) -> u64) -> Option<f64> {
    let of_all = trial.slow.is_none();
    let drained = || trial.blocks.iter().filter(|block| of_all && !block.undrained);
    per(drained().map(field).sum(), drained().map(messages::delivered).sum())
}

pub fn rate(_: &Run, trial: &Trial) -> Option<f64> {
    per(total(trial, |block| block.deliveries), total(trial, |block| block.span_ns)).map(|rate| rate * 1e9)
}

macro_rules! per_delivery {
    ($($name:ident, $block:ident: $field:ident / $scale:expr;)*) => {
        $(
            pub fn $name(_: &Run, trial: &Trial) -> Option<f64> {
                per_delivery(trial, |block| block.$field).map(|value| value / $scale)
            }
            pub fn $block(block: &BlockResult) -> Option<f64> {
                let value = per(block.$field, messages::delivered(block)).filter(|_| !block.undrained);
                value.map(|value| value / $scale)
            }
        )*
    };
}
per_delivery! {
    server_cpu, block_server_cpu: server_cpu_ns / 1e3;
    client_cpu, block_client_cpu: client_cpu_ns / 1e3;
    server_switches, block_server_switches: server_switches / 1.0;
    client_switches, block_client_switches: client_switches / 1.0;
}

/// us a delivery in the kernel; nothing in runs that did not read it.
fn in_kernel(trial: &Trial, field: fn(&BlockResult) -> u64) -> Option<f64> {
    per_delivery(trial, field).filter(|nanos| *nanos > 0.0).map(|nanos| nanos / 1e3)
}

pub fn server_kernel(_: &Run, trial: &Trial) -> Option<f64> {
    in_kernel(trial, |block| block.server_kernel_ns)
}

pub fn client_kernel(_: &Run, trial: &Trial) -> Option<f64> {
    in_kernel(trial, |block| block.client_kernel_ns)
}

pub fn block_latency(block: &BlockResult) -> Option<f64> {
    per(block.latency_sum_ns, block.deliveries).map(|nanos| nanos / 1e6)
}

/// `(connections, KiB)` at the levels of a lane's memory phase.
pub fn levels(run: &Run, lane: Lane, field: fn(&MemoryPoint) -> u64) -> Vec<(f64, f64)> {
    let phase = run.memory.iter().find(|memory| memory.lane == lane);
    let points = phase.map_or(&[][..], |memory| &memory.points);
    points.iter().map(|point| (point.connections as f64, field(point) as f64 / 1024.0)).collect()
}

/// KiB a connection: least squares over the levels.
pub fn memory(run: &Run, lane: Lane, field: fn(&MemoryPoint) -> u64) -> Option<f64> {
    slope(&levels(run, lane, field))
}

pub const fn server_memory(point: &MemoryPoint) -> u64 {
    point.server_pss_bytes
}

pub const fn client_memory(point: &MemoryPoint) -> u64 {
    point.client_pss_bytes
}

pub const fn kernel_memory(point: &MemoryPoint) -> u64 {
    point.slab_bytes
}

/// Bytes by layer; nothing where the client stack hides them.
fn split(trial: &Trial) -> Option<&Bytes> {
    (trial.bytes.down() > 0).then_some(&trial.bytes)
}

/// Likewise, and nothing where compression mixes payload and event framing.
fn uncoded(trial: &Trial) -> Option<&Bytes> {
    split(trial).filter(|_| trial.lane.coding == Coding::Plain)
}

pub fn payload(_: &Run, trial: &Trial) -> Option<f64> {
    per(uncoded(trial)?.payload, arrived(trial))
}

pub fn event_framing(_: &Run, trial: &Trial) -> Option<f64> {
    per(uncoded(trial)?.event_framing, arrived(trial))
}

pub fn coded(_: &Run, trial: &Trial) -> Option<f64> {
    per(split(trial).filter(|_| trial.lane.coding != Coding::Plain)?.coded, arrived(trial))
}

pub fn tls(_: &Run, trial: &Trial) -> Option<f64> {
    per(split(trial).filter(|_| trial.lane.tls && !trial.talks())?.tls, arrived(trial))
}

pub fn tls_records(_: &Run, trial: &Trial) -> Option<f64> {
    per(split(trial).filter(|_| trial.lane.tls && !trial.talks())?.tls_records, arrived(trial))
}

pub fn transport_framing(_: &Run, trial: &Trial) -> Option<f64> {
    per(split(trial)?.transport_framing, arrived(trial))
}

/// What polling counts; nothing on lanes that push.
fn polling(trial: &Trial, field: fn(&Bytes) -> u64) -> Option<f64> {
    per(field(split(trial).filter(|_| trial.lane.transport.polls())?), arrived(trial))
}

pub fn poll_heads(_: &Run, trial: &Trial) -> Option<f64> {
    polling(trial, |bytes| bytes.poll_heads)
}

pub fn polls(_: &Run, trial: &Trial) -> Option<f64> {
    polling(trial, |bytes| bytes.polls)
}

pub fn empty_polls(_: &Run, trial: &Trial) -> Option<f64> {
    polling(trial, |bytes| bytes.empty_polls)
}

pub fn skipped_polls(_: &Run, trial: &Trial) -> Option<f64> {
    trial.lane.transport.polls().then_some(trial.bytes.skipped_polls as f64)
}

/// Bytes towards the client on a network, headers included.
pub const fn down_on_the_wire(kernel: &KernelCounts) -> u64 {
    kernel.down_bytes + HEADER_BYTES * kernel.down_segments
}

/// Bytes towards the server on a network, headers included.
pub const fn up_on_the_wire(kernel: &KernelCounts) -> u64 {
    kernel.up_bytes + HEADER_BYTES * kernel.up_segments
}

fn kernel(trial: &Trial, field: fn(&KernelCounts) -> u64) -> Option<f64> {
    // Segments of events cannot be told from those of messages and answers.
    per(field(trial.kernel.as_ref()?), arrived(trial)).filter(|_| !trial.talks())
}

pub fn wire_down(_: &Run, trial: &Trial) -> Option<f64> {
    kernel(trial, down_on_the_wire)
}

pub fn wire_up(_: &Run, trial: &Trial) -> Option<f64> {
    kernel(trial, up_on_the_wire)
}

pub fn segments_down(_: &Run, trial: &Trial) -> Option<f64> {
    kernel(trial, |kernel| kernel.down_segments)
}

pub fn segments_up(_: &Run, trial: &Trial) -> Option<f64> {
    kernel(trial, |kernel| kernel.up_segments)
}

/// Subscribers whose handshake was counted: several share a connection of HTTP/2. Where they come again, each
/// stream has a handshake.
fn joined(trial: &Trial) -> Option<u64> {
    let streams = |session: &Sessions| session.endings.iter().map(|ending| ending.streams).sum();
    let all = trial.session.as_ref().map_or(trial.subscribers, streams);
    (trial.bytes.connections > 0).then_some(all)
}

pub fn handshake_down(_: &Run, trial: &Trial) -> Option<f64> {
    per(trial.bytes.handshake_down, joined(trial)?)
}

pub fn handshake_up(_: &Run, trial: &Trial) -> Option<f64> {
    per(trial.bytes.handshake_up, joined(trial)?)
}

/// What a heartbeat cost, where there were any.
fn heartbeat(trial: &Trial, of: fn(&Heartbeats) -> u64) -> Option<f64> {
    let heartbeats = trial.heartbeats.as_ref()?;
    per(of(heartbeats), heartbeats.sent)
}

pub fn heartbeat_down(_: &Run, trial: &Trial) -> Option<f64> {
    heartbeat(trial, |heartbeats| down_on_the_wire(&heartbeats.kernel))
}

pub fn heartbeat_up(_: &Run, trial: &Trial) -> Option<f64> {
    heartbeat(trial, |heartbeats| up_on_the_wire(&heartbeats.kernel))
}

pub fn heartbeat_server_cpu(_: &Run, trial: &Trial) -> Option<f64> {
    heartbeat(trial, |heartbeats| heartbeats.server_cpu_ns).map(|nanos| nanos / 1e3)
}

pub fn heartbeat_client_cpu(_: &Run, trial: &Trial) -> Option<f64> {
    heartbeat(trial, |heartbeats| heartbeats.client_cpu_ns).map(|nanos| nanos / 1e3)
}

/// What opening cost, over the connections opened.
fn opening(trial: &Trial, field: fn(&Opening) -> u64, per_unit: f64) -> Option<f64> {
    let opening = trial.opening.as_ref()?;
    per(field(opening), opening.connections).map(|value| value / per_unit)
}

pub fn opening_server_cpu(_: &Run, trial: &Trial) -> Option<f64> {
    opening(trial, |opening| opening.server_cpu_ns, 1e3)
}

pub fn opening_client_cpu(_: &Run, trial: &Trial) -> Option<f64> {
    opening(trial, |opening| opening.client_cpu_ns, 1e3)
}

pub fn opening_rate(_: &Run, trial: &Trial) -> Option<f64> {
    let opening = trial.opening.as_ref()?;
    per(opening.connections, opening.span_ns).map(|rate| rate * 1e9)
}

/// Nothing where the lane kept up at every rate: the knee lies above, and no number stands for that.
pub fn knee(run: &Run, trial: &Trial) -> Option<f64> {
    steps::knee(run, trial.lane).filter(|knee| knee.beyond.is_some()).map(|knee| knee.rate)
}

pub fn round_trips(_: &Run, trial: &Trial) -> Option<f64> {
    Some(f64::from(trial.lane.round_trips()))
}

/// What subscribers did that were told nothing of the end of their streams, over them.
fn untold(trial: &Trial, of: fn(&Ending) -> u64) -> Option<f64> {
    let ending = trial.session.as_ref()?.told(Told::Nothing)?;
    per(of(ending), ending.subscribers)
}

pub fn streams(_: &Run, trial: &Trial) -> Option<f64> {
    untold(trial, |ending| ending.streams)
}

pub fn connections(_: &Run, trial: &Trial) -> Option<f64> {
    untold(trial, |ending| ending.connections)
}

pub fn repeated_events(_: &Run, trial: &Trial) -> Option<f64> {
    untold(trial, |ending| ending.repeated_events)
}

pub fn repeated_bytes(_: &Run, trial: &Trial) -> Option<f64> {
    untold(trial, |ending| ending.repeated_down_bytes + ending.repeated_up_bytes)
}

pub fn knowing(_: &Run, trial: &Trial) -> Option<f64> {
    let ending = trial.session.as_ref()?.told(Told::Nothing)?;
    ending.knowing.quantile(0.5).map(|nanos| nanos as f64 / 1e6)
}

/// A quantile of something of streams of one's own, ms; nothing where too few lie above it.
fn of_streams(trial: &Trial, of: fn(&Sessions) -> &LatencyHistogram, q: f64) -> Option<f64> {
    let held = of(trial.session.as_ref()?);
    let nanos = held.quantile(q).filter(|_| super::eligible(q, held.count()))?;
    Some(nanos as f64 / 1e6)
}

/// Gaps between the events of streams of one's own; none where there are no such streams.
pub fn gap(trial: &Trial) -> &LatencyHistogram {
    static NONE: LazyLock<LatencyHistogram> = LazyLock::new(LatencyHistogram::default);
    trial.session.as_ref().map_or(&NONE, |session| &session.gap)
}

pub fn completion_p50(_: &Run, trial: &Trial) -> Option<f64> {
    of_streams(trial, |session| &session.completion, 0.5)
}

pub fn release_p50(_: &Run, trial: &Trial) -> Option<f64> {
    of_streams(trial, |session| &session.release, 0.5)
}

pub fn release_max(_: &Run, trial: &Trial) -> Option<f64> {
    let release = &trial.session.as_ref()?.release;
    release.max().map(|nanos| nanos as f64 / 1e6)
}

pub fn in_vain(_: &Run, trial: &Trial) -> Option<f64> {
    let session = trial.session.as_ref().filter(|session| session.left > 0)?;
    per(session.vain_events, session.left)
}

/// What of streams was still there when all clients were gone.
pub fn left_behind(_: &Run, trial: &Trial) -> Option<f64> {
    let session = trial.session.as_ref()?;
    let descriptors = session.descriptors[1].saturating_sub(session.descriptors[0]);
    Some((session.leaked + session.open_connections + descriptors) as f64)
}

/// Below zero where more was given back than taken.
pub fn memory_kept(_: &Run, trial: &Trial) -> Option<f64> {
    let before = trial.session.as_ref()?.server_pss_before_bytes;
    let kept = trial.server_pss_bytes as f64 - before as f64;
    (before > 0).then(|| kept / 1024.0 / trial.subscribers as f64)
}

pub fn server_writes(_: &Run, trial: &Trial) -> Option<f64> {
    per(trial.server_writes, arrived(trial))
}
