//! How clients come back, by the name of who does so.

use std::fmt;
use std::str::FromStr;

use crate::lane::{Transport, nearest};

/// How clients come back, by the name of who does so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// What clients of a transport do by themselves or by their usual library: an event stream's is Chromium's, a
    /// WebSocket's `reconnecting-websocket`.
    Native,
    /// Chromium's `EventSource`: 3 s.
    EventSourceChromium,
    /// Firefox's: 5 s.
    EventSourceFirefox,
    /// An `EventSource` that also comes back after a status: what packages that replace the browser's do.
    EventSourceResilient,
    /// RFC 6455 7.2.3.
    Rfc6455,
    /// The library reconnecting-websocket.
    ReconnectingWebSocket,
    /// The library partysocket.
    PartySocket,
    /// A delay drawn from zero to a limit that doubles.
    FullJitter,
    /// Clients stay away.
    None,
}

/// Names of policies, and the transport whose they are alone.
const POLICIES: [(Policy, &str, Option<Transport>); 9] = [
    (Policy::Native, "native", None),
    (Policy::EventSourceChromium, "eventsource", Some(Transport::Sse)),
    (Policy::EventSourceFirefox, "eventsource-firefox", Some(Transport::Sse)),
    (Policy::EventSourceResilient, "eventsource-resilient", Some(Transport::Sse)),
    (Policy::Rfc6455, "rfc6455", Some(Transport::Ws)),
    (Policy::ReconnectingWebSocket, "reconnecting-websocket", Some(Transport::Ws)),
    (Policy::PartySocket, "partysocket", Some(Transport::Ws)),
    (Policy::FullJitter, "full-jitter", None),
    (Policy::None, "none", None),
];

impl Policy {
    fn row(self) -> (&'static str, Option<Transport>) {
        let row = POLICIES.iter().find(|(policy, ..)| *policy == self).expect("every policy has its row");
        (row.1, row.2)
    }

    /// What it is on this transport; `None` where it is none of its.
    #[must_use]
    pub fn on(self, transport: Transport) -> Option<Self> {
        match (self, transport) {
            (Self::Native, Transport::Sse) => Some(Self::EventSourceChromium),
            (Self::Native, _) => Some(Self::ReconnectingWebSocket),
            (policy, transport) => policy.row().1.is_none_or(|own| own == transport).then_some(policy),
        }
    }

    /// Whether it belongs to one transport alone, so that lanes under it differ in more than the protocol.
    #[must_use]
    pub fn is_native(self) -> bool {
        self == Self::Native || self.row().1.is_some()
    }

    /// Whether it heeds what a server says of the reconnection time.
    #[must_use]
    pub const fn heeds_hints(self) -> bool {
        matches!(self, Self::EventSourceChromium | Self::EventSourceFirefox | Self::EventSourceResilient)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.row().0)
    }
}

impl FromStr for Policy {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let names = POLICIES.iter().map(|(_, name, _)| *name);
        POLICIES.iter().find(|(_, name, _)| *name == text).map(|(policy, ..)| *policy).ok_or_else(|| {
            let hint = nearest(text, names.clone());
            format!("`{text}` is no retry policy{hint}; there are {}", names.collect::<Vec<_>>().join(", "))
        })
    }
}
