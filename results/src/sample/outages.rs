//! Connections that drop, made up: clients come back by their policies, through a server that takes them one by one.

use std::collections::BTreeMap;

use scenarios::outage::{Fault, FaultKind, Hint, Outage as Asked, Policy};
use scenarios::seed::SplitMix;
use scenarios::{Count, Lane, Span, Transport};

use super::with;
use crate::latency::LatencyHistogram;
use crate::run::outage::{Losses, Parts, ServerTick, TICK_NS};
use crate::run::{Ledger, Outage, Run, Slice};

const CLIENTS: u64 = 400;
const RATE: f64 = 50.0;
const SECONDS: f64 = 9.0;
const BROKE_NS: u64 = 1_000_000_000;
/// What a replayed event and its handshake weigh, by transport.
const EVENT_BYTES: u64 = 170;
const MS: f64 = 1e6;

/// Both lanes, native and same policy, three faults, two starts.
pub fn dropped() -> Run {
    of(
        &["drain", "kill for 1s", "unavailable for 4s"],
        &["native", "full-jitter"],
        &["none"],
        &[1_024],
        2,
        None,
    )
}

/// One fault, four windows.
pub fn windowed() -> Run {
    of(&["kill for 1s"], &["native", "full-jitter"], &["none"], &[16, 64, 128, 1_024], 2, None)
}

/// One fault, and hints of the reconnection time.
pub fn hinted(hints: &[&str]) -> Run {
    of(&["drain"], &["native"], hints, &[1_024], 2, None)
}

/// Whatever ends connections but a status, with clients of WebSocket that do not say where they had been.
pub fn resumed() -> Run {
    let ws = Some(Transport::Ws);
    of(&["drain", "reset", "kill for 1s"], &["native", "full-jitter"], &["none"], &[1_024], 5, ws)
}

/// The same with others that break.
pub fn after(faults: &[&str]) -> Run {
    of(faults, &["native", "full-jitter"], &["none"], &[1_024], 1, None)
}

fn fault(text: &str) -> Fault {
    let (kind, down) = text.split_once(" for ").unwrap_or((text, "0s"));
    let kind = serde_json::from_value::<FaultKind>(kind.into()).unwrap();
    let at = "1s".parse().unwrap();
    Fault { kind, at, within: Span::default(), down: down.parse().unwrap(), every: Span::default() }
}

fn of(
    faults: &[&str],
    policies: &[&str],
    hints: &[&str],
    windows: &[u64],
    repetitions: u64,
    forgetful: Option<Transport>,
) -> Run {
    let mut run = with(&["sse-h1", "ws-h1"], repetitions);
    (run.trials, run.memory, run.sweep) = Default::default();
    run.name = "reconnect".into();
    run.scenario.duration = "9s".parse().unwrap();
    run.scenario.rate = RATE;
    run.scenario.subscribers = Count(CLIENTS);
    run.scenario.repetitions = Count(repetitions);
    let asked = Asked {
        faults: faults.iter().map(|text| fault(text)).collect(),
        policies: policies.iter().map(|text| text.parse().unwrap()).collect(),
        retry_scale: 1.0,
        hints: hints.iter().map(|text| text.parse().unwrap()).collect(),
        windows: windows.iter().map(|window| Count(*window)).collect(),
        window_bytes: Count(16 << 20),
        window_age: Span::default(),
        resume: true,
        heartbeat: Span::default(),
        silence: Span::default(),
        max_age: Span::default(),
        most: Count::default(),
        settle: "2s".parse().unwrap(),
    };
    for repetition in 0..repetitions {
        for lane in run.scenario.lanes.clone() {
            for case in asked.cases(lane) {
                let mut draw = SplitMix::new(11, repetition ^ case.window.0 << 8 ^ (case.fault as u64) << 40);
                let outage = Outage {
                    lane,
                    repetition,
                    fault: asked.faults[case.fault],
                    policy: case.policy,
                    own_policy: case.policy.on(lane.transport).unwrap(),
                    hint: case.hint,
                    window: case.window.0,
                    ..nothing(lane)
                };
                run.outages.push(outage_of(outage, forgetful == Some(lane.transport), &mut draw));
            }
        }
    }
    run.scenario.outage = Some(asked);
    run
}

