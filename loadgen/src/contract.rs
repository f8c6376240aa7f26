//! What a fleet process is told and what it answers: JSON lines on stdio, like a host's.
//!
//! The first line it reads is a [`FleetOrder`]; the end of its stdin ends it at once.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result, anyhow};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer as V2Reader, Serializer as _, V2Serializer};
use results::LatencyHistogram;
use results::run::outage::{Losses, Parts};
use results::run::{Bytes, Ending, KernelCounts, Ledger, Slice, Slow, Sockets};
use scenarios::{Case, Lane, Moment, Payload, Scenario, Schedule, Senders};
use serde::{Deserialize, Serialize};

use crate::recorder::BlockCount;
use crate::upward::Echoed;

/// Whom to be. The first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FleetOrder {
    /// The lane to subscribe to.
    pub lane: Lane,
    /// The scenario as resolved.
    pub scenario: Scenario,
    /// The bodies to expect.
    pub payload: Payload,
    /// The server.
    pub address: SocketAddr,
    /// Number of its first client, of all clients of the lane.
    pub first_client: u64,
    /// How many clients it is to be.
    pub clients: u64,
    /// The certificate to trust on a lane inside TLS, DER.
    pub certificate: Option<Vec<u8>>,
    /// The core to pin the process to.
    pub core: Option<usize>,
    /// Connections that it holds at most, the others waiting for their turn, as a browser does.
    pub browser: Option<usize>,
    /// Sample every so many subscribers; 0 for none.
    pub sample_every: usize,
    /// What its clients live through, where something is to break.
    pub endures: Option<Endures>,
}

/// What clients live through that lose their streams.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Endures {
    /// What of the scenario's outages.
    pub case: Case,
    /// The servers that they turn to, one after the other.
    pub servers: Vec<SocketAddr>,
    /// When it breaks, ns behind time zero.
    pub broke_ns: u64,
}

/// What to do next. Every further line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FleetCommand {
    /// Connect so many more; answered by [`FleetReply::Connected`] when all are greeted or failed, or at
    /// the deadline.
    Connect {
        /// How many.
        count: usize,
        /// When to give up.
        deadline: Option<Moment>,
    },
    /// Expect this schedule; answered by [`FleetReply::Armed`].
    Arm {
        /// Its time zero.
        start: Moment,
        /// The schedule.
        schedule: Schedule,
        /// Who sends messages upward meanwhile, if anybody.
        senders: Option<Senders>,
    },
    /// Act by the clock: poll, or send messages, as armed; answered by [`FleetReply::Going`]. Apart from arming,
    /// which is done anew when it took so long that time zero had passed.
    Go,
    /// Send no message of a block that has not begun; answered by [`FleetReply::Stopped`].
    Stop,
    /// Answer with [`FleetReply::Arrived`] when so many deliveries arrived, or at the deadline.
    Await {
        /// How many, counted from arming; a message counts when its echo came or it could not be sent.
        deliveries: u64,
        /// When to give up.
        deadline: Moment,
    },
    /// From now on slow readers read slowly, or like all others and what waits for them; answered by
    /// [`FleetReply::Armed`].
    Slow(bool),
    /// Let all clients connect that come back when they lose their streams; answered by
    /// [`FleetReply::Connected`] when all are greeted.
    Endure,
    /// Let the kernel drop all that comes on the connections that are open now; answered by
    /// [`FleetReply::Going`].
    Blackhole,
    /// Answer with [`FleetReply::Endured`] when all clients have the last event or have given up, or at the
    /// deadline.
    Settle {
        /// The first sequence number that was not published.
        end_seq: u64,
        /// When to give up.
        deadline: Moment,
    },
    /// Let the clients come, each for a stream of its own; answered by [`FleetReply::Visited`] when the last
    /// of them is done.
    Visit {
        /// When the first of them may ask.
        start: Moment,
    },
    /// Close the account of the armed phase; answered by [`FleetReply::Phase`].
    Close {
        /// The first sequence number that was not published.
        end_seq: u64,
    },
    /// Answer with [`FleetReply::Joined`]: what connecting cost, over the process's life.
    Joins,
    /// End the process.
    Exit,
}

