//! Lanes: the compared columns, and their one grammar `transport-carrier+option%server@client`.
//!
//! One name table per part serves parsing, printing, `loadgen list` and the nearest-name hint, so
//! that a word in TOML is the word on the command line is the word in charts.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use hints::nearest;
use hints::uncombined;

mod hints;

/// The push mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Server-Sent Events (WHATWG HTML 9.2).
    Sse,
    /// WebSocket (RFC 6455).
    Ws,
    /// Length-prefixed frames over bare TCP: the yardstick.
    Raw,
    /// A request that the server holds until there is something newer.
    LongPoll,
    /// A request at a set interval, whether there is something newer or not.
    Poll,
}

impl Transport {
    /// Whether the client must ask for what is newer.
    #[must_use]
    pub const fn polls(self) -> bool {
        matches!(self, Self::LongPoll | Self::Poll)
    }
}

/// What carries the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Carrier {
    /// HTTP/1.1 over TCP.
    H1,
    /// HTTP/2 over TCP: by prior knowledge without TLS, by ALPN inside it.
    H2,
    /// TCP alone.
    Tcp,
}

/// How what is pushed is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Coding {
    /// Not at all.
    #[default]
    Plain,
    /// A gzip stream a response (RFC 9110 8.4.1.3), flushed behind every event.
    Gzip,
    /// The same without flushes: the fault that holds events back.
    GzipBuffered,
    /// permessage-deflate (RFC 7692) with context takeover: a message may refer to those before it.
    Deflate,
    /// The same without: a message is compressed once for all.
    DeflateStateless,
}

impl Coding {
    /// Whether an event stream is coded as one gzip stream.
    #[must_use]
    pub const fn is_gzip(self) -> bool {
        match self {
            Self::Gzip | Self::GzipBuffered => true,
            Self::Plain | Self::Deflate | Self::DeflateStateless => false,
        }
    }

    /// Whether a message may refer to those before it; `None` where messages are not compressed.
    #[must_use]
    pub const fn takeover(self) -> Option<bool> {
        match self {
            Self::Deflate => Some(true),
            Self::DeflateStateless => Some(false),
            Self::Plain | Self::Gzip | Self::GzipBuffered => None,
        }
    }
}

/// Which server code path pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServerStack {
    /// This project's: encoded once, shared bytes, small buffers.
    Tuned,
    /// axum's own `Sse` or `WebSocket`, with its defaults.
    Axum,
}

/// Which client code receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientStack {
    /// This project's spec-exact decoders.
    Lean,
    /// reqwest with eventsource-stream.
    Reqwest,
    /// tokio-tungstenite with its defaults.
    Tungstenite,
}

/// One compared column. `FromStr` and `Display` are inverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    /// The push mechanism.
    pub transport: Transport,
    /// What carries it.
    pub carrier: Carrier,
    /// How it is compressed.
    pub coding: Coding,
    /// Whether a connection carries many streams, each a subscriber.
    pub mux: bool,
    /// Whether TLS 1.3 lies between carrier and TCP.
    pub tls: bool,
    /// Which server code path pushes.
    pub server: ServerStack,
    /// Which client code receives.
    pub client: ClientStack,
}

/// `(name, transport, carrier, about)`: every base lane there is.
const BASES: [(&str, Transport, Carrier, &str); 9] = [
    ("sse-h1", Transport::Sse, Carrier::H1, "Server-Sent Events over HTTP/1.1 (chunked response on hyper)"),
    ("sse-h2", Transport::Sse, Carrier::H2, "Server-Sent Events over HTTP/2"),
    ("ws-h1", Transport::Ws, Carrier::H1, "WebSocket, upgraded from HTTP/1.1 (one text message an event)"),
    ("ws-h2", Transport::Ws, Carrier::H2, "WebSocket over HTTP/2 (extended CONNECT, RFC 8441)"),
    (
        "raw",
        Transport::Raw,
        Carrier::Tcp,
        "length-prefixed frames over bare TCP: the yardstick, not a choice",
    ),
    (
        "longpoll-h1",
        Transport::LongPoll,
        Carrier::H1,
        "long polling over HTTP/1.1: the server holds a request until there is an event, at most for `hold`",
    ),
    (
        "poll-h1",
        Transport::Poll,
        Carrier::H1,
        "traditional polling over HTTP/1.1: a request every `poll` on a kept-alive connection",
    ),
    (
        "longpoll-h2",
        Transport::LongPoll,
        Carrier::H2,
        "long polling over HTTP/2, a stream a request, one connection a client",
    ),
    (
        "poll-h2",
        Transport::Poll,
        Carrier::H2,
        "traditional polling over HTTP/2, a stream a request, one connection a client",
    ),
];

