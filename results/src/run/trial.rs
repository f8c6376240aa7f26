//! What one lane left behind in one repetition: deliveries, latencies, bytes and cost, block by block.

use std::collections::BTreeMap;

use scenarios::Lane;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::session::Sessions;
use super::{Bytes, Heartbeats, KernelCounts};
use crate::latency::LatencyHistogram;

/// All blocks of one lane in one repetition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trial {
    /// The lane.
    pub lane: Lane,
    /// The repetition, from 0.
    pub repetition: u64,
    /// Subscribers that were connected.
    pub subscribers: u64,
    /// Deliveries, counted by what became of them.
    pub ledger: Ledger,
    /// Arrival minus intended send time, ns, all measured deliveries.
    pub latency: LatencyHistogram,
    /// Change of latency from one event to the next on the same subscriber, ns, absolute.
    pub jitter: LatencyHistogram,
    /// Actual publish minus intended send time, ns, one sample an event (and host).
    pub publish_lag: LatencyHistogram,
    /// Start of connecting to the end of the handshake, ns.
    pub connect: LatencyHistogram,
    /// Start of connecting to the first event (the latest one, sent on joining), ns.
    pub first_event: LatencyHistogram,
    /// What opening all connections cost either side; older files lack it.
    #[serde(default)]
    pub opening: Option<Opening>,
    /// The subscribers that read slowly, if some did; latency, jitter and blocks leave them out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow: Option<Slow>,
    /// What heartbeats to all of them cost, if there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeats: Option<Heartbeats>,
    /// Streams of one's own, where the scenario has such; latency counts from the requests of their clients,
    /// bytes include the openings, and kernel and connections are those of all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Sessions>,
    /// Where the time goes, on the sampled connections.
    pub stages: Stages,
    /// Messages from client to server and their echoes; empty where the scenario has none.
    #[serde(default)]
    pub upward: Upward,
    /// The measured blocks in time order.
    pub blocks: Vec<BlockResult>,
    /// Bytes as the client's decoder counted them.
    pub bytes: Bytes,
    /// Bytes and segments as the kernel counted them, where it tells.
    pub kernel: Option<KernelCounts>,
    /// The same over connecting, before the first measured event: handshakes and joining events.
    pub kernel_connect: Option<KernelCounts>,
    /// System calls that wrote on the server, over the measured blocks.
    pub server_writes: u64,
    /// Memory at the end of the measured blocks: PSS of the server's processes.
    pub server_pss_bytes: u64,
    /// Memory at the end of the measured blocks: PSS of the generator's processes.
    pub client_pss_bytes: u64,
    /// SHA-256 over the bodies of all events as published, hex.
    pub published_sha256: String,
    /// The same over the events that one subscriber is to get: the first that gets the first of them.
    /// Empty in older files, whose events all went to everybody.
    #[serde(default)]
    pub addressed_sha256: String,
    /// The same over what that subscriber received.
    pub received_sha256: String,
    /// Failures of connections by kind.
    pub failures: BTreeMap<String, u64>,
}

/// What opening the connections of a lane cost, from the first packet to the greeting event. Lanes open
/// them in turns, one lane at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Opening {
    /// Connections opened.
    pub connections: u64,
    /// Time of the lane's turns, ns.
    pub span_ns: u64,
    /// CPU of the server's processes in that time, ns.
    pub server_cpu_ns: u64,
    /// CPU of the generator's processes in that time, ns.
    pub client_cpu_ns: u64,
}

/// Share of a core above which a side is under stress: no equivalence is claimed (METHOD M20).
pub const STRESS: f64 = 0.60;

impl Trial {
    /// Whether a subscriber received the bodies that were published for it, byte for byte.
    #[must_use]
    pub fn bodies_agree(&self) -> bool {
        let addressed = Some(&self.addressed_sha256).filter(|hash| !hash.is_empty());
        *addressed.unwrap_or(&self.published_sha256) == self.received_sha256
    }