/// What a fleet says. One line each.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FleetReply {
    /// It is up.
    Ready {
        /// Its process.
        pid: u32,
    },
    /// The connections are open, or failed.
    Connected {
        /// Open now.
        open: usize,
        /// Failures so far, by kind, with one example each.
        failures: BTreeMap<String, (u64, String)>,
    },
    /// The phase is expected.
    Armed,
    /// Whoever has instants of its own knows them.
    Going,
    /// Messages end with the current block.
    Stopped,
    /// So many deliveries of the armed phase arrived.
    Arrived {
        /// How many, those to slow readers left out and settled messages included.
        deliveries: u64,
        /// Their 99th percentile so far, ns.
        p99_ns: Option<u64>,
    },
    /// The account of a phase.
    Phase(Box<Phase>),
    /// What connecting cost.
    Joined(Box<Joined>),
    /// What came of streams of their own.
    Visited(Box<Visited>),
    /// What became of clients that lost their streams.
    Endured(Box<Endured>),
    /// It cannot do what it was told.
    Failed {
        /// Why, for people.
        text: String,
    },
}

/// The account of one phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Deliveries by what became of them.
    pub ledger: Ledger,
    /// Those of the slow readers, which are part of it.
    pub slow: Option<Slow>,
    /// From the intended instants.
    pub latency: LatencyHistogram,
    /// Between neighbouring events of a subscriber.
    pub jitter: LatencyHistogram,
    /// Arrivals by block, with their time lines.
    pub blocks: Vec<(BlockCount, Vec<Second>)>,
    /// Bytes by layer in this phase; `None` where the client stack hides them.
    pub bytes: Option<Bytes>,
    /// SHA-256 over the bodies that the first hearer of the first event received, hex; `None` where
    /// another fleet has it.
    pub received_sha256: Option<String>,
    /// Messages upward and their echoes, where there were any.
    pub echoed: Option<Echoed>,
    /// Reads of the sampled connections.
    pub samples: Vec<SampledRead>,
    /// Allocations by the thread that reads, since the phase was armed; answers to commands are left out.
    #[serde(default)]
    pub allocations: u64,
    /// Subscribers whose stream ended or broke, by kind, over the process's life.
    pub failures: BTreeMap<String, (u64, String)>,
}

/// The account of streams of one's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Visited {
    /// Events by what became of them, of all streams.
    pub ledger: Ledger,
    /// From the instants at which events were due, counted from the requests.
    pub latency: LatencyHistogram,
    /// Sum of the same, ns.
    pub latency_sum_ns: u64,
    /// Between neighbouring events of a stream: change of latency.
    pub jitter: LatencyHistogram,
    /// The same: time between their arrivals.
    pub gap: LatencyHistogram,
    /// From the request to the open stream, of new connections.
    pub connect: LatencyHistogram,
    /// From the request to the first event, of first streams.
    pub first_event: LatencyHistogram,
    /// From the request to knowing of the end.
    pub completion: LatencyHistogram,
    /// Lateness of the requests.
    pub ask_lag: LatencyHistogram,
    /// From the kernel's receive stamp to the read, on sampled connections.
    pub pickup: LatencyHistogram,
    /// What the clients saw of the ends, by how they were told.
    pub endings: Vec<Ending>,
    /// One entry for each stream.
    pub visits: Vec<Visit>,
    /// Bytes of all connections by layer.
    pub bytes: Bytes,
    /// The same as the kernel counted them, at the client's ends.
    pub kernel: KernelCounts,
    /// Bytes that had arrived when a connection was closed, and were not read.
    pub unread_bytes: u64,
    /// SHA-256 over the bodies that client 0 received in its first stream; `None` where another fleet has it.
    pub witness_sha256: Option<String>,
    /// Failures by kind, with one example each.
    pub failures: BTreeMap<String, (u64, String)>,
    /// Options of the first connection.
    pub sockets: Option<Sockets>,
}

