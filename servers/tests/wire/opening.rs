//! How requests for streams are answered: refused by a status or above a number, and told when to come back.

use crate::h2::{self, BEGIN, HEADERS, WEBSOCKET};
use crate::outage::{STREAMS, read_events, start, until};
use crate::server::{SUBSCRIBE, Server, request, rest, upgrade};
use scenarios::seed::repeated;
use scenarios::{Carrier, Hint, Transport};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// The answer to a request for a stream: its status, and whether it says after how many seconds to come back.
async fn ask(server: &Server) -> (TcpStream, u16, bool) {
    let mut client = TcpStream::connect(server.address).await.unwrap();
    let is_ws = server.lane.transport == Transport::Ws;
    if server.lane.carrier != Carrier::H2 {
        let head = request(&mut client, &if is_ws { upgrade("") } else { SUBSCRIBE.to_owned() }).await;
        let status: u16 = head[9..12].parse().unwrap();
        if status > 200 {
            assert!(head.contains("connection: close\r\n"), "it gives the connection back: {head}");
            assert_eq!(rest(&mut client).await, b"");
        }
        return (client, status, head.contains("retry-after: 1\r\n"));
    }
    let asked = if is_ws { h2::connect("/ws", &WEBSOCKET) } else { h2::get(1, "/sse") };
    client.write_all(&[BEGIN, &asked].concat()).await.unwrap();
    let head = h2::until(&mut client, HEADERS).await;
    // RFC 7541 Appendix A: 8 is 200, 9 is 204; 503 is in no table, "retry-after" is 53, and "1" in the code of
    // Appendix B is five bits.
    let status = match head.3[0] {
        0x88 => 200,
        0x89 => 204,
        _ => 503,
    };
    assert_eq!(head.1 & 1 == 1, status != 200, "a refusal is all there is");
    (client, status, head.3.windows(3).any(|part| part == b"\x75\x81\x0f"))
}

#[tokio::test]
async fn requests_are_answered_with_a_status_until_told_otherwise() {
    for lane in STREAMS {
        let server = start(lane, &[]);
        server.publish(1);
        let (mut open, _) = server.subscribe().await;
        for (status, says_when) in [(503, true), (204, false)] {
            server.hub.refuse(Some(status));
            let (_, answered, retry_after) = ask(&server).await;
            assert_eq!((answered, retry_after), (status, says_when), "{lane}");
        }
        server.hub.refuse(None);
        let (mut client, answered, _) = ask(&server).await;
        assert!([200, 101].contains(&answered), "{lane}: {answered}");
        read_events(&mut client, 1).await;
        read_events(&mut open, 1).await;
        let refused: Vec<_> = server.meter.totals((0, 0)).refused.into_iter().collect();
        assert_eq!(refused, [("status 204".to_owned(), 1), ("status 503".to_owned(), 1)], "{lane}");
    }
}

#[tokio::test]
async fn above_the_most_streams_there_is_a_503_until_one_ends() {
    for lane in STREAMS {
        let server = start(lane, &[("outage.most", "2")]);
        let (first, _second) = (server.subscribe().await, server.subscribe().await);
        for _ in 0..3 {
            let (_, answered, retry_after) = ask(&server).await;
            assert_eq!((answered, retry_after), (503, true), "{lane}");
        }
        assert_eq!(server.meter.totals((0, 0)).refused.get("too many streams"), Some(&3), "{lane}");
        drop(first);
        until(|| server.hub.subscriptions() == 1).await;
        assert!([200, 101].contains(&ask(&server).await.1), "{lane}");
    }
}

/// WHATWG HTML 9.2.6: "If the field value consists of only ASCII digits, then interpret the field value as an integer
/// in base ten, and set the event stream's reconnection time to that integer."
#[tokio::test]
async fn event_streams_are_told_first_when_to_come_back_and_go_on_as_ever() {
    for lane in STREAMS {
        let server = start(lane, &[("outage.hints", "[\"1s..5s\"]"), ("outage.retry_scale", "0.5")]);
        (1..=3).for_each(|seq| server.publish(seq));
        let hint: Hint = "1s..5s".parse().unwrap();
        let mut told = Vec::new();
        for count in 0..4 {
            let (mut client, _) = server.subscribe().await;
            let said = read_events(&mut client, 1).await;
            let said = String::from_utf8_lossy(&said).into_owned();
            let millis = hint.draw(repeated(server.scenario.seed, 0), count, 0.5).unwrap();
            let (first, event) = (format!("retry: {millis}\n\n"), said.find("quote\n").unwrap());
            match server.lane.transport {
                Transport::Ws => assert!(!said.contains("retry"), "{lane}: {said}"),
                Transport::Sse | Transport::Raw | Transport::LongPoll | Transport::Poll => {
                    assert!(said.find(&first).is_some_and(|at| at < event), "{lane}: {said}, not {first}");
                }
            }
            told.push(millis);
        }
        assert!(
            told.windows(2).all(|two| two[0] != two[1]) && told.iter().all(|one| (500..=2_500).contains(one))
        );
    }
}

/// The bytes of a whole stream: a hint is a block of its own, without an event, so it neither has an id nor takes one.
#[tokio::test]
async fn golden_bytes_of_a_hint_and_a_resumption() {
    let server = start("sse-h1", &[("outage.hints", "[\"2s\"]"), ("payload", "text:16")]);
    (1..=2).for_each(|seq| server.publish(seq));
    let mut client = TcpStream::connect(server.address).await.unwrap();
    request(&mut client, "GET /sse HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 1\r\n\r\n").await;
    let body = String::from_utf8(server.scenario.payload.body(server.scenario.seed, 2)).unwrap();
    let event = format!("id: 2\nevent: quote\ndata: {body}\n\n");
    let expected = format!("D\r\nretry: 2000\n\n\r\n{:X}\r\n{event}\r\n", event.len());
    let said = crate::server::read(&mut client, expected.len()).await;
    assert_eq!(String::from_utf8(said).unwrap(), expected);
}
