//! What opens a stream: the request that a lane sends, and the answer it accepts. No I/O.
//!
//! Both HTTP lanes send equally small heads, so that the handshakes can be compared (METHOD M9).

use httparse::{Response, Status};
use scenarios::{Carrier, Coding, Lane, Scenario, Transport};
use servers::websocket::deflate::{self, Context};
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};

use super::Target;
use super::chunked::Chunked;
use super::decoder::Wire;
use super::poll::{self, Poll};
use super::raw::{self, Raw};
use super::sse::{Body, Sse};
use super::ws::Ws;
use crate::failure::Failure;

/// Where a server offers its event stream.
pub const SSE_PATH: &str = "/sse";
/// Where a server offers its WebSocket.
pub const WS_PATH: &str = "/ws";
/// Where a server takes messages.
pub const UP_PATH: &str = "/up";

/// The longest response head taken, bytes.
const MAX_HEAD: usize = 16 * 1024;
/// The most header fields taken.
pub const MAX_HEADERS: usize = 64;

/// A handshake under way.
#[derive(Debug)]
pub struct Handshake {
    transport: Transport,
    coding: Coding,
    /// What an upgrade is proven with; there is none over HTTP/2.
    key: Option<String>,
}

impl Handshake {
    /// A handshake for a lane.
    #[must_use]
    pub fn new(lane: Lane) -> Self {
        let upgrades = lane.transport == Transport::Ws && lane.carrier == Carrier::H1;
        Self { transport: lane.transport, coding: lane.coding, key: upgrades.then(generate_key) }
    }

    /// What the client sends first.
    #[must_use]
    pub fn request(&self, target: &Target) -> Vec<u8> {
        let (host, client) = (target.address, target.client);
        match self.transport {
            Transport::Sse => format!(
                "GET {} HTTP/1.1\r\nhost: {host}\r\n\
                 accept: text/event-stream\r\n{}cache-control: no-store\r\n{}\r\n",
                target.path.as_deref().unwrap_or(&format!("{SSE_PATH}?client={client}")),
                if self.coding.is_gzip() { "accept-encoding: gzip\r\n" } else { "" },
                last_id(target).map_or(String::new(), |id| format!("last-event-id: {id}\r\n"))
            ),
            Transport::Ws => format!(
                "GET {WS_PATH}?client={client}{} HTTP/1.1\r\nhost: {host}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                 sec-websocket-version: 13\r\nsec-websocket-key: {}\r\n{}\r\n",
                after(target),
                self.key.as_deref().unwrap_or_default(),
                self.coding.takeover().map_or(String::new(), |takeover| {
                    format!("sec-websocket-extensions: {}\r\n", deflate::offer(takeover))
                })
            ),
            Transport::LongPoll | Transport::Poll => return poll::request(self.transport, host, b""),
            Transport::Raw => return raw::name(client),
        }
        .into_bytes()
    }

    /// Reads the answer: its length and the decoder for what follows; `None` while it is incomplete.
    ///
    /// # Errors
    /// The answer is none, or not the one that opens the stream.
    pub fn accept(&self, received: &[u8], target: &Target) -> Result<Option<(usize, Wire)>, Failure> {
        let scenario = &target.scenario;
        if self.transport == Transport::Raw {
            let (identity, envelope) = (scenario.identity, scenario.envelope);
            return match raw::frame(received)? {
                Some([]) => Ok(Some((4, Wire::Raw(Raw::new(identity, envelope))))),
                Some(_) => Err(Failure::Protocol("the first raw frame is no hello".into())),
                None => Ok(None),
            };
        }
        if self.transport.polls() {
            let answered = poll::answer(received)?;
            let is_base64 = target.scenario.payload.is_binary();
            let wire = |answer| Poll::new(self.transport, target.address, answer, is_base64);
            return Ok(answered.map(|(length, answer)| (length, Wire::Poll(Box::new(wire(answer))))));
        }
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = Response::new(&mut headers);
        let Some(length) = head(&mut response, received)? else { return Ok(None) };
        Ok(Some((length, self.wire(&response, scenario)?)))
    }

