//! Whole clients against tiny servers that say canned bytes: good ones, and each kind of bad one.

use std::net::SocketAddr;
use std::sync::Arc;

use scenarios::{Event, Lane, Scenario};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{Seen, h2_cases, ws_h2_cases};
use crate::failure::Failure;
use crate::lanes::crowd::Crowd;
use crate::lanes::{Arrival, Bytes, Sink, Subscriber, Target, tls};

const SSE_HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const SSE_EVENTS: &str =
    "1d\r\nid: 7\nevent: quote\ndata: {}\n\n\r\n1e\r\nid: 10\nevent: quote\ndata: {}\n\n\r\n";
/// The same events as zlib 1.2 compresses them, a chunk each, and the end of the stream.
const GZIP_EVENTS: &[u8] = b"2d\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcaL\xb1R0\xe7J-K\xcd+\xb1R(,\xcd/I\xe5JI,I\xb4R\xa8\xae\xe5\xe2\x02\x00\x00\x00\xff\xff\r\nd\r\n\xca\x04J\x1a\x1a\xe0\x92\x05\x00\x00\x00\xff\xff\r\na\r\n\x03\x00\xdd\x08\xb8\n;\x00\x00\x00\r\n";
const DEFLATE: &str = "sec-websocket-extensions: permessage-deflate";
const WS_HEAD: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: keep-alive, Upgrade\r\nsec-websocket-accept: KEY\r\n\r\n";
const WS_EVENTS: &[u8] = b"\x81\x0a7\nquote\n{}\x89\x02hi\x81\x0b10\nquote\n{}\x88\x02\x03\xE8";
const RAW_EVENTS: &[u8] = b"\x00\x00\x00\x0a7\nquote\n{}\x00\x00\x00\x0b10\nquote\n{}";

/// What a subscriber's stream said, in order.
pub enum Said {
    Opened(usize),
    Event(Seen, Arrival),
    Counted(Option<Bytes>),
    Over(Failure),
}

impl Sink for UnboundedSender<Said> {
    fn opened(&mut self, stream: usize) {
        let _nobody_asks_any_more = self.send(Said::Opened(stream));
    }

    fn event(&mut self, _stream: usize, event: &Event<'_>, arrival: Arrival) {
        let _nobody_asks_any_more = self.send(Said::Event(Seen::of(event, arrival.end_offset), arrival));
    }

    fn counted(&mut self, counts: Option<Bytes>) {
        let _nobody_asks_any_more = self.send(Said::Counted(counts));
    }

    fn over(&mut self, _stream: usize, failure: &Failure) {
        let _nobody_asks_any_more = self.send(Said::Over(failure.clone()));
    }
}

/// Attends to a subscriber in a spawned task, as the fleet does (so its future is `Send`).
pub async fn listen(target: &Target, sampled: bool) -> Result<UnboundedReceiver<Said>, Failure> {
    let mut subscriber = Subscriber::connect(target).await?;
    assert!(!sampled || subscriber.sample().unwrap());
    let (sink, said) = unbounded_channel();
    let crowd = Crowd::start().unwrap();
    tokio::spawn(async move { subscriber.attend(sink, &crowd).await });
    Ok(said)
}

/// Accepts one connection, inside TLS if there is an acceptor, and serves it.
async fn accept(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    is_http: bool,
    parts: Vec<Vec<u8>>,
) -> (String, Vec<u8>) {
    let (stream, _) = listener.accept().await.unwrap();
    stream.set_nodelay(true).unwrap();
    match acceptor {
        None => serve(stream, is_http, parts).await,
        Some(acceptor) => serve(acceptor.accept(stream).await.unwrap(), is_http, parts).await,
    }
}

