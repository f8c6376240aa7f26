//! Slow, malformed, oversized and foreign requests: each is refused, and counted.

use std::time::Duration;

use crate::server::{LANES, Server, request, rest, upgrade};
use scenarios::Carrier;
use servers::http::Limits;
use servers::tls::Secured;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

async fn refused(server: &Server, reason: &str) {
    server.meter.idle().await;
    let refused = server.meter.totals((0, 0)).refused;
    assert_eq!(refused.get(reason), Some(&1), "{}: {refused:?}", server.lane);
}

/// Lanes whose requests are text; those of HTTP/2 are in `h2.rs`.
fn http_lanes() -> impl Iterator<Item = &'static str> {
    LANES.into_iter().filter(|lane| lane.contains("-h1"))
}

#[tokio::test]
async fn a_request_head_must_arrive_in_time() {
    for lane in http_lanes() {
        let server = Server::start(lane, &[], Limits { head: Duration::from_millis(30) });
        let mut client = TcpStream::connect(server.address).await.unwrap();
        client.write_all(b"GET /sse HTTP/1.1\r\nHost:").await.unwrap();
        assert_eq!(rest(&mut client).await, b"", "{lane}");
        refused(&server, "slow request head").await;
    }
}

/// RFC 9112 3: "SHOULD respond with either a 400 (Bad Request) error"; RFC 6585 5: "The 431 status
/// code indicates that the server is unwilling to process the request because its header fields are
/// too large."
#[tokio::test]
async fn garbage_and_oversized_heads_are_answered_and_closed() {
    for lane in http_lanes() {
        let long = format!("GET /sse HTTP/1.1\r\nHost: a\r\nCookie: {}\r\n\r\n", "x".repeat(20_000));
        for (sent, status, reason) in [
            ("\x16\x03\x01 hello\r\n\r\n", "400", "malformed request"),
            (long.as_str(), "431", "request head too large"),
        ] {
            let server = Server::start(lane, &[], Limits::default());
            let mut client = TcpStream::connect(server.address).await.unwrap();
            let head = request(&mut client, sent).await;
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{lane}: {head}");
            drop(client);
            refused(&server, reason).await;
        }
    }
}

#[tokio::test]
async fn other_paths_methods_and_origins_are_refused() {
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let cases = [
        ("sse-h1", get("/nowhere"), "404"),
        ("sse-h1", get("/ws"), "404"),
        ("sse-h1", "POST /sse HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".into(), "405"),
        ("ws-h1", get("/ws"), "426"),
        ("ws-h1", upgrade("Origin: http://evil.example\r\n"), "403"),
        ("ws-h1%axum", upgrade("Origin: http://evil.example\r\n"), "403"),
        ("ws-h1", upgrade("Origin: http://a\r\n"), "101"),
        ("ws-h1%axum", upgrade("Origin: http://a\r\n"), "101"),
    ];
    for (lane, sent, status) in cases {
        let server = Server::start(lane, &[], Limits::default());
        let head = request(&mut TcpStream::connect(server.address).await.unwrap(), &sent).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{lane} {sent}: {head}");
    }
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let server = Server::start("sse-h1", &[], Limits::default());
    let mut client = TcpStream::connect(server.address).await.unwrap();
    for _ in 0..2 {
        let head = request(&mut client, "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 404 ") && head.contains("content-length: 0"), "{head}");
    }
    let head = request(&mut client, "GET /sse HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
}

#[tokio::test]
async fn a_raw_client_that_talks_is_closed() {
    let server = Server::start("raw", &[], Limits::default());
    let (mut client, _) = server.subscribe().await;
    client.write_all(&[b'x'; 4096]).await.unwrap();
    server.publish(1);
    crate::server::read_until(&mut client, &server.scenario.payload.body(1, 1)).await;
    client.write_all(b"x").await.unwrap();
    assert_eq!(rest(&mut client).await, b"");
    refused(&server, "raw client that talks").await;
}

/// RFC 6455 7.4.1: 1009 is "a message that is too big for it to process", 1002 "a protocol error";
/// 5.1: "The server MUST close the connection upon receiving a frame that is not masked."
#[tokio::test]
async fn a_websocket_client_that_errs_is_told_so() {
    let server = Server::start("ws-h1", &[], Limits::default());
    let too_long = [&b"\x82\xff\0\0\0\0\0\x01\0\x01"[..], &[0; 4]].concat();
    for (frame, code) in [(&too_long[..], 1009u16), (b"\x81\x02hi", 1002)] {
        let (mut client, _) = server.subscribe().await;
        client.write_all(frame).await.unwrap();
        let close = [&b"\x88\x02"[..], &code.to_be_bytes()].concat();
        assert_eq!(crate::server::read(&mut client, 4).await, close);
        drop(client);
    }
    server.meter.idle().await;
}

#[tokio::test]
async fn what_is_no_tls_or_too_slow_for_it_is_refused() {
    let secured = || servers::tls::secure(Carrier::H1, "127.0.0.1".parse().unwrap()).unwrap();
    let server = Server::start_inside(Some(secured()), "sse-h1", &[], Limits::default());
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(b"GET /sse HTTP/1.1\r\n\r\n").await.unwrap();
    let answer = rest(&mut client).await;
    // RFC 8446 6 and 5.1: an alert (21), and nothing of HTTP.
    assert_eq!(answer.first(), Some(&21), "{answer:?}");
    drop(client);
    refused(&server, "TLS handshake").await;

    let hasty = Secured { patience: Duration::from_millis(30), ..secured() };
    let server = Server::start_inside(Some(hasty), "sse-h1", &[], Limits::default());
    let mut client = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(rest(&mut client).await, b"");
    refused(&server, "slow TLS handshake").await;
}
