//! What one invocation measured: plain data with a schema number, saved as `run.json`.
//!
//! Every figure, table and verdict is computed from these values alone, so that `loadgen report`
//! can redraw a run offline (METHOD M28). Units stand in the field names.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use scenarios::{Lane, Scenario};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::latency::LatencyHistogram;

mod environment;
pub use environment::{Environment, Sockets};

/// The version of this file format. Raised whenever an old reader would misread a new file.
pub const SCHEMA: u32 = 1;

/// All that one invocation measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// [`SCHEMA`] of the writer.
    pub schema: u32,
    /// The scenario's short name.
    pub name: String,
    /// When it started, RFC 3339 in UTC.
    pub started: String,
    /// The command line.
    pub command: Vec<String>,
    /// True while repetitions are missing (interrupted, or still running).
    pub partial: bool,
    /// The scenario as resolved.
    pub scenario: Scenario,
    /// Where it ran.
    pub environment: Environment,
    /// Socket options as read back from the kernel, by lane and side (`sse-h1 server`).
    pub sockets: BTreeMap<String, Sockets>,
    /// One entry a lane and repetition, in order of saving.
    pub trials: Vec<Trial>,
    /// Memory against idle connections, one entry a lane.
    pub memory: Vec<Memory>,
    /// Bytes against payload size, one entry a lane and size.
    pub sweep: Vec<SweepPoint>,
    /// Doubts about this measurement.
    pub warnings: Vec<Warning>,
}

/// How bad a doubt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Read the numbers with care.
    Doubt,
    /// The measurement is invalid.
    Invalid,
}

/// One doubt about a measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// How bad it is.
    pub severity: Severity,
    /// The lane it concerns, if one.
    pub lane: Option<Lane>,
    /// The repetition it concerns, if one (from 0).
    pub repetition: Option<u64>,
    /// What is doubtful, and what to do.
    pub text: String,
}

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
    /// Where the time goes, on the sampled connections.
    pub stages: Stages,
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
    /// SHA-256 over the bodies of all events, hex: as published, and as one subscriber received them.
    pub published_sha256: String,
    /// See `published_sha256`.
    pub received_sha256: String,
    /// Failures of connections by kind.
    pub failures: BTreeMap<String, u64>,
}

/// Share of a core above which a side is under stress: no equivalence is claimed (METHOD M20).
pub const STRESS: f64 = 0.60;

impl Trial {
    /// Share of a core that the server and the generator used while publishing.
    #[must_use]
    pub fn load(&self) -> [f64; 2] {
        let sum = |of: fn(&BlockResult) -> u64| self.blocks.iter().map(of).sum::<u64>() as f64;
        let span = sum(|block| block.span_ns).max(1.0);
        [sum(|block| block.server_cpu_ns) / span, sum(|block| block.client_cpu_ns) / span]
    }
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

impl Ledger {
    /// Whether every expected delivery is explained.
    #[must_use]
    pub fn closes(&self) -> bool {
        self.expected == self.delivered + self.lost + self.corrupted && self.unexpected == 0
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
    /// Deliveries that arrived.
    pub deliveries: u64,
    /// Sum of their latencies, ns.
    pub latency_sum_ns: u64,
    /// CPU of the server's processes, user and system, ns.
    pub server_cpu_ns: u64,
    /// CPU of the generator's processes, ns.
    pub client_cpu_ns: u64,
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

/// Bytes by layer, as the client's decoder counted them, over all subscribers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bytes {
    /// Bodies.
    pub payload: u64,
    /// Identity and event syntax: SSE field names and newlines, or the envelope.
    pub event_framing: u64,
    /// HTTP chunk lines, WebSocket frame headers, or the raw lane's length prefix.
    pub transport_framing: u64,
    /// Anything else while connected (pings, comments).
    pub control: u64,
    /// What TLS adds: record headers, tags, messages of its own.
    #[serde(default)]
    pub tls: u64,
    /// TLS records received.
    #[serde(default)]
    pub tls_records: u64,
    /// Sent upward while connected.
    pub up: u64,
    /// Connections whose handshake is counted below.
    pub connections: u64,
    /// Received before the stream was open, all connections.
    pub handshake_down: u64,
    /// Sent before the stream was open, all connections.
    pub handshake_up: u64,
}

impl Bytes {
    /// All that was received while connected.
    #[must_use]
    pub fn down(&self) -> u64 {
        self.payload + self.event_framing + self.transport_framing + self.control + self.tls
    }
}

/// Bytes and segments from `TCP_INFO`, summed over the clients' ends of the connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KernelCounts {
    /// `tcpi_bytes_received`.
    pub down_bytes: u64,
    /// `tcpi_bytes_sent - tcpi_bytes_retrans`.
    pub up_bytes: u64,
    /// `tcpi_segs_in`: data and acknowledgements received.
    pub down_segments: u64,
    /// `tcpi_segs_out`.
    pub up_segments: u64,
    /// `tcpi_data_segs_in`.
    pub down_data_segments: u64,
    /// `tcpi_data_segs_out`.
    pub up_data_segments: u64,
    /// The servers' ends: `tcpi_bytes_sent - tcpi_bytes_retrans`.
    pub server_sent_bytes: u64,
    /// The servers' ends: `tcpi_total_retrans`.
    pub retransmits: u64,
}

/// Memory against the number of idle connections, one lane alone in fresh processes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Memory {
    /// The lane.
    pub lane: Lane,
    /// One point a level, the first at zero connections.
    pub points: Vec<MemoryPoint>,
}

