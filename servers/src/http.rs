//! HTTP/1.1 under the lanes: limits, paths, the Origin check, and the way out to WebSocket.
//!
//! One task serves a connection at a time: an upgraded one goes on in a task of its own size, and
//! gives back what hyper held for it.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, FutureExt as _};
use futures_util::{Stream, StreamExt as _, stream};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER,
    SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_VERSION, UPGRADE, VARY,
};
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use scenarios::Coding;
use tokio::sync::futures::OwnedNotified;

use crate::http2;
use crate::hub::{Barred, Hub, Subscription};
use crate::lanes::poll::{self, Polled};
use crate::lanes::ws::Opened;
use crate::lanes::{self, gzip, up, ws};
use crate::upward::Upward;
use crate::version::Speaks;
pub use origin::origin_allowed;
pub(crate) use serving::count_refusal;
pub use serving::{serve_router, serve_site};
pub use tally::Tally;

mod origin;
mod serving;
mod tally;

/// The largest request head, and hyper's buffer for it (the least that it accepts).
pub const HEAD_BYTES: usize = 8192;

/// What a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time to send a whole request head.
    pub head: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: Duration::from_secs(10) }
    }
}

/// A page: its content type and bytes.
pub type Page = (&'static str, Bytes);

/// The page at a path, if there is one.
pub type Pages = dyn Fn(&str) -> Option<Page> + Send + Sync;

/// What stands at which path of this project's own HTTP lanes.
#[derive(Default)]
pub struct Site {
    /// `GET /sse`.
    pub sse: Option<Hub>,
    /// `GET /ws`.
    pub ws: Option<Hub>,
    /// `GET /poll` and `GET /longpoll`, with `?after=ID`.
    pub poll: Option<Polled>,
    /// Any other path.
    pub pages: Option<Box<Pages>>,
    /// Origins that may open a WebSocket from elsewhere, such as `https://example.org`.
    pub origins: Vec<String>,
    /// How what is pushed is compressed for clients that take it.
    pub coding: Coding,
    /// `GET /echo`: a WebSocket that gets back what it says, for conformance tests.
    pub echo: bool,
    /// What a client may take.
    pub limits: Limits,
    /// HTTP/1.1, HTTP/2, or both.
    pub speaks: Speaks,
    /// Over which version event streams and WebSockets were opened.
    pub opened: Arc<Tally>,
}

/// A response body: whole, or events until the hub closes.
pub enum Body {
    /// Known beforehand; taken when sent.
    Whole(Option<Bytes>),
    /// Pre-framed events.
    Events(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take()),
            Self::Events(events) => events.as_mut().poll_next(cx),
        };
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Events(_) => SizeHint::default(),
        }
    }
}

/// Holds what a connection that is about to leave HTTP is for.
pub(crate) type Upgrading = Mutex<Option<Opened>>;

type Answer = Result<Response<Body>, Infallible>;

/// An answer, at once or later.
pub(crate) type Answering = Either<Ready<Answer>, Pin<Box<dyn Future<Output = Answer> + Send>>>;

impl Site {
    /// Answers a request, which may be a message upward.
    fn respond(&self, request: Request<Incoming>, upgrading: &Upgrading) -> Answering {
        match self.upward(request.uri()) {
            Some(upward) => up::answer(upward, request, &self.origins),
            None => self.answer(&request, upgrading),
        }
    }

    /// What takes the messages that are posted to this address.
    pub(crate) fn upward(&self, uri: &Uri) -> Option<&Upward> {
        self.sse.as_ref().and_then(Hub::upward).filter(|_| uri.path() == up::PATH)
    }

