//! The server half of every transport: how an event is framed, and how a connection is served.
//!
//! An event is framed once, before its deadline; the stock variants get the bare message and frame
//! it for each subscriber, as their users would.

pub mod axum_sse;
pub mod axum_ws;
pub mod gzip;
pub mod outage;
pub mod poll;
pub mod raw;
pub mod sse;
pub mod up;
pub mod ws;

use std::borrow::Cow;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use hyper::header::HeaderValue;
use hyper::{Request, Uri};
use scenarios::{
    Carrier, Envelope, Http2, Identity, Lane, Scenario, ServerStack, Transport, binary, envelope,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use crate::http::{self, Limits, Site};
use crate::http2;
use crate::hub::{Hub, Subscription};
use crate::lanes::poll::Polled;
use crate::session::Own;
use crate::upward::Upward;
use crate::version::{self, Speaks};
use crate::window::Gap;
use crate::wire::Meter;

/// What answers the connections of a listener.
#[derive(Clone)]
pub enum Service {
    /// This project's own HTTP lanes.
    Site(Arc<Site>),
    /// axum's stock path.
    Router(axum::Router, Limits),
    /// The yardstick.
    Raw(Hub),
}

/// How long a client that polls or posts may be silent: while other lanes publish, it has nothing to ask for,
/// and a connection that was closed for it would take the kernel's counts with it.
const ASKERS_PATIENCE: Duration = Duration::from_secs(24 * 3600);

impl Service {
    /// Serves one lane: `GET /sse`, `GET /ws`, `GET /poll` and `GET /longpoll`, or bare TCP.
    #[must_use]
    pub fn of(lane: Lane, hub: Hub, scenario: &Scenario, limits: Limits) -> Self {
        let speaks = match lane.carrier {
            Carrier::H2 => Speaks::Http2(Http2::of(lane, scenario)),
            Carrier::H1 | Carrier::Tcp => Speaks::Http1,
        };
        let limits = if hub.upward().is_some() { Limits { head: ASKERS_PATIENCE } } else { limits };
        match (lane.transport, lane.server) {
            (Transport::Raw, _) => Self::Raw(hub),
            (Transport::Sse, ServerStack::Tuned) => Self::Site(Arc::new(Site {
                sse: Some(hub),
                coding: lane.coding,
                limits,
                speaks,
                ..Site::default()
            })),
            (Transport::Ws, ServerStack::Tuned) => {
                let (ws, coding) = (Some(hub), lane.coding);
                Self::Site(Arc::new(Site { ws, coding, limits, speaks, ..Site::default() }))
            }
            (Transport::Sse, ServerStack::Axum) => {
                Self::Router(axum_sse::routes(hub, scenario.identity), limits)
            }
            (Transport::Ws, ServerStack::Axum) => {
                Self::Router(axum_ws::routes(hub, scenario.payload.is_binary()), limits)
            }
            (Transport::LongPoll | Transport::Poll, _) => {
                let poll = Some(Polled { hub, hold: scenario.hold.0 });
                let limits = Limits { head: ASKERS_PATIENCE };
                Self::Site(Arc::new(Site { poll, limits, speaks, ..Site::default() }))
            }
        }
    }

    /// Serves a connection in a task of its own, whose ends agreed on a protocol inside TLS if they did;
    /// refusals are counted by `meter`.
    pub fn spawn<S>(&self, stream: S, meter: Arc<Meter>, protocol: Option<&[u8]>)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        match self {
            Self::Site(site) => {
                version::spawn(stream, meter, Arc::clone(site), site.speaks.agreed(protocol));
            }
            Self::Router(router, limits) => {
                drop(tokio::spawn(http::serve_router(stream, meter, router.clone(), *limits)));
            }
            Self::Raw(hub) => drop(tokio::spawn(raw::serve(stream, meter, hub.clone()))),
        }
    }
}

/// The hub of a lane, which keeps events only where they are polled for, takes messages only where the
/// scenario has some, and gives everybody a stream of their own where the scenario says so. Needs a running
/// runtime then.
///
/// # Errors
/// The scenario's `lag` does not fit this machine, or the kernel gives no timer.
pub fn hub(lane: Lane, scenario: &Scenario) -> anyhow::Result<Hub> {
    let hub = Hub::of(scenario).context("`lag` does not fit this machine")?;
    let hub = match scenario.upstream > 0.0 {
        true => hub.taking(Upward::new(lane, scenario, usize::try_from(scenario.lag.0)?)),
        false => hub,
    };
    let hub = if lane.transport.polls() { hub.keeping() } else { hub };
    Ok(match Own::of(lane, scenario).context("cannot make a timer")? {
        Some(own) => hub.with_own(own),
        None => hub,
    })
}

/// The number that a client names itself by in its request, `?client=I`; 0 for one that does not.
#[must_use]
pub fn client(uri: &Uri) -> u64 {
    let mut fields = uri.query().unwrap_or_default().split('&');
    fields.find_map(|field| field.strip_prefix("client=")?.parse().ok()).unwrap_or(0)
}

