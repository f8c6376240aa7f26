//! A realistic run made up from a seed, for tests and for looking at charts without measuring.
//!
//! Two starts differ by some 10 % and blocks by 2 %, as on a shared machine, so that intervals have
//! something to say.

use std::collections::BTreeMap;

use scenarios::seed::SplitMix;
use scenarios::{Lane, Scenario, Transport};

use crate::latency::LatencyHistogram;
use crate::run::*;

pub use exchange::{exchange, exchanged};
pub use idle::{beating, tabbed};
pub use messages::talking;
pub use outages::{after, dropped, hinted, resumed, windowed};
pub use streams::{completed, left};

mod exchange;
mod idle;
mod messages;
mod outages;
mod streams;

const SUBSCRIBERS: u64 = 2_000;
const EVENTS: u64 = 15;
const BLOCK_NS: u64 = 600_000_000;

/// What a lane is like: ms of latency, us of CPU (server, client), bytes a connection (server, client),
/// bytes of event and of transport framing, bytes of the handshake (down, up).
struct Kind(&'static str, f64, [f64; 2], [u64; 2], [u64; 2], [u64; 2]);

const KINDS: [Kind; 8] = [
    Kind("sse-h1", 8.1, [8.9, 6.6], [9_800, 5_600], [29, 5], [142, 96]),
    Kind("ws-h1", 6.8, [7.4, 6.5], [3_300, 5_500], [10, 4], [166, 156]),
    Kind("raw", 6.1, [6.6, 6.1], [2_900, 5_200], [10, 4], [4, 0]),
    Kind("sse-h1%axum@reqwest", 11.4, [12.5, 8.8], [17_300, 21_500], [29, 5], [142, 96]),
    Kind("sse-h1%axum", 8.6, [9.6, 6.7], [9_900, 5_600], [29, 5], [142, 96]),
    Kind("longpoll-h1", 9.9, [13.0, 9.4], [9_800, 5_600], [29, 0], [135, 76]),
    Kind("poll-h1", 131.0, [41.0, 39.0], [9_800, 5_600], [29, 0], [135, 72]),
    Kind("ws-h1%axum", 12.9, [15.2, 8.9], [137_000, 5_600], [10, 4], [166, 156]),
];

/// Three lanes, five repetitions, fifteen blocks a lane, 2,000 subscribers.
pub fn run() -> Run {
    with(&["sse-h1", "ws-h1", "raw"], 5)
}

/// The same with a sweep of rates: at 200 events a second no lane is in time any more.
pub fn swept() -> Run {
    let mut run = run();
    let step = |lane: &Lane, rate: f64| {
        let (mut draw, events) = (SplitMix::new(3, rate as u64), rate as u64);
        let millis = kind(*lane).1 * if rate > 150.0 { 40.0 } else { 1.0 + rate / 100.0 };
        let latency = spread(&mut draw, millis * 1e6, 0.35, events * 20);
        let count = events * SUBSCRIBERS;
        Step {
            undrained: false,
            lane: *lane,
            pass: 0,
            rate,
            payload_bytes: 140,
            events,
            span_ns: 1_000_000_000,
            expected: count,
            delivered: count,
            latency,
            server_cpu_ns: events * 4_000_000,
            client_cpu_ns: events * 3_000_000,
        }
    };
    let lanes = run.scenario.lanes.clone();
    run.steps =
        lanes.iter().flat_map(|lane| [20.0, 50.0, 100.0, 200.0].map(|rate| step(lane, rate))).collect();
    run
}

/// The same with a sweep of payload sizes: latency grows with the logarithm.
pub fn sized() -> Run {
    let mut run = swept();
    run.steps.iter_mut().for_each(|step| {
        step.payload_bytes = 10 * step.rate as u64;
        step.rate = 20.0;
    });
    run
}

/// The same with other lanes and another number of repetitions.
pub fn with(lanes: &[&str], repetitions: u64) -> Run {
    // A lane that polls cannot be swept in lock-step.
    let unswept = lanes.contains(&"poll-h1").then(|| ("sweep".to_owned(), "[]".to_owned()));
    let overrides: Vec<_> = [("lanes".to_owned(), format!("{lanes:?}"))].into_iter().chain(unswept).collect();
    let (name, scenario) = Scenario::load("ticker", &overrides).unwrap();
    let mut draw = SplitMix::new(5, 5);
    let lanes = scenario.lanes.clone();
    let trials = (0..repetitions)
        .flat_map(|r| {
            let level = wobble(&mut draw, 0.1);
            lanes
                .iter()
                .enumerate()
                .map(|(at, lane)| trial(*lane, at, lanes.len(), r, level, &mut draw))
                .collect::<Vec<_>>()
        })
        .collect();
    Run {
        schema: SCHEMA,
        name,
        started: "2025-01-31T12:00:00Z".into(),
        command: ["loadgen", "--scenario", "ticker"].map(String::from).to_vec(),
        partial: false,
        sockets: sockets(&lanes),
        memory: lanes.iter().map(|lane| memory(*lane, &mut draw)).collect(),
        sweep: lanes.iter().flat_map(|lane| scenario.sweep.iter().map(|size| sweep(*lane, size.0))).collect(),
        steps: Vec::new(),
        idle: Vec::new(),
        tabs: Vec::new(),
        outages: Vec::new(),
        environment: environment(),
        scenario,
        trials,
        warnings: vec![Warning {
            severity: Severity::Note,
            lane: None,
            repetition: None,
            text: "loopback: no network delay or loss is part of these numbers".into(),
        }],
        budgets: None,
    }
}

fn kind(lane: Lane) -> &'static Kind {
    let name = lane.to_string();
    KINDS.iter().find(|kind| kind.0 == name).unwrap_or(&KINDS[1])
}

