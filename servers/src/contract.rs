//! What a host process is told and what it answers: JSON lines on stdio.
//!
//! The first line it reads is a [`HostOrder`], every further line a [`HostCommand`]; every line it
//! writes is a [`HostReply`]. The end of its stdin ends it at once, so that no orphan outlives the
//! process that started it. Plain data, so that a host on another machine is more of the same.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use scenarios::{Case, Lane, Moment, Payload, Scenario, Schedule, Senders};
use serde::{Deserialize, Serialize};

use crate::inject::Inject;
use crate::tls::Identity;

/// What to serve. The first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostOrder {
    /// The lane to serve.
    pub lane: Lane,
    /// The scenario as resolved.
    pub scenario: Scenario,
    /// The bodies; apart from the scenario because the byte-only sweep has its own.
    pub payload: Payload,
    /// The core to pin the process to.
    pub core: Option<usize>,
    /// Where to listen; port 0 takes a free one.
    pub bind: SocketAddr,
    /// What of its scenario's outages it is in, if anything is to break.
    pub case: Option<Case>,
    /// Its number among the servers of its lane, so that no two of them draw the same; 0 where there is one.
    #[serde(default)]
    pub number: u64,
    /// What was due of this schedule before it listens is in its window when it does, as if read from a log that
    /// outlives servers: a server that takes another's place.
    pub log: Option<(Moment, Schedule)>,
    /// Its key and certificate, of a lane inside TLS; without, it makes its own.
    pub identity: Option<Identity>,
    /// How it is to be worse than it is. A host that does not know this does not say that it does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inject: Option<Inject>,
}

/// What to do next. Every further line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostCommand {
    /// Record the writes of the connections from these ports, from now on.
    Sample {
        /// Ports of the clients' ends.
        peers: Vec<u16>,
    },
    /// Publish one event now; answered by [`HostReply::Stepped`].
    Step {
        /// Its sequence number.
        seq: u64,
    },
    /// Send a heartbeat to every connection now; answered by [`HostReply::Beaten`].
    Beat,
    /// Publish a schedule; answered by [`HostReply::Ran`] when it ends.
    Run {
        /// Time zero of the schedule.
        start: Moment,
        /// When each event is meant to leave.
        schedule: Schedule,
        /// Who sends messages upward meanwhile, if anybody.
        senders: Option<Senders>,
    },
    /// End every stream that is open now in good order: the end of the body, or a close frame with 1012 (service
    /// restart); answered by [`HostReply::Drained`] when they have ended.
    Drain {
        /// Whether new ones may be opened meanwhile; else nobody listens any more.
        listens: bool,
    },
    /// Reset every connection that is open now; answered by [`HostReply::Broke`].
    Reset,
    /// Let the kernel drop all that comes on the connections that are open now; answered by [`HostReply::Broke`].
    Blackhole,
    /// Answer requests for streams with this status from now on, or with streams again; answered by
    /// [`HostReply::Refusing`].
    Refuse {
        /// 503, 204, or none.
        status: Option<u16>,
    },
    /// Close the account of the messages that came; answered by [`HostReply::Heard`].
    Heard,
    /// Finish the current block, then end the run. Does nothing between runs.
    Stop,
    /// Answer with [`HostReply::Report`].
    Report,
    /// Answer with [`HostReply::Sessions`].
    Sessions,
    /// End the process.
    Exit,
}

/// What a host says. One line each.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostReply {
    /// It listens.
    Ready {
        /// Its process.
        pid: u32,
        /// Where it listens.
        address: SocketAddr,
        /// Options of the listener, read back from the kernel.
        sockets: SocketFacts,
        /// The certificate to trust on a lane inside TLS, DER.
        certificate: Option<Vec<u8>>,
        /// How it is worse than it is, as it was told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inject: Option<Inject>,
    },
    /// The event was handed to the hub.
    Stepped {
        /// Its sequence number.
        seq: u64,
    },
    /// The heartbeat was handed to the hub.
    Beaten,
    /// The run ended: all events published, or stopped at the end of a block.
    Ran(RanPhase),
    /// The streams that were to end have ended, or had no patience left.
    Drained {
        /// Those that had to be cut off.
        cut: u64,
    },
    /// So many connections broke.
    Broke {
        /// How many.
        connections: u64,
    },
    /// Requests are answered as told.
    Refusing,
    /// What came upward in the phase.
    Heard(Box<Heard>),
    /// Counters since the process began.
    Report(Totals),
    /// What came of streams of their own since the process began.
    Sessions(Box<Sessions>),
    /// It cannot do what it was told.
    Failed {
        /// Why, for people.
        text: String,
    },
}

