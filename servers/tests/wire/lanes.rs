//! One contract that every lane passes: handshake, greeting, order, identity, golden bytes, slow
//! readers, sampled writes, and the server's end.

use crate::h2::{DATA, frame};
use crate::server::{
    LANES, SSE_END, SUBSCRIBE, Server, WS_AWAY, read, request, rest, stop_and_drain, upgrade,
};
use scenarios::{Carrier, Lane, ServerStack, Transport};
use servers::http::Limits;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// An event on the wire, written out by hand.
///
/// - WHATWG HTML 9.2.5: `field = 1*name-char [ colon [ space ] *any-char ] end-of-line`, an event
///   is `*( comment / field ) end-of-line`;
/// - RFC 9112 7.1: `chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF`, `chunk-size = 1*HEXDIG`;
/// - RFC 9113 4.1 and 6.1: length, DATA, no flags, stream 1;
/// - RFC 6455 5.2: FIN and opcode 1 are `0x81`; "If 126, the following 2 bytes interpreted as a
///   16-bit unsigned integer are the payload length".
fn on_the_wire(lane: Lane, seq: u64, body: &str) -> Vec<u8> {
    let message = format!("{seq}\nquote\n{body}");
    match lane.transport {
        Transport::Raw => [&(message.len() as u32).to_be_bytes()[..], message.as_bytes()].concat(),
        Transport::Ws => {
            assert!((126..65_536).contains(&message.len()));
            let said = [b"\x81\x7e", &(message.len() as u16).to_be_bytes()[..], message.as_bytes()].concat();
            if lane.carrier == Carrier::H2 { frame(DATA, 0, 1, &said) } else { said }
        }
        Transport::Sse => {
            let event = format!("id: {seq}\nevent: quote\ndata: {body}\n\n");
            if lane.carrier == Carrier::H2 {
                return frame(DATA, 0, 1, event.as_bytes());
            }
            format!("{:X}\r\n{event}\r\n", event.len()).into_bytes()
        }
        Transport::LongPoll | Transport::Poll => unreachable!("a poll is no stream: `polls.rs`"),
    }
}

fn expected(server: &Server, seqs: std::ops::RangeInclusive<u64>) -> Vec<u8> {
    let body = |seq| String::from_utf8(server.scenario.payload.body(server.scenario.seed, seq)).unwrap();
    seqs.flat_map(|seq| on_the_wire(server.lane, seq, &body(seq))).collect()
}

#[tokio::test]
async fn every_subscriber_gets_the_latest_event_and_all_that_follow_in_order() {
    for lane in LANES {
        let server = Server::start(lane, &[], Limits::default());
        server.publish(1);
        server.publish(2);
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(server.subscribe().await.0);
        }
        (3..=60).for_each(|seq| server.publish(seq));
        let expected = expected(&server, 2..=60);
        for client in &mut clients {
            assert_eq!(read(client, expected.len()).await, expected, "{lane}");
        }
        let totals = server.meter.totals(server.hub.losses());
        assert_eq!((totals.accepted, totals.open, totals.events_dropped), (3, 3, 0), "{lane}");
        let facts = totals.sockets.unwrap();
        assert_eq!((facts.congestion.as_str(), facts.nodelay), ("cubic", true), "{lane}");
        assert!(facts.mss <= 1460, "{lane}: {}", facts.mss);
        drop(clients);
        server.hub.close();
        server.meter.idle().await;
    }
}

/// A body that is no text: bytes where the transport has them (RFC 6455 5.2: "%x2 denotes a binary
/// frame"), base64 (RFC 4648, section 4) where it has only text.
#[tokio::test]
async fn bytes_travel_as_bytes_or_as_base64() {
    for lane in LANES {
        let fields = [("payload", "binary:20"), ("binary", "base64")];
        let server = Server::start(lane, &fields, Limits::default());
        let (mut client, _) = server.subscribe().await;
        server.publish(1);
        let body = [&1_u64.to_be_bytes()[..], &[0; 8]].concat();
        let body = [body, server.scenario.payload.body(server.scenario.seed, 1)[16..].to_vec()].concat();
        let message = [b"1\nquote\n", &body[..]].concat();
        let expected = match server.lane.transport {
            Transport::Raw => [&(message.len() as u32).to_be_bytes()[..], &message].concat(),
            Transport::Ws => {
                let said = [&[0x82, message.len() as u8][..], &message].concat();
                if server.lane.carrier == Carrier::H2 { frame(DATA, 0, 1, &said) } else { said }
            }
            Transport::Sse => on_the_wire(server.lane, 1, &scenarios::binary::encode(&body)),
            Transport::LongPoll | Transport::Poll => unreachable!("a poll is no stream: `polls.rs`"),
        };
        assert_eq!(read(&mut client, expected.len()).await, expected, "{lane}");
    }
}

