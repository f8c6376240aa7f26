//! Clients that are cut off again and again while events are published as fast as they can be, and go on behind the last
//! they got: replay and live are joined without gap, duplicate or reordering.

use std::sync::Arc;

use crate::h2::{self, BEGIN, WEBSOCKET};
use crate::outage::{STREAMS, start};
use crate::server::{Server, upgrade};
use scenarios::{Carrier, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const EVENTS: u64 = 6_000;

const CLIENTS: u64 = 40;

/// A request for what is behind an event, as the lane has it.
fn resume(server: &Server, after: u64) -> Vec<u8> {
    let is_ws = server.lane.transport == Transport::Ws;
    match (server.lane.carrier == Carrier::H2, is_ws) {
        (false, false) => {
            format!("GET /sse HTTP/1.1\r\nHost: a\r\nLast-Event-ID: {after}\r\n\r\n").into_bytes()
        }
        (false, true) => upgrade("").replace("/ws", &format!("/ws?after={after}")).into_bytes(),
        (true, false) => [BEGIN, &h2::get(1, &format!("/sse?after={after}"))].concat(),
        (true, true) => [BEGIN, &h2::connect(&format!("/ws?after={after}"), &WEBSOCKET)].concat(),
    }
}

/// The ids of the events in these bytes: the digits before each name. Whatever frames them is no digit, as bodies are
/// of eighty bytes.
fn ids(bytes: &[u8], seen: &mut usize) -> Vec<u64> {
    let mut ids = Vec::new();
    while let Some(at) = bytes[*seen..].windows(6).position(|part| part == b"quote\n") {
        let before = &bytes[..*seen + at];
        let before = before.strip_suffix(b"event: ").unwrap_or(before).strip_suffix(b"\n").unwrap();
        let digits = before.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        ids.push(std::str::from_utf8(&before[before.len() - digits..]).unwrap().parse().unwrap());
        *seen += at + 6;
    }
    ids
}

/// One client, which stays for a number of events that is drawn anew each time.
async fn client(server: Arc<Server>, mut draw: u64) -> u32 {
    let (mut last, mut visits) = (0, 0);
    while last < EVENTS {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let until = (last + 1 + (draw >> 33) % 300).min(EVENTS);
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&resume(&server, last)).await.unwrap();
        let (mut bytes, mut seen) = (Vec::new(), 0);
        while last < until {
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "{}: cut off behind {last}", server.lane);
            for id in ids(&bytes, &mut seen) {
                assert_eq!(id, last + 1, "{}: neither missing, nor twice, nor in another order", server.lane);
                last = id;
            }
        }
        assert!(
            !bytes.windows(4).any(|part| part == b"\"thr"),
            "{}: nothing is told to be missing",
            server.lane
        );
        visits += 1;
    }
    visits
}

#[tokio::test]
async fn replay_and_live_are_joined_while_publishing_goes_on_at_full_rate() {
    for lane in STREAMS {
        let fields = [("payload", "text:80"), ("lag", "10000"), ("outage.windows", "[10000]")];
        let server = Arc::new(start(lane, &fields));
        let mut clients = JoinSet::new();
        (0..CLIENTS).for_each(|seed| drop(clients.spawn(client(Arc::clone(&server), seed))));
        for seq in 1..=EVENTS {
            server.publish(seq);
            if seq % 3 == 0 {
                tokio::task::yield_now().await;
            }
        }
        let visits = clients.join_all().await;
        assert!(visits.iter().all(|visits| *visits >= 20), "{lane}: {visits:?}");
        server.meter.idle().await;
        assert_eq!((server.hub.losses(), server.hub.held_bytes()), ((0, 0), 0), "{lane}");
    }
}
