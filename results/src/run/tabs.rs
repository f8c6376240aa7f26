//! One browser with many tabs on one origin.

use scenarios::Lane;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many of the streams that tabs asked for were open after two seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tabs {
    /// The lane.
    pub lane: Lane,
    /// Tabs, each of which asks for a stream.
    pub tabs: u64,
    /// Streams that opened; the others wait.
    pub open: u64,
    /// Connections that the server held.
    pub connections: u64,
}
