//! Messages upward: the bytes of a POST and its answer, of a masked frame and of a raw one, the echo in
//! the sender's own stream, and what is refused.

use crate::server::{SUBSCRIBE, Server, read, request, rest, upgrade};
use servers::http::Limits;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

fn start(lane: &str) -> Server {
    Server::start(lane, &[("upstream", "1")], Limits::default())
}

/// Opens a stream under a name.
async fn stream(server: &Server, client: u64) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let named = |line: &str, path: &str| line.replace(path, &format!("{path}?client={client}"));
    match server.lane.to_string().as_str() {
        "sse-h1" => drop(request(&mut stream, &named(SUBSCRIBE, "/sse")).await),
        "ws-h1" => drop(request(&mut stream, &named(&upgrade(""), "/ws")).await),
        _ => {
            stream.write_all(&[[0, 0, 0, 4], (client as u32).to_be_bytes()].concat()).await.unwrap();
            assert_eq!(read(&mut stream, 4).await, [0; 4]);
        }
    }
    stream
}

fn post(query: &str, fields: &str, body: &str) -> String {
    format!("POST /up{query} HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}")
}

fn sized(query: &str, body: &str) -> String {
    post(query, &format!("Content-Length: {}\r\n", body.len()), body)
}

/// RFC 9110 15.3.5: 204 "has successfully fulfilled the request and that there is no additional content
/// to send"; 8.6: "A server MUST NOT send a Content-Length header field in any response with a status
/// code of [...] 204 (No Content)".
#[tokio::test]
async fn a_post_is_answered_204_and_echoed_in_the_stream_of_its_sender_alone() {
    let server = start("sse-h1");
    let (mut own, mut other) = (stream(&server, 1).await, stream(&server, 2).await);
    let mut beside = TcpStream::connect(server.address).await.unwrap();
    for number in [3, 4] {
        let head = request(&mut beside, &sized("?client=1", &format!("{number}\nhello\nyou"))).await;
        assert!(head.starts_with("HTTP/1.1 204 No Content\r\ndate: "), "{head}");
        assert_eq!(
            head.len(),
            "HTTP/1.1 204 No Content\r\ndate: Tue, 15 Nov 1994 08:12:31 GMT\r\n\r\n".len()
        );
        let event = format!("id: {number}\nevent: echo\ndata: hello\ndata: you\n\n");
        let chunk = format!("{:X}\r\n{event}\r\n", event.len());
        assert_eq!(read(&mut own, chunk.len()).await, chunk.as_bytes());
    }
    server.publish(1);
    assert!(read(&mut other, 9).await.ends_with(b"id: 1"));
}

/// RFC 6455 5.3: "j = i MOD 4; transformed-octet-i = original-octet-i XOR masking-key-octet-j".
#[tokio::test]
async fn a_masked_frame_and_a_raw_one_are_echoed() {
    let server = start("ws-h1");
    let mut own = stream(&server, 7).await;
    let mut frame = b"\x81\x84\x01\x02\x03\x04".to_vec();
    frame.extend(b"9\nhi".iter().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, key)| byte ^ key));
    own.write_all(&frame).await.unwrap();
    assert_eq!(read(&mut own, 11).await, b"\x81\x099\necho\nhi");

    let server = start("raw");
    let mut own = stream(&server, 7).await;
    // In two parts, cut inside the frame.
    own.write_all(b"\0\0\0\x049\n").await.unwrap();
    own.write_all(b"hi\0\0\0\x0510\nyo").await.unwrap();
    assert_eq!(read(&mut own, 27).await, b"\0\0\0\x099\necho\nhi\0\0\0\x0a10\necho\nyo");
}

/// RFC 9110 15.5.12 (411), 15.5.14 (413), 15.5.5 (404), 15.5.6 (405).
#[tokio::test]
async fn what_cannot_be_taken_is_refused_and_counted() {
    let large = sized("?client=1", &"x".repeat(65_537));
    let chunked = post("?client=1", "Transfer-Encoding: chunked\r\n", "3\r\n1\nx\r\n0\r\n\r\n");
    let foreign = post("?client=1", "Origin: http://evil.example\r\nContent-Length: 3\r\n", "1\nx");
    let get = "GET /up?client=1 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned();
    for (sent, status) in [
        (sized("?client=1", "1\nx"), "204"),
        (large, "413"),
        (chunked, "411"),
        (sized("?client=2", "1\nx"), "404"),
        (sized("", "1\nx"), "404"),
        (sized("?client=1", "no number"), "400"),
        (sized("?client=1", "1\na\rb"), "400"),
        (foreign, "403"),
        (get, "405"),
    ] {
        let server = start("sse-h1");
        let _stream = stream(&server, 1).await;
        let mut beside = TcpStream::connect(server.address).await.unwrap();
        let head = request(&mut beside, &sent).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {head}");
        let counted = server.meter.totals((0, 0)).refused;
        assert_eq!(counted.get(&format!("status {status}")).copied(), (status != "204").then_some(1));
    }
}

#[tokio::test]
async fn a_stream_that_sends_what_is_no_message_is_ended() {
    let server = start("raw");
    let mut own = stream(&server, 1).await;
    own.write_all(b"\0\0\0\x02hi").await.unwrap();
    assert_eq!(rest(&mut own).await, b"");
    let mut nameless = TcpStream::connect(server.address).await.unwrap();
    nameless.write_all(b"\0\0\0\x02hi..").await.unwrap();
    assert_eq!(rest(&mut nameless).await, b"");
    let mut huge = stream(&server, 2).await;
    huge.write_all(b"\0\x01\0\x01").await.unwrap();
    assert_eq!(rest(&mut huge).await, b"");
    server.meter.idle().await;
    let refused = server.meter.totals((0, 0)).refused;
    assert_eq!(refused.values().sum::<u64>(), 3, "{refused:?}");

    let server = start("ws-h1");
    let mut own = stream(&server, 1).await;
    own.write_all(b"\x81\x82\0\0\0\0hi").await.unwrap();
    // RFC 6455 7.4.1: 1007 is "data within a message that was not consistent with the type".
    assert_eq!(read(&mut own, 4).await, b"\x88\x02\x03\xef");
}

#[tokio::test]
async fn without_messages_in_the_scenario_there_is_nowhere_to_send_them() {
    let server = Server::start("sse-h1", &[], Limits::default());
    let mut client = TcpStream::connect(server.address).await.unwrap();
    let head = request(&mut client, &sized("?client=1", "1\nx")).await;
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
}

#[tokio::test]
async fn a_connection_that_posts_ends_with_the_server() {
    let server = start("sse-h1");
    let mut own = stream(&server, 1).await;
    let mut beside = TcpStream::connect(server.address).await.unwrap();
    request(&mut beside, &sized("?client=1", "1\nx")).await;
    server.hub.close();
    assert_eq!(rest(&mut beside).await, b"");
    assert!(rest(&mut own).await.ends_with(b"0\r\n\r\n"));
    server.meter.idle().await;
}
