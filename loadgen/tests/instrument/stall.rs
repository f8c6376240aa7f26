//! METHOD M2: latency counts from the intended instant, so a server that stops for S seconds shows
//! in the tail with S, however few events left it meanwhile. Stamped at the publish it would vanish.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use loadgen::lane::{Cores, LaneProcesses, Measured};
use loadgen::{pace, stages};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use results::run::Stages;
use scenarios::{Arrivals, Block, Lane, Moment, Scenario, Schedule};

const MS: u64 = 1_000_000;

/// Publishing time T: 240 events, 50 ms apart.
const SPAN_MS: u64 = 12_000;

/// How long the servers stand still, S; in the middle of T.
const STALL_MS: u64 = 1_000;

pub fn a_stalled_server_shows_in_the_tail() {
    stalled(&[], judge);
}

/// The same of messages: those that were meant to be sent while nobody read them are late by that, on
/// their way up and on their way back; answered late or not, an HTTP request holds up the next.
pub fn a_stalled_server_shows_in_the_round_trip() {
    let fields = [("upstream", "2"), ("lanes", "[\"sse-h1\", \"sse-h2\", \"ws-h1\", \"raw\"]")];
    stalled(&fields, |lane, _, _, _, measured| {
        let (name, echoed) = (lane.lane, measured.phases[0].echoed.as_ref().unwrap());
        let messages = 50 * 2 * SPAN_MS / 1_000;
        assert_eq!(
            (echoed.ledger.returned, echoed.ledger.lost),
            (messages, 0),
            "{name}: {:?}",
            echoed.ledger
        );
        is_known(echoed.round_trip.quantile(0.99).unwrap(), &format!("{name}: round trip"));
        let mut one_way = measured.heard[0].one_way_ns.clone();
        one_way.sort_unstable();
        is_known(one_way[one_way.len() * 99 / 100], &format!("{name}: one way"));
    });
}

fn is_known(p99_ns: u64, of: &str) {
    let (p99_ms, known_ms) = (p99_ns / MS, STALL_MS - SPAN_MS / 100);
    assert!(p99_ms.abs_diff(known_ms) <= known_ms / 10, "{of}: p99 {p99_ms} ms, planted {known_ms} ms");
}

/// Publishes to 50 subscribers of each lane of `smoke` with these fields, with the stall in the middle.
fn stalled(fields: &[(&str, &str)], judge: impl Fn(&mut LaneProcesses, usize, Moment, &Schedule, &Measured)) {
    let fields: Vec<(String, String)> = fields.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    let (_, scenario) = Scenario::load("smoke", &fields).unwrap();
    let block =
        Block { lane: 0, round: 0, start_ns: 0, span_ns: SPAN_MS * MS, first_seq: 1, events: SPAN_MS / 50 };
    let schedule = Schedule::new(Arrivals::Constant, 1, vec![block]);
    let start_lane = |lane: &Lane| {
        let mut processes =
            LaneProcesses::start(*lane, &scenario, &scenario.payload, 50, Cores::default()).unwrap();
        processes.step(0).unwrap();
        processes.connect(50).unwrap();
        let sampled = processes.joined().unwrap().sampled_ports.len();
        (processes, sampled)
    };
    let mut lanes: Vec<(LaneProcesses, usize)> = scenario.lanes.iter().map(start_lane).collect();
    let start = Moment::now().plus_nanos(300 * MS);
    for (lane, _) in &mut lanes {
        lane.arm(start, &schedule).unwrap();
        lane.publish(start, &schedule).unwrap();
    }
    let servers: Vec<u32> = lanes.iter().flat_map(|(lane, _)| lane.host_pids()).collect();
    signal(start, SPAN_MS / 2, &servers, Signal::SIGSTOP);
    signal(start, SPAN_MS / 2 + STALL_MS, &servers, Signal::SIGCONT);
    for (lane, sampled) in &mut lanes {
        let patience = Duration::from_millis(3 * SPAN_MS);
        let measured = lane.collect(&schedule, patience, Duration::from_secs(2), &[]).unwrap();
        judge(lane, *sampled, start, &schedule, &measured);
    }
}

/// Sends a signal to all, `at_ms` after the start.
fn signal(start: Moment, at_ms: u64, pids: &[u32], signal: Signal) {
    pace::sleep_until(start.plus_nanos(at_ms * MS), &AtomicBool::new(false));
    for pid in pids {
        kill(Pid::from_raw(i32::try_from(*pid).unwrap()), signal).unwrap();
    }
}

fn judge(lane: &mut LaneProcesses, sampled: usize, start: Moment, schedule: &Schedule, measured: &Measured) {
    let name = lane.lane;
    let phase = &measured.phases[0];
    assert_eq!(phase.ledger.delivered, phase.ledger.expected, "{name}: {:?}", phase.ledger);
    is_known(phase.latency.quantile(0.99).unwrap(), &format!("{name}: latency"));

    let mut split = Stages::default();
    stages::split(&mut split, start, schedule, &measured.ran[0], &lane.totals().unwrap()[0], phase);
    assert_eq!(
        split.service.count(),
        sampled as u64 * schedule.events(),
        "{name}: every sampled delivery is joined"
    );
    let hidden_ms = split.service.quantile(0.99).unwrap() / MS;
    assert!(hidden_ms < STALL_MS / 10, "{name}: service latency {hidden_ms} ms hides the stall");
    is_known(split.publish.quantile(0.99).unwrap(), &format!("{name}: the publisher's lateness"));
}
