//! What became of streams of one's own: how their ends were seen, and what came twice.

use std::collections::BTreeMap;

use scenarios::Told;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::latency::LatencyHistogram;

/// The streams of one lane in one repetition, each begun by a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sessions {
    /// One entry for each way of being told that a stream is not to be asked for again.
    pub endings: Vec<Ending>,
    /// Arrival minus the arrival of the event before it in the same stream, ns.
    pub gap: LatencyHistogram,
    /// From a client's request to its knowing that the stream is over, ns.
    pub completion: LatencyHistogram,
    /// Lateness of the requests, ns: when they were sent, and no part of what they took.
    pub ask_lag: LatencyHistogram,
    /// Bytes that had arrived and were not read, because the client had left.
    pub unread_bytes: u64,
    /// Bytes that the servers wrote and no client's kernel received.
    pub vain_bytes: u64,
    /// Events produced by the servers beyond those that arrived.
    pub vain_events: u64,
    /// Streams that the servers had not released when all clients were done.
    pub leaked: u64,
    /// Subscribers that left in the middle of their stream.
    pub left: u64,
    /// From a client's leaving to the server's letting go of its stream, ns.
    pub release: LatencyHistogram,
    /// Connections that the servers still held when all clients were done.
    pub open_connections: u64,
    /// Descriptors of the servers' processes before the first client came and after the last was done.
    pub descriptors: [u64; 2],
    /// PSS of the servers' processes before the first client came.
    pub server_pss_before_bytes: u64,
}

/// What the subscribers that were told in one way saw and did, each watched for the scenario's `duration` from
/// its first request on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ending {
    /// How they were told not to come back.
    pub told: Told,
    /// How many they were.
    pub subscribers: u64,
    /// Connections they opened.
    pub connections: u64,
    /// Streams that were begun for them.
    pub streams: u64,
    /// Events that arrived in the first streams.
    pub first_events: u64,
    /// The same events again, in later streams.
    pub repeated_events: u64,
    /// Bytes received for later streams, and for being told that there is none.
    pub repeated_down_bytes: u64,
    /// Bytes sent to ask for these.
    pub repeated_up_bytes: u64,
    /// How often an end was seen in which way: `clean end`, `close 1000`, `status 204`.
    pub seen: BTreeMap<String, u64>,
    /// From the last event to the client's knowing that nothing follows, ns.
    pub knowing: LatencyHistogram,
}

impl Ending {
    /// Nobody yet.
    #[must_use]
    pub fn of(told: Told) -> Self {
        Self {
            told,
            subscribers: 0,
            connections: 0,
            streams: 0,
            first_events: 0,
            repeated_events: 0,
            repeated_down_bytes: 0,
            repeated_up_bytes: 0,
            seen: BTreeMap::new(),
            knowing: LatencyHistogram::default(),
        }
    }

    /// Adds others that were told in the same way.
    pub fn add(&mut self, other: &Self) {
        self.subscribers += other.subscribers;
        self.connections += other.connections;
        self.streams += other.streams;
        self.first_events += other.first_events;
        self.repeated_events += other.repeated_events;
        self.repeated_down_bytes += other.repeated_down_bytes;
        self.repeated_up_bytes += other.repeated_up_bytes;
        for (word, count) in &other.seen {
            *self.seen.entry(word.clone()).or_default() += count;
        }
        self.knowing.merge(&other.knowing);
    }
}

impl Sessions {
    /// Those that were told in one way.
    #[must_use]
    pub fn told(&self, told: Told) -> Option<&Ending> {
        self.endings.iter().find(|ending| ending.told == told)
    }
}
