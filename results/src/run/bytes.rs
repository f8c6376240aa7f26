//! Bytes by layer, as a decoder and as the kernel counted them. A layer is one row of the list below.

use std::ops::{Add, Sub};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Counters that add and subtract field by field. A counter that older files lack reads as 0; one that
/// shrank, because a connection took its counts with it, has counted nothing.
macro_rules! counters {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $field:ident,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(default)]
        pub struct $name { $($(#[$doc])* pub $field: u64,)* }

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self { $($field: self.$field + other.$field,)* }
            }
        }

        impl Sub for $name {
            type Output = Self;
            fn sub(self, earlier: Self) -> Self {
                Self { $($field: self.$field.saturating_sub(earlier.$field),)* }
            }
        }

        impl std::iter::Sum for $name {
            fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
                all.fold(Self::default(), Add::add)
            }
        }
    };
}

counters! {
    /// Bytes by layer, as the client's decoder counted them. Every byte received is in exactly one of
    /// `payload`, `event_framing`, `coded`, `transport_framing`, `control`, `poll_heads`, `answers`,
    /// `tls` and `handshake_down`. An echo is an event like others.
    Bytes {
        /// Bodies, as they stood on the wire.
        payload,
        /// Identity and event syntax: SSE field names and newlines, or the envelope.
        event_framing,
        /// Compressed bytes: bodies, identity and event syntax, which cannot be told apart in them.
        coded,
        /// HTTP chunk lines, WebSocket frame headers, the raw lane's length prefix, and what of a message
        /// is not complete yet.
        transport_framing,
        /// Anything else while connected: comments, pings, `retry`.
        control,
        /// Response heads of polls; that of a connection's first is in `handshake_down`.
        poll_heads,
        /// Of these, heads of answers that held no event.
        empty_poll_heads,
        /// Polls that were answered.
        polls,
        /// Of these, without an event.
        empty_polls,
        /// Polls left out because the one before was still unanswered.
        skipped_polls,
        /// What TLS adds: record headers, tags, messages of its own.
        tls,
        /// TLS records received since the stream was open.
        tls_records,
        /// Sent upward while connected.
        up,
        /// Messages sent upward.
        messages,
        /// Of `up`: their bodies.
        up_payload,
        /// Of `up`: what tells a message from others of its sender.
        up_framing,
        /// Of `up`: compressed messages, whose bodies and numbers cannot be told apart in them.
        up_coded,
        /// Of `up`: WebSocket frame headers and masks, heads of requests and HTTP/2's frame headers, the raw
        /// lane's length prefix.
        up_transport,
        /// Received: answers to requests that carried messages, on a connection beside the stream with
        /// what TLS adds to them.
        answers,
        /// Connections whose handshake is counted below; one of HTTP/2 may serve many subscribers.
        connections,
        /// Received before the stream was open: response head or hello.
        handshake_down,
        /// Sent before the stream was open.
        handshake_up,
    }
}

impl Bytes {
    /// All that was received while connected.
    #[must_use]
    pub const fn down(&self) -> u64 {
        let events = self.payload + self.event_framing + self.coded;
        events + self.transport_framing + self.control + self.poll_heads + self.tls + self.answers
    }

    /// All that was received.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.down() + self.handshake_down
    }
}

counters! {
    /// Bytes and segments from `TCP_INFO`, summed over the clients' ends of the connections.
    KernelCounts {
        /// `tcpi_bytes_received`.
        down_bytes,
        /// `tcpi_bytes_sent - tcpi_bytes_retrans`.
        up_bytes,
        /// `tcpi_segs_in`: data and acknowledgements received.
        down_segments,
        /// `tcpi_segs_out`.
        up_segments,
        /// `tcpi_data_segs_in`.
        down_data_segments,
        /// `tcpi_data_segs_out`.
        up_data_segments,
        /// The servers' ends: `tcpi_bytes_sent - tcpi_bytes_retrans`.
        server_sent_bytes,
        /// The servers' ends: `tcpi_total_retrans`.
        retransmits,
    }
}
