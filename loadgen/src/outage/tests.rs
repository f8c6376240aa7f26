//! Clients against a server that is a script: what they ask for when they come back, to the byte.

use std::sync::Arc;

use scenarios::{Count, Hint, Scenario};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::*;

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
const GREETING: &str = "id: 0\nevent: quote\ndata: {}\n\n";

/// One client of a lane under a policy, which turns to these servers.
async fn herd(lane: &str, policy: &str, server: &TcpListener) -> Herd {
    let set = [
        ("lanes", format!("[\"{lane}\"]")),
        ("outage.policies", format!("[\"{policy}\"]")),
        ("outage.retry_scale", "0.001".to_owned()),
    ];
    let set: Vec<_> = set.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let (_, scenario) = Scenario::load("reconnect", &set).unwrap();
    let servers = vec![server.local_addr().unwrap()];
    let case = Case { fault: 0, policy: policy.parse().unwrap(), hint: Hint::default(), window: Count(8) };
    let target = Target {
        lane: lane.parse().unwrap(),
        address: servers[0],
        path: None,
        source: None,
        client: 0,
        streams: 1,
        scenario: Arc::new(scenario),
        tls: None,
        after: Vec::new(),
    };
    Herd::gather(Clients { target, endures: Endures { case, servers, broke_ns: 0 }, first: 0, count: 1 })
        .await
        .unwrap()
}

async fn server() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// The next connection and the head of its request.
async fn asked(server: &TcpListener) -> (TcpStream, String) {
    let (mut stream, _) = server.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    (stream, String::from_utf8(head).unwrap())
}

async fn answer(server: &TcpListener, said: &str) -> (TcpStream, String) {
    let (mut stream, head) = asked(server).await;
    stream.write_all(said.as_bytes()).await.unwrap();
    (stream, head)
}

/// WHATWG HTML 9.2.6: "Once the end of the file is reached, any pending data must be discarded. (If the file
/// ends in the middle of an event, before the final empty line, the incomplete event is not dispatched.)" So
/// its id is not the last one that was seen (9.2.4: `Last-Event-ID`).
#[tokio::test]
async fn an_event_that_was_cut_is_asked_for_again() {
    let server = server().await;
    let script = async {
        let cut = format!("{STREAM}{GREETING}id: 5\nevent: quote\ndata: {{");
        let (stream, first) = answer(&server, &cut).await;
        drop(stream);
        let (_stream, second) = answer(&server, STREAM).await;
        (first, second)
    };
    let (_herd, (first, second)) = tokio::join!(herd("sse-h1", "eventsource", &server), script);
    assert!(!first.contains("last-event-id"), "{first}");
    assert!(second.contains("\r\nlast-event-id: 0\r\n"), "{second}");
}

/// A browser gives a WebSocket no header fields: the id stands in its address. And whoever says goodbye is
/// answered before it is left.
#[tokio::test]
async fn a_websocket_says_in_its_address_where_it_had_been() {
    let server = server().await;
    let script = async {
        let (mut stream, first) = asked(&server).await;
        let key = first.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap();
        let accept = derive_accept_key(key.as_bytes());
        let upgrade = format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
        );
        stream.write_all(upgrade.as_bytes()).await.unwrap();
        // A text frame with an envelope, and a close frame with 1012.
        stream.write_all(b"\x81\x0a0\nquote\n{}\x88\x02\x03\xf4").await.unwrap();
        let mut reply = [0; 8];
        stream.read_exact(&mut reply).await.unwrap();
        let masked: Vec<u8> = reply[6..].iter().zip(&reply[2..]).map(|(byte, mask)| byte ^ mask).collect();
        assert_eq!((&reply[..2], masked.as_slice()), (&b"\x88\x82"[..], &b"\x03\xf4"[..]));
        drop(stream);
        let (_stream, second) = asked(&server).await;
        second
    };
    let (_herd, second) = tokio::join!(herd("ws-h1", "full-jitter", &server), script);
    assert!(second.starts_with("GET /ws?client=0&after=0 HTTP/1.1\r\n"), "{second}");
}

