//! Streams of one's own that the server completes: how each lane says so, byte for byte, and to whom it says
//! that there is nothing more.

use crate::server::{H2_END, SSE_END, Server, read, read_until, request, rest};
use scenarios::Transport;
use servers::http::Limits;

/// RFC 6455 7.4.1: "1000 indicates a normal closure, meaning that the purpose for which the connection was
/// established has been fulfilled."
const WS_NORMAL: &[u8] = b"\x88\x02\x03\xe8";

const FIELDS: [(&str, &str); 4] =
    [("sweep", "[]"), ("rate", "1000"), ("session.events", "3"), ("session.told", "[\"no-content\"]")];

#[tokio::test]
async fn golden_bytes_of_the_end() {
    for (lane, end) in [("sse-h1", SSE_END), ("sse-h2", H2_END), ("ws-h1", WS_NORMAL), ("raw", b"")] {
        let server = Server::start(lane, &FIELDS, Limits::default());
        let (mut client, _) = server.subscribe().await;
        let said = match server.lane.transport {
            Transport::Raw => rest(&mut client).await,
            Transport::Sse | Transport::Ws | Transport::LongPoll | Transport::Poll => {
                read_until(&mut client, end).await
            }
        };
        let names = said.windows(5).filter(|part| part == b"quote").count();
        assert_eq!((names, said.ends_with(end)), (3, true), "{lane}: {said:?}");
    }
}

/// RFC 9112 9.3: the connection persists, so who comes back needs no other.
#[tokio::test]
async fn who_comes_back_on_the_same_connection_starts_again_or_is_told_that_nothing_is_left() {
    let server = Server::start("sse-h1", &FIELDS, Limits::default());
    let (mut client, _) = server.subscribe().await;
    let first = read_until(&mut client, SSE_END).await;
    let ask = |id: &str| format!("GET /sse?client=0 HTTP/1.1\r\nHost: a\r\nLast-Event-ID: {id}\r\n\r\n");
    assert!(request(&mut client, &ask("2")).await.starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(read_until(&mut client, SSE_END).await, first);
    assert!(request(&mut client, &ask("3")).await.starts_with("HTTP/1.1 204 No Content\r\n"));
    assert!(request(&mut client, &ask("")).await.starts_with("HTTP/1.1 200 OK\r\n"));
    let _first_bytes = read(&mut client, 4).await;
    assert_eq!((server.meter.totals((0, 0)).accepted, server.hub.sessions().begun), (1, 3));
}
