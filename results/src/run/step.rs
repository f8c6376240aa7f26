//! One step of a sweep: a short block of one lane at one rate and one payload size.
//!
//! Apart from the trials, because steps go up to where a lane no longer keeps up: what is lost or late
//! there is what was asked for, and never makes a run invalid.

use scenarios::Lane;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::latency::LatencyHistogram;

/// One short block of one lane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The lane.
    pub lane: Lane,
    /// The pass over all steps, from 0.
    pub pass: u64,
    /// Events per second that were offered.
    pub rate: f64,
    /// Size of the bodies, bytes; their mean where they differ.
    pub payload_bytes: u64,
    /// Events published.
    pub events: u64,
    /// Time over which they were meant to leave, ns.
    pub span_ns: u64,
    /// Deliveries that were owed.
    pub expected: u64,
    /// Of them, those that arrived.
    pub delivered: u64,
    /// Arrival minus intended send time, ns; what was lost is counted as such.
    pub latency: LatencyHistogram,
    /// CPU of the server's processes until the gap behind the block ended, ns.
    pub server_cpu_ns: u64,
    /// CPU of the generator's processes, likewise.
    pub client_cpu_ns: u64,
    /// Whether deliveries were still outstanding when CPU was read: it is incomplete, and no figure is made from it.
    #[serde(default)]
    pub undrained: bool,
}