    /// Answers a request; one for a WebSocket leaves its subscription in `upgrading`.
    pub(crate) fn answer<B>(&self, request: &Request<B>, upgrading: &Upgrading) -> Answering {
        let path = request.uri().path();
        let page = || self.pages.as_ref().and_then(|pages| pages(path));
        let found = match (path, &self.sse, &self.ws, &self.poll) {
            ("/sse", Some(hub), _, _) => Some(Found::Sse(hub)),
            ("/ws", _, Some(hub), _) => Some(Found::Ws(Some(hub))),
            ("/echo", ..) if self.echo => Some(Found::Ws(None)),
            ("/poll", _, _, Some(polled)) => Some(Found::Poll(polled)),
            ("/longpoll", _, _, Some(polled)) => Some(Found::LongPoll(polled)),
            _ => page().map(Found::Page),
        };
        let at_once = |response| Either::Left(ready(Ok(response)));
        let (method, allow) = match found {
            Some(Found::Ws(_)) if request.version() == Version::HTTP_2 => (Method::CONNECT, "CONNECT"),
            _ => (Method::GET, "GET"),
        };
        match found {
            None => at_once(status(StatusCode::NOT_FOUND)),
            Some(_) if request.method() != method => {
                at_once(with(status(StatusCode::METHOD_NOT_ALLOWED), &[(ALLOW, allow)]))
            }
            Some(Found::LongPoll(polled)) => {
                let held = polled.clone().held(poll::after(request.uri().query()));
                Either::Right(Box::pin(held.map(Ok)))
            }
            Some(found) => at_once(self.answer_at_once(request, found, upgrading)),
        }
    }

