//! A server of one lane on loopback, and a client that reads bytes and understands nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use scenarios::{Carrier, Lane, Scenario, Transport};
use servers::http::Limits;
use servers::hub::Hub;
use servers::lanes::{self, Service, read_buffer_bytes};
use servers::listen::listen;
use servers::tls::Secured;
use servers::wire::Meter;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Every server half there is.
pub const LANES: [&str; 7] = ["raw", "sse-h1", "sse-h2", "ws-h1", "ws-h2", "sse-h1%axum", "ws-h1%axum"];

/// A hang fails a test instead of stopping it.
const HANG: Duration = Duration::from_secs(20);

pub struct Server {
    pub lane: Lane,
    pub scenario: Scenario,
    pub hub: Hub,
    pub meter: Arc<Meter>,
    pub address: SocketAddr,
    pub listener: JoinHandle<()>,
}

impl Server {
    pub fn start(lane: &str, fields: &[(&str, &str)], limits: Limits) -> Self {
        Self::start_inside(None, lane, fields, limits)
    }

    /// The same, inside TLS if there is one.
    pub fn start_inside(
        secured: Option<Secured>,
        lane: &str,
        fields: &[(&str, &str)],
        limits: Limits,
    ) -> Self {
        let fields: Vec<_> = fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let scenario = Scenario::load("smoke", &fields).unwrap().1;
        let lane: Lane = lane.parse().unwrap();
        let case = scenario.outage.as_ref().map(|outage| outage.cases(lane)[0]);
        let hub = lanes::hub(lane, &scenario).unwrap();
        let hub = lanes::outage::prepared(hub, lane, &scenario, case, 0).unwrap();
        tokio::spawn(hub.clone().end_at_age());
        let meter = Arc::new(Meter::default());
        let listening = listen("127.0.0.1:0".parse().unwrap(), &scenario, read_buffer_bytes(lane)).unwrap();
        let address = listening.address;
        let service = Service::of(lane, hub.clone(), &scenario, limits);
        let listener = tokio::spawn(listening.serve(Arc::clone(&meter), service, secured));
        Self { lane, scenario, hub, meter, address, listener }
    }

    pub fn publish(&self, seq: u64) {
        let body = self.scenario.payload.body(self.scenario.seed, seq);
        self.hub.publish(seq, lanes::frame(self.lane, &self.scenario, seq, &body).unwrap());
    }

    /// Connects and reads exactly to the end of the handshake: the response head, or the hello.
    pub async fn subscribe(&self) -> (TcpStream, Vec<u8>) {
        if self.lane.carrier == Carrier::H2 {
            return crate::h2::subscribe(self).await;
        }
        let mut client = TcpStream::connect(self.address).await.unwrap();
        let head = match self.lane.transport {
            Transport::Raw => {
                if self.hub.wants_names() {
                    client.write_all(&[0, 0, 0, 4, 0, 0, 0, 0]).await.unwrap();
                }
                assert_eq!(read(&mut client, 4).await, [0; 4]);
                vec![0; 4]
            }
            Transport::Sse => request(&mut client, SUBSCRIBE).await.into(),
            Transport::Ws => request(&mut client, &upgrade("")).await.into(),
            Transport::LongPoll | Transport::Poll => unreachable!("a poll is no subscription: `polls.rs`"),
        };
        (client, head)
    }
}

/// A request for the event stream.
pub const SUBSCRIBE: &str = "GET /sse HTTP/1.1\r\nHost: a\r\n\r\n";

/// An opening handshake, with more fields.
pub fn upgrade(more: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

/// Sends a request and reads the head of the response, byte for byte.
pub async fn request(client: &mut TcpStream, request: &str) -> String {
    client.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(read(client, 1).await);
    }
    String::from_utf8(head).unwrap()
}

pub async fn read(client: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut buffer = vec![0; bytes];
    tokio::time::timeout(HANG, client.read_exact(&mut buffer)).await.expect("no hang").unwrap();
    buffer
}

/// All bytes until the server closes.
pub async fn rest(client: &mut TcpStream) -> Vec<u8> {
    let mut buffer = Vec::new();
    tokio::time::timeout(HANG, client.read_to_end(&mut buffer)).await.expect("no hang").unwrap();
    buffer
}

/// All bytes until these are the last.
pub async fn read_until(client: &mut TcpStream, last: &[u8]) -> Vec<u8> {
    let mut buffer = Vec::new();
    while !buffer.ends_with(last) {
        let read = tokio::time::timeout(HANG, client.read_buf(&mut buffer)).await.expect("no hang").unwrap();
        assert!(read > 0, "closed after {} bytes", buffer.len());
    }
    buffer
}

/// Ends every subscription, and reads what the client still gets.
pub async fn stop_and_drain(server: &Server, client: &mut TcpStream) -> Vec<u8> {
    server.hub.close();
    match server.lane.transport {
        Transport::Raw => rest(client).await,
        Transport::Sse if server.lane.carrier == Carrier::H2 => read_until(client, H2_END).await,
        Transport::Ws if server.lane.carrier == Carrier::H2 => read_until(client, H2_AWAY).await,
        Transport::Sse => read_until(client, SSE_END).await,
        Transport::Ws => read_until(client, WS_AWAY).await,
        Transport::LongPoll | Transport::Poll => rest(client).await,
    }
}

/// RFC 9112 7.1: "The chunked coding is complete when a chunk with a chunk-size of zero is received".
pub const SSE_END: &[u8] = b"0\r\n\r\n";

/// RFC 9113 6.1: DATA, no bytes of it, END_STREAM, on stream 1.
pub const H2_END: &[u8] = b"\0\0\0\0\x01\0\0\0\x01";

/// The goodbye of a WebSocket in a DATA frame of stream 1, which goes on until the client has said its own.
pub const H2_AWAY: &[u8] = b"\0\0\x04\0\0\0\0\0\x01\x88\x02\x03\xe9";

/// RFC 6455 7.4.1: "1001 indicates that an endpoint is "going away", such as a server going down".
pub const WS_AWAY: &[u8] = b"\x88\x02\x03\xe9";