/// Reads a request, says `parts` (`KEY` becomes the accept key), then closes for writing and reads to
/// the end; returns the request and what followed it.
async fn serve<S>(mut stream: S, is_http: bool, parts: Vec<Vec<u8>>) -> (String, Vec<u8>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = String::new();
    while is_http && !request.ends_with("\r\n\r\n") {
        request.push(char::from(stream.read_u8().await.unwrap()));
    }
    for part in parts {
        let key = request.lines().find_map(|line| {
            line.to_ascii_lowercase().starts_with("sec-websocket-key").then(|| line[19..].to_owned())
        });
        let accept = derive_accept_key(key.unwrap_or_default().as_bytes());
        let text = part.windows(3).position(|window| window == b"KEY");
        let said = text.map_or(part.clone(), |at| [&part[..at], accept.as_bytes(), &part[at + 3..]].concat());
        if stream.write_all(&said).await.is_err() || stream.flush().await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    (request, finish(stream).await)
}

async fn finish<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> Vec<u8> {
    let mut rest = Vec::new();
    let _closed_already = stream.shutdown().await;
    let _reset = stream.read_to_end(&mut rest).await;
    rest
}

struct Session {
    seen: Vec<(Seen, Arrival)>,
    counts: Option<Bytes>,
    end: Failure,
    request: String,
    rest: Vec<u8>,
}

fn target(lane: &str, address: SocketAddr) -> Target {
    let scenario = Arc::new(Scenario::load("smoke", &[]).unwrap().1);
    let lane = lane.parse::<Lane>().unwrap();
    Target {
        lane,
        address,
        path: None,
        source: None,
        client: 7,
        streams: 1,
        scenario,
        tls: None,
        after: Vec::new(),
    }
}

/// Connects and reads to the end.
async fn session(lane: &'static str, parts: &[&[u8]]) -> Result<Session, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut target = target(lane, listener.local_addr().unwrap());
    let parts = parts.iter().map(|part| part.to_vec()).collect();
    let (carrier, address) = (target.lane.carrier, target.address.ip());
    let secured = target.lane.tls.then(|| servers::tls::secure(carrier, address).unwrap());
    target.tls = secured.as_ref().map(|secured| tls::trusting(&secured.certificate, carrier).unwrap());
    let acceptor = secured.map(|secured| secured.acceptor);
    let server = tokio::spawn(accept(listener, acceptor, !lane.starts_with("raw"), parts));
    let mut said = listen(&target, false).await?;
    let (mut seen, mut counts, mut end) = (Vec::new(), None, None);
    while let Some(said) = said.recv().await {
        assert!(end.is_none() || matches!(said, Said::Counted(_)), "no event follows the end");
        match said {
            Said::Event(event, arrival) => seen.push((event, arrival)),
            Said::Opened(stream) => panic!("stream {stream} of a connection that has one"),
            Said::Counted(now) => counts = now,
            Said::Over(failure) => end = Some(failure),
        }
    }
    let (request, rest) = server.await.unwrap();
    Ok(Session { seen, counts, end: end.expect("every stream ends"), request, rest })
}

fn summary(session: &Session) -> Vec<(String, String, String)> {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    session.seen.iter().map(|(event, _)| (text(&event.id), text(&event.name), event.data.clone())).collect()
}

#[tokio::test]
async fn every_client_delivers_what_a_good_server_says() {
    let quote = |id: &str| (id.to_owned(), "quote".to_owned(), "{}".to_owned());
    let expected = [quote("7"), quote("10")];
    let sse: [&[u8]; 3] = [SSE_HEAD.as_bytes(), SSE_EVENTS.as_bytes(), b"0\r\n\r\n"];
    let gzip_head = SSE_HEAD.replace("\r\n\r\n", "\r\ncontent-encoding: gzip\r\n\r\n");
    let gzip: [&[u8]; 3] = [gzip_head.as_bytes(), GZIP_EVENTS, b"0\r\n\r\n"];
    let ws: [&[u8]; 2] = [WS_HEAD.as_bytes(), WS_EVENTS];
    // tungstenite takes no list of connection options, though RFC 6455 4.1 asks for a token in one.
    let plain = WS_HEAD.replace("keep-alive, Upgrade", "Upgrade");
    let tungstenite: [&[u8]; 2] = [plain.as_bytes(), WS_EVENTS];
    let raw: [&[u8]; 2] = [b"\x00\x00\x00\x00", RAW_EVENTS];
    let h2: [&[u8]; 3] = [h2_cases::HEAD, h2_cases::EVENTS, h2_cases::END];
    let ws_h2: [&[u8]; 3] = [ws_h2_cases::HEAD, ws_h2_cases::EVENTS, ws_h2_cases::END];
    let h2_gzip: [&[u8]; 3] = [h2_cases::GZIP_HEAD, h2_cases::GZIP_EVENTS, h2_cases::END];
    for (lane, parts) in [
        ("sse-h1", &sse[..]),
        ("sse-h1@reqwest", &sse),
        ("sse-h1+gzip", &gzip),
        ("ws-h1", &ws),
        ("ws-h1@tungstenite", &tungstenite),
        ("raw", &raw),
        ("sse-h2", &h2),
        ("sse-h2+gzip", &h2_gzip),
        ("ws-h2", &ws_h2),
        ("sse-h1+tls", &sse),
        ("sse-h2+tls", &h2),
        ("ws-h1+tls", &ws),
        ("ws-h2+tls", &ws_h2),
        ("raw+tls", &raw),
    ] {
        for parts in [parts.to_vec(), vec![parts.concat().leak()]] {
            let session = session(lane, &parts).await.unwrap();
            assert_eq!(summary(&session), expected, "{lane}");
            assert_eq!(session.end, Failure::Ended, "{lane}");
            let total: usize = parts.iter().map(|part| part.len()).sum();
            let longer = if lane.starts_with("ws-h1") { 28 - 3 } else { 0 };
            if let Some(counts) = session.counts {
                assert_eq!(counts.payload, if lane.contains("gzip") { 0 } else { 4 }, "{lane}");
                // What TLS adds is checked to the byte in `tls_cases`, and against the kernel.
                if lane.ends_with("+tls") {
                    assert!(counts.handshake_down > 500, "{lane}: {counts:?}");
                    continue;
                }
                assert_eq!(counts.received(), (total + longer) as u64, "{lane}");
                let up = (session.request.len() + session.rest.len()) as u64;
                assert_eq!(counts.handshake_up + counts.up, up, "{lane}");
                // A raw client's name is its request; this server reads it last. Over HTTP/2 it reads no
                // further than the preface before it answers.
                let handshake = session.request.len() as u64 + if lane == "raw" { 8 } else { 0 };
                assert!(lane.contains("-h2") || counts.handshake_up == handshake, "{lane}");
            }
        }
    }
}

/// RFC 9112 3 and WHATWG HTML 9.2.2 ("`Accept`/`text/event-stream`", cache mode "no-store").
#[tokio::test]
async fn golden_bytes_of_the_requests() {
    let session_of = async |lane, head: &str| session(lane, &[head.as_bytes()]).await.unwrap().request;
    let sse = session_of("sse-h1", SSE_HEAD).await;
    let host = sse.lines().nth(1).unwrap().to_owned();
    assert!(host.starts_with("host: 127.0.0.1:"));
    assert_eq!(
        sse,
        format!(
            "GET /sse?client=7 HTTP/1.1\r\n{host}\r\naccept: text/event-stream\r\ncache-control: no-store\r\n\r\n"
        )
    );
    let gzip_head = SSE_HEAD.replace("\r\n\r\n", "\r\ncontent-encoding: gzip\r\n\r\n");
    let gzip = session_of("sse-h1+gzip", &gzip_head).await;
    let host = gzip.lines().nth(1).unwrap();
    assert_eq!(
        gzip,
        format!(
            "GET /sse?client=7 HTTP/1.1\r\n{host}\r\naccept: text/event-stream\r\naccept-encoding: gzip\r\ncache-control: no-store\r\n\r\n"
        )
    );
    let ws = session_of("ws-h1", WS_HEAD).await;
    let (host, key) = (ws.lines().nth(1).unwrap(), ws.lines().nth(5).unwrap());
    // RFC 6455 4.1: the key is "a nonce consisting of a randomly selected 16-byte value that has
    // been base64-encoded".
    assert_eq!(key.len(), "sec-websocket-key: ".len() + 24);
    assert_eq!(
        ws,
        format!(
            "GET /ws?client=7 HTTP/1.1\r\n{host}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n{key}\r\n\r\n"
        )
    );
}

/// RFC 7692 7.1: the offers of both lanes.
#[tokio::test]
async fn golden_bytes_of_the_offers() {
    let stateless = "; server_no_context_takeover; client_no_context_takeover";
    for (lane, parameters) in [("ws-h1+deflate", ""), ("ws-h1+deflate-stateless", stateless)] {
        let head = WS_HEAD.replace("upgrade:", &format!("{DEFLATE}{parameters}\r\nupgrade:"));
        let request = session(lane, &[head.as_bytes()]).await.unwrap().request;
        assert!(request.ends_with(&format!("\r\n{DEFLATE}{parameters}\r\n\r\n")), "{request}");
    }
}

/// The kernel begins to stamp some time after it was asked, so the server talks until it does.
#[tokio::test]
async fn sampled_connections_carry_the_kernels_stamp_and_offsets_are_the_sockets() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = target("raw", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"\x00\x00\x00\x00").await.unwrap();
        while stream.write_all(RAW_EVENTS).await.is_ok() {}
    });
    let mut said = listen(&target, true).await.unwrap();
    let mut arrivals = Vec::new();
    let stamp = loop {
        let Some(Said::Event(_, arrival)) = said.recv().await else { continue };
        arrivals.push(arrival);
        if let Some(stamp) = arrival.kernel {
            break stamp;
        }
        assert!(arrivals.len() < 10_000_000, "the kernel never stamped");
    };
    // 2020-09-13: a wall clock, not a monotonic one.
    assert!(stamp.0 > 1_600_000_000_000_000_000);
    let offsets: Vec<u64> = arrivals.iter().take(4).map(|arrival| arrival.end_offset).collect();
    assert_eq!(offsets, [18, 33, 47, 62]);
}

