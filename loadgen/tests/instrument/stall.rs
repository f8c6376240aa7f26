//! METHOD M2: latency counts from the intended instant, so a server that stops for S seconds shows
//! in the tail with S, however few events left it meanwhile. Stamped at the publish it would vanish.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use loadgen::lane::{Cores, LaneProcesses};
use loadgen::{pace, stages};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use results::run::Stages;
use scenarios::{Arrivals, Block, Moment, Scenario, Schedule};

const MS: u64 = 1_000_000;

/// Publishing time T: 240 events, 50 ms apart.
const SPAN_MS: u64 = 12_000;

/// How long the servers stand still, S; in the middle of T.
const STALL_MS: u64 = 1_000;

pub fn a_stalled_server_shows_in_the_tail() {
    let (_, scenario) = Scenario::load("smoke", &[]).unwrap();
    let block =
        Block { lane: 0, round: 0, start_ns: 0, span_ns: SPAN_MS * MS, first_seq: 1, events: SPAN_MS / 50 };
    let schedule = Schedule::new(Arrivals::Constant, 1, vec![block]);
    let mut lanes: Vec<(LaneProcesses, usize)> = scenario
        .lanes
        .iter()
        .map(|lane| {
            let mut processes =
                LaneProcesses::start(*lane, &scenario, &scenario.payload, 50, Cores::default()).unwrap();
            processes.step(0).unwrap();
            processes.connect(50).unwrap();
            let sampled = processes.joined().unwrap().sampled_ports.len();
            (processes, sampled)
        })
        .collect();
    let start = Moment::now().plus_nanos(300 * MS);
    for (lane, _) in &mut lanes {
        lane.arm(start, &schedule).unwrap();
        lane.publish(start, &schedule).unwrap();
    }
    let servers: Vec<u32> = lanes.iter().flat_map(|(lane, _)| lane.host_pids()).collect();
    signal(start, SPAN_MS / 2, &servers, Signal::SIGSTOP);
    signal(start, SPAN_MS / 2 + STALL_MS, &servers, Signal::SIGCONT);
    for (lane, sampled) in &mut lanes {
        judge(lane, *sampled, start, &schedule);
    }
}

/// Sends a signal to all, `at_ms` after the start.
fn signal(start: Moment, at_ms: u64, pids: &[u32], signal: Signal) {
    pace::sleep_until(start.plus_nanos(at_ms * MS), &AtomicBool::new(false));
    for pid in pids {
        kill(Pid::from_raw(i32::try_from(*pid).unwrap()), signal).unwrap();
    }
}

fn judge(lane: &mut LaneProcesses, sampled: usize, start: Moment, schedule: &Schedule) {
    let name = lane.lane;
    let measured =
        lane.collect(schedule, Duration::from_millis(3 * SPAN_MS), Duration::from_secs(2), &[]).unwrap();
    let phase = &measured.phases[0];
    assert_eq!(phase.ledger.delivered, phase.ledger.expected, "{name}: {:?}", phase.ledger);
    let p99_ms = phase.latency.quantile(0.99).unwrap() / MS;
    let known_ms = STALL_MS - SPAN_MS / 100;
    assert!(p99_ms.abs_diff(known_ms) <= known_ms / 10, "{name}: p99 {p99_ms} ms, planted {known_ms} ms");

    let mut split = Stages::default();
    stages::split(&mut split, start, schedule, &measured.ran[0], &lane.totals().unwrap()[0], phase);
    assert_eq!(
        split.service.count(),
        sampled as u64 * schedule.events(),
        "{name}: every sampled delivery is joined"
    );
    let hidden_ms = split.service.quantile(0.99).unwrap() / MS;
    assert!(hidden_ms < known_ms / 10, "{name}: service latency {hidden_ms} ms hides the stall");
    let lag_ms = split.publish.quantile(0.99).unwrap() / MS;
    assert!(lag_ms.abs_diff(known_ms) <= known_ms / 10, "{name}: the publisher was {lag_ms} ms late");
}