fn nothing(lane: Lane) -> Outage {
    Outage {
        lane,
        repetition: 0,
        fault: fault("drain"),
        broke_ns: BROKE_NS,
        marks: Vec::new(),
        policy: Policy::Native,
        own_policy: Policy::Native,
        hint: Hint::default(),
        window: 0,
        clients: CLIENTS,
        ledger: Ledger::default(),
        lost: Losses::default(),
        disconnections: CLIENTS,
        recovered: 0,
        attempts: 0,
        failed_attempts: BTreeMap::new(),
        noticed: BTreeMap::new(),
        gave_up: BTreeMap::new(),
        silence_late: LatencyHistogram::default(),
        to_first_event: LatencyHistogram::default(),
        parts: Parts::default(),
        unavailable: LatencyHistogram::default(),
        parts_differ_by_ns: 0,
        replayed_events: 0,
        replayed_bytes: 0,
        handshake_bytes: 0,
        still_away: 0,
        scheduled_spread_ns: None,
        actual_spread_ns: None,
        scheduled: Vec::new(),
        begun: Vec::new(),
        opened: Vec::new(),
        caught_up: Vec::new(),
        timeline: Vec::new(),
        server: Vec::new(),
        backlog: 4_096,
        listen_overflows: 0,
        refused: BTreeMap::new(),
        leaked: 0,
        released_ns: Some(4_000_000),
        back_ns: None,
        bodies_sha256: ["ab".repeat(32), "ab".repeat(32)],
    }
}

/// One client who comes back: parts so far, ms.
struct Client {
    detect: f64,
    back_off: f64,
    connect: f64,
}

fn delay(policy: Policy, hint: Hint, tries: u64, draw: &mut SplitMix) -> f64 {
    let told = hint.draw(draw.draw(), 0, 1.0);
    if policy == Policy::ReconnectingWebSocket {
        1_000.0 + 4_000.0 * draw.unit()
    } else if policy == Policy::FullJitter {
        draw.unit() * (500.0 * 2f64.powi(tries as i32)).min(2_000.0)
    } else {
        told.map_or(3_000.0, |ms| ms as f64)
    }
}

fn count(curve: &mut Vec<u64>, ms: f64) {
    let tick = (ms * MS / TICK_NS as f64) as usize;
    curve.resize(curve.len().max(tick + 1), 0);
    curve[tick] += 1;
}

fn spread(mut ms: Vec<f64>) -> Option<u64> {
    ms.sort_by(f64::total_cmp);
    let at = |share: usize| ms.get(ms.len() * share / 100).copied();
    Some(((at(95)? - at(5)?) * MS) as u64)
}

fn outage_of(mut outage: Outage, forgetful: bool, draw: &mut SplitMix) -> Outage {
    let down_ms = outage.fault.down.0.as_secs_f64() * 1e3;
    let refuses = matches!(outage.fault.kind, FaultKind::Unavailable | FaultKind::NoContent);
    let status = if outage.fault.kind == FaultKind::NoContent { "status 204" } else { "status 503" };
    let is_ws = outage.lane.transport == Transport::Ws;
    let handshake = if is_ws { 322 } else { 238 };
    let (mut firsts, mut back) = (Vec::new(), Vec::new());
    for _ in 0..CLIENTS {
        let mut client = Client { detect: 1.0 + 19.0 * draw.unit(), back_off: 0.0, connect: 0.0 };
        let mut at = client.detect;
        for tries in 0.. {
            let waits = delay(outage.own_policy, outage.hint, tries, draw);
            client.back_off += waits;
            at += waits;
            if tries == 0 {
                firsts.push(at);
                count(&mut outage.scheduled, at);
            }
            count(&mut outage.begun, at);
            outage.attempts += 1;
            if at >= down_ms {
                back.push((at, client));
                break;
            }
            let word = if refuses { status } else { "refused" };
            *outage.failed_attempts.entry(word.to_owned()).or_default() += 1;
            client.connect += 0.2;
            at += 0.2;
            if refuses && outage.own_policy == Policy::EventSourceChromium {
                break;
            }
        }
    }
    outage.scheduled_spread_ns = spread(firsts.clone());
    outage.actual_spread_ns = spread(firsts.into_iter().map(|ms| ms * 1.01 + 2.0 * draw.unit()).collect());
    let stayed = CLIENTS - back.len() as u64;
    outage.lost.gave_up = stayed * (RATE * (SECONDS - 1.0)) as u64;
    outage.gave_up.extend((stayed > 0).then(|| (status.to_owned(), stayed)));
    back.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free = 0.0;
    for (at, client) in back {
        free = f64::max(free, at) + 0.4;
        recover(&mut outage, client, (at, free), forgetful, draw);
        outage.handshake_bytes += handshake;
    }
    finish(outage)
}

