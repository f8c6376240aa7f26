//! A server that something happens to, and a client that takes its goodbyes byte for byte.

use crate::h2::{self, DATA, PING, frame};
use crate::server::{Server, read_until, rest};
use scenarios::{Carrier, Transport};
use servers::http::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The lanes whose streams may be cut off.
pub const STREAMS: [&str; 4] = ["sse-h1", "ws-h1", "sse-h2", "ws-h2"];

/// RFC 6455 11.7 and IANA's registry: "1012 Service Restart".
pub const WS_RESTART: &[u8] = b"\x88\x02\x03\xf4";

/// A server of a lane in a scenario with an outage of these fields.
pub fn start(lane: &str, more: &[(&str, &str)]) -> Server {
    let lanes = format!("[\"{lane}\"]");
    let fields = [
        ("lanes", lanes.as_str()),
        ("sweep", "[]"),
        ("duration", "5s"),
        ("outage", "{ faults = [{ kind = \"drain\" }], policies = [\"native\"] }"),
    ];
    Server::start(lane, &[&fields, more].concat(), Limits::default())
}

/// Waits, without a clock, until something holds.
pub async fn until(what: impl Fn() -> bool) {
    let waits = async {
        while !what() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), waits).await.expect("no hang");
}

/// How many events these bytes hold.
pub fn events(bytes: &[u8]) -> usize {
    bytes.windows(6).filter(|part| part == b"quote\n").count()
}

/// Reads until so many events have come.
pub async fn read_events(client: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while events(&bytes) < count {
        assert!(client.read_buf(&mut bytes).await.unwrap() > 0, "closed after {} bytes", bytes.len());
    }
    bytes
}

/// All that a stream says until it has ended in good order: the end of the body, or the close frame, which is answered.
/// The connection ends with it, which is waited for, unless only the stream is to end.
pub async fn to_the_end(server: &Server, client: &mut TcpStream, with_connection: bool) -> Vec<u8> {
    let is_ws = server.lane.transport == Transport::Ws;
    if server.lane.carrier == Carrier::H2 {
        return to_the_end_of_h2(client, is_ws, with_connection).await;
    }
    if !is_ws {
        let said = rest(client).await;
        assert!(said.ends_with(crate::server::SSE_END), "the body has its last chunk");
        return said;
    }
    let said = read_until(client, WS_RESTART).await;
    client.write_all(b"\x88\x82\0\0\0\0\x03\xf4").await.unwrap();
    assert_eq!(rest(client).await, b"", "nothing follows a goodbye, and TCP is closed behind it");
    said
}

async fn to_the_end_of_h2(client: &mut TcpStream, is_ws: bool, with_connection: bool) -> Vec<u8> {
    let (mut said, mut is_over, mut bytes) = (Vec::new(), false, Vec::new());
    loop {
        // The end of the connection is between two frames.
        let mut first = [0; 1];
        if client.peek(&mut first).await.unwrap() == 0 {
            assert!(is_over, "the connection ended before the stream");
            return said;
        }
        let ((kind, flags, _, payload), _) = h2::next(client, &mut bytes).await;
        match (kind, flags & 1) {
            (PING, 0) => client.write_all(&frame(PING, 1, 0, &payload)).await.unwrap(),
            (DATA, ends) => {
                if is_ws && payload.ends_with(WS_RESTART) {
                    client.write_all(&frame(DATA, 1, 1, b"\x88\x82\0\0\0\0\x03\xf4")).await.unwrap();
                }
                said.extend(payload);
                is_over |= ends == 1;
                if is_over && !with_connection {
                    return said;
                }
            }
            _ => {}
        }
    }
}
