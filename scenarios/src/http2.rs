//! How HTTP/2 is set on a lane: both ends compute the same values from the scenario, so that neither
//! library's defaults decide (METHOD M15), and the run records them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lane::Lane;
use crate::scenario::Scenario;

/// The window that a connection, and a stream unless `SETTINGS` say otherwise, begins with (RFC 9113
/// 6.9.2).
pub const FIRST_WINDOW: u32 = 65_535;

/// The largest window (RFC 9113 6.9.1).
pub const MAX_WINDOW: u32 = (1 << 31) - 1;

/// The largest frame that either end takes: the least that RFC 9113 6.5.2 allows, and its default.
pub const FRAME_BYTES: u32 = 16_384;

/// The largest head that either end takes, as RFC 9113 6.5.2 counts it: 32 bytes more a field.
pub const HEAD_BYTES: u32 = 16_384;

/// The least number of streams that a server allows: RFC 9113 6.5.2 recommends "no smaller than 100".
const LEAST_STREAMS: u32 = 100;

/// What one end of a connection tells the other in its `SETTINGS` and first `WINDOW_UPDATE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Http2 {
    /// Event streams that one connection carries.
    pub streams: u32,
    /// `SETTINGS_MAX_CONCURRENT_STREAMS` of the server.
    pub max_concurrent_streams: u32,
    /// `SETTINGS_INITIAL_WINDOW_SIZE`: what may be under way to this end on a stream.
    pub stream_window_bytes: u32,
    /// What may be under way to this end on a connection.
    pub connection_window_bytes: u32,
    /// `SETTINGS_MAX_FRAME_SIZE`.
    pub max_frame_bytes: u32,
}

impl Http2 {
    /// The same for both ends: `window` of the scenario a stream, and as many times that a connection.
    /// The server allows twice the streams, for requests beside them.
    #[must_use]
    pub fn of(lane: Lane, scenario: &Scenario) -> Self {
        let window = |bytes: u64| u32::try_from(bytes).unwrap_or(MAX_WINDOW).min(MAX_WINDOW);
        let streams = u32::try_from(scenario.streams_of(lane)).unwrap_or(u32::MAX / 2);
        Self {
            streams,
            max_concurrent_streams: LEAST_STREAMS.max(2 * streams),
            stream_window_bytes: window(scenario.window.0),
            connection_window_bytes: window(scenario.window.0.saturating_mul(u64::from(streams))),
            max_frame_bytes: FRAME_BYTES,
        }
    }
}