/// One level of the memory phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryPoint {
    /// Connections held, each of which has received one event.
    pub connections: u64,
    /// PSS of the server's processes.
    pub server_pss_bytes: u64,
    /// PSS of the generator's processes.
    pub client_pss_bytes: u64,
    /// Kernel slab of the whole machine: both ends' sockets and what else moved.
    pub slab_bytes: u64,
}

/// Bytes per event at one payload size, one subscriber, in lock-step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SweepPoint {
    /// The lane.
    pub lane: Lane,
    /// Size of the body, bytes.
    pub payload_bytes: u64,
    /// Events counted.
    pub events: u64,
    /// The decoder's count over these events.
    pub bytes: Bytes,
    /// The kernel's count over these events.
    pub kernel: KernelCounts,
}

impl Run {
    /// Reads `run.json`, or the folder it lies in.
    ///
    /// # Errors
    /// Unreadable, not JSON (with line and column), or of another schema.
    pub fn load(path: &Path) -> Result<Self> {
        let file = if path.is_dir() { path.join("run.json") } else { path.to_owned() };
        let text =
            std::fs::read_to_string(&file).with_context(|| format!("cannot read run {}", file.display()))?;
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let version: Version =
            serde_json::from_str(&text).with_context(|| format!("{} is not a run file", file.display()))?;
        if version.schema != SCHEMA {
            bail!(
                "{} has schema {}, this program reads schema {SCHEMA}; redo the run or use the program that wrote it",
                file.display(),
                version.schema
            );
        }
        serde_json::from_str(&text)
            .with_context(|| format!("{} is not a run file of schema {SCHEMA}", file.display()))
    }

    /// Writes `run.json` into a folder, atomically: an interrupted save leaves the former file.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).context("cannot write the run as JSON")?;
        write_atomically(&folder.join("run.json"), &json)
    }

    /// The worst severity among the warnings.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.warnings.iter().map(|warning| warning.severity).max()
    }

    /// The trials of a lane, by repetition.
    pub fn trials_of(&self, lane: Lane) -> impl Iterator<Item = &Trial> {
        self.trials.iter().filter(move |trial| trial.lane == lane)
    }
}

/// Writes beside the file, flushes to disk, renames over it.
///
/// # Errors
/// The folder cannot be written.
pub fn write_atomically(file: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write as _;
    let beside = file.with_extension("partial");
    let write = || -> std::io::Result<()> {
        let mut out = std::fs::File::create(&beside)?;
        out.write_all(bytes)?;
        out.sync_all()?;
        std::fs::rename(&beside, file)
    };
    write().with_context(|| format!("cannot write {}", file.display()))
}
