//! HTTP/2 for a client that understands nothing: requests as bytes, answers as frames.

use std::time::Duration;

use crate::server::{Server, read, rest};
use scenarios::Transport;
use servers::http::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// RFC 9113 3.4: the preface, then SETTINGS; here a window of 2^31-1 for each stream (0x4), and the same
/// for the connection, so that nothing has to be acknowledged.
pub const BEGIN: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\
    \0\0\x06\x04\0\0\0\0\0\0\x04\x7f\xff\xff\xff\
    \0\0\x04\x08\0\0\0\0\0\x7f\xff\0\0";

/// A frame: its type, flags, stream and payload.
pub type Frame = (u8, u8, u32, Vec<u8>);

/// RFC 9113 6: the types that a server sends here.
pub const DATA: u8 = 0x0;
pub const HEADERS: u8 = 0x1;
pub const RST_STREAM: u8 = 0x3;
pub const SETTINGS: u8 = 0x4;
pub const PING: u8 = 0x6;
pub const GOAWAY: u8 = 0x7;
pub const WINDOW_UPDATE: u8 = 0x8;

/// A frame's bytes (RFC 9113 4.1).
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A request on a stream: its head in literals without a table (RFC 7541 6.2.2), `:scheme` "http".
pub fn request(stream: u32, fields: &[(u8, &str)]) -> Vec<u8> {
    let literal = |(index, value): &(u8, &str)| [&[*index, value.len() as u8], value.as_bytes()].concat();
    let block = [vec![0x86], fields.iter().flat_map(literal).collect()].concat();
    frame(HEADERS, 0x5, stream, &block)
}

/// `:authority`, `:method` and `:path` by their places in the table of RFC 7541 Appendix A.
pub fn get(stream: u32, path: &str) -> Vec<u8> {
    request(stream, &[(0x2, "GET"), (0x4, path), (0x1, "a")])
}

/// RFC 8441 4 and 5: CONNECT with `:scheme` and `:path`, on stream 1, which it does not end; `:protocol` and
/// what follows it come by name.
pub fn connect(path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    let literal = |(name, value): &(&str, &str)| [vec![0], text(name), text(value)].concat();
    let asked = request(1, &[(0x2, "CONNECT"), (0x1, "a"), (0x4, path)]);
    let named: Vec<u8> = fields.iter().flat_map(literal).collect();
    frame(HEADERS, 0x4, 1, &[&asked[9..], &named].concat())
}

pub const WEBSOCKET: [(&str, &str); 2] = [(":protocol", "websocket"), ("sec-websocket-version", "13")];

/// Connects, asks for the event stream, and reads exactly to the end of the response's head.
pub async fn subscribe(server: &Server) -> (TcpStream, Vec<u8>) {
    let mut client = TcpStream::connect(server.address).await.unwrap();
    let request = match server.lane.transport {
        Transport::Ws => connect("/ws", &WEBSOCKET),
        Transport::Sse | Transport::Raw | Transport::LongPoll | Transport::Poll => get(1, "/sse"),
    };
    client.write_all(&[BEGIN, &request].concat()).await.unwrap();
    let mut bytes = Vec::new();
    loop {
        let (frame, length) = next(&mut client, &mut bytes).await;
        if frame.0 == HEADERS {
            assert_eq!((frame.1, frame.2, length), (0x4, 1, bytes.len()), "a head, and no end");
            return (client, bytes);
        }
    }
}

/// Reads one frame and adds its bytes; gives the frame, and how many bytes there are now.
pub async fn next(client: &mut TcpStream, bytes: &mut Vec<u8>) -> (Frame, usize) {
    let head = read(client, 9).await;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let payload = read(client, length).await;
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(&payload);
    let stream = u32::from_be_bytes(head[5..9].try_into().unwrap());
    ((head[3], head[4], stream, payload), bytes.len())
}

/// Reads frames up to the first of a type.
pub async fn until(client: &mut TcpStream, kind: u8) -> Frame {
    let mut bytes = Vec::new();
    loop {
        let (frame, _) = next(client, &mut bytes).await;
        if frame.0 == kind {
            return frame;
        }
    }
}

