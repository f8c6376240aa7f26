//! The sample with messages upward: ten for each event, and SSE's carry heads, have answers, and are slower
//! and dearer on both sides.

use scenarios::Transport;

use super::with;
use crate::run::{Run, Trial, UpwardLedger};

/// SSE and WebSocket, five repetitions.
pub fn talking() -> Run {
    let mut run = with(&["sse-h1", "ws-h1"], 5);
    run.scenario.upstream = 10.0;
    run.trials.iter_mut().for_each(talk);
    run
}

fn talk(trial: &mut Trial) {
    let all = 10 * trial.ledger.delivered;
    let is_sse = trial.lane.transport == Transport::Sse;
    let (head, answer) = if is_sse { (90, 64) } else { (6, 0) };
    trial.upward.ledger = UpwardLedger {
        expected: all,
        sent: all,
        received: all,
        echoed: all,
        returned: all,
        ..UpwardLedger::default()
    };
    trial.upward.round_trip = trial.latency.clone();
    trial.upward.one_way = trial.publish_lag.clone();
    trial.upward.lag = trial.publish_lag.clone();
    let bytes = &mut trial.bytes;
    (bytes.messages, bytes.up_payload, bytes.up_framing) = (all, 100 * all, 3 * all);
    (bytes.up_transport, bytes.answers) = (head * all, answer * all);
    bytes.up = (100 + 3 + head) * all;
    for block in &mut trial.blocks {
        block.echoes = 10 * block.deliveries;
        block.round_trip_sum_ns = 10 * block.latency_sum_ns;
        block.client_cpu_ns += if is_sse { block.client_cpu_ns / 3 } else { 0 };
    }
}
