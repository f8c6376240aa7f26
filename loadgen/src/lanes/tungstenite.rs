//! The ecosystem's WebSocket client: tokio-tungstenite with its default configuration.
//!
//! Its default read buffer of 128 KiB a connection is what the report shows beside the lean
//! client: a library's default, not the protocol's price. The socket is ours, with equal options.

use futures_util::StreamExt as _;
use scenarios::{Envelope, Event, Identity, Moment, envelope};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::handshake::WS_PATH;
use super::{Arrival, Sink, Target};
use crate::dial::dial;
use crate::failure::Failure;

/// One open stream of tokio-tungstenite.
#[derive(Debug)]
pub struct Tungstenite {
    stream: WebSocketStream<TcpStream>,
    identity: Identity,
    envelope: Envelope,
}

impl Tungstenite {
    /// Connects and upgrades.
    ///
    /// # Errors
    /// No connection, or no valid handshake.
    pub async fn connect(target: &Target) -> Result<Self, Failure> {
        let socket = dial(target.address, target.source, &target.scenario).await?;
        let url = format!("ws://{}{WS_PATH}?client={}", target.address, target.client);
        let (stream, _) = tokio_tungstenite::client_async(url, socket).await.map_err(failure)?;
        Ok(Self { stream, identity: target.scenario.identity, envelope: target.scenario.envelope })
    }

    /// Awaits one message; the library answers pings and the closing handshake on the way.
    ///
    /// # Errors
    /// [`Failure::Ended`] at the end of the stream; else what broke it.
    pub async fn next(&mut self, sink: &mut impl Sink) -> Result<(), Failure> {
        loop {
            let message = self.stream.next().await.ok_or(Failure::Ended)?.map_err(failure)?;
            let read = Moment::now();
            let bytes = match &message {
                Message::Text(text) => text.as_bytes(),
                Message::Binary(bytes) => bytes,
                Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => continue,
            };
            let event = envelope::decode(self.identity, self.envelope, bytes).unwrap_or(Event {
                id: None,
                name: None,
                data: bytes.into(),
            });
            sink.event(0, &event, Arrival { read, kernel: None, end_offset: 0 });
            return Ok(());
        }
    }

    /// The socket.
    #[must_use]
    pub fn stream(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// Size of the connection's own read buffer, bytes.
    #[must_use]
    pub fn read_buffer(&self) -> usize {
        self.stream.get_config().read_buffer_size
    }
}

fn failure(error: Error) -> Failure {
    match error {
        Error::Http(response) => Failure::Status(response.status().as_u16()),
        Error::Io(err) => err.into(),
        Error::ConnectionClosed | Error::AlreadyClosed => Failure::Ended,
        error @ (Error::Capacity(_)
        | Error::Protocol(_)
        | Error::WriteBufferFull(_)
        | Error::Utf8(_)
        | Error::AttackAttempt
        | Error::Url(_)
        | Error::HttpFormat(_)
        | Error::Tls(_)) => Failure::Protocol(error.to_string()),
    }
}
