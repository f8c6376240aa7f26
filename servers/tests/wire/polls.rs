//! The contract of the lanes that poll: golden bytes of each answer, what is held and for how long,
//! what is said of events that are no longer kept, and the server's end.

use crate::h2::{self, DATA, HEADERS};
use crate::server::{Server, read, request, rest};
use servers::http::Limits;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

async fn asks(client: &mut TcpStream, path: &str) -> String {
    request(client, &format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await
}

/// The head without its date, which no test can know.
fn dateless(head: &str) -> String {
    head.split_inclusive("\r\n").filter(|line| !line.starts_with("date: ")).collect()
}

fn length(head: &str) -> usize {
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.map_or(0, |length| length.parse().unwrap())
}

/// Head and body of the answer to a poll.
async fn polled(client: &mut TcpStream, path: &str) -> (String, String) {
    let head = asks(client, path).await;
    let body = read(client, length(&head)).await;
    (dateless(&head), String::from_utf8(body).unwrap())
}

fn event(server: &Server, seq: u64) -> String {
    let body = server.scenario.payload.body(server.scenario.seed, seq);
    format!("id: {seq}\nevent: quote\ndata: {}\n\n", String::from_utf8(body).unwrap())
}

fn full(bytes: usize) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\ncontent-length: {bytes}\r\n\r\n"
    )
}

/// RFC 9110 15.3.5: a 204 response "is terminated by the end of the header section; it cannot contain
/// content or trailers"; 8.6: "A server MUST NOT send a Content-Length header field in any response
/// with a status code of [...] 204".
const NOTHING: &str = "HTTP/1.1 204 No Content\r\ncache-control: no-store\r\n\r\n";

#[tokio::test]
async fn a_poll_is_answered_with_all_that_came_after_its_id_on_one_connection() {
    for lane in ["poll-h1", "longpoll-h1"] {
        let server = Server::start(lane, &[], Limits::default());
        let mut client = TcpStream::connect(server.address).await.unwrap();
        assert_eq!(polled(&mut client, "/poll").await, (NOTHING.into(), String::new()), "{lane}");
        (1..=3).for_each(|seq| server.publish(seq));
        let [one, two, three] = [1, 2, 3].map(|seq| event(&server, seq));
        for (path, body) in [
            ("/poll", three.clone()),
            ("/poll?after=0", format!("{one}{two}{three}")),
            ("/poll?after=1", format!("{two}{three}")),
            ("/longpoll?after=2", three.clone()),
        ] {
            assert_eq!(polled(&mut client, path).await, (full(body.len()), body), "{lane} {path}");
        }
        for after in [3, 4] {
            let path = format!("/poll?after={after}");
            assert_eq!(polled(&mut client, &path).await, (NOTHING.into(), String::new()), "{lane}");
        }
        assert_eq!(server.meter.totals(server.hub.losses()).accepted, 1, "{lane}");
    }
}

#[tokio::test]
async fn a_long_poll_is_held_until_there_is_an_event() {
    let server = Server::start("longpoll-h1", &[], Limits::default());
    for path in ["/longpoll", "/longpoll?after=1"] {
        let mut client = TcpStream::connect(server.address).await.unwrap();
        client.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
        // Another connection is answered meanwhile, so the request above has been read.
        let mut other = TcpStream::connect(server.address).await.unwrap();
        polled(&mut other, "/poll").await;
        let seq = if path == "/longpoll" { 1 } else { 2 };
        server.publish(seq);
        let expected = event(&server, seq);
        let head = full(expected.len());
        let answer = String::from_utf8(read(&mut client, head.len() + 37 + expected.len()).await).unwrap();
        assert_eq!(dateless(&answer), format!("{head}{expected}"), "{path}");
    }
}

#[tokio::test]
async fn patience_ends_with_nothing() {
    let server = Server::start("longpoll-h1", &[("hold", "100ms")], Limits::default());
    let mut client = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(polled(&mut client, "/longpoll?after=0").await.0, NOTHING);
}

#[tokio::test]
async fn what_is_no_longer_kept_is_said_and_counted() {
    let server = Server::start("poll-h1", &[("lag", "2")], Limits::default());
    (1..=6).for_each(|seq| server.publish(seq));
    let mut client = TcpStream::connect(server.address).await.unwrap();
    let (head, body) = polled(&mut client, "/poll?after=1").await;
    assert!(head.contains("\r\nlost: 3\r\n"), "{head}");
    assert_eq!(body, event(&server, 5) + &event(&server, 6));
    assert_eq!(server.hub.losses(), (3, 1));
}

