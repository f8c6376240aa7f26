//! Connections on which nothing happens, made up: heartbeats, middleboxes, and the tabs of a browser.

use scenarios::{Lane, Transport};

use super::{Kind, SUBSCRIBERS, kind, with};
use crate::run::{Bytes, Cut, Heartbeats, Idle, KernelCounts, Run, Tabs};

/// The same with heartbeats, and a middlebox that cuts idle WebSockets alone.
pub fn beating(mut run: Run) -> Run {
    for trial in &mut run.trials {
        let Kind(_, _, cpu, _, framing, _) = *kind(trial.lane);
        let sent = 20 * SUBSCRIBERS;
        let answers = if trial.lane.transport == Transport::Ws { sent } else { 0 };
        let bytes = Bytes {
            control: 2 * sent,
            transport_framing: framing[1] * sent / 2,
            up: 6 * answers,
            ..Bytes::default()
        };
        let [server_cpu_ns, client_cpu_ns] = cpu.map(|us| (us * 800.0) as u64 * sent);
        let down_segments = sent + answers;
        let kernel = KernelCounts {
            down_bytes: bytes.down(),
            up_bytes: bytes.up,
            down_segments,
            up_segments: sent,
            server_sent_bytes: bytes.down(),
            ..KernelCounts::default()
        };
        trial.heartbeats = Some(Heartbeats { sent, bytes, kernel, server_cpu_ns, client_cpu_ns });
    }
    let idle = |lane: &Lane| {
        let cut = |alive| Cut { subscribers: 10, alive, connections_cut: 10 - alive, ..Cut::default() };
        let silent = cut(if lane.transport == Transport::Ws { 0 } else { 10 });
        Idle { lane: *lane, silent, beating: cut(10) }
    };
    run.idle = run.scenario.lanes.iter().map(idle).collect();
    run
}

/// The same with ten tabs of one browser.
pub fn tabbed() -> Run {
    let mut run = with(&["sse-h1", "ws-h1", "sse-h2+mux"], 5);
    let tabs = |lane: &Lane| {
        let (open, connections) = match (lane.mux, lane.transport) {
            (true, _) => (10, 1),
            (false, Transport::Sse) => (6, 6),
            (false, _) => (10, 10),
        };
        Tabs { lane: *lane, tabs: 10, open, connections }
    };
    run.tabs = run.scenario.lanes.iter().map(tabs).collect();
    run
}
