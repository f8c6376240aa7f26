//! One port, both versions of HTTP: what curl gets for each of its options, and streams over HTTP/2.

use std::process::Command;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use h2::ext::Protocol;
use hyper::{Method, Request, StatusCode, Version};
use servers::websocket::frame::Role;
use servers::websocket::peer::Peer;
use tokio::net::TcpStream;

use crate::server::Server;

/// The version that curl says it got the page over, and whether it got it.
fn curl(options: &[&str], address: &str) -> String {
    let command =
        [&["-sS", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_code} %{http_version}"], options];
    let output = Command::new("curl")
        .args(command.concat())
        .arg(address)
        .output()
        .expect("curl is not here: install it (`apt-get install curl`)");
    assert!(output.status.success(), "curl {options:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn curl_gets_the_version_of_http_that_it_asks_for() {
    for (args, scheme, cases) in [
        (
            &[][..],
            "http",
            // RFC 9113 3.1: the upgrade that `--http2` offers in the clear "was never widely deployed"; it may be ignored.
            &[(&[][..], "1.1"), (&["--http2-prior-knowledge"], "2"), (&["--http2"], "1.1"), (&["-0"], "1")][..],
        ),
        (
            &["--tls"],
            "https",
            &[
                (&["-k"], "2"),
                (&["-k", "--http2"], "2"),
                (&["-k", "--http1.1"], "1.1"),
                (&["-k", "--no-alpn"], "1.1"),
            ],
        ),
    ] {
        let server = Server::start(args);
        for path in ["/", "/schedule", "/poll"] {
            let address = format!("{scheme}://{}{path}", server.authority);
            for (options, version) in cases {
                assert_eq!(curl(options, &address), format!("200 {version}"), "{options:?} {address}");
            }
        }
    }
}

/// Asks over HTTP/2; the body of what is answered with 200.
async fn ask(client: &mut SendRequest<Bytes>, request: Request<()>) -> RecvStream {
    let path = request.uri().path().to_owned();
    let ends = request.method() != Method::CONNECT;
    let (answer, _) = client.send_request(request, ends).unwrap();
    let answer = answer.await.unwrap();
    assert_eq!((answer.version(), answer.status()), (Version::HTTP_2, StatusCode::OK), "{path}");
    answer.into_body()
}

/// All of a body.
async fn whole(mut body: RecvStream) -> String {
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        bytes.extend_from_slice(&data.unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

/// The ids of whole events in the text of an event stream.
fn event_ids(text: &str) -> Vec<u64> {
    let whole = text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
    whole.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect()
}

/// The client's end of a WebSocket, and the ids of the messages that came.
struct Socket {
    peer: Peer,
    read: Vec<u8>,
    ids: Vec<u64>,
}

impl Socket {
    async fn read(&mut self, body: &mut RecvStream) {
        self.read.extend_from_slice(&some(body).await.expect("a close frame before the end"));
        let ids = &mut self.ids;
        let walked = self.peer.walk(&self.read, &mut |message, _| {
            let text = std::str::from_utf8(message.data).unwrap();
            ids.push(text.lines().next().unwrap().parse().unwrap());
        });
        self.read.drain(..walked.unwrap());
    }
}

/// What comes next of a stream.
async fn some(body: &mut RecvStream) -> Option<Bytes> {
    let data = body.data().await?.unwrap();
    body.flow_control().release_capacity(data.len()).unwrap();
    Some(data)
}

fn follow_each_other(ids: &[u64]) -> bool {
    ids.windows(2).all(|pair| pair[1] == pair[0] + 1)
}

#[tokio::test]
async fn over_http2_it_serves_page_event_stream_and_websocket_on_one_connection_and_ends_each() {
    let mut server = Server::start(&["--rate", "200"]);
    let authority = server.authority.clone();
    let tcp = TcpStream::connect(&authority).await.unwrap();
    let (mut client, connection) = h2::client::handshake(tcp).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = |method: Method, path: &str| {
        let uri = format!("http://{authority}{path}");
        Request::builder().method(method).uri(uri).body(()).unwrap()
    };
    let page = whole(ask(&mut client, request(Method::GET, "/")).await).await;
    assert!(page.contains("new EventSource(\"/sse\")"));
    let mut events = ask(&mut client, request(Method::GET, "/sse")).await;
    assert!(client.is_extended_connect_protocol_enabled(), "SETTINGS_ENABLE_CONNECT_PROTOCOL");
    let mut opening = request(Method::CONNECT, "/ws");
    opening.headers_mut().insert("sec-websocket-version", "13".parse().unwrap());
    opening.extensions_mut().insert(Protocol::from_static("websocket"));
    let mut messages = ask(&mut client, opening).await;

    let mut text = String::new();
    while event_ids(&text).len() < 20 {
        text += std::str::from_utf8(&some(&mut events).await.unwrap()).unwrap();
    }
    let mut socket =
        Socket { peer: Peer::new(Role::Client, 1 << 20, None), read: Vec::new(), ids: Vec::new() };
    while socket.ids.len() < 20 {
        socket.read(&mut messages).await;
    }
    let opened = whole(ask(&mut client, request(Method::GET, "/opened")).await).await;
    assert_eq!(opened, r#"{"sse":{"http/1.1":0,"h2":1},"ws":{"http/1.1":0,"h2":1}}"#);

    server.ask_to_end();
    while let Some(data) = some(&mut events).await {
        text += std::str::from_utf8(&data).unwrap();
    }
    assert!(text.ends_with("\n\n") && follow_each_other(&event_ids(&text)), "{text}");
    while !socket.peer.is_over() {
        socket.read(&mut messages).await;
    }
    assert!(follow_each_other(&socket.ids), "{:?}", socket.ids);
    assert_eq!(socket.peer.told(), Some(1012), "it may come back");
    drop((client, messages, events));
    connection.await.unwrap().unwrap();
    assert_eq!(server.ended(), Some(0));
}