/// Roughly normal around 1 with this deviation.
fn wobble(draw: &mut SplitMix, deviation: f64) -> f64 {
    let sum: f64 = (0..12).map(|_| draw.unit()).sum::<f64>() - 6.0;
    (sum * deviation).exp()
}

fn spread(draw: &mut SplitMix, median_ns: f64, deviation: f64, samples: u64) -> LatencyHistogram {
    let mut histogram = LatencyHistogram::default();
    (0..samples).for_each(|_| histogram.record((median_ns * wobble(draw, deviation)) as u64));
    histogram
}

fn trial(lane: Lane, at: usize, lanes: usize, repetition: u64, level: f64, draw: &mut SplitMix) -> Trial {
    let Kind(name, millis, cpu, memory, framing, handshake) = *kind(lane);
    let rounds = if name == "raw" { 4 } else { 15 };
    let (mut blocks, mut latency) = (Vec::new(), LatencyHistogram::default());
    for round in 0..rounds {
        let drift = level * wobble(draw, 0.02);
        let median_ns = millis * 1e6 * drift * wobble(draw, 0.03);
        let held = spread(draw, median_ns, 0.35, EVENTS * SUBSCRIBERS / 20);
        let start_ns = (round * lanes as u64 + at as u64) * (BLOCK_NS + 100_000_000);
        blocks.push(block(round, start_ns, &held, [cpu[0] * drift, cpu[1] * drift]));
        latency.merge(&held);
    }
    let delivered = rounds * EVENTS * SUBSCRIBERS;
    let events = rounds * EVENTS;
    let bytes = Bytes {
        connections: SUBSCRIBERS,
        handshake_down: handshake[0] * SUBSCRIBERS,
        handshake_up: handshake[1] * SUBSCRIBERS,
        ..polled(lane, bytes(delivered, 152, framing), delivered)
    };
    Trial {
        lane,
        repetition,
        subscribers: SUBSCRIBERS,
        ledger: Ledger { expected: delivered, delivered, ..Ledger::default() },
        upward: Upward::default(),
        latency,
        jitter: spread(draw, 1.4e6, 0.6, events * 20),
        publish_lag: spread(draw, 35_000.0, 0.5, events),
        connect: spread(draw, millis * 3.1e6, 0.5, SUBSCRIBERS),
        first_event: spread(draw, millis * 3.4e6, 0.5, SUBSCRIBERS),
        opening: Some(opening(lane, repetition, handshake)),
        slow: None,
        heartbeats: None,
        session: None,
        stages: stages(draw, millis * level, events),
        blocks,
        bytes,
        kernel: Some(kernel(&bytes, delivered)),
        kernel_connect: Some(KernelCounts { down_bytes: SUBSCRIBERS * 300, ..KernelCounts::default() }),
        server_writes: delivered,
        server_pss_bytes: memory[0] * SUBSCRIBERS,
        client_pss_bytes: memory[1] * SUBSCRIBERS,
        published_sha256: "ab".repeat(32),
        addressed_sha256: "ab".repeat(32),
        received_sha256: "ab".repeat(32),
        failures: BTreeMap::new(),
    }
}