#[tokio::test]
async fn what_is_no_poll_is_refused() {
    let server = Server::start("poll-h1", &[], Limits::default());
    let mut client = TcpStream::connect(server.address).await.unwrap();
    assert!(asks(&mut client, "/poll?after=x").await.starts_with("HTTP/1.1 400 "));
    assert!(asks(&mut client, "/sse").await.starts_with("HTTP/1.1 404 "));
    let post = request(&mut client, "POST /poll HTTP/1.1\r\nHost: a\r\ncontent-length: 0\r\n\r\n").await;
    assert!(post.starts_with("HTTP/1.1 405 "), "{post}");
    // A server without the lane keeps nothing to be polled for.
    let server = Server::start("sse-h1", &[], Limits::default());
    let mut client = TcpStream::connect(server.address).await.unwrap();
    assert!(asks(&mut client, "/poll").await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn a_stopping_server_ends_held_and_idle_connections() {
    let server = Server::start("longpoll-h1", &[], Limits::default());
    let mut held = TcpStream::connect(server.address).await.unwrap();
    held.write_all(b"GET /longpoll HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    polled(&mut idle, "/poll").await;
    server.hub.close();
    assert_eq!(rest(&mut idle).await, b"");
    assert!(rest(&mut held).await.starts_with(b"HTTP/1.1 503 "));
    server.meter.idle().await;
}

/// Kind, flags, stream and payload of the next frame that belongs to a stream.
async fn frame_of_a_stream(client: &mut TcpStream) -> h2::Frame {
    loop {
        let (frame, _) = h2::next(client, &mut Vec::new()).await;
        if frame.2 != 0 {
            return frame;
        }
    }
}

/// The same routes over HTTP/2, a stream each on one connection: 204 is index 9 of RFC 7541 Appendix A and ends
/// its stream at once, 200 is 8 and its DATA, one frame for all events, ends it.
#[tokio::test]
async fn over_http2_each_poll_is_a_stream_of_one_connection() {
    for lane in ["poll-h2", "longpoll-h2"] {
        let server = Server::start(lane, &[], Limits::default());
        let mut client = TcpStream::connect(server.address).await.unwrap();
        client.write_all(&[h2::BEGIN, &h2::get(1, "/poll")].concat()).await.unwrap();
        let head = frame_of_a_stream(&mut client).await;
        assert!(
            (head.0, head.1, head.2) == (HEADERS, 0x5, 1) && head.3.starts_with(b"\x89"),
            "{lane}: {head:?}"
        );
        (1..=3).for_each(|seq| server.publish(seq));
        let [two, three] = [2, 3].map(|seq| event(&server, seq));
        let asked = [(3, "/poll?after=1", format!("{two}{three}")), (5, "/longpoll?after=2", three)];
        for (stream, path, body) in asked {
            client.write_all(&h2::get(stream, path)).await.unwrap();
            let head = frame_of_a_stream(&mut client).await;
            let begins = (head.0, head.1, head.2) == (HEADERS, 0x4, stream) && head.3.starts_with(b"\x88");
            assert!(begins, "{lane} {path}: {head:?}");
            let length = body.len().to_string();
            // `content-length` is index 28: a literal that is not entered into the table (RFC 7541 6.2.2).
            assert!(head.3.windows(2).any(|two| two == b"\x0f\x0d"), "{lane}: no {length} in {head:?}");
            let data = frame_of_a_stream(&mut client).await;
            assert_eq!(data, (DATA, 0x1, stream, body.into_bytes()), "{lane} {path}");
        }
        assert_eq!(server.meter.totals(server.hub.losses()).accepted, 1, "{lane}");
    }
}

#[tokio::test]
async fn a_long_poll_is_held_over_http2_and_ended_by_a_stopping_server() {
    let server = Server::start("longpoll-h2", &[], Limits::default());
    let mut held = TcpStream::connect(server.address).await.unwrap();
    let asked = [h2::get(1, "/longpoll?after=0"), h2::get(3, "/poll")].concat();
    held.write_all(&[h2::BEGIN, &asked].concat()).await.unwrap();
    // The other stream is answered meanwhile, so the first has been read, and waits.
    assert_eq!(frame_of_a_stream(&mut held).await.2, 3);
    server.publish(1);
    assert_eq!(frame_of_a_stream(&mut held).await.2, 1);
    let body = event(&server, 1).into_bytes();
    assert_eq!(frame_of_a_stream(&mut held).await, (DATA, 0x1, 1, body));
    let later = [h2::get(5, "/longpoll?after=1"), h2::get(7, "/poll?after=1")].concat();
    held.write_all(&later).await.unwrap();
    assert_eq!(frame_of_a_stream(&mut held).await.2, 7);
    server.hub.close();
    let head = frame_of_a_stream(&mut held).await;
    // 503 is in no table: a literal with the name of index 8.
    assert!(head.2 == 5 && head.3.starts_with(b"\x48"), "{head:?}");
}