    /// The decoder for what follows a response's head.
    ///
    /// # Errors
    /// The response is not the one that opens the stream.
    pub fn wire(&self, response: &Response<'_, '_>, scenario: &Scenario) -> Result<Wire, Failure> {
        match self.transport {
            Transport::Ws => {
                self.check_upgrade(response)?;
                let messages = Ws::new(scenario.identity, scenario.envelope);
                Ok(Wire::Ws(messages.inflating(self.compression(response)?)))
            }
            // Only over HTTP/2 are their heads read apart from their bodies.
            Transport::LongPoll | Transport::Poll => {
                let is_base64 = scenario.payload.is_binary();
                let poll = Poll::on_streams(self.transport, poll::said(response)?, is_base64);
                Ok(Wire::Poll(Box::new(poll)))
            }
            Transport::Sse | Transport::Raw => {
                let stream = Sse::new(body(response, self.coding)?);
                let is_base64 = scenario.payload.is_binary();
                Ok(Wire::Sse(stream.with_base64(is_base64).coded(self.coding)))
            }
        }
    }

    /// The head of the same request over HTTP/2 (RFC 9113 8.3.1), for a stream of a connection; one for a
    /// WebSocket is an extended CONNECT (RFC 8441 4 and 5).
    #[must_use]
    pub fn fields(target: &Target, stream: usize) -> Vec<(&'static str, String)> {
        let Target { lane, address, client, .. } = target;
        if lane.transport.polls() {
            return Self::poll_fields(target, &poll::path(lane.transport, b""));
        }
        let text = |name, text: &str| (name, text.to_owned());
        let scheme = text(":scheme", if lane.tls { "https" } else { "http" });
        let authority = (":authority", address.to_string());
        if lane.transport == Transport::Ws {
            let offer = lane.coding.takeover().map(deflate::offer);
            let connect = [text(":method", "CONNECT"), text(":protocol", "websocket"), scheme];
            let path = (":path", format!("{WS_PATH}?client={}{}", client + stream as u64, after(target)));
            let fields = [path, authority, text("sec-websocket-version", "13")];
            let offer = offer.map(|offer| text("sec-websocket-extensions", offer));
            return connect.into_iter().chain(fields).chain(offer).collect();
        }
        let coding = lane.coding.is_gzip().then(|| text("accept-encoding", "gzip"));
        let path = match &target.path {
            Some(path) => text(":path", path),
            None => (":path", format!("{SSE_PATH}?client={}", client + stream as u64)),
        };
        let fields = [text(":method", "GET"), scheme, path, authority];
        let accept = text("accept", "text/event-stream");
        let more = [Some(accept), coding, Some(text("cache-control", "no-store"))];
        let last_id = last_id(target).map(|id| ("last-event-id", id));
        fields.into_iter().chain(more.into_iter().flatten()).chain(last_id).collect()
    }

    /// The head of a poll over HTTP/2, as small as [`poll::request`].
    #[must_use]
    pub fn poll_fields(target: &Target, path: &[u8]) -> Vec<(&'static str, String)> {
        vec![
            (":method", "GET".to_owned()),
            (":scheme", if target.lane.tls { "https" } else { "http" }.to_owned()),
            (":path", String::from_utf8_lossy(path).into_owned()),
            (":authority", target.address.to_string()),
            ("accept", "text/event-stream".to_owned()),
        ]
    }

    /// The head of a message upward over HTTP/2, as small as [`Post::head`](super::post::Post::head).
    #[must_use]
    pub fn message_fields(target: &Target, client: u64, length: usize) -> Vec<(&'static str, String)> {
        let scheme = if target.lane.tls { "https" } else { "http" };
        vec![
            (":method", "POST".to_owned()),
            (":scheme", scheme.to_owned()),
            (":path", format!("{UP_PATH}?client={client}")),
            (":authority", target.address.to_string()),
            ("content-length", length.to_string()),
        ]
    }

    /// How the server compresses, which must be as it was offered (RFC 6455 9.1: an extension that was not
    /// requested fails the connection).
    fn compression(&self, response: &Response<'_, '_>) -> Result<Option<Context>, Failure> {
        let said = header(response, "sec-websocket-extensions");
        let wrong = |what: &str| {
            Failure::Protocol(format!("wrong `sec-websocket-extensions` in the upgrade: {what}"))
        };
        match (self.coding.takeover(), said) {
            (None, None) => Ok(None),
            (None, Some(said)) => Err(wrong(said)),
            (Some(takeover), said) => match deflate::accept(said, takeover) {
                Ok(agreed) => Ok(Some(agreed.down)),
                Err(why) => Err(wrong(&why)),
            },
        }
    }