fn block(round: u64, start_ns: u64, held: &LatencyHistogram, cpu_us: [f64; 2]) -> BlockResult {
    let deliveries = EVENTS * SUBSCRIBERS;
    let [server_cpu_ns, client_cpu_ns] = cpu_us.map(|us| (us * 1e3 * deliveries as f64) as u64);
    let slice = Slice {
        start_ns,
        span_ns: BLOCK_NS,
        deliveries,
        p50_ns: held.quantile(0.5).unwrap(),
        p99_ns: held.quantile(0.99).unwrap(),
        max_ns: held.max().unwrap(),
    };
    BlockResult {
        echoes: 0,
        round_trip_sum_ns: 0,
        one_way_sum_ns: 0,
        undrained: false,
        round,
        start_ns,
        span_ns: BLOCK_NS,
        events: EVENTS,
        instants: EVENTS,
        deliveries,
        latency_sum_ns: (held.mean().unwrap() * deliveries as f64) as u64,
        server_cpu_ns,
        client_cpu_ns,
        server_kernel_ns: server_cpu_ns / 4 * 3,
        client_kernel_ns: client_cpu_ns / 4 * 3,
        server_switches: deliveries / 40,
        client_switches: deliveries / 30,
        steal_ns: 0,
        cpu_pressure_ns: 0,
        slices: vec![slice],
    }
}

/// Draws of its own, so that a further field leaves the others as they were.
fn opening(lane: Lane, repetition: u64, handshake: [u64; 2]) -> Opening {
    let mut draw = SplitMix::new(repetition, lane.to_string().len() as u64);
    let mut cpu_ns = |bytes: u64| (bytes as f64 * 400.0 * wobble(&mut draw, 0.02)) as u64 * SUBSCRIBERS;
    let (server_cpu_ns, client_cpu_ns) = (cpu_ns(handshake[0]), cpu_ns(handshake[1]));
    Opening { connections: SUBSCRIBERS, span_ns: SUBSCRIBERS * 90_000, server_cpu_ns, client_cpu_ns }
}

fn stages(draw: &mut SplitMix, millis: f64, events: u64) -> Stages {
    let mut part = |share: f64| spread(draw, millis * 1e6 * share, 0.4, events * 10);
    Stages {
        connections: 10,
        publish: part(0.006),
        fanout: part(0.74),
        network: part(0.03),
        pickup: part(0.2),
        decode: part(0.002),
        service: part(0.97),
    }
}

fn bytes(events: u64, payload: u64, framing: [u64; 2]) -> Bytes {
    Bytes {
        payload: payload * events,
        event_framing: framing[0] * events,
        transport_framing: framing[1] * events,
        ..Bytes::default()
    }
}

/// Two polls an event, one of them in vain; a long poll an event.
fn polled(lane: Lane, bytes: Bytes, events: u64) -> Bytes {
    let empty_polls = u64::from(lane.transport == Transport::Poll) * events;
    let polls = u64::from(lane.transport.polls()) * events + empty_polls;
    Bytes {
        polls,
        empty_polls,
        poll_heads: 136 * (polls - empty_polls) + 89 * empty_polls,
        empty_poll_heads: 89 * empty_polls,
        up: 84 * polls,
        ..bytes
    }
}

