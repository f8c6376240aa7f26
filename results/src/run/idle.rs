//! Connections on which nothing happens: what heartbeats to them cost, and whether they need them.

use std::collections::BTreeMap;

use scenarios::Lane;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Bytes, KernelCounts};

/// Heartbeats to all connections of a lane, which carried nothing else meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Heartbeats {
    /// Heartbeats times subscribers.
    pub sent: u64,
    /// Bytes as the client's decoder counted them, answers (`up`) included.
    pub bytes: Bytes,
    /// Bytes and segments as the kernel counted them.
    pub kernel: KernelCounts,
    /// CPU of the server's processes, ns.
    pub server_cpu_ns: u64,
    /// CPU of the generator's processes, ns.
    pub client_cpu_ns: u64,
}

/// A few connections of a lane behind a middlebox that cuts those on which neither side said anything
/// for the scenario's `idle_timeout`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Idle {
    /// The lane.
    pub lane: Lane,
    /// Left alone.
    pub silent: Cut,
    /// With a heartbeat every half time-out.
    pub beating: Cut,
}

/// What became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cut {
    /// Subscribers that had connected.
    pub subscribers: u64,
    /// Those still connected at the end.
    pub alive: u64,
    /// Connections that the middlebox cut.
    pub connections_cut: u64,
    /// How long they were watched, ns.
    pub watched_ns: u64,
    /// What the clients of the others saw, by kind.
    pub seen: BTreeMap<String, u64>,
}