    /// Share of a core that the server and the generator used while publishing.
    #[must_use]
    pub fn load(&self) -> [f64; 2] {
        let sum = |of: fn(&BlockResult) -> u64| self.blocks.iter().map(of).sum::<u64>() as f64;
        let span = sum(|block| block.span_ns).max(1.0);
        [sum(|block| block.server_cpu_ns) / span, sum(|block| block.client_cpu_ns) / span]
    }
}

/// What became of the subscribers that read slowly.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Slow {
    /// How many there were.
    pub subscribers: u64,
    /// Their deliveries, after they had read what waited for them; part of the trial's ledger.
    pub ledger: Ledger,
    /// Their latency, ns.
    pub latency: LatencyHistogram,
    /// Of them, those whose connection the server ended because they lagged too far behind.
    #[serde(default)]
    pub disconnected: u64,
    /// The most bytes of events that the server ever held for subscribers that had still to read them.
    pub hub_peak_bytes: u64,
    /// Bytes in the servers' kernel send queues when publishing ended.
    pub send_queue_bytes: u64,
    /// Bytes in the clients' kernel receive queues then.
    pub receive_queue_bytes: u64,
}

/// Deliveries counted by what became of them: expected = delivered + lost + corrupted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ledger {
    /// Events times the subscribers they were addressed to.
    pub expected: u64,
    /// Arrived with the right identity and body, counted once each.
    pub delivered: u64,
    /// Never arrived.
    pub lost: u64,
    /// Arrived again.
    pub duplicated: u64,
    /// Arrived after a later one.
    pub reordered: u64,
    /// Arrived with a wrong body or name.
    pub corrupted: u64,
    /// Arrived without being scheduled.
    pub unexpected: u64,
    /// Of the lost: dropped by the server because the subscriber was too slow, as it counted them.
    pub dropped_by_server: u64,
}

impl std::ops::Add for Ledger {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            expected: self.expected + other.expected,
            delivered: self.delivered + other.delivered,
            lost: self.lost + other.lost,
            duplicated: self.duplicated + other.duplicated,
            reordered: self.reordered + other.reordered,
            corrupted: self.corrupted + other.corrupted,
            unexpected: self.unexpected + other.unexpected,
            dropped_by_server: self.dropped_by_server + other.dropped_by_server,
        }
    }
}

impl Ledger {
    /// Whether every expected delivery is explained.
    #[must_use]
    pub fn closes(&self) -> bool {
        self.expected == self.delivered + self.lost + self.corrupted && self.unexpected == 0
    }
}

/// Messages upward in one trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Upward {
    /// Messages, counted by what became of them.
    pub ledger: UpwardLedger,
    /// Arrival of the echo minus intended instant of the message, ns.
    pub round_trip: LatencyHistogram,
    /// Arrival at the server minus intended instant, ns.
    pub one_way: LatencyHistogram,
    /// How late the generator offered a message to its connection, ns.
    pub lag: LatencyHistogram,
}

impl Trial {
    /// Whether its clients were to send messages.
    #[must_use]
    pub const fn talks(&self) -> bool {
        self.upward.ledger.expected > 0
    }
}

/// Messages upward by what became of them: expected = sent + unsent, and of those sent each came back or
/// is lost, on its way up, at the server, or on its way down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpwardLedger {
    /// Meant to be sent.
    pub expected: u64,
    /// Handed to their connection.
    pub sent: u64,
    /// Never: the peer did not read or answer, or the connection had gone.
    pub unsent: u64,
    /// Received by the server, counted once each.
    pub received: u64,
    /// Handed by the server to the stream of their sender.
    pub echoed: u64,
    /// Received, and not echoed: that stream was too slow or had gone.
    pub dropped_by_server: u64,
    /// Echoes that arrived with the right body, counted once each.
    pub returned: u64,
    /// Sent, and no echo came.
    pub lost: u64,
    /// Messages or echoes that came again.
    pub duplicated: u64,
    /// Messages or echoes that came after a later one of the same sender.
    pub reordered: u64,
    /// Echoes with a wrong body.
    pub corrupted: u64,
    /// Messages or echoes that nobody was meant to send.
    pub unexpected: u64,
}