    /// RFC 6455 4.1, the client's requirements on the server's response; over HTTP/2 they are a status of
    /// success and no protocol that was not asked for (RFC 8441 5).
    fn check_upgrade(&self, response: &Response<'_, '_>) -> Result<(), Failure> {
        let no_protocol = ("sec-websocket-protocol", header(response, "sec-websocket-protocol").is_none());
        let Some(key) = &self.key else {
            check_status(response, 200)?;
            return check_fields(response, &[no_protocol]);
        };
        check_status(response, 101)?;
        let accept = derive_accept_key(key.as_bytes());
        let fits = [
            (
                "upgrade",
                header(response, "upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket")),
            ),
            ("connection", list(response, "connection").any(|token| token.eq_ignore_ascii_case("upgrade"))),
            ("sec-websocket-accept", header(response, "sec-websocket-accept") == Some(accept.as_str())),
            no_protocol,
        ];
        check_fields(response, &fits)
    }
}

/// The first field of an opening handshake that does not fit.
fn check_fields(response: &Response<'_, '_>, fits: &[(&str, bool)]) -> Result<(), Failure> {
    match fits.iter().find(|(_, fits)| !fits) {
        None => Ok(()),
        Some((name, _)) => {
            let value = header(response, name).unwrap_or("none");
            Err(Failure::Protocol(format!("wrong `{name}` in the upgrade: {value}")))
        }
    }
}

/// What an EventSource says of the last event it got, if that had an id (WHATWG HTML 9.2.4).
fn last_id(target: &Target) -> Option<String> {
    (!target.after.is_empty()).then(|| String::from_utf8_lossy(&target.after).into_owned())
}

/// The same of a WebSocket, which a browser gives no header fields: part of the address, as the servers' own protocol has it.
fn after(target: &Target) -> String {
    last_id(target).map_or_else(String::new, |id| format!("&after={id}"))
}

/// Reads a response head: its length, `None` while it is incomplete.
///
/// # Errors
/// It is none, or longer than 16 KiB.
pub fn head<'a>(response: &mut Response<'_, 'a>, received: &'a [u8]) -> Result<Option<usize>, Failure> {
    let parsed =
        response.parse(received).map_err(|err| Failure::Protocol(format!("response head: {err}")))?;
    match parsed {
        Status::Complete(length) if length <= MAX_HEAD => Ok(Some(length)),
        Status::Partial if received.len() <= MAX_HEAD => Ok(None),
        Status::Complete(_) | Status::Partial => {
            Err(Failure::Protocol("the response head is longer than 16 KiB".into()))
        }
    }
}

/// The body of an event stream's response (WHATWG HTML 9.2.3: status 200 and `text/event-stream`, or
/// the connection is failed; RFC 9112 6.3 for how it ends).
pub fn body(response: &Response<'_, '_>, coding: Coding) -> Result<Body, Failure> {
    check_status(response, 200)?;
    let content_type = header(response, "content-type").unwrap_or("none");
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("text/event-stream") {
        return Err(Failure::ContentType(content_type.to_owned()));
    }
    let asked_for = if coding.is_gzip() { "gzip" } else { "identity" };
    let said = header(response, "content-encoding").unwrap_or("identity");
    if !said.eq_ignore_ascii_case(asked_for) {
        let other = format!("content encoding `{said}` is not the `{asked_for}` that was asked for");
        return Err(Failure::Protocol(other));
    }
    match (header(response, "transfer-encoding"), header(response, "content-length")) {
        (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => Ok(Body::Chunked(Chunked::default())),
        (Some(coding), _) => Err(Failure::Protocol(format!("unknown transfer coding `{coding}`"))),
        (None, Some(length)) => scenarios::envelope::decimal(length.as_bytes())
            .map(Body::Length)
            .ok_or_else(|| Failure::Protocol(format!("content length `{length}` is not a number"))),
        (None, None) => Ok(Body::UntilClose),
    }
}

fn check_status(response: &Response<'_, '_>, expected: u16) -> Result<(), Failure> {
    match response.code {
        Some(code) if code == expected => Ok(()),
        // Fetch 2.2.6: a redirect status is one of these.
        Some(code @ (301 | 302 | 303 | 307 | 308)) if header(response, "location").is_some() => {
            Err(Failure::Moved(code, header(response, "location").unwrap_or_default().to_owned()))
        }
        code => Err(Failure::Status(code.unwrap_or_default())),
    }
}

fn header<'a>(response: &Response<'_, 'a>, name: &str) -> Option<&'a str> {
    let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(found.value).ok().map(str::trim)
}

fn list<'a>(response: &Response<'_, 'a>, name: &str) -> impl Iterator<Item = &'a str> {
    header(response, name).into_iter().flat_map(|value| value.split(',')).map(str::trim)
}
