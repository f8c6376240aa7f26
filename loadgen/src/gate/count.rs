//! Counts one lane in lock-step: the next event leaves only when every subscriber has the last, so that each is segments
//! and writes of its own, and every number is the same each time.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use results::exact::Counts;
use results::run::{Bytes, KernelCounts, Ledger};
use scenarios::{
    Arrivals, Block, Carrier, ClientStack, Count, Identity, Lane, Moment, Payload, Scenario, Schedule,
    Transport,
};
use servers::contract::Totals;
use servers::inject::Inject;
use sha2::{Digest as _, Sha256};

use super::tap::Tap;
use crate::contract::Phase;
use crate::lane::{LaneProcesses, Place, Server};
use crate::preflight;
use crate::worker::Program;

/// Subscribers of a lane.
const SUBSCRIBERS: u64 = 3;
/// Events of each size.
const EVENTS: u64 = 20;
/// Sizes of payloads, bytes: within a segment, on either side of WebSocket's longer headers, and of several segments.
const SIZES: [u64; 4] = [32, 120, 1_000, 4_000];
/// Size of the events before them, which are not counted: the ends of a connection of HTTP/2 still acknowledge each other's
/// settings when the first event is there, and what is made once, or grows once, is of no event.
const WARM: u64 = 64;
/// Events of each size in the sequence whose bytes are digested.
const DIGESTED: u64 = 3;
/// Deliveries that a number by size is of.
pub const DELIVERIES: u64 = SUBSCRIBERS * EVENTS;
/// How long an event may take before it counts as lost, ns.
const PATIENCE_NS: u64 = 3_000_000_000;