/// The account of clients that lost their streams; as [`results::run::Outage`] says it, moments in ns behind time
/// zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Endured {
    /// Events by what became of them.
    pub ledger: Ledger,
    /// The lost ones by cause.
    pub lost: Losses,
    /// Streams that were lost.
    pub disconnections: u64,
    /// Those whose client had all events again.
    pub recovered: u64,
    /// Attempts to open a stream again.
    pub attempts: u64,
    /// Those that failed, by how.
    pub failed_attempts: BTreeMap<String, u64>,
    /// How clients noticed.
    pub noticed: BTreeMap<String, u64>,
    /// Clients that gave up, by what made them.
    pub gave_up: BTreeMap<String, u64>,
    /// The parts of each recovery.
    pub parts: Parts,
    /// The same as one, from the log of arrivals.
    pub unavailable: LatencyHistogram,
    /// From the beginning of the attempt that opened a stream to its first event.
    pub to_first_event: LatencyHistogram,
    /// The largest difference between the two.
    pub parts_differ_by_ns: u64,
    /// How late connections were given up for silence.
    pub silence_late: LatencyHistogram,
    /// Events that came from the window.
    pub replayed_events: u64,
    /// Bytes from open streams to having all events.
    pub replayed_bytes: u64,
    /// Bytes of the handshakes that opened streams again.
    pub handshake_bytes: u64,
    /// Clients that never had all events again, and had not given up.
    pub still_away: u64,
    /// Each client's first attempt after it broke: when it was to be, and when it was.
    pub first_attempts: Vec<(u64, u64)>,
    /// All attempts.
    pub begun: Vec<u64>,
    /// Streams opened again.
    pub opened: Vec<u64>,
    /// The last time that each client had all events again.
    pub caught_up: Vec<u64>,
    /// Latencies by the tick in which they arrived.
    pub timeline: Vec<Slice>,
    /// SHA-256 over the bodies that client 0 received, hex; `None` where it lost any, or is another fleet's.
    pub received_sha256: Option<String>,
    /// Options of the first connection.
    pub sockets: Option<Sockets>,
}

impl Endured {
    /// From the first attempt of all to the moment at which the last client had all events again, ns; `None` unless each
    /// of `clients` lost its stream once and had all events again.
    #[must_use]
    pub fn back_ns(&self, clients: u64) -> Option<u64> {
        let counts = [self.disconnections, self.recovered, self.first_attempts.len() as u64];
        let from = self.first_attempts.iter().map(|(_, begun)| *begun).min()?;
        let until = *self.caught_up.iter().max()?;
        (counts == [clients; 3]).then(|| until.saturating_sub(from))
    }
}

/// What one client received in one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// The client.
    pub client: u64,
    /// Which of its streams, from 0.
    pub visit: u32,
    /// Events that arrived.
    pub received: u64,
    /// When the client left it, if it did.
    pub left: Option<Moment>,
}

/// One second of the time line of one fleet; a histogram, because quantiles cannot be added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Second {
    start_ns: u64,
    span_ns: u64,
    v2: Vec<u8>,
}

impl Second {
    /// Packs a second: start and length, ns after time zero, and its latencies.
    #[must_use]
    pub fn pack(start_ns: u64, span_ns: u64, held: &Histogram<u32>) -> Self {
        let mut v2 = Vec::new();
        V2Serializer::new().serialize(held, &mut v2).expect("a Vec takes all");
        Self { start_ns, span_ns, v2 }
    }

    /// The same second of several fleets together.
    ///
    /// # Errors
    /// A packed histogram is broken.
    pub fn join(fleets: &[&Self]) -> Result<Slice> {
        let first = fleets.first().context("a lane has at least one fleet")?;
        let mut all: Option<Histogram<u32>> = None;
        for fleet in fleets {
            let one = V2Reader::new().deserialize(&mut fleet.v2.as_slice());
            let one = one.map_err(|err| anyhow!("a time line cannot be read: {err:?}"))?;
            match &mut all {
                None => all = Some(one),
                Some(all) => all.add(&one).map_err(|err| anyhow!("time lines do not fit: {err:?}"))?,
            }
        }
        let all = all.context("a lane has at least one fleet")?;
        Ok(Slice {
            start_ns: first.start_ns,
            span_ns: first.span_ns,
            deliveries: all.len(),
            p50_ns: all.value_at_quantile(0.5),
            p99_ns: all.value_at_quantile(0.99),
            max_ns: all.max(),
        })
    }
}

/// One event on a sampled connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampledRead {
    /// Port of the client's end.
    pub port: u16,
    /// The event.
    pub seq: u64,
    /// Offset of the stream at its last byte.
    pub end_offset: u64,
    /// The kernel's receive stamp.
    pub kernel: Moment,
    /// After the read returned.
    pub read: Moment,
    /// After the event was decoded.
    pub decoded: Moment,
}

/// What connecting cost, over the process's life.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Joined {
    /// Start of connecting to the end of the handshake, ns.
    pub connect: LatencyHistogram,
    /// Start of connecting to the greeting event, ns.
    pub first_event: LatencyHistogram,
    /// All bytes so far by layer; `None` where the client stack hides them.
    pub bytes: Option<Bytes>,
    /// Ports of the sampled connections.
    pub sampled_ports: Vec<u16>,
    /// Options of the first connection, read back from the kernel, where its stack shows its socket.
    pub sockets: Option<Sockets>,
}
