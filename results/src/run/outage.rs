//! What one lane did when something broke: who came back, when, and with what.

use std::collections::BTreeMap;

use scenarios::Lane;
use scenarios::outage::{Fault, Hint, Policy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Ledger, Slice};
use crate::LatencyHistogram;

/// Length of a slice of the curves, ns.
pub const TICK_NS: u64 = 100_000_000;

/// One fault, policy, hint and window on one lane, in processes of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outage {
    /// The lane.
    pub lane: Lane,
    /// Which repetition, from 0.
    pub repetition: u64,
    /// What broke.
    pub fault: Fault,
    /// When it broke, ns behind time zero.
    pub broke_ns: u64,
    /// What else happened when, ns behind time zero: `drained`, `listens again`, ...
    pub marks: Vec<(String, u64)>,
    /// How clients come back, as written.
    pub policy: Policy,
    /// The same on this lane.
    pub own_policy: Policy,
    /// What the server told of the reconnection time.
    pub hint: Hint,
    /// Events that the server kept.
    pub window: u64,
    /// Clients, each of which had a stream when the fault came.
    pub clients: u64,
    /// Events by what became of them, of all clients from time zero to the end.
    pub ledger: Ledger,
    /// The lost ones by cause; they add up to the ledger's `lost`.
    pub lost: Losses,
    /// Streams that were lost, each once for each time.
    pub disconnections: u64,
    /// Those of them whose client had all events again before the end.
    pub recovered: u64,
    /// Attempts to open a stream again.
    pub attempts: u64,
    /// Those that failed, by how (`refused`, `status 503`, ...).
    pub failed_attempts: BTreeMap<String, u64>,
    /// How clients noticed that their stream was lost (`end of body`, `close 1001`, `silence`, ...).
    pub noticed: BTreeMap<String, u64>,
    /// Clients that gave up, by what made them (`status 503`, ...).
    pub gave_up: BTreeMap<String, u64>,
    /// The five parts of each recovery.
    pub parts: Parts,
    /// The same as one, read from the ledger: from the last live arrival to having all that was due by then.
    pub unavailable: LatencyHistogram,
    /// From the beginning of the attempt that opened a stream again to the first event on it.
    pub to_first_event: LatencyHistogram,
    /// The largest difference between one and the sum of the other, ns.
    pub parts_differ_by_ns: u64,
    /// How late connections were given up for silence, after so long as the scenario says.
    pub silence_late: LatencyHistogram,
    /// Events that came from the window: they were due before their client's stream opened.
    pub replayed_events: u64,
    /// Bytes that came between opening a stream again and having all events, handshakes apart.
    pub replayed_bytes: u64,
    /// Bytes of the handshakes that opened streams again, both directions.
    pub handshake_bytes: u64,
    /// Clients that were still to come back, or to have all events, when all was over; not those that gave up.
    pub still_away: u64,
    /// Of first attempts: where they were meant to be, 5th to 95th percentile apart, ns.
    pub scheduled_spread_ns: Option<u64>,
    /// Where they were.
    pub actual_spread_ns: Option<u64>,
    /// First attempts by [`TICK_NS`] from the fault on, as scheduled.
    pub scheduled: Vec<u64>,
    /// All attempts, as begun.
    pub begun: Vec<u64>,
    /// Streams opened.
    pub opened: Vec<u64>,
    /// Clients that had all events again: the last time of each.
    pub caught_up: Vec<u64>,
    /// Latencies of what arrived, by [`TICK_NS`] from time zero on, replayed events included.
    pub timeline: Vec<Slice>,
    /// The server by about [`TICK_NS`], from time zero on.
    pub server: Vec<ServerTick>,
    /// The listen backlog in effect.
    pub backlog: u32,
    /// Connections that the kernel dropped because a listen queue was full, on the whole machine.
    pub listen_overflows: u64,
    /// Requests that the server refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Connections that were open at the server when all was over, beyond those of the clients.
    pub leaked: u64,
    /// How long it took until the server held none of the clients' connections, ns from when all had left; `None` where
    /// it still held some, or nobody looked.
    #[serde(default)]
    pub released_ns: Option<u64>,
    /// From the beginning of the first attempt of all to the moment at which the last client had all events again, ns;
    /// `None` unless every client lost its stream once and had all events again.
    #[serde(default)]
    pub back_ns: Option<u64>,
    /// SHA-256 over the bodies that a client should have got from time zero on, and that client 0 did get; the latter
    /// is empty where that one lost any.
    pub bodies_sha256: [String; 2],
}

/// Lost events by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Losses {
    /// The server said that it no longer has them (`gap`).
    pub out_of_window: u64,
    /// Their client did not say where it had been, and began anew.
    pub began_anew: u64,
    /// Their client had given up, or was told to.
    pub gave_up: u64,
    /// Their client was still to come back when all was over.
    pub still_away: u64,
    /// Nothing explains them.
    pub unexplained: u64,
}

/// The five parts of every recovery (METHOD M26). Each client that recovered is once in each of them for each time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Parts {
    /// From the last live arrival to knowing that the stream is over.
    pub detect: LatencyHistogram,
    /// Waiting, before all attempts.
    pub back_off: LatencyHistogram,
    /// Connecting, in all attempts: TCP, TLS, HTTP or upgrade.
    pub connect: LatencyHistogram,
    /// From the open stream to its first event, if any was due.
    pub first_event: LatencyHistogram,
    /// From there to the last that was due when the stream opened.
    pub catch_up: LatencyHistogram,
    /// Their sums, ns, in this order.
    pub sums_ns: [u64; 5],
}

/// The server at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerTick {
    /// Behind time zero, ns.
    pub at_ns: u64,
    /// CPU since the tick before, ns; nothing while there is no process.
    pub cpu_ns: u64,
    /// Resident memory, bytes.
    pub rss_bytes: u64,
    /// Connections that wait to be accepted.
    pub accept_queue: u64,
}