/// What the counts depend on besides the program.
pub fn settings() -> BTreeMap<String, String> {
    let scenario = scenario();
    let sizes: Vec<String> = SIZES.iter().map(ToString::to_string).collect();
    let pairs = [
        ("deliveries", DELIVERIES.to_string()),
        ("subscribers", SUBSCRIBERS.to_string()),
        ("events", EVENTS.to_string()),
        ("sizes", sizes.join(", ")),
        ("digested", DIGESTED.to_string()),
        ("warm", WARM.to_string()),
        ("identity", format!("{:?}, {:?}", scenario.identity, scenario.envelope)),
        ("event", scenario.event),
        ("seed", scenario.seed.to_string()),
        ("mss", scenario.mss.0.to_string()),
        ("congestion", scenario.congestion),
        ("window", scenario.window.0.to_string()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The catalogue's smallest scenario, all of whose fields that matter stand in the settings.
fn scenario() -> Scenario {
    let (_, scenario) = Scenario::load("smoke", &[]).expect("an embedded scenario is sound");
    Scenario { subscribers: Count(SUBSCRIBERS), identity: Identity::IdEvent, ..scenario }
}

/// Whether a lane can be counted: it sends each event at once, its client shows its bytes, and its events come without
/// a date in HPACK's Huffman code, whose length is that of the moment.
pub fn is_countable(lane: Lane) -> bool {
    let is_dated = lane.transport.polls() && lane.carrier == Carrier::H2;
    lane.client == ClientStack::Lean && !lane.holds_back() && lane.transport != Transport::Poll && !is_dated
}

/// All counts of one lane.
///
/// # Errors
/// A worker dies, or the decoder's bytes are not the kernel's.
pub fn lane(lane: Lane, inject: Option<Inject>) -> Result<Counts> {
    let scenario = inject.map_or_else(scenario, |inject| inject.fatten(&scenario()));
    let mut counts = Counts::default();
    let sizes = [&[WARM], &SIZES[..]].concat();
    let payload = Payload::Sweep { sizes, each: EVENTS, binary: false };
    let server = wrong(inject)?;
    let place = Place { server: server.as_ref(), cores: preflight::cores(), through: &mut Ok, browser: None };
    let mut processes = LaneProcesses::start_in(lane, &scenario, &payload, SUBSCRIBERS, place)?;
    processes.step(0)?;
    processes.connect(usize::try_from(SUBSCRIBERS)?)?;
    if !lane.tls {
        let opened = processes.bytes()?;
        // HPACK's Huffman code makes the date of a head longer or shorter with the digits of its seconds.
        if lane.carrier != Carrier::H2 {
            note(&mut counts, "handshake_down", opened.handshake_down);
        }
        note(&mut counts, "handshake_up", opened.handshake_up);
    }
    let mut ledger = Ledger::default();
    // Event 0 has greeted.
    measured(&mut processes, lane, 1..EVENTS)?;
    for (index, size) in (1..).zip(&SIZES) {
        let part = measured(&mut processes, lane, index * EVENTS..(index + 1) * EVENTS)?;
        part.into_counts(*size, &mut counts, &mut ledger);
    }
    for (name, count) in [
        ("lost", ledger.lost),
        ("duplicated", ledger.duplicated),
        ("reordered", ledger.reordered),
        ("corrupted", ledger.corrupted),
        ("unexpected", ledger.unexpected),
    ] {
        note(&mut counts, name, count);
    }
    drop(processes);
    counts.digest = if lane.tls { None } else { Some(digest(lane, &scenario, inject)?) };
    Ok(counts)
}

fn note(counts: &mut Counts, name: &str, count: u64) {
    if count > 0 {
        counts.of_lane.insert(name.to_owned(), count);
    }
}

/// What was counted at one size.
struct Part {
    phase: Phase,
    bytes: Bytes,
    kernel: KernelCounts,
    server: [Totals; 2],
}

impl Part {
    fn into_counts(self, size: u64, counts: &mut Counts, ledger: &mut Ledger) {
        let Self { phase, bytes, kernel, server: [before, after] } = self;
        for (name, count) in [
            ("payload", bytes.payload),
            ("event_framing", bytes.event_framing),
            ("compressed", bytes.coded),
            ("transport_framing", bytes.transport_framing),
            ("control", bytes.control),
            ("poll_heads", bytes.poll_heads),
            ("tls", bytes.tls),
            ("tls_records", bytes.tls_records),
            ("up", bytes.up),
            ("segments", kernel.down_data_segments),
            ("segments_up", kernel.up_data_segments),
            ("writes", after.writes - before.writes),
            ("server_allocations", after.allocations - before.allocations),
            ("client_allocations", phase.allocations),
        ] {
            if count > 0 {
                counts.by_size.insert((name.to_owned(), size), count);
            }
        }
        ledger.lost += phase.ledger.lost;
        ledger.duplicated += phase.ledger.duplicated;
        ledger.reordered += phase.ledger.reordered;
        ledger.corrupted += phase.ledger.corrupted;
        ledger.unexpected += phase.ledger.unexpected;
    }
}

/// Events in lock-step; one that does not come is waited for once, and is the ledger's.
fn measured(lane: &mut LaneProcesses, name: Lane, seqs: std::ops::Range<u64>) -> Result<Part> {
    let (first_seq, events) = (seqs.start, seqs.end - seqs.start);
    let block = Block { lane: 0, round: 0, start_ns: 0, span_ns: 1_000_000_000, first_seq, events };
    let schedule = Schedule::new(Arrivals::Constant, 0, vec![block]);
    let kernel = lane.kernel()?;
    let before = totals(lane)?;
    lane.arm(Moment::now(), &schedule)?;
    let mut arrived = 0;
    for seq in seqs.clone() {
        arrived = step(lane, seq, arrived + SUBSCRIBERS)?;
    }
    let kernel = lane.kernel()? - kernel;
    let after = totals(lane)?;
    let phase = lane.close(seqs.end)?.remove(0);
    let Some(bytes) = phase.bytes else { bail!("the client of lane {name} hides its bytes") };
    if bytes.down() != kernel.down_bytes || bytes.up != kernel.up_bytes {
        bail!(
            "lane {name}: the decoder counted {} bytes down and {} up, the kernel {} and {}",
            bytes.down(),
            bytes.up,
            kernel.down_bytes,
            kernel.up_bytes
        );
    }
    Ok(Part { phase, bytes, kernel, server: [before, after] })
}

/// Publishes an event and waits until so many deliveries have arrived, or for as long as an event is waited for; how many
/// have.
fn step(lane: &mut LaneProcesses, seq: u64, wanted: u64) -> Result<u64> {
    lane.step(seq)?;
    let deadline = Moment::now().plus_nanos(PATIENCE_NS);
    loop {
        // A fleet that has given up waiting may answer the next question too early: by the deadline it does not.
        let (arrived, _) = lane.arrivals(wanted, deadline)?;
        if arrived >= wanted || Moment::now() >= deadline {
            return Ok(arrived);
        }
    }
}

fn totals(lane: &mut LaneProcesses) -> Result<Totals> {
    Ok(lane.totals()?.remove(0))
}

/// This program's own server, made worse on purpose, if it is to be.
fn wrong(inject: Option<Inject>) -> Result<Option<Server>> {
    let Some(inject) = inject else { return Ok(None) };
    Ok(Some(Server { name: "made worse".into(), program: Program::own("host")?, inject: Some(inject) }))
}

/// SHA-256 over what comes down in lock-step behind the greeting: a fixed sequence of events to one subscriber. Dates,
/// which a poll's head has, are left out.
fn digest(lane: Lane, scenario: &Scenario, inject: Option<Inject>) -> Result<String> {
    let alone = Scenario { subscribers: Count(1), ..scenario.clone() };
    let sizes = [&[WARM], &SIZES[..]].concat();
    let payload = Payload::Sweep { sizes, each: DIGESTED, binary: false };
    let mut tap = None;
    let mut through = |server| {
        let tapped = Tap::start(server)?;
        let address = tapped.address();
        tap = Some(tapped);
        Ok(address)
    };
    let server = wrong(inject)?;
    let place =
        Place { server: server.as_ref(), cores: preflight::cores(), through: &mut through, browser: None };
    let mut processes = LaneProcesses::start_in(lane, &alone, &payload, 1, place)?;
    let Some(tap) = tap else { bail!("nothing asked for the address of lane {lane}") };
    processes.step(0)?;
    processes.connect(1)?;
    let (warm, events) = (DIGESTED - 1, (SIZES.len() as u64 + 1) * DIGESTED - 1);
    let block = Block { lane: 0, round: 0, start_ns: 0, span_ns: 1_000_000_000, first_seq: 1, events };
    processes.arm(Moment::now(), &Schedule::new(Arrivals::Constant, 0, vec![block]))?;
    let (mut arrived, mut start) = (0, 0);
    for seq in 1..=events {
        // What comes first warms up, as it does for the counts.
        start = if seq == warm + 1 { tap.length() } else { start };
        arrived = step(&mut processes, seq, arrived + 1)?;
    }
    processes.close(events + 1)?;
    let bytes = undated(&tap.bytes()[start..]);
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The same without the lines of dates, RFC 9110 6.6.1.
fn undated(bytes: &[u8]) -> Vec<u8> {
    let is_date = |line: &&[u8]| line.get(..6).is_some_and(|name| name.eq_ignore_ascii_case(b"date: "));
    bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| !is_date(line)).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_left_out_and_nothing_else() {
        let head =
            b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-length: 9\r\n\r\nupdate: 1";
        assert_eq!(undated(head), b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nupdate: 1");
    }

    #[test]
    fn what_cannot_be_counted_is_known() {
        for (name, countable) in [
            ("sse-h1", true),
            ("longpoll-h1", true),
            ("longpoll-h2", false),
            ("poll-h1", false),
            ("sse-h1+gzip-buffered", false),
            ("sse-h1@reqwest", false),
        ] {
            assert_eq!(is_countable(name.parse().unwrap()), countable, "{name}");
        }
    }
}