impl UpwardLedger {
    /// Whether every message is explained: by the client's count of what it sent, the server's of what it
    /// received and echoed, and the client's of what came back.
    #[must_use]
    pub fn closes(&self) -> bool {
        let back = self.returned + self.corrupted;
        self.expected == self.sent + self.unsent
            && self.received <= self.sent
            && self.received == self.echoed + self.dropped_by_server
            && back <= self.echoed
            && self.lost == (self.sent - self.received) + self.dropped_by_server + (self.echoed - back)
            && self.unexpected == 0
    }
}

/// Where the time of a delivery goes, ns, on the sampled connections (METHOD M6).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stages {
    /// Number of sampled connections.
    pub connections: u64,
    /// Intended to published: the publisher's own lateness.
    pub publish: LatencyHistogram,
    /// Published to the write of this connection: the fan-out's queue.
    pub fanout: LatencyHistogram,
    /// Write to the client kernel's receive stamp.
    pub network: LatencyHistogram,
    /// Kernel receive stamp to the read: the generator's own lag.
    pub pickup: LatencyHistogram,
    /// Read to decoded.
    pub decode: LatencyHistogram,
    /// Published to decoded: service latency, which hides a late publisher.
    pub service: LatencyHistogram,
}

/// One measured block of one lane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BlockResult {
    /// Blocks of one round stand beside each other in time and are compared with each other.
    pub round: u64,
    /// Start after the repetition's time zero, ns.
    pub start_ns: u64,
    /// Length of publishing, ns.
    pub span_ns: u64,
    /// Events published.
    pub events: u64,
    /// The instants at which they were meant to leave: those of a burst share one, and its fate. 0 in older files,
    /// for as many as events.
    #[serde(default)]
    pub instants: u64,
    /// Deliveries that arrived.
    pub deliveries: u64,
    /// Sum of their latencies, ns.
    pub latency_sum_ns: u64,
    /// CPU of the server's processes, user and system, ns.
    pub server_cpu_ns: u64,
    /// CPU of the generator's processes, ns.
    pub client_cpu_ns: u64,
    /// Of the server's CPU the time in the kernel, ns: in steps of 10 ms, so only a trial's sum has a meaning.
    #[serde(default)]
    pub server_kernel_ns: u64,
    /// The same of the generator's.
    #[serde(default)]
    pub client_kernel_ns: u64,
    /// Echoes of messages upward that arrived.
    #[serde(default)]
    pub echoes: u64,
    /// Sum of their round trips, ns.
    #[serde(default)]
    pub round_trip_sum_ns: u64,
    /// Sum of the ways up of the messages that came, ns.
    #[serde(default)]
    pub one_way_sum_ns: u64,
    /// Context switches of the server's processes, voluntary and not.
    pub server_switches: u64,
    /// Context switches of the generator's processes.
    pub client_switches: u64,
    /// CPU time stolen by the hypervisor in the block, all cores, ns.
    pub steal_ns: u64,
    /// Time in which some task waited for a CPU (PSI `cpu some`), ns; 0 where the kernel tells none.
    pub cpu_pressure_ns: u64,
    /// Whether deliveries were still outstanding when its CPU was read: that CPU is incomplete, and
    /// no figure is made from it.
    pub undrained: bool,
    /// The time line, one entry a second (or the whole block if it is shorter).
    pub slices: Vec<Slice>,
}

/// A second of the time line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Slice {
    /// Start after the repetition's time zero, ns.
    pub start_ns: u64,
    /// Length, ns.
    pub span_ns: u64,
    /// Deliveries of the events intended in it.
    pub deliveries: u64,
    /// Median latency, ns (two significant digits).
    pub p50_ns: u64,
    /// 99th percentile, ns (two significant digits).
    pub p99_ns: u64,
    /// Largest, ns.
    pub max_ns: u64,
}