/// Every transport there is.
const EACH: &[Transport] =
    &[Transport::Sse, Transport::Ws, Transport::Raw, Transport::LongPoll, Transport::Poll];

/// `(suffix, coding, transports it can code, about)`.
const CODINGS: [(&str, Coding, &[Transport], &str); 5] = [
    ("", Coding::Plain, EACH, ""),
    (
        "+gzip",
        Coding::Gzip,
        &[Transport::Sse],
        "gzip (level 6, window 32 KiB), a stream a subscriber, flushed behind every event",
    ),
    (
        "+gzip-buffered",
        Coding::GzipBuffered,
        &[Transport::Sse],
        "gzip that is never flushed: the fault that holds events back",
    ),
    (
        "+deflate",
        Coding::Deflate,
        &[Transport::Ws],
        "permessage-deflate (level 6, window 32 KiB) with context takeover, a context a subscriber",
    ),
    (
        "+deflate-stateless",
        Coding::DeflateStateless,
        &[Transport::Ws],
        "permessage-deflate (level 6) without context takeover, compressed once for all",
    ),
];
/// `(suffix, many streams a connection, about)`.
const MUX: [(&str, bool, &str); 2] =
    [("", false, "one stream a connection"), ("+mux", true, "`streams` streams a connection")];

/// `(suffix, TLS, about)`.
const TLS: [(&str, bool, &str); 2] = [("", false, ""), ("+tls", true, "inside TLS 1.3 (rustls)")];

/// `(suffix, stack, transports it can serve, about)`.
const SERVERS: [(&str, ServerStack, &[Transport], &str); 2] = [
    ("", ServerStack::Tuned, EACH, ""),
    (
        "%axum",
        ServerStack::Axum,
        &[Transport::Sse, Transport::Ws],
        "server: axum's stock `Sse` / `WebSocket`, default buffers",
    ),
];

/// `(suffix, stack, transports it can receive, about)`.
const CLIENTS: [(&str, ClientStack, &[Transport], &str); 3] = [
    ("", ClientStack::Lean, EACH, ""),
    ("@reqwest", ClientStack::Reqwest, &[Transport::Sse], "client: reqwest + eventsource-stream"),
    (
        "@tungstenite",
        ClientStack::Tungstenite,
        &[Transport::Ws],
        "client: tokio-tungstenite, default buffers",
    ),
];

/// The lanes with each row of a part of the grammar, rows outermost, as far as they exist.
fn widened<R>(lanes: Vec<Lane>, rows: &[R], with: impl Fn(Lane, &R) -> Lane) -> Vec<Lane> {
    let with = &with;
    let all = rows.iter().flat_map(|row| lanes.iter().map(move |lane| with(*lane, row)));
    all.filter(|lane| lane.exists()).collect()
}