/// What the server says to these bytes behind the preface, up to a frame of a type.
async fn answer(limits: Limits, said: &[u8], kind: u8) -> (Server, TcpStream, Frame) {
    let server = Server::start("sse-h2", &[], limits);
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(&[BEGIN, said].concat()).await.unwrap();
    let frame = until(&mut client, kind).await;
    (server, client, frame)
}

/// RFC 9113 6.5.2: SETTINGS_MAX_CONCURRENT_STREAMS is 3, SETTINGS_INITIAL_WINDOW_SIZE 4,
/// SETTINGS_MAX_FRAME_SIZE 5, SETTINGS_MAX_HEADER_LIST_SIZE 6; 6.9.2: the connection's window is changed
/// by WINDOW_UPDATE alone.
#[tokio::test]
async fn what_the_server_sets_is_what_the_scenario_says() {
    let server = Server::start("sse-h2", &[("window", "100000")], Limits::default());
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(BEGIN).await.unwrap();
    let settings = until(&mut client, SETTINGS).await.3;
    let pairs: Vec<(u16, u32)> = settings
        .chunks(6)
        .map(|pair| {
            let value = u32::from_be_bytes(pair[2..].try_into().unwrap());
            (u16::from_be_bytes([pair[0], pair[1]]), value)
        })
        .collect();
    assert_eq!(pairs, [(3, 100), (4, 100_000), (5, 16_384), (6, 16_384)]);
    let more = until(&mut client, WINDOW_UPDATE).await;
    assert_eq!((more.2, more.3), (0, (100_000u32 - 65_535).to_be_bytes().to_vec()));
}

/// RFC 9113 8.3.2: ":status"; the indices are 13 for 404 (RFC 7541 Appendix A), else a literal
/// in the code of Appendix B.
#[tokio::test]
async fn other_paths_and_methods_are_refused_over_http2() {
    let post = request(1, &[(0x2, "POST"), (0x4, "/sse"), (0x1, "a")]);
    for (said, status) in
        [(get(1, "/nowhere"), &b"\x8d"[..]), (post, b"\x48\x83\x68\x0d\xff"), (get(1, "/ws"), b"\x8d")]
    {
        let (_, _, head) = answer(Limits::default(), &said, HEADERS).await;
        assert!(head.3.starts_with(status) && head.1 & 1 == 1, "{head:?}");
    }
}

#[tokio::test]
async fn one_connection_serves_one_request_after_the_other() {
    let (_, mut client, head) = answer(Limits::default(), &get(1, "/nowhere"), HEADERS).await;
    assert!(head.3.starts_with(b"\x8d"));
    client.write_all(&get(3, "/sse")).await.unwrap();
    let head = until(&mut client, HEADERS).await;
    assert!(head.3.starts_with(b"\x88") && head.2 == 3 && head.1 & 1 == 0, "{head:?}");
}

/// RFC 9113 6.8: a server that is ending says so with the largest stream there is, tells by a PING when
/// the client has heard it, and serves what is under way to its end.
#[tokio::test]
async fn a_stopping_server_gives_the_connection_up_and_ends_its_streams() {
    let server = Server::start("sse-h2", &[], Limits::default());
    let (mut client, _) = server.subscribe().await;
    server.hub.close();
    let mut bytes = Vec::new();
    let mut said = Vec::new();
    for _ in 0..3 {
        said.push(next(&mut client, &mut bytes).await.0);
    }
    let last = [0x7fff_ffff_u32.to_be_bytes(), [0; 4]].concat();
    assert_eq!(said[0], (GOAWAY, 0, 0, last));
    assert_eq!((said[1].0, said[1].1), (PING, 0));
    assert_eq!(said[2], (DATA, 1, 1, Vec::new()));
    let mut late = TcpStream::connect(server.address).await.unwrap();
    late.write_all(&[BEGIN, &get(1, "/sse")].concat()).await.unwrap();
    let head = until(&mut late, HEADERS).await;
    assert!(head.3.starts_with(b"\x48") && head.1 & 1 == 1, "503 is in no table: {head:?}");
}