/// Fetch 4.4: an event stream's request is redirected; where to, and for how many times, is the server's.
#[tokio::test]
async fn an_event_source_follows_redirections() {
    for status in [301, 302, 303, 307, 308] {
        let (first, second) = (server().await, server().await);
        let there = second.local_addr().unwrap();
        let script = async {
            let moved = format!(
                "HTTP/1.1 {status} Moved\r\nlocation: http://{there}/elsewhere\r\ncontent-length: 0\r\n\r\n"
            );
            let (_stream, _) = answer(&first, &moved).await;
            let near = "HTTP/1.1 307 Moved\r\nlocation: /here?now\r\ncontent-length: 0\r\n\r\n";
            let (_stream, there) = answer(&second, near).await;
            let (stream, here) = answer(&second, &format!("{STREAM}{GREETING}")).await;
            (stream, there, here)
        };
        let (_herd, (_stream, there, here)) = tokio::join!(herd("sse-h1", "eventsource", &first), script);
        assert!(there.starts_with("GET /elsewhere HTTP/1.1\r\n"), "{status}: {there}");
        assert!(here.starts_with("GET /here?now HTTP/1.1\r\n"), "{status}: {here}");
    }
}

/// WHATWG HTML 9.2.3: a status that is not 200, or a content type that is not `text/event-stream`, fails the
/// connection for good; a replacement tries again.
#[tokio::test]
async fn what_is_no_event_stream_ends_an_event_source_and_not_its_replacement() {
    let other = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n";
    for refusal in ["HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", other] {
        let server = server().await;
        let script = async {
            let (_stream, _) = answer(&server, refusal).await;
            answer(&server, &format!("{STREAM}{GREETING}")).await
        };
        let (_herd, (_stream, _)) = tokio::join!(herd("sse-h1", "eventsource-resilient", &server), script);
        let given_up = answer(&server, refusal);
        let (herd, (_stream, _)) = tokio::join!(herd("sse-h1", "eventsource", &server), given_up);
        // Nobody waits any more, and nobody is there.
        assert_eq!(herd.gathered().0, 0);
    }
}

#[test]
fn clients_take_servers_in_turn() {
    let servers: Vec<SocketAddr> = ["127.0.0.1:1", "127.0.0.1:2"].map(|one| one.parse().unwrap()).into();
    let ports =
        |client| (0..3).map(|attempt| server_of(&servers, client, attempt).port()).collect::<Vec<_>>();
    assert_eq!((ports(0), ports(1)), (vec![1, 2, 1], vec![2, 1, 2]));
}

/// Exponential from the moment at which it begins, its mean as written.
#[test]
fn who_leaves_stays_as_long_as_written_on_average() {
    let set = [("outage.faults", "[{kind = \"churn\", at = \"1s\", every = \"2s\", down = \"500ms\"}]")];
    let set: Vec<_> = set.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let outage = Scenario::load("reconnect", &set).unwrap().1.outage.unwrap();
    let case = Case { fault: 0, policy: "native".parse().unwrap(), hint: Hint::default(), window: Count(8) };
    let start = Moment::from_nanos(5_000_000_000);
    let begins = start.plus_nanos(1_000_000_000);
    let (mut stays, mut away) = (0, 0);
    for client in 0..10_000 {
        let mut churn = Churn::of(&outage, case, 1, client).unwrap();
        let leaves = churn.leaves(start, start);
        assert!(leaves >= begins);
        stays += leaves.nanos_since(begins);
        away += churn.away_ns();
    }
    let ms = |nanos: u64| nanos / 10_000 / 1_000_000;
    assert!(
        (1_950..2_050).contains(&ms(stays)) && (485..515).contains(&ms(away)),
        "{} {}",
        ms(stays),
        ms(away)
    );
}