    fn answer_at_once<B>(
        &self,
        request: &Request<B>,
        found: Found<'_>,
        upgrading: &Upgrading,
    ) -> Response<Body> {
        if let Found::Sse(hub) | Found::Ws(Some(hub)) = found
            && let Some(barred) = hub.barred()
        {
            return bar(request.version(), barred);
        }
        match found {
            Found::Page((kind, bytes)) => {
                let response = Response::new(Body::Whole(Some(bytes)));
                with(response, &[(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")])
            }
            Found::Sse(hub) if is_over(hub, request) => status(StatusCode::NO_CONTENT),
            Found::Sse(hub) => lanes::join(hub, request).map_or_else(
                || status(StatusCode::SERVICE_UNAVAILABLE),
                |subscription| {
                    self.opened.sse.count(request.version());
                    let response = self.events(request.headers(), hub, subscription);
                    // A client that comes back is to find another server, if there is one.
                    let is_last = !hub.terms().max_age.is_zero();
                    if is_last { last_of(request.version(), response) } else { response }
                },
            ),
            Found::Ws(hub) => self.upgrade(request, hub, upgrading),
            Found::Poll(polled) | Found::LongPoll(polled) => polled.at_once(request.uri().query()),
        }
    }

    fn events(&self, headers: &HeaderMap, hub: &Hub, subscription: Subscription) -> Response<Body> {
        match hub.hint() {
            None => self.stream(headers, subscription),
            Some(hint) => self.stream(headers, stream::iter([hint]).chain(subscription)),
        }
    }

    fn stream<E>(&self, headers: &HeaderMap, events: E) -> Response<Body>
    where
        E: Stream<Item = Bytes> + Send + Unpin + 'static,
    {
        let kind = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
        let Some(flush) = gzip::Flush::of(self.coding) else {
            return with(Response::new(Body::Events(Box::pin(events))), &kind);
        };
        if !gzip::accepted(headers) {
            let plain = Response::new(Body::Events(Box::pin(events)));
            return with(with(plain, &kind), &[(VARY, "accept-encoding")]);
        }
        let response = Response::new(Body::Events(Box::pin(gzip::body(events, flush))));
        with(with(response, &kind), &[(CONTENT_ENCODING, "gzip"), (VARY, "accept-encoding")])
    }

    fn upgrade<B>(&self, request: &Request<B>, hub: Option<&Hub>, upgrading: &Upgrading) -> Response<Body> {
        let upgrades = request.version() != Version::HTTP_2;
        let checked = match upgrades {
            true => ws::accept_key(request.version(), request.headers()).map(Some),
            false => http2::check_connect(request).map(|()| None),
        };
        let key = match checked {
            Ok(key) => key,
            Err(refusal) => {
                let refused = with(status(refusal), &[(SEC_WEBSOCKET_VERSION, "13")]);
                return if upgrades { with(refused, &[(UPGRADE, "websocket")]) } else { refused };
            }
        };
        if !origin_allowed(request.headers(), request.uri(), &self.origins) {
            return status(StatusCode::FORBIDDEN);
        }
        let (opened, extension) = match ws::open(self.coding, request, hub) {
            Ok(opened) => opened,
            Err(refusal) => return status(refusal),
        };
        self.opened.ws.count(request.version());
        *upgrading.lock().expect("no holder of this lock panics") = Some(opened);
        let mut response = status(if upgrades { StatusCode::SWITCHING_PROTOCOLS } else { StatusCode::OK });
        response.headers_mut().extend(key.map(|key| (SEC_WEBSOCKET_ACCEPT, key)));
        response.headers_mut().extend(extension.map(|value| (SEC_WEBSOCKET_EXTENSIONS, value)));
        if upgrades { with(response, &[(CONNECTION, "upgrade"), (UPGRADE, "websocket")]) } else { response }
    }

    /// Whether a WebSocket can be opened here.
    pub(crate) fn takes_websockets(&self) -> bool {
        self.ws.is_some() || self.echo
    }

    fn hub(&self) -> Option<&Hub> {
        let polled = self.poll.as_ref().map(|polled| &polled.hub);
        self.sse.as_ref().or(self.ws.as_ref()).or(polled)
    }

    /// Ends with the hubs, or when all connections that are there are to end, if it does not happen before.
    pub(crate) fn closed(&self) -> Option<OwnedNotified> {
        self.hub().map(Hub::closed)
    }

    /// How often all connections that were there were told to end.
    pub(crate) fn drains(&self) -> u32 {
        self.hub().map_or(0, Hub::drains)
    }

    /// Whether a connection that came after so many of them is to end.
    pub(crate) fn is_ending(&self, drains: u32) -> bool {
        self.hub().is_some_and(|hub| hub.is_over_since(drains))
    }
}

enum Found<'a> {
    Sse(&'a Hub),
    /// Without a hub, an echo.
    Ws(Option<&'a Hub>),
    Poll(&'a Polled),
    LongPoll(&'a Polled),
    Page(Page),
}

/// Whether all has been said to who asks with the id of the last event it got.
fn is_over<B>(hub: &Hub, request: &Request<B>) -> bool {
    let last_id = request.headers().get("last-event-id");
    last_id.is_some_and(|last_id| hub.is_over_for(lanes::client(request.uri()), last_id.as_bytes()))
}

/// A response that says no more than its status.
pub(crate) fn status(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Whole(None));
    *response.status_mut() = code;
    response
}

/// Answers a request for a stream that cannot be opened now. RFC 9110 10.2.3: with 503, `Retry-After` "indicates how
/// long the service is expected to be unavailable", in seconds.
fn bar(version: Version, barred: Barred) -> Response<Body> {
    let code = StatusCode::from_u16(barred.status()).expect("one of the statuses that it may be told");
    let mut response = last_of(version, status(code));
    response.extensions_mut().insert(barred);
    if code == StatusCode::SERVICE_UNAVAILABLE { with(response, &[(RETRY_AFTER, "1")]) } else { response }
}

/// The response as the last of its connection; over HTTP/2, which has no such field (RFC 9113 8.2.2), as it is.
fn last_of(version: Version, response: Response<Body>) -> Response<Body> {
    if version == Version::HTTP_2 { response } else { with(response, &[(CONNECTION, "close")]) }
}

/// The response with more header fields.
pub(crate) fn with(
    mut response: Response<Body>,
    fields: &[(hyper::header::HeaderName, &'static str)],
) -> Response<Body> {
    for (name, value) in fields {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