/// Options of a socket, read back from the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketFacts {
    /// Congestion control.
    pub congestion: String,
    /// `TCP_NODELAY`.
    pub nodelay: bool,
    /// `TCP_MAXSEG`: as set on a listener, as in use on a connection.
    pub mss: u32,
    /// `SO_SNDBUF`, bytes (the kernel reports twice what was asked for).
    pub send_buffer_bytes: u64,
    /// `SO_RCVBUF`, likewise.
    pub receive_buffer_bytes: u64,
    /// The lane's user-space read buffer, bytes.
    pub read_buffer_bytes: u64,
    /// Listen backlog in effect: what was asked for, capped by `net.core.somaxconn`.
    pub backlog: u32,
}

/// What one run published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RanPhase {
    /// Blocks published to their end, those of the log included.
    pub blocks_done: u64,
    /// Published minus intended, ns, one an event in order of seq; those that were in the log when the server began
    /// to listen have none.
    pub lag_ns: Vec<u64>,
    /// When each of the same events was handed to the hub.
    pub published: Vec<Moment>,
    /// SHA-256 over the bodies of the events of these blocks in order of seq, lower-case hex: those of the log too, so
    /// that it is the same at a server that took another's place.
    pub bodies_sha256: String,
    /// The same over the bodies addressed like the first of them: what its first hearer got.
    pub addressed_sha256: String,
}

/// What came upward in one phase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// By block of the schedule.
    pub blocks: Vec<HeardBlock>,
    /// Arrival minus intended instant, ns, one a message that came for the first time.
    pub one_way_ns: Vec<u64>,
    /// Messages that came again.
    pub duplicated: u64,
    /// Messages that came after a later one of the same sender.
    pub reordered: u64,
    /// Messages that nobody was meant to send.
    pub unexpected: u64,
}

/// The messages of one block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeardBlock {
    /// Came.
    pub received: u64,
    /// Of those: handed to the stream of their sender.
    pub echoed: u64,
    /// Of those: not, because that stream had not taken what was there, or had ended.
    pub dropped: u64,
    /// Sum of arrival minus intended instant, ns.
    pub one_way_sum_ns: u64,
}

/// Counters since the process began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections open now.
    pub open: u64,
    /// Deliveries dropped because their subscriber lagged too far behind.
    pub events_dropped: u64,
    /// Subscriptions that lost at least one delivery so.
    pub slow_subscribers: u64,
    /// The most bytes of events ever held for subscribers that had still to read them.
    pub hub_peak_bytes: u64,
    /// System calls that wrote something.
    pub writes: u64,
    /// Allocations by the thread that makes the deliveries, and by the one that frames events step by step; answers to
    /// commands are left out.
    #[serde(default)]
    pub allocations: u64,
    /// Bytes written.
    pub bytes_sent: u64,
    /// Bytes read.
    pub bytes_received: u64,
    /// Connections and requests refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// The writes of the sampled connections.
    pub samples: Vec<SampledWrites>,
    /// Options of the first accepted connection.
    pub sockets: Option<SocketFacts>,
}

/// Streams of one's own, each begun by a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// Streams that were asked for.
    pub begun: u64,
    /// Those of them that the server holds nothing of any more.
    pub released: Vec<Released>,
    /// Lateness of every event produced, ns.
    pub lag_ns: Vec<u64>,
    /// SHA-256 over the bodies of the first stream of client 0, lower-case hex.
    pub witness_sha256: String,
}

/// A stream that is over for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// Whose it was.
    pub client: u64,
    /// Which of this client's it was, from 0.
    pub visit: u32,
    /// When it was asked for.
    pub began: Moment,
    /// When the server let go of it.
    pub released: Moment,
    /// Events handed to the connection.
    pub produced: u64,
}

/// The writes of one sampled connection since it was first sampled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampledWrites {
    /// Port of the client's end.
    pub peer_port: u16,
    /// `(offset of the stream at the end of the write, counted from accept; the moment just before
    /// the system call)`, one a write.
    pub writes: Vec<(u64, Moment)>,
}