fn kernel(bytes: &Bytes, events: u64) -> KernelCounts {
    let segments = bytes.polls.max(events * (bytes.down() / events).div_ceil(1448));
    KernelCounts {
        down_bytes: bytes.down(),
        up_bytes: bytes.up,
        down_segments: segments,
        up_segments: segments * 97 / 100 + bytes.polls,
        down_data_segments: segments,
        server_sent_bytes: bytes.down(),
        ..KernelCounts::default()
    }
}

fn sweep(lane: Lane, payload_bytes: u64) -> SweepPoint {
    let wide = u64::from(payload_bytes >= 126) * 2;
    let framing = match kind(lane).0 {
        name if name.starts_with("ws") => [9, 2 + wide],
        "raw" => [9, 4],
        _ => [28, 4 + format!("{:x}", payload_bytes + 28).len() as u64],
    };
    let bytes = bytes(20, payload_bytes, framing);
    SweepPoint { lane, payload_bytes, events: 20, bytes, kernel: kernel(&bytes, 20) }
}

fn memory(lane: Lane, draw: &mut SplitMix) -> Memory {
    let [server, client] = kind(lane).3;
    let mut at = |connections: u64, bytes: u64| {
        3_000_000 + (bytes as f64 * connections as f64 * wobble(draw, 0.01)) as u64
    };
    let points = [0, 1_000, 2_000, 4_000].map(|connections| MemoryPoint {
        connections,
        server_pss_bytes: at(connections, server),
        client_pss_bytes: at(connections, client),
        slab_bytes: at(connections, 8_092),
    });
    Memory { lane, points: points.to_vec() }
}

fn sockets(lanes: &[Lane]) -> BTreeMap<String, Sockets> {
    let names = lanes.iter().flat_map(|lane| ["server", "client"].map(|side| format!("{lane} {side}")));
    let sockets = Sockets {
        congestion: "cubic".into(),
        nodelay: true,
        mss: 1448,
        read_buffer_bytes: 4_096,
        ..Sockets::default()
    };
    names.map(|name| (name, sockets.clone())).collect()
}

fn environment() -> Environment {
    Environment {
        version: "0.1.0".into(),
        commit: "0123456789ab".into(),
        profile: "dev, optimised".into(),
        rustc: "rustc 1.90.0".into(),
        kernel: "6.18.0".into(),
        cpu: "Example CPU at 3 GHz".into(),
        cores: 2,
        server_cores: vec![0],
        client_cores: vec![1],
        memory_bytes: 24 << 30,
        clock_source: "tsc".into(),
        governor: "none".into(),
        descriptors: 20_000,
        sysctls: BTreeMap::from([("net.core.somaxconn".into(), "4096".into())]),
    }
}

/// Runs with something missing or wrong, one each: nothing that draws may panic on them.
pub fn broken() -> Vec<Run> {
    let whole = run();
    let edited = |edit: fn(&mut Run)| {
        let mut run = whole.clone();
        edit(&mut run);
        run
    };
    vec![
        with(&["raw"], 1),
        with(&["sse-h1", "poll-h1"], 1),
        with(&["sse-h1", "ws-h1"], 1),
        edited(|run| (run.trials, run.memory, run.sweep, run.sockets) = Default::default()),
        edited(|run| run.trials.clear()),
        edited(|run| (run.memory, run.sweep) = Default::default()),
        edited(|run| run.memory.iter_mut().for_each(|memory| memory.points.truncate(1))),
        edited(|run| run.trials.truncate(4)),
        edited(|run| run.trials.iter_mut().for_each(|trial| trial.kernel = None)),
        edited(|run| run.trials.iter_mut().for_each(|trial| trial.blocks.clear())),
        edited(|run| {
            for trial in &mut run.trials {
                (trial.latency, trial.stages) = Default::default();
                (trial.connect, trial.first_event) = Default::default();
            }
        }),
        edited(|run| {
            for trial in &mut run.trials {
                trial.ledger = Ledger { expected: 10, lost: 10, ..Ledger::default() };
                trial.latency = LatencyHistogram::default();
                trial.latency.add_lost(10);
                trial.bytes = Bytes::default();
                trial.blocks.iter_mut().for_each(|block| *block = BlockResult::default());
            }
        }),
    ]
}