impl Lane {
    /// Every lane that can be named, base lanes first. Each line widens the list by one part of the
    /// grammar, and what cannot be combined is left out.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let bases = BASES.iter().map(|row| Self {
            transport: row.1,
            carrier: row.2,
            coding: Coding::Plain,
            mux: false,
            tls: false,
            server: ServerStack::Tuned,
            client: ClientStack::Lean,
        });
        let lanes = widened(bases.collect(), &CODINGS, |lane, row| Self { coding: row.1, ..lane });
        let lanes = widened(lanes, &MUX, |lane, row| Self { mux: row.1, ..lane });
        let lanes = widened(lanes, &TLS, |lane, row| Self { tls: row.1, ..lane });
        let lanes = widened(lanes, &CLIENTS, |lane, row| Self { client: row.1, ..lane });
        widened(lanes, &SERVERS, |lane, row| Self { server: row.1, ..lane })
    }

    /// Whether its parts can be combined.
    fn exists(self) -> bool {
        let serves = SERVERS.iter().any(|row| row.1 == self.server && row.2.contains(&self.transport));
        let receives = CLIENTS.iter().any(|row| row.1 == self.client && row.2.contains(&self.transport));
        let codes = CODINGS.iter().any(|row| row.1 == self.coding && row.2.contains(&self.transport));
        let is_h1 = self.carrier != Carrier::H2;
        // The ecosystem's clients are measured as they come, without options; the stock servers
        // compress nothing, and speak HTTP/1.1.
        let plain = !self.tls && self.coding == Coding::Plain && is_h1;
        serves
            && receives
            && codes
            && (plain || self.client == ClientStack::Lean)
            && (self.coding == Coding::Plain || self.server == ServerStack::Tuned)
            && (is_h1 || self.server == ServerStack::Tuned)
            // A poll is a stream already.
            && (!self.mux || !is_h1 && !self.transport.polls())
    }

    /// Whether this project's own server sends heartbeats on it, at once, and its own client takes them.
    #[must_use]
    pub fn has_heartbeats(self) -> bool {
        let own = self.server == ServerStack::Tuned && self.client == ClientStack::Lean;
        own && !self.transport.polls() && !self.holds_back()
    }

    /// What this lane is, in a line.
    #[must_use]
    pub fn about(self) -> String {
        let base =
            BASES.iter().find(|row| row.1 == self.transport && row.2 == self.carrier).map_or("", |row| row.3);
        let coding = CODINGS.iter().find(|row| row.1 == self.coding).map_or("", |row| row.3);
        let shares = self.carrier == Carrier::H2 && !self.transport.polls();
        let mux = MUX.iter().find(|row| shares && row.1 == self.mux).map_or("", |row| row.2);
        let tls = TLS.iter().find(|row| row.1 == self.tls).map_or("", |row| row.2);
        let server = SERVERS.iter().find(|row| row.1 == self.server).map_or("", |row| row.3);
        let client = CLIENTS.iter().find(|row| row.1 == self.client).map_or("", |row| row.3);
        [base, coding, mux, tls, server, client]
            .iter()
            .filter(|part| !part.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// Round trips from the first packet until the stream is open, as the protocols demand: TCP's
    /// handshake (RFC 9293, 3.5), that of TLS 1.3 (RFC 8446, 2), and a request with its answer: response
    /// head, upgrade or hello. A WebSocket over HTTP/2 may be asked for only when the server's settings have
    /// come (RFC 8441 3), which is one more; not for a further stream of the same connection.
    #[must_use]
    pub fn round_trips(self) -> u8 {
        let settings = self.transport == Transport::Ws && self.carrier == Carrier::H2;
        2 + u8::from(self.tls) + u8::from(settings)
    }

    /// The lane with this transport and carrier on the project's own server and client, without any
    /// option.
    #[must_use]
    pub fn base(self) -> Self {
        Self {
            coding: Coding::Plain,
            mux: false,
            tls: false,
            server: ServerStack::Tuned,
            client: ClientStack::Lean,
            ..self
        }
    }

    /// Whether events wait for later ones before they leave: the lane that shows the fault.
    #[must_use]
    pub fn holds_back(self) -> bool {
        self.coding == Coding::GzipBuffered
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = BASES.iter().find(|row| row.1 == self.transport && row.2 == self.carrier);
        let coding = CODINGS.iter().find(|row| row.1 == self.coding);
        let mux = MUX.iter().find(|row| row.1 == self.mux);
        let tls = TLS.iter().find(|row| row.1 == self.tls);
        let server = SERVERS.iter().find(|row| row.1 == self.server);
        let client = CLIENTS.iter().find(|row| row.1 == self.client);
        let parts = [
            base.map(|row| row.0),
            coding.map(|row| row.0),
            mux.map(|row| row.0),
            tls.map(|row| row.0),
            server.map(|row| row.0),
            client.map(|row| row.0),
        ];
        parts.into_iter().try_for_each(|name| f.write_str(name.expect("every variant has its row")))
    }
}

impl FromStr for Lane {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let lanes = Self::all();
        lanes.iter().copied().find(|lane| lane.to_string() == text).ok_or_else(|| {
            let names: Vec<String> = lanes.iter().map(ToString::to_string).collect();
            if let Some(refusal) = uncombined(text, &names) {
                return refusal;
            }
            let hint = nearest(text, names.iter().map(String::as_str));
            format!("unknown lane `{text}`{hint}; `loadgen list` shows all lanes")
        })
    }
}

impl Serialize for Lane {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lane {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Lane {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Lane".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "transport-carrier+option%server@client, for example ws-h1+tls or sse-h1@reqwest" })
    }
}

#[cfg(test)]
mod tests;
