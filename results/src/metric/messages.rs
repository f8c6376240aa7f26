//! How the metrics of messages upward are read from a run.
#![expect(clippy::cast_precision_loss, reason = "counts and nanoseconds of a run stay far below 2^53")]

use scenarios::Coding;

use super::extract::{down_on_the_wire, per, up_on_the_wire};
use crate::run::{BlockResult, Bytes, Run, Trial, UpwardLedger};

/// What a client got: an echo is a delivery too.
pub const fn delivered(block: &BlockResult) -> u64 {
    block.deliveries + block.echoes
}

/// Messages for each pushed event below which a cost that cannot be told apart is not called theirs.
const DOMINANT: u64 = 10;

fn dominate(messages: u64, deliveries: u64) -> bool {
    messages > 0 && messages >= DOMINANT * deliveries
}

fn block_cpu(block: &BlockResult, cpu_ns: u64) -> Option<f64> {
    let is_theirs = !block.undrained && dominate(block.echoes, block.deliveries);
    per(cpu_ns, block.echoes).filter(|_| is_theirs).map(|nanos| nanos / 1e3)
}

pub fn block_server_cpu(block: &BlockResult) -> Option<f64> {
    block_cpu(block, block.server_cpu_ns)
}

pub fn block_client_cpu(block: &BlockResult) -> Option<f64> {
    block_cpu(block, block.client_cpu_ns)
}

fn cpu(trial: &Trial, cpu_ns: fn(&BlockResult) -> u64) -> Option<f64> {
    let drained = || trial.blocks.iter().filter(|block| !block.undrained);
    let sum = |of: fn(&BlockResult) -> u64| drained().map(of).sum::<u64>();
    let (echoes, deliveries) = (sum(|block| block.echoes), sum(|block| block.deliveries));
    per(sum(cpu_ns), echoes).filter(|_| dominate(echoes, deliveries)).map(|nanos| nanos / 1e3)
}

pub fn server_cpu(_: &Run, trial: &Trial) -> Option<f64> {
    cpu(trial, |block| block.server_cpu_ns)
}

pub fn client_cpu(_: &Run, trial: &Trial) -> Option<f64> {
    cpu(trial, |block| block.client_cpu_ns)
}

/// Nothing where messages or echoes were lost, as for events.
pub fn round_trip_mean(_: &Run, trial: &Trial) -> Option<f64> {
    trial.upward.round_trip.mean().filter(|_| trial.upward.round_trip.lost() == 0).map(|nanos| nanos / 1e6)
}

pub fn block_round_trip(block: &BlockResult) -> Option<f64> {
    per(block.round_trip_sum_ns, block.echoes).map(|nanos| nanos / 1e6)
}

/// Nothing where the scenario has no messages.
fn counted(trial: &Trial, of: fn(&UpwardLedger) -> u64) -> Option<f64> {
    trial.talks().then(|| of(&trial.upward.ledger) as f64)
}

pub fn expected(_: &Run, trial: &Trial) -> Option<f64> {
    counted(trial, |ledger| ledger.expected)
}

pub fn unsent(_: &Run, trial: &Trial) -> Option<f64> {
    counted(trial, |ledger| ledger.unsent)
}

pub fn lost(_: &Run, trial: &Trial) -> Option<f64> {
    counted(trial, |ledger| ledger.lost)
}

pub fn reordered(_: &Run, trial: &Trial) -> Option<f64> {
    counted(trial, |ledger| ledger.reordered)
}

fn bytes(trial: &Trial, of: fn(&Bytes) -> u64) -> Option<f64> {
    per(of(&trial.bytes), trial.bytes.messages)
}

/// Nothing where compression mixes body and number.
pub fn payload(_: &Run, trial: &Trial) -> Option<f64> {
    bytes(trial, |bytes| bytes.up_payload).filter(|_| !is_coded(trial))
}

/// Likewise.
pub fn framing(_: &Run, trial: &Trial) -> Option<f64> {
    bytes(trial, |bytes| bytes.up_framing).filter(|_| !is_coded(trial))
}

pub fn coded(_: &Run, trial: &Trial) -> Option<f64> {
    bytes(trial, |bytes| bytes.up_coded).filter(|_| is_coded(trial))
}

fn is_coded(trial: &Trial) -> bool {
    trial.bytes.up_coded > 0 && trial.lane.coding != Coding::Plain
}

pub fn transport(_: &Run, trial: &Trial) -> Option<f64> {
    bytes(trial, |bytes| bytes.up_transport)
}

/// What TLS adds, and frames that steer the connection.
pub const fn rest(bytes: &Bytes) -> u64 {
    let known = bytes.up_payload + bytes.up_framing + bytes.up_coded + bytes.up_transport;
    bytes.up.saturating_sub(known)
}

pub fn other(_: &Run, trial: &Trial) -> Option<f64> {
    bytes(trial, rest)
}

pub fn answers(_: &Run, trial: &Trial) -> Option<f64> {
    bytes(trial, |bytes| bytes.answers)
}

pub fn both_ways(_: &Run, trial: &Trial) -> Option<f64> {
    bytes(trial, |bytes| bytes.up + bytes.answers)
}

pub fn on_the_wire(_: &Run, trial: &Trial) -> Option<f64> {
    let kernel = trial.kernel.as_ref().filter(|_| dominate(trial.bytes.messages, trial.ledger.delivered))?;
    per(down_on_the_wire(kernel) + up_on_the_wire(kernel), trial.bytes.messages)
}