#[tokio::test]
async fn a_bad_answer_is_a_clear_failure() {
    let endless = [b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'a'; 20_000]].concat();
    let status = |line: &str| {
        format!("HTTP/1.1 {line}\r\ncontent-type: text/event-stream\r\ncontent-length: 0\r\n\r\n")
    };
    let h2_404 = b"\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\x05\0\0\0\x01\x8d".to_vec();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("sse-h1", status("404 Not Found").into(), "status 404"),
        ("sse-h1", status("204 No Content").into(), "status 204"),
        ("sse-h1@reqwest", status("503 Busy").into(), "status 503"),
        ("ws-h1", status("200 OK").into(), "status 200"),
        ("ws-h1@tungstenite", status("403 Forbidden").into(), "status 403"),
        ("sse-h1", SSE_HEAD.replace("text/event-stream", "text/html").into(), "content type `text/html`"),
        ("sse-h1", SSE_HEAD.replace("content-type", "x").into(), "content type `none`"),
        (
            "sse-h1@reqwest",
            SSE_HEAD.replace("text/event-stream", "text/html").into(),
            "content type `text/html`",
        ),
        ("sse-h1", SSE_HEAD.replace("chunked", "gzip").into(), "unknown transfer coding `gzip`"),
        (
            "sse-h1",
            SSE_HEAD.replace("\r\n\r\n", "\r\ncontent-encoding: gzip\r\n\r\n").into(),
            "content encoding `gzip` is not the `identity`",
        ),
        ("sse-h1+gzip", SSE_HEAD.into(), "content encoding `identity` is not the `gzip`"),
        (
            "ws-h1",
            WS_HEAD.replace("KEY", "wrong").into(),
            "wrong `sec-websocket-accept` in the upgrade: wrong",
        ),
        ("ws-h1", WS_HEAD.replace("keep-alive, Upgrade", "close").into(), "wrong `connection`"),
        ("ws-h1", WS_HEAD.replace("upgrade: websocket", "upgrade: h2c").into(), "wrong `upgrade`"),
        (
            "ws-h1",
            WS_HEAD.replace("upgrade:", "sec-websocket-extensions: x\r\nupgrade:").into(),
            "wrong `sec-websocket-ext",
        ),
        ("ws-h1+deflate", WS_HEAD.into(), "extension `none` is not the permessage-deflate that was offered"),
        (
            "ws-h1+deflate",
            WS_HEAD.replace("upgrade:", &format!("{DEFLATE}; server_no_context_takeover\r\nupgrade:")).into(),
            "is not the context takeover that was offered",
        ),
        (
            "ws-h1+deflate-stateless",
            WS_HEAD.replace("upgrade:", &format!("{DEFLATE}\r\nupgrade:")).into(),
            "is not the context takeover that was offered",
        ),
        ("sse-h1", b"HTTP/1.1 200 OK\r\n".to_vec(), "closed before it answered"),
        ("ws-h1", Vec::new(), "closed before it answered"),
        ("raw", Vec::new(), "closed before it answered"),
        ("sse-h1", b"\x00\x01garbage".to_vec(), "response head: invalid"),
        ("ws-h1", b"SSH-2.0-OpenSSH\r\n".to_vec(), "response head: invalid"),
        ("sse-h2", b"HTTP/1.1 400 Bad Request\r\n".to_vec(), "HTTP/2: a frame is larger than was agreed"),
        ("sse-h2", Vec::new(), "closed before it answered"),
        ("sse-h2", [&h2_cases::HEAD[..20], b"\x8d"].concat(), "closed before it answered"),
        ("sse-h2", h2_404.clone(), "status 404"),
        ("ws-h2", h2_404, "lack ENABLE_CONNECT_PROTOCOL"),
        ("ws-h2", [&ws_h2_cases::HEAD[..24], b"\x8d"].concat(), "status 404"),
        ("sse-h2", h2_cases::GZIP_HEAD.into(), "content encoding `gzip` is not the `identity`"),
        ("sse-h2+gzip", h2_cases::HEAD.into(), "content encoding `identity` is not the `gzip`"),
        ("raw", b"HTTP/1.1 400\r\n".to_vec(), "raw frame of"),
        ("raw", b"\x00\x00\x00\x01x".to_vec(), "no hello"),
        ("sse-h1", endless.clone(), "longer than 16 KiB"),
        ("ws-h1", endless, "longer than 16 KiB"),
    ];
    for (lane, answer, expected) in cases {
        let failure = session(lane, &[&answer]).await.err().expect(expected).to_string();
        assert!(failure.contains(expected), "{lane}: {failure}, expected {expected}");
    }
}

#[tokio::test]
async fn an_open_stream_that_breaks_keeps_what_came_before() {
    let sse: [&[u8]; 3] = [SSE_HEAD.as_bytes(), SSE_EVENTS.as_bytes(), b"not a chunk"];
    let ws: [&[u8]; 3] = [WS_HEAD.as_bytes(), &WS_EVENTS[..29], b"\xFF\xFF\xFF"];
    let h2: [&[u8]; 3] = [h2_cases::HEAD, h2_cases::EVENTS, b"not a frame"];
    for (lane, parts) in [("sse-h1", sse), ("sse-h2", h2), ("ws-h1", ws)] {
        let session = session(lane, &parts).await.unwrap();
        assert_eq!((session.seen.len(), session.end.kind()), (2, "protocol"), "{lane}");
    }
}

#[tokio::test]
async fn nobody_there_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for lane in ["raw", "sse-h1", "sse-h2", "ws-h1", "sse-h1@reqwest", "ws-h1@tungstenite"] {
        let failure = Subscriber::connect(&target(lane, address)).await.err();
        assert_eq!(failure, Some(Failure::Refused), "{lane}");
    }
}