async fn refused(server: &Server, reason: &str) {
    server.meter.idle().await;
    let refused = server.meter.totals((0, 0)).refused;
    assert_eq!(refused.get(reason), Some(&1), "{refused:?}");
}

#[tokio::test]
async fn a_first_request_must_arrive_in_time_over_http2() {
    let hasty = Limits { head: Duration::from_millis(30) };
    for said in [&BEGIN[..10], BEGIN] {
        let server = Server::start("sse-h2", &[], hasty);
        let mut client = TcpStream::connect(server.address).await.unwrap();
        client.write_all(said).await.unwrap();
        rest(&mut client).await;
        refused(&server, "slow request head").await;
    }
}

/// RFC 9113 3.4: "Clients and servers MUST treat an invalid connection preface as a connection error of
/// type PROTOCOL_ERROR"; 5.1.1: "An endpoint that receives an unexpected stream identifier MUST respond
/// with a connection error of type PROTOCOL_ERROR"; 6.5.2: "This limit is directional".
#[tokio::test]
async fn what_is_no_http2_is_closed_and_counted() {
    let server = Server::start("sse-h2", &[], Limits::default());
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(b"GET /sse HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    // What the server did not read resets the connection.
    let _closed_or_reset = client.read_to_end(&mut Vec::new()).await;
    drop(client);
    refused(&server, "malformed request").await;

    let (server, client, gone) = answer(Limits::default(), &get(2, "/sse"), GOAWAY).await;
    assert_eq!(gone.3[4..8], 1u32.to_be_bytes(), "PROTOCOL_ERROR");
    drop(client);
    refused(&server, "malformed request").await;
}

/// RFC 6585 5: "The 431 status code indicates that the server is unwilling to process the request because
/// its header fields are too large."
#[tokio::test]
async fn a_large_head_is_refused_over_http2() {
    let mut block = vec![0x82, 0x86, 0x84];
    for _ in 0..10 {
        // A cookie (32) of 2,000 bytes: 0x7f and 2000 - 127 in two bytes (RFC 7541 5.1).
        block.extend([0x0f, 0x11, 0x7f, 0xd1, 0x0e]);
        block.extend([b'x'; 2_000]);
    }
    let said = [frame(HEADERS, 0x1, 1, &block[..16_384]), frame(0x9, 0x4, 1, &block[16_384..])].concat();
    let (_, _, head) = answer(Limits::default(), &said, HEADERS).await;
    assert!(head.3.starts_with(b"\x48\x83\x69\x90\xff"), "431 in the code of RFC 7541 Appendix B: {head:?}");
}

/// RFC 8441 3: SETTINGS_ENABLE_CONNECT_PROTOCOL is 8; 5.1: the response is ":status = 200", and nothing of
/// an upgrade. <https://www.rfc-editor.org/rfc/rfc8441>
#[tokio::test]
async fn a_websocket_is_a_stream_that_stays_open_both_ways() {
    let server = Server::start("ws-h2", &[], Limits::default());
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(&[BEGIN, &connect("/ws", &WEBSOCKET)].concat()).await.unwrap();
    let settings = until(&mut client, SETTINGS).await.3;
    assert!(settings.chunks(6).any(|pair| pair == b"\0\x08\0\0\0\x01"), "{settings:?}");
    let head = until(&mut client, HEADERS).await;
    // ":status" 200 (8), and "date" (33) in the code of RFC 7541 Appendix B, whose length depends on the date.
    assert_eq!((head.1, head.2, &head.3[..2]), (0x4, 1, &b"\x88\x61"[..]));
    assert_eq!(head.3.len(), 3 + usize::from(head.3[2] & 0x7f));
    // RFC 6455 5.5.3: "identical "Application data""; here in two DATA frames, with the mask 0.
    for part in [&b"\x89\x82\0\0"[..], b"\0\0hi"] {
        client.write_all(&frame(DATA, 0, 1, part)).await.unwrap();
    }
    assert_eq!(until(&mut client, DATA).await, (DATA, 0, 1, b"\x8a\x02hi".to_vec()));
    client.write_all(&frame(DATA, 0, 1, b"\x88\x82\0\0\0\0\x03\xe8")).await.unwrap();
    assert_eq!(until(&mut client, DATA).await, (DATA, 0, 1, b"\x88\x02\x03\xe8".to_vec()));
    // RFC 8441 5: "The orderly TCP-level closures are represented as END_STREAM flags".
    assert_eq!(until(&mut client, DATA).await, (DATA, 1, 1, Vec::new()));
    client.write_all(&frame(DATA, 0x1, 1, b"")).await.unwrap();
    client.write_all(&frame(PING, 0, 0, b"12345678")).await.unwrap();
    assert_eq!(until(&mut client, PING).await.3, b"12345678", "the connection lives on");
    assert_eq!(server.hub.subscriptions(), 0);
}

/// What a client may not ask for, and the status: 405 (over HTTP/2 nothing is upgraded), 400 without the
/// version of RFC 6455, 501 for another protocol (RFC 9220 3), 403 for a foreign page.
#[tokio::test]
async fn what_opens_no_websocket_over_http2_is_refused() {
    let [protocol, version] = WEBSOCKET;
    // Over HTTP/2 the page's own host is that of `:authority`, "a".
    let from = |origin| [protocol, version, ("origin", origin)];
    for (asked, status) in [
        (get(1, "/ws"), &b"\x48\x83\x68\x0d\xff"[..]),
        (connect("/ws", &[protocol, ("sec-websocket-version", "8")]), b"\x8c"),
        (connect("/ws", &[protocol]), b"\x8c"),
        (connect("/ws", &[(":protocol", "carrier-pigeon"), version]), b"\x48\x82\x6c\x01"),
        (connect("/ws", &from("http://b")), b"\x48\x83\x68\x0c\xff"),
        (connect("/nowhere", &WEBSOCKET), b"\x8d"),
    ] {
        let server = Server::start("ws-h2", &[], Limits::default());
        let mut client = TcpStream::connect(server.address).await.unwrap();
        client.write_all(&[BEGIN, &asked].concat()).await.unwrap();
        let head = until(&mut client, HEADERS).await;
        assert!(head.3.starts_with(status) && head.1 & 1 == 1, "{head:?}, expected {status:?}");
    }
    let server = Server::start("ws-h2", &[], Limits::default());
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(&[BEGIN, &connect("/ws", &from("http://a"))].concat()).await.unwrap();
    assert!(until(&mut client, HEADERS).await.3.starts_with(b"\x88"));
}

/// RFC 8441 4: without the setting, ":protocol" makes a malformed request: RST_STREAM with PROTOCOL_ERROR.
#[tokio::test]
async fn a_server_of_event_streams_takes_no_connect() {
    let asked = connect("/sse", &WEBSOCKET);
    let (_, _, reset) = answer(Limits::default(), &asked, RST_STREAM).await;
    assert_eq!((reset.2, reset.3), (1, vec![0, 0, 0, 1]));
}

/// RFC 9113 6.9: what a client says is taken, and its windows are given back.
#[tokio::test]
async fn a_client_may_say_more_than_a_window_holds() {
    let server = Server::start("ws-h2", &[("window", "65535")], Limits::default());
    let (mut client, _) = server.subscribe().await;
    // Pongs that nobody asked for, 131 bytes each.
    let pongs = [&b"\x8a\xfd\0\0\0\0"[..], &[0; 125]].concat().repeat(125);
    // RFC 9113 6.9.2: what was set is a stream's window; the connection's is 65,535 for all.
    let mut left = [65_535; 2];
    for _ in 0..12 {
        while left.iter().any(|bytes| *bytes < pongs.len() as u32) {
            let update = until(&mut client, WINDOW_UPDATE).await;
            left[update.2 as usize] += u32::from_be_bytes(update.3.try_into().unwrap());
        }
        client.write_all(&frame(DATA, 0, 1, &pongs)).await.unwrap();
        left = left.map(|bytes| bytes - pongs.len() as u32);
    }
    server.publish(1);
    assert!(until(&mut client, DATA).await.3.starts_with(b"\x81"), "it is served as before");
}