/// A client whose attempt began at one time and was taken at another, ms.
fn recover(
    outage: &mut Outage,
    client: Client,
    (at, taken): (f64, f64),
    forgetful: bool,
    draw: &mut SplitMix,
) {
    let slower = if outage.lane.transport == Transport::Ws { 1.2 } else { 1.0 };
    let anew = if forgetful { 100.0 } else { 0.0 };
    let connect = client.connect + anew + (taken - at) + slower * (1.0 + draw.unit());
    let opened = client.detect + client.back_off + connect;
    let missed = (RATE * opened / 1e3) as u64;
    let kept = if forgetful { 0 } else { missed.min(outage.window) };
    let first_event = slower * (0.5 + draw.unit());
    let parts = [client.detect, client.back_off, connect, first_event, slower * 0.05 * kept as f64];
    let nanos = parts.map(|ms| (ms * MS) as u64);
    outage.to_first_event.record(((connect + first_event) * MS) as u64);
    let Parts { detect, back_off, connect, first_event, catch_up, sums_ns } = &mut outage.parts;
    for (histogram, ns) in [detect, back_off, connect, first_event, catch_up].into_iter().zip(nanos) {
        histogram.record(ns);
    }
    sums_ns.iter_mut().zip(nanos).for_each(|(sum, ns)| *sum += ns);
    outage.unavailable.record(nanos.iter().sum());
    count(&mut outage.opened, opened);
    count(&mut outage.caught_up, parts.iter().sum());
    outage.recovered += 1;
    outage.replayed_events += kept;
    outage.replayed_bytes += kept * EVENT_BYTES;
    let lost = if forgetful { &mut outage.lost.began_anew } else { &mut outage.lost.out_of_window };
    *lost += missed - kept;
}

/// The books, the latencies and the server, from what became of the clients.
fn finish(mut outage: Outage) -> Outage {
    let expected = CLIENTS * (RATE * SECONDS) as u64;
    let lost = outage.lost.gave_up + outage.lost.out_of_window + outage.lost.began_anew;
    outage.ledger = Ledger { expected, lost, delivered: expected - lost, ..Ledger::default() };
    let word = match (outage.fault.kind, outage.lane.transport) {
        (FaultKind::Reset | FaultKind::Kill, _) => "reset",
        (_, Transport::Ws) => "close 1001",
        _ => "end of body",
    };
    outage.noticed.insert(word.into(), CLIENTS);
    outage.marks.push(("listens again".into(), BROKE_NS + outage.fault.down.0.as_nanos() as u64));
    outage.marks.retain(|_| outage.fault.kind == FaultKind::Kill);
    let broke = (BROKE_NS / TICK_NS) as usize;
    let mut back = 0;
    for tick in 0..(SECONDS * 10.0) as usize {
        let at = |curve: &[u64]| tick.checked_sub(broke).and_then(|at| curve.get(at)).copied().unwrap_or(0);
        let caught = at(&outage.caught_up);
        back += caught;
        let late = if caught > 0 { (tick - broke + 1) as u64 * TICK_NS } else { 0 };
        let listening = if tick < broke { CLIENTS } else { back };
        outage.timeline.push(Slice {
            start_ns: tick as u64 * TICK_NS,
            span_ns: TICK_NS,
            deliveries: listening * 5,
            p50_ns: 2_000_000 + late / 2,
            p99_ns: 5_000_000 + late,
            max_ns: 6_000_000 + late,
        });
        let down = outage.fault.kind == FaultKind::Kill && (broke..broke + 10).contains(&tick);
        outage.server.push(ServerTick {
            at_ns: (tick as u64 + 1) * TICK_NS,
            cpu_ns: if down { 0 } else { listening * 5 * 7_000 + at(&outage.opened) * 120_000 },
            rss_bytes: if down { 0 } else { (12 << 20) + listening * 10_000 },
            accept_queue: at(&outage.begun) / 4,
        });
    }
    outage
}
