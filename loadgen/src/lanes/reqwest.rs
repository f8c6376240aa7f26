//! The ecosystem's SSE client: reqwest with eventsource-stream, as their documentation shows.
//!
//! A compared variant, never the ground truth (eventsource-stream panics on a byte order mark and
//! loses lines that end in CR). reqwest opens its sockets itself: `TCP_NODELAY` is set, but
//! congestion control and buffer sizes are the system's, and bytes and ports stay hidden.

use std::cell::OnceCell;

use ::reqwest::{Client, StatusCode, header};
use eventsource_stream::{EventStreamError, Eventsource as _};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use scenarios::{Event, Identity, Moment};

use super::handshake::SSE_PATH;
use super::{Arrival, Sink, Target, base64};
use crate::failure::Failure;

type Parsed = Result<eventsource_stream::Event, EventStreamError<::reqwest::Error>>;

thread_local! {
    static CLIENT: OnceCell<Client> = const { OnceCell::new() };
}

/// One open stream of reqwest and eventsource-stream.
pub struct Reqwest {
    events: BoxStream<'static, Parsed>,
    identity: Identity,
    is_base64: bool,
}

impl Reqwest {
    /// Requests the stream and checks the response's head.
    ///
    /// # Errors
    /// No connection, or not status 200 with `text/event-stream`.
    pub async fn connect(target: &Target) -> Result<Self, Failure> {
        let request = client()?
            .get(url(target))
            .header(header::ACCEPT, "text/event-stream")
            .header(header::CACHE_CONTROL, "no-store");
        let response = request.send().await.map_err(|err| failure(&err))?;
        if response.status() != StatusCode::OK {
            return Err(Failure::Status(response.status().as_u16()));
        }
        let content_type = response.headers().get(header::CONTENT_TYPE);
        let content_type =
            content_type.map_or("none".into(), |value| String::from_utf8_lossy(value.as_bytes()));
        if !content_type.to_ascii_lowercase().starts_with("text/event-stream") {
            return Err(Failure::ContentType(content_type.into_owned()));
        }
        let events = response.bytes_stream().eventsource().boxed();
        let is_base64 = target.scenario.is_base64_on(target.lane);
        Ok(Self { events, identity: target.scenario.identity, is_base64 })
    }

    /// Awaits one event.
    ///
    /// # Errors
    /// [`Failure::Ended`] at the end of the body; else what broke it.
    pub async fn next(&mut self, sink: &mut impl Sink) -> Result<(), Failure> {
        let event = match self.events.next().await {
            Some(Ok(event)) => event,
            Some(Err(EventStreamError::Transport(err))) => return Err(failure(&err)),
            Some(Err(err)) => return Err(Failure::Protocol(err.to_string())),
            None => return Err(Failure::Ended),
        };
        let arrival = Arrival { read: Moment::now(), kernel: None, end_offset: 0 };
        // The library hides absence: an id stays in force, a missing name reads `message`.
        let named = self.identity == Identity::IdEvent || event.event != "message";
        let id = Some(event.id.as_bytes()).filter(|id| !id.is_empty());
        let name = Some(event.event.as_bytes()).filter(|_| named);
        let mut emit = |data: &[u8]| sink.event(0, &Event { id, name, data: data.into() }, arrival);
        match self.is_base64 {
            true => base64::decoded(event.data.as_bytes(), emit),
            false => emit(event.data.as_bytes()),
        }
        Ok(())
    }
}

/// The thread's client: a client's connections belong to the runtime that drives them.
fn client() -> Result<Client, Failure> {
    CLIENT.with(|cell| {
        if cell.get().is_none() {
            let built = Client::builder().http1_only().no_proxy().tcp_nodelay(true).pool_max_idle_per_host(0);
            let built = built.build().map_err(|err| failure(&err))?;
            return Ok(cell.get_or_init(|| built).clone());
        }
        Ok(cell.get().expect("it was just seen").clone())
    })
}

fn url(target: &Target) -> String {
    format!("http://{}{SSE_PATH}?client={}", target.address, target.client)
}

/// The cause that the system gave, if one did.
fn failure(error: &::reqwest::Error) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Failure::from(std::io::Error::new(io.kind(), io.to_string()));
        }
        cause = error.source();
    }
    Failure::Protocol(error.to_string())
}
