//! Messages upward in real runs: each comes back once and in order on every lane that can carry them, each
//! byte of them, of their answers and of their echoes is counted as the kernel does, and every other
//! lane refuses them.

use results::run::{Bytes, Trial};
use scenarios::{Carrier, Lane, Transport};

use super::common::loadgen;
use super::{machine, measured};

/// Eight a second from each of ten clients, in half a second.
const MESSAGES: u64 = 40;

fn able() -> Vec<String> {
    let mux = ["sse-h2+mux", "sse-h2+mux+tls"].map(|lane| lane.parse().unwrap());
    let all = Lane::all().into_iter().chain(mux).filter(|lane| lane.talks());
    let mut names: Vec<String> = all.map(|lane| lane.to_string()).collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn every_message_upward_comes_back_and_every_byte_is_counted() {
    let _machine = machine();
    let able = able();
    for lane in [
        "sse-h1",
        "sse-h1+tls",
        "sse-h1+gzip",
        "sse-h2",
        "sse-h2+tls",
        "ws-h1",
        "ws-h1+tls",
        "ws-h1+deflate",
        "ws-h1+deflate-stateless",
        "raw",
        "raw+tls",
    ] {
        assert!(able.iter().any(|one| one == lane), "{lane}: {able:?}");
    }
    // Before what is measured there were other messages, of which none may be counted.
    for body in ["text:0", "text:20k --set warmup=10"] {
        let fields = format!("--set upstream=8 --set upstream_payload={body}");
        let run = measured(&format!("-c 10 -r 5 -d 500ms {fields} --lanes {}", able.join(",")));
        run.trials.iter().for_each(|trial| check(trial, &format!("{} with {body}", trial.lane)));
    }
}

fn check(trial: &Trial, at: &str) {
    let (lane, ledger, bytes) = (trial.lane, trial.upward.ledger, trial.bytes);
    let counted = (ledger.expected, ledger.sent, ledger.received, ledger.echoed, ledger.returned);
    assert_eq!(counted, (MESSAGES, MESSAGES, MESSAGES, MESSAGES, MESSAGES), "{at}: {ledger:?}");
    assert!(ledger.closes() && ledger.reordered == 0 && ledger.duplicated == 0, "{at}: {ledger:?}");
    let kernel = trial.kernel.unwrap();
    assert_eq!((bytes.messages, bytes.up), (MESSAGES, kernel.up_bytes), "{at}: {bytes:?}");
    assert_eq!(bytes.down(), kernel.down_bytes, "{at}: {bytes:?}");
    let layers = bytes.up_payload + bytes.up_framing + bytes.up_coded + bytes.up_transport;
    // HTTP/2 gives windows back, which is no part of a message.
    match (lane.tls, lane.carrier) {
        (true, _) => assert!(layers < bytes.up, "{at}: {bytes:?}"),
        (false, Carrier::H2) => assert!((bytes.up - layers).is_multiple_of(13), "{at}: {bytes:?}"),
        (false, Carrier::H1 | Carrier::Tcp) => assert_eq!(layers, bytes.up, "{at}: {bytes:?}"),
    }
    answers(lane, &bytes, at);
    assert_eq!((trial.upward.round_trip.count(), trial.upward.one_way.count()), (MESSAGES, MESSAGES), "{at}");
}

/// A 204 of hyper with its date; over HTTP/2 a frame with its head, whose date HPACK shortens; nothing
/// elsewhere.
fn answers(lane: Lane, bytes: &Bytes, at: &str) {
    const NO_CONTENT: usize = "HTTP/1.1 204 No Content\r\ndate: Tue, 15 Nov 1994 08:12:31 GMT\r\n\r\n".len();
    let whole = MESSAGES * NO_CONTENT as u64;
    match (lane.transport, lane.carrier, lane.tls) {
        (Transport::Sse, Carrier::H1, false) => assert_eq!(bytes.answers, whole, "{at}"),
        (Transport::Sse, Carrier::H1, true) => assert!(bytes.answers > whole, "{at}"),
        (Transport::Sse, ..) => {
            assert!((MESSAGES * 10..whole).contains(&bytes.answers), "{at}: {bytes:?}");
        }
        (Transport::Ws | Transport::Raw | Transport::Poll | Transport::LongPoll, ..) => {
            assert_eq!(bytes.answers, 0, "{at}");
        }
    }
}

#[test]
fn a_lane_that_cannot_carry_messages_upward_is_refused_with_those_that_can() {
    let folder = tempfile::tempdir().unwrap();
    for lane in [
        "poll-h1",
        "longpoll-h1",
        "poll-h2",
        "sse-h1%axum",
        "sse-h1@reqwest",
        "ws-h1@tungstenite",
        "sse-h1+gzip-buffered",
    ] {
        let arguments = ["-s", "smoke", "--lanes", lane, "--set", "upstream=1", "--set", "sweep=[]"];
        let answer = loadgen(folder.path(), &arguments);
        assert_eq!(answer.code, 104, "{lane}: {}", answer.stderr);
        for says in [lane, "carries no messages from client to server", "lanes that do: sse-h1, "] {
            assert!(answer.stderr.contains(says), "{lane}: {}", answer.stderr);
        }
    }
}
