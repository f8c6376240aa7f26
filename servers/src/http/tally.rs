//! Over which version of HTTP streams were opened: a page cannot see it of its own WebSocket.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hyper::Version;
use serde::Serialize;

/// Event streams and WebSockets opened since the server began.
#[derive(Debug, Default, Serialize)]
pub struct Tally {
    /// Event streams.
    pub sse: Versions,
    /// WebSockets: upgraded ones, and ones by extended CONNECT (RFC 8441).
    pub ws: Versions,
}

/// So many over each version, which goes by its name in ALPN.
#[derive(Debug, Default, Serialize)]
pub struct Versions {
    #[serde(rename = "http/1.1")]
    http1: AtomicU64,
    h2: AtomicU64,
}

impl Versions {
    /// Counts one.
    pub fn count(&self, version: Version) {
        let count = if version == Version::HTTP_2 { &self.h2 } else { &self.http1 };
        count.fetch_add(1, Relaxed);
    }
}
