//! METHOD M7: one event lost, sent twice, swapped or corrupted on the wire is counted as exactly
//! one, on every lane and by every client; a real fleet process against a server that misbehaves.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use loadgen::contract::{FleetCommand, FleetOrder, FleetReply};
use loadgen::worker::{PATIENCE, Worker};
use results::run::Ledger;
use scenarios::{Arrivals, Block, Carrier, Lane, Moment, Scenario, Schedule, Transport};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Events after the greeting, which is event 0.
const EVENTS: u64 = 20;

/// The event that something happens to.
const VICTIM: u64 = 7;

/// Its name, what it does to the order of events, whether it corrupts the victim, and what is told.
type Fault = (&'static str, fn(Vec<u64>) -> Vec<u64>, bool, Ledger);

/// What the server does to the stream, and what the ledger must say.
const FAULTS: [Fault; 5] = [
    ("nothing", |seqs| seqs, false, told(20, 0, 0, 0, 0)),
    (
        "lost",
        |mut seqs| {
            seqs.retain(|seq| *seq != VICTIM);
            seqs
        },
        false,
        told(19, 1, 0, 0, 0),
    ),
    (
        "duplicated",
        |mut seqs| {
            seqs.insert(10, VICTIM);
            seqs
        },
        false,
        told(20, 0, 1, 0, 0),
    ),
    (
        "swapped",
        |mut seqs| {
            seqs.swap(6, 7);
            seqs
        },
        false,
        told(20, 0, 0, 1, 0),
    ),
    ("corrupted", |seqs| seqs, true, told(19, 0, 0, 0, 1)),
];

const fn told(delivered: u64, lost: u64, duplicated: u64, reordered: u64, corrupted: u64) -> Ledger {
    let (expected, unexpected, dropped_by_server) = (EVENTS, 0, 0);
    Ledger { expected, delivered, lost, duplicated, reordered, corrupted, unexpected, dropped_by_server }
}

pub fn every_planted_fault_is_counted_once() {
    for lane in [
        "sse-h1",
        "sse-h2",
        "sse-h2+mux",
        "ws-h1",
        "ws-h2",
        "raw",
        "longpoll-h1",
        "sse-h1@reqwest",
        "ws-h1@tungstenite",
    ] {
        for (name, order, corrupt, expected) in FAULTS {
            let ledger = ledger_of(lane.parse().unwrap(), order((1..=EVENTS).collect()), corrupt);
            assert_eq!(ledger, expected, "{name} on {lane}");
        }
    }
}

/// What a fleet of one subscriber makes of a stream of these events, the victim corrupted or not.
fn ledger_of(lane: Lane, seqs: Vec<u64>, corrupt: bool) -> Ledger {
    let (_, scenario) = Scenario::load("smoke", &[]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let order = FleetOrder {
        lane,
        payload: scenario.payload.clone(),
        address: listener.local_addr().unwrap(),
        first_client: 0,
        clients: 0,
        certificate: None,
        core: None,
        browser: None,
        sample_every: 0,
        scenario: scenario.clone(),
        endures: None,
    };
    let mut fleet = Worker::start("fleet", "the fleet".into(), &order).unwrap();
    let _ready: FleetReply = fleet.hear(PATIENCE).unwrap();
    fleet.tell(&FleetCommand::Connect { count: 1, deadline: None }).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    greet(&mut stream, lane);
    stream.write_all(&framed(lane, &scenario, 0, false)).unwrap();
    let connected: FleetReply = fleet.hear(PATIENCE).unwrap();
    assert!(matches!(connected, FleetReply::Connected { open: 1, .. }), "{connected:?}");

    let block = Block { lane: 0, round: 0, start_ns: 0, span_ns: 1_000_000, first_seq: 1, events: EVENTS };
    let schedule = Schedule::new(Arrivals::Constant, 1, vec![block]);
    fleet.tell(&FleetCommand::Arm { start: Moment::now(), schedule, senders: None }).unwrap();
    let _armed: FleetReply = fleet.hear(PATIENCE).unwrap();
    for seq in &seqs {
        stream.write_all(&framed(lane, &scenario, *seq, corrupt && *seq == VICTIM)).unwrap();
    }
    // The server ends the stream, and the fleet has read all of it when it says so.
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    fleet.tell(&FleetCommand::Close { end_seq: EVENTS + 1 }).unwrap();
    let reply: FleetReply = fleet.hear(Duration::from_secs(5)).unwrap();
    let FleetReply::Phase(phase) = reply else { panic!("{reply:?}") };
    phase.ledger
}

/// The server's half of the handshake.
fn greet(stream: &mut TcpStream, lane: Lane) {
    if lane.transport == Transport::Raw {
        // Its name: what is left unread when the stream is dropped resets it.
        stream.read_exact(&mut [0; 8]).unwrap();
    }
    let mut request = String::new();
    // Over HTTP/2 that is the first line of the preface, and the rest need not be read to be answered.
    while lane.transport != Transport::Raw && !request.ends_with("\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        request.push(char::from(byte[0]));
    }
    let key = request.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-key").then_some(value)
    });
    if lane.carrier == Carrier::H2 {
        // RFC 9113 3.4 and 8.3.2: settings, with ENABLE_CONNECT_PROTOCOL (8); then the head of stream 1:
        // ":status" 200 and "content-type".
        let head =
            b"\0\0\x06\x04\0\0\0\0\0\0\x08\0\0\0\x01\0\0\x14\x01\x04\0\0\0\x01\x88\x5f\x11text/event-stream";
        return stream.write_all(head).unwrap();
    }
    let head = match lane.transport {
        Transport::Raw => String::from_utf8(servers::lanes::raw::HELLO.into()).unwrap(),
        // Each event is an answer with a head of its own.
        Transport::LongPoll | Transport::Poll => String::new(),
        Transport::Sse => {
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".into()
        }
        Transport::Ws => format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {}\r\n\r\n",
            derive_accept_key(key.unwrap().as_bytes())
        ),
    };
    stream.write_all(head.as_bytes()).unwrap();
}

/// An event as it stands on the wire; corrupted in the last byte of its body.
fn framed(lane: Lane, scenario: &Scenario, seq: u64, corrupt: bool) -> Vec<u8> {
    let mut body = scenario.payload.body(scenario.seed, seq);
    if corrupt {
        *body.last_mut().unwrap() ^= 1;
    }
    let frame = servers::lanes::frame(lane, scenario, seq, &body).unwrap();
    match lane.transport {
        Transport::Sse | Transport::Ws if lane.carrier == Carrier::H2 => {
            let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
            [&length[1..], b"\0\0\0\0\0\x01", &frame].concat()
        }
        Transport::Sse => [format!("{:x}\r\n", frame.len()).as_bytes(), &frame, b"\r\n"].concat(),
        Transport::LongPoll | Transport::Poll => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: ";
            [format!("{head}{}\r\n\r\n", frame.len()).as_bytes(), &frame].concat()
        }
        Transport::Ws | Transport::Raw => frame.to_vec(),
    }
}