#[tokio::test]
async fn without_a_published_event_there_is_no_greeting_and_nothing_is_missed() {
    for lane in LANES {
        let server = Server::start(lane, &[], Limits::default());
        let (mut client, _) = server.subscribe().await;
        server.publish(1);
        let expected = expected(&server, 1..=1);
        assert_eq!(read(&mut client, expected.len()).await, expected, "{lane}");
    }
}

#[tokio::test]
async fn the_head_says_what_follows() {
    for (lane, status, fields) in [
        ("sse-h1", "200 OK", &["content-type: text/event-stream", "cache-control: no-store"][..]),
        ("sse-h1%axum", "200 OK", &["content-type: text/event-stream"]),
        ("ws-h1", "101 Switching Protocols", &["sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]),
        ("ws-h1%axum", "101 Switching Protocols", &["sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]),
    ] {
        let (_, head) = Server::start(lane, &[], Limits::default()).subscribe().await;
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{lane}: {head}");
        fields.iter().for_each(|field| assert!(head.contains(field), "{lane}: {head}"));
    }
}

/// 32 MiB that nobody reads while they are published: more than the kernel buffers.
#[tokio::test]
async fn what_a_slow_reader_loses_is_counted_exactly() {
    for lane in LANES {
        let fields = [("lag", "4"), ("payload", "text:64k"), ("send_buffer", "4096")];
        let server = Server::start(lane, &fields, Limits::default());
        let (mut client, _) = server.subscribe().await;
        for seq in 0..512 {
            server.publish(seq);
            tokio::task::yield_now().await;
        }
        let bytes = stop_and_drain(&server, &mut client).await;
        let arrived = bytes.windows(6).filter(|window| window == b"quote\n").count() as u64;
        let (dropped, slow) = server.hub.losses();
        assert_eq!((arrived + dropped, slow), (512, 1), "{lane}");
        assert!(dropped > 0 && arrived >= 4, "{lane}: {arrived} arrived");
    }
}

#[tokio::test]
async fn a_stopping_server_ends_every_stream_and_takes_no_more() {
    // The goodbye of HTTP/2 is longer: `h2.rs`.
    for lane in LANES.into_iter().filter(|lane| !lane.contains("-h2")) {
        let server = Server::start(lane, &[], Limits::default());
        let (mut client, _) = server.subscribe().await;
        let last = match server.lane.transport {
            Transport::Raw | Transport::LongPoll | Transport::Poll => &b""[..],
            Transport::Sse => SSE_END,
            Transport::Ws => WS_AWAY,
        };
        assert_eq!(stop_and_drain(&server, &mut client).await, last, "{lane}");
        if server.lane.transport == Transport::Ws {
            // RFC 6455 7.1.1: the server closes TCP once both close frames have passed.
            client.write_all(b"\x88\x82\0\0\0\0\x03\xe9").await.unwrap();
            assert_eq!(rest(&mut client).await, b"", "{lane}");
        }
        let mut late = TcpStream::connect(server.address).await.unwrap();
        match server.lane.server {
            ServerStack::Tuned => assert_eq!(rest(&mut late).await, b"", "{lane}"),
            ServerStack::Axum => {
                let path = if server.lane.transport == Transport::Sse { SUBSCRIBE } else { &upgrade("") };
                let head = request(&mut late, path).await;
                assert!(head.starts_with("HTTP/1.1 503 "), "{lane}: {head}");
            }
        }
    }
}

/// RFC 6455 5.5.3: "A Pong frame sent in response to a Ping frame must have identical "Application
/// data""; 5.5.1: "If an endpoint receives a Close frame and did not previously send a Close frame,
/// the endpoint MUST send a Close frame in response."
#[tokio::test]
async fn control_frames_are_answered_between_events() {
    for lane in ["ws-h1", "ws-h1%axum"] {
        let server = Server::start(lane, &[], Limits::default());
        let (mut client, _) = server.subscribe().await;
        client.write_all(b"\x89\x82\0\0\0\0hi").await.unwrap();
        assert_eq!(read(&mut client, 4).await, b"\x8a\x02hi", "{lane}");
        server.publish(5);
        let expected = expected(&server, 5..=5);
        assert_eq!(read(&mut client, expected.len()).await, expected, "{lane}");
        client.write_all(b"\x88\x82\0\0\0\0\x03\xe8").await.unwrap();
        assert_eq!(rest(&mut client).await, b"\x88\x02\x03\xe8", "{lane}");
        server.meter.idle().await;
    }
}

/// A burst costs the twins as many writes: what is there at once leaves at once, as far as hyper's queue goes.
#[tokio::test]
async fn events_that_are_there_at_once_leave_with_one_write() {
    for lane in ["raw", "sse-h1", "ws-h1"] {
        let server = Server::start(lane, &[], Limits::default());
        let (mut client, _) = server.subscribe().await;
        let before = server.meter.totals((0, 0)).writes;
        (1..=10).for_each(|seq| server.publish(seq));
        let expected = expected(&server, 1..=10);
        assert_eq!(read(&mut client, expected.len()).await, expected, "{lane}");
        assert_eq!(server.meter.totals((0, 0)).writes - before, 1, "{lane}");
    }
}

#[tokio::test]
async fn writes_of_sampled_connections_are_recorded_with_their_offsets() {
    for lane in LANES {
        let server = Server::start(lane, &[], Limits::default());
        let (mut client, head) = server.subscribe().await;
        let (mut other, _) = server.subscribe().await;
        server.meter.sample(&[client.local_addr().unwrap().port()]);
        let mut offset = head.len() as u64;
        let mut offsets = Vec::new();
        for seq in 1..=3 {
            server.publish(seq);
            let expected = expected(&server, seq..=seq);
            read(&mut client, expected.len()).await;
            read(&mut other, expected.len()).await;
            offset += expected.len() as u64;
            offsets.push(offset);
        }
        let samples = server.meter.totals((0, 0)).samples;
        let [sample] = &samples[..] else { panic!("{lane}: {samples:?}") };
        assert_eq!(sample.peer_port, client.local_addr().unwrap().port());
        let (ends, moments): (Vec<_>, Vec<_>) = sample.writes.iter().copied().unzip();
        assert_eq!(ends, offsets, "{lane}: one write an event");
        assert!(moments.is_sorted());
    }
}

/// RFC 7692 5.1 and 6: a client that offers compression gets frames with RSV1 set; without context takeover
/// they are the same for all, and who cannot read them is refused. With it, who offers nothing gets plain ones.
#[tokio::test]
async fn compressed_frames_are_for_those_who_agreed_to_them() {
    let offer = upgrade("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
    let stateless = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    for (lane, answer, without) in
        [("ws-h1+deflate", "permessage-deflate", "101"), ("ws-h1+deflate-stateless", stateless, "400")]
    {
        let server = Server::start(lane, &[], Limits::default());
        let mut frames = Vec::new();
        for _ in 0..2 {
            let mut client = TcpStream::connect(server.address).await.unwrap();
            let head = request(&mut client, &offer).await;
            assert!(head.contains(&format!("sec-websocket-extensions: {answer}\r\n")), "{lane}: {head}");
            server.publish(frames.len() as u64 + 7);
            let header = read(&mut client, 2).await;
            assert_eq!((header[0], header[1] < 126), (0xC1, true), "{lane}");
            frames.push(read(&mut client, usize::from(header[1])).await);
            // The next one is greeted with the same event again.
            server.publish(7);
        }
        let mut plain = TcpStream::connect(server.address).await.unwrap();
        let head = request(&mut plain, &upgrade("")).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {without} ")), "{lane}: {head}");
        if without == "101" {
            assert_eq!(read(&mut plain, 2).await[0], 0x81, "{lane}");
        }
    }
}