/// Frames event `seq` as the lane's hub carries it.
///
/// # Errors
/// The transport cannot carry this body.
pub fn frame(lane: Lane, scenario: &Scenario, seq: u64, body: &[u8]) -> Result<Bytes, String> {
    frame_as(lane, scenario, seq, &scenario.event, body)
}

/// The same for an event of this name.
///
/// # Errors
/// The transport cannot carry this body.
pub fn frame_as(
    lane: Lane,
    scenario: &Scenario,
    seq: u64,
    event: &str,
    body: &[u8],
) -> Result<Bytes, String> {
    let Scenario { identity, envelope, .. } = scenario;
    let is_binary = scenario.payload.is_binary();
    let body = &*match scenario.is_base64_on(lane) {
        true => Cow::Owned(binary::encode(body).into_bytes()),
        false => Cow::Borrowed(body),
    };
    let message = || envelope::encode(*identity, *envelope, seq, event, body);
    match (lane.transport, lane.server) {
        (Transport::Raw, _) => Ok(raw::frame(&message())),
        (Transport::Ws, ServerStack::Tuned) => ws::frame(lane.coding, &message(), is_binary),
        (Transport::Ws, ServerStack::Axum) if is_binary => Ok(message().into()),
        (Transport::Ws, ServerStack::Axum) => {
            text(&message()).map(|text| Bytes::copy_from_slice(text.as_bytes()))
        }
        (Transport::Sse, ServerStack::Tuned) | (Transport::LongPoll | Transport::Poll, _) => {
            sse::frame(*identity, seq, event, body)
        }
        (Transport::Sse, ServerStack::Axum) => {
            sse::check(body)?;
            Ok(envelope::encode(*identity, Envelope::Lines, seq, event, body).into())
        }
    }
}

/// How a lane tells those who come back of events that cannot be given: by an event `gap`, with the last of
/// their ids, so that who is cut off behind it is not told twice.
#[derive(Clone, Debug)]
pub struct Gaps(Box<(Lane, Scenario)>);

impl Gaps {
    /// Those of a lane; they always have their name, whatever the scenario's events carry.
    #[must_use]
    pub fn of(lane: Lane, scenario: &Scenario) -> Self {
        Self(Box::new((lane, Scenario { identity: Identity::IdEvent, ..scenario.clone() })))
    }

    /// The event that tells of one.
    pub(crate) fn frame(&self, gap: Gap) -> Bytes {
        let (lane, scenario) = &*self.0;
        frame_as(*lane, scenario, gap.through, "gap", gap.body().as_bytes()).expect("digits are text")
    }
}

/// The last event id that a request names: SSE's own field (WHATWG HTML 9.2.4), or `?after=ID`, which a
/// WebSocket from a browser has to use, as it cannot set fields.
#[must_use]
pub fn last_id<B>(request: &Request<B>) -> Option<&[u8]> {
    let field = request.headers().get("last-event-id").map(HeaderValue::as_bytes);
    let mut query = request.uri().query().unwrap_or_default().split('&');
    field.or_else(|| query.find_map(|one| one.strip_prefix("after=")).map(str::as_bytes))
}

/// Joins a hub for a request: from the event on that it names, or as one that is new.
pub(crate) fn join<B>(hub: &Hub, request: &Request<B>) -> Option<Subscription> {
    let client = client(request.uri());
    match last_id(request) {
        Some(last_id) => hub.resume_as(client, last_id),
        None => hub.subscribe_as(client),
    }
}

/// A heartbeat as the lane's hub carries it; empty on a lane that has none.
#[must_use]
pub const fn heartbeat(lane: Lane) -> Bytes {
    Bytes::from_static(match lane.transport {
        Transport::Sse => sse::HEARTBEAT,
        Transport::Ws => ws::PING,
        Transport::Raw => &raw::HELLO,
        Transport::LongPoll | Transport::Poll => b"",
    })
}

/// Size of the user-space buffer that a lane's server reads into, bytes a connection.
#[must_use]
pub fn read_buffer_bytes(lane: Lane) -> usize {
    match (lane.transport, lane.server) {
        (Transport::Raw, _) => raw::READ_BUFFER_BYTES,
        _ if lane.carrier == Carrier::H2 => http2::READ_BUFFER_BYTES,
        (Transport::Sse | Transport::LongPoll | Transport::Poll, _) => http::HEAD_BYTES,
        (Transport::Ws, ServerStack::Tuned) => ws::READ_BUFFER_BYTES,
        (Transport::Ws, ServerStack::Axum) => axum_ws::READ_BUFFER_BYTES,
    }
}

/// Writes all frames, with as few writes as the stream allows.
///
/// # Errors
/// The stream is gone.
pub(crate) async fn write_together<S: AsyncWrite + Unpin>(
    stream: &mut S,
    frames: &[Bytes],
) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = frames.iter().map(|frame| IoSlice::new(frame)).collect();
    let mut left = slices.as_mut_slice();
    while !left.is_empty() {
        match stream.write_vectored(left).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => IoSlice::advance_slices(&mut left, written),
        }
    }
    stream.flush().await
}

/// A body as text: SSE and WebSocket text messages are UTF-8.
fn text(body: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(body).map_err(|err| format!("cannot send a body that is not UTF-8 as text: {err}"))
}
