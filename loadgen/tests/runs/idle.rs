//! Connections on which nothing happens: kept alive, cut for it, or waiting for their turn.

use scenarios::{Carrier, Lane, Transport};

use crate::{machine, measured};

/// Every heartbeat is counted as the kernel does (a run where one is not is invalid), WebSocket's are
/// answered, and behind a middlebox nobody lives without them.
#[test]
fn heartbeats_are_counted_to_the_byte_and_keep_connections_alive() {
    let _machine = machine();
    let lanes = Lane::all().into_iter().filter(|lane| lane.has_heartbeats());
    let lanes: Vec<String> = lanes.map(|lane| lane.to_string()).collect();
    let beats = "--set heartbeats=3 --set heartbeat=50ms --set idle_timeout=1s --set streams=4";
    let run = measured(&format!("-c 10 -r 40 -d 500ms {beats} --lanes {}", lanes.join(",")));
    for trial in &run.trials {
        let (at, beats) = (trial.lane, trial.heartbeats.unwrap());
        // RFC 6455 5.3: a client masks what it sends, so a pong without data is 6 bytes; over HTTP/2 it is a
        // DATA frame of its own.
        let pong = if trial.lane.carrier == Carrier::H2 { 9 + 6 } else { 6 };
        let pongs = if trial.lane.transport == Transport::Ws { pong * beats.sent } else { 0 };
        assert_eq!(beats.sent, 30, "{at}");
        if !trial.lane.tls {
            assert_eq!(beats.bytes.up, pongs, "{at}");
        }
        assert_eq!((beats.bytes.payload, beats.bytes.event_framing), (0, 0), "{at}");
    }
    let became = run.idle.iter().map(|idle| (idle.lane, idle.silent.alive, idle.beating.alive));
    assert_eq!(
        became.collect::<Vec<_>>(),
        run.scenario.lanes.iter().map(|lane| (*lane, 0, 10)).collect::<Vec<_>>()
    );
    let seen = |idle: &results::run::Idle| (idle.silent.seen.values().sum::<u64>(), idle.beating.seen.len());
    assert!(run.idle.iter().all(|idle| seen(idle) == (10, 0)), "{:?}", run.idle);
}

/// The seventh event stream of a browser waits over HTTP/1.1; over HTTP/2, and as a WebSocket, it opens.
#[test]
fn a_browser_holds_six_event_streams_to_an_origin() {
    let _machine = machine();
    let run = measured("-c 10 -d 500ms --set tabs=10 --lanes sse-h1,sse-h1+tls,ws-h1,sse-h2+mux");
    let tabs = run.tabs.iter().map(|tabs| (tabs.lane.to_string(), tabs.open, tabs.connections));
    let expected = [("sse-h1", 6, 6), ("sse-h1+tls", 6, 6), ("ws-h1", 10, 10), ("sse-h2+mux", 10, 1)];
    assert_eq!(tabs.collect::<Vec<_>>(), expected.map(|(lane, open, held)| (lane.to_owned(), open, held)));
}
