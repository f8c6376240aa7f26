//! A scenario as written: one TOML file, every field overridable, nothing that no code executes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audience::{Addressing, Audience};
use crate::binary::Binary;
use crate::budget::Budget;
use crate::catalog;
use crate::envelope::{Envelope, Identity};
use crate::lane::{Carrier, Lane, Transport};
use crate::outage::Outage;
use crate::payload::Payload;
use crate::quantity::{Count, Span};
use crate::schedule::Arrivals;
use crate::session::Session;

/// What is wrong with a scenario, for people.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ScenarioError(pub String);

/// A workload as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is, in a line.
    pub about: String,
    /// The compared columns.
    pub lanes: Vec<Lane>,
    /// Subscribers per lane.
    pub subscribers: Count,
    /// To whom events go.
    #[serde(default)]
    pub audience: Audience,
    /// Events per second per lane.
    pub rate: f64,
    /// Publishing time per lane and repetition.
    pub duration: Span,
    /// Length of one interleaved block.
    #[serde(default = "defaults::block")]
    pub block: Span,
    /// Time after each block in which it drains.
    #[serde(default = "defaults::gap")]
    pub gap: Span,
    /// Fresh starts of all processes.
    pub repetitions: Count,
    /// The law of arrivals.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// What the bodies are.
    pub payload: Payload,
    /// What a lane that carries only text does with a binary payload.
    #[serde(default)]
    pub binary: Binary,
    /// The event's name.
    #[serde(default = "defaults::event")]
    pub event: String,
    /// Messages per second that each subscriber sends, each echoed to it; 0 for none.
    #[serde(default)]
    pub upstream: f64,
    /// What the bodies of those messages are.
    #[serde(default = "defaults::upstream_payload")]
    pub upstream_payload: Payload,
    /// How much identity every lane carries.
    #[serde(default)]
    pub identity: Identity,
    /// How identity is written where the transport has no fields for it.
    #[serde(default)]
    pub envelope: Envelope,
    /// Seed of bodies, instants and orders.
    #[serde(default = "defaults::seed")]
    pub seed: u64,
    /// Share of `duration` a lane gets, where it is not all of it.
    #[serde(default)]
    pub share: BTreeMap<Lane, f64>,
    /// Least number of 100 ms slices of warm-up, all lanes together; 0 for none.
    #[serde(default)]
    pub warmup: Count,
    /// Heartbeats to every connection when a repetition's events have been measured; 0 for none, and none of
    /// the idle connections behind a middlebox.
    #[serde(default)]
    pub heartbeats: Count,
    /// Time from one heartbeat to the next.
    #[serde(default = "defaults::heartbeat")]
    pub heartbeat: Span,
    /// After so long without a byte in either direction a middlebox of our own cuts a connection.
    #[serde(default = "defaults::idle_timeout")]
    pub idle_timeout: Span,
    /// Tabs of one browser that each open a stream to the same origin, in a phase of their own; 0 for none.
    #[serde(default)]
    pub tabs: Count,
    /// Every subscriber has a stream of its own, of `rate` events a second, that begins with its request and
    /// ends, and is watched for `duration` from there; without, all hear one publisher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
    /// Something breaks while all hear one publisher, and clients come back; without, nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage: Option<Outage>,
    /// Numbers of idle connections at which memory is read; empty for no memory phase.
    #[serde(default)]
    pub memory: Vec<Count>,
    /// Payload sizes of the byte-only sweep; empty for none.
    #[serde(default)]
    pub sweep: Vec<Count>,
    /// Rates to go up by steps of one block, to where a lane no longer keeps up; empty for none.
    #[serde(default)]
    pub rates: Vec<f64>,
    /// Payload sizes to measure by steps of one block at `rate`; empty for none.
    #[serde(default)]
    pub sizes: Vec<Count>,
    /// `TCP_MAXSEG` on the listener, so that segments are those of an Ethernet; 0 leaves loopback's.
    #[serde(default = "defaults::mss")]
    pub mss: Count,
    /// Congestion control of every socket.
    #[serde(default = "defaults::congestion")]
    pub congestion: String,
    /// `SO_SNDBUF` of every socket, bytes as given to the kernel (which doubles them).
    #[serde(default = "defaults::buffer")]
    pub send_buffer: Count,
    /// `SO_RCVBUF` of every socket, likewise.
    #[serde(default = "defaults::buffer")]
    pub receive_buffer: Count,
    /// Share of the subscribers that read slowly while events are measured.
    #[serde(default)]
    pub slow: f64,
    /// Bytes a second that each of them reads, 16 KiB at a time; 0 for nothing at all.
    #[serde(default)]
    pub slow_read: Count,
    /// What becomes of a subscriber that lags further behind than `lag`.
    #[serde(default)]
    pub slow_policy: SlowPolicy,
    /// HTTP/2: event streams that a connection of a `+mux` lane carries.
    #[serde(default = "defaults::streams")]
    pub streams: Count,
    /// HTTP/2: what may be under way on a stream in either direction before it is acknowledged, bytes.
    #[serde(default = "defaults::buffer")]
    pub window: Count,
    /// Events a slow subscriber may lag behind before the oldest are dropped (and counted).
    #[serde(default = "defaults::lag")]
    pub lag: Count,
    /// Time from one poll of a client to its next, on lanes that poll at an interval.
    #[serde(default = "defaults::poll")]
    pub poll: Span,
    /// How long the server holds a long poll before it answers that there is nothing.
    #[serde(default = "defaults::hold")]
    pub hold: Span,
    /// Bounds of the user's own on what is measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<Budget>,
}

/// What becomes of a subscriber that lags too far behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SlowPolicy {
    /// It loses its oldest events, and stays.
    #[default]
    DropOldest,
    /// It loses all that it has not read, and its connection is ended.
    Disconnect,
}

mod check;
mod defaults;
mod overrides;

impl Scenario {
    /// Reads an embedded scenario by name, or a file by its path, with `key=value` overrides.
    /// Returns its short name beside it.
    ///
    /// # Errors
    /// Unknown name, unreadable file, wrong field or value (with line and caret), absurd numbers.
    pub fn load(name_or_path: &str, overrides: &[(String, String)]) -> Result<(String, Self), ScenarioError> {
        let path = Path::new(name_or_path);
        let is_path = path.extension().is_some_and(|e| e == "toml") || name_or_path.contains('/');
        let (name, text) = if is_path {
            let text = std::fs::read_to_string(path)
                .map_err(|err| ScenarioError(format!("cannot read scenario {name_or_path}: {err}")))?;
            (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), text)
        } else {
            (name_or_path.to_owned(), catalog::text(name_or_path).map_err(ScenarioError)?.to_owned())
        };
        let source = if is_path { name_or_path.to_owned() } else { format!("scenario {name}") };
        let scenario = Self::parse(&source, &text, overrides)?;
        Ok((name, scenario))
    }

    /// Reads TOML text; `source` names it in errors.
    ///
    /// # Errors
    /// As [`Scenario::load`].
    pub fn parse(source: &str, text: &str, overrides: &[(String, String)]) -> Result<Self, ScenarioError> {
        let in_source =
            |err: toml::de::Error| ScenarioError(format!("{source}: {}", err.to_string().trim_end()));
        let written: Self = toml::from_str(text).map_err(in_source)?;
        written.check().map_err(|err| ScenarioError(format!("{source}: {err}")))?;
        if overrides.is_empty() {
            return Ok(written);
        }
        let mut table: toml::Table = toml::from_str(text).map_err(in_source)?;
        for (key, value) in overrides {
            overrides::set(&mut table, key, value)?;
            let edited: Self =
                toml::Value::Table(table.clone()).try_into().map_err(|err: toml::de::Error| {
                    ScenarioError(format!("cannot set {key}={value}: {}", err.message()))
                })?;
            drop(edited);
        }
        let edited: Self = toml::Value::Table(table).try_into().map_err(in_source)?;
        edited.check().map_err(|err| ScenarioError(format!("{source} with overrides: {err}")))?;
        Ok(edited)
    }

    /// Who gets which event.
    #[must_use]
    pub fn addressing(&self) -> Addressing {
        Addressing::new(self.audience, self.seed, self.subscribers.0)
    }

    /// Subscribers that read as fast as they can; those numbered from here on are the slow ones.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a count"
    )]
    pub fn fast(&self) -> u64 {
        self.subscribers.0 - (self.subscribers.0 as f64 * self.slow).round() as u64
    }

    /// Subscribers that one connection of a lane serves.
    #[must_use]
    pub const fn streams_of(&self, lane: Lane) -> u64 {
        if lane.mux { self.streams.0 } else { 1 }
    }

    /// Connections of a subscriber of a lane: with messages upward, SSE over HTTP/1.1 has one beside its
    /// stream.
    #[must_use]
    pub fn connections_of(&self, lane: Lane) -> u64 {
        let beside = lane.transport == Transport::Sse && lane.carrier == Carrier::H1;
        1 + u64::from(beside && self.upstream > 0.0)
    }

    /// The share of `duration` a lane gets, 0 to 1.
    #[must_use]
    pub fn share_of(&self, lane: Lane) -> f64 {
        let base = Lane { transport: lane.transport, ..lane.base() };
        let inherited = if lane.transport == Transport::Raw { self.share.get(&base) } else { None };
        self.share.get(&lane).or(inherited).copied().unwrap_or(1.0)
    }

    /// The time after a block of this lane in which it drains: a lane that polls at an interval fetches
    /// its last events an interval later.
    #[must_use]
    pub fn gap_after(&self, lane: Lane) -> Duration {
        self.gap.0 + if lane.transport == Transport::Poll { self.poll.0 } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(key: &str, value: &str) -> Result<Scenario, String> {
        edited(&[(key, value)])
    }

    fn edited(fields: &[(&str, &str)]) -> Result<Scenario, String> {
        let fields: Vec<(String, String)> =
            fields.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Scenario::load("smoke", &fields).map(|(_, scenario)| scenario).map_err(|err| err.to_string())
    }

    #[test]
    fn every_embedded_scenario_is_sound() {
        for (name, _) in catalog::all() {
            Scenario::load(name, &[]).unwrap();
        }
    }

    #[test]
    fn overrides_reach_their_field() {
        assert_eq!(with("subscribers", "5k").unwrap().subscribers, Count(5_000));
        assert!((with("rate", "40").unwrap().rate - 40.0).abs() < f64::EPSILON);
        assert_eq!(with("payload", "text:1k").unwrap().payload, Payload::Text(1_000));
        assert_eq!(with("lanes", "[\"raw\"]").unwrap().lanes.len(), 1);
        assert!(
            (with("share.raw", "0.5").unwrap().share_of("raw".parse().unwrap()) - 0.5).abs() < f64::EPSILON
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            ("subscribers", "0"),
            ("subscribers", "-3"),
            ("rate", "0"),
            ("rate", "1e12"),
            ("duration", "10ms"),
            ("block", "soon"),
            ("lanes", "[]"),
            ("lanes", "[\"raw\", \"raw\"]"),
            ("lanes", "[\"ssh-h1\"]"),
            ("event", "two\nlines"),
            ("identity", "some"),
            ("payload", "text:5m"),
            ("payload", "video:16k"),
            ("binary", "hex"),
            ("subscriber", "5"),
            ("about.x", "1"),
            ("gap", "-1s"),
            ("heartbeats", "10001"),
            ("heartbeat", "1ms"),
            ("idle_timeout", "50ms"),
            ("tabs", "1k"),
            ("upstream", "-1"),
            ("upstream", "100000"),
            ("upstream_payload", "binary:10"),
            ("poll", "1ms"),
            ("hold", "0s"),
            ("lanes", "[\"poll-h1\"]"),
            ("audience", "everyone"),
            ("audience", "rooms:251"),
            ("slow", "1"),
            ("slow_policy", "wait"),
            ("slow_read", "2g"),
        ];
        let errors: Vec<String> =
            cases.iter().map(|(k, v)| format!("{k}={v}: {}", with(k, v).unwrap_err())).collect();
        insta::assert_snapshot!(errors.join("\n"));
    }

    #[test]
    fn a_lane_that_cannot_do_it_is_refused_with_those_that_can() {
        let refused = |lane: &str, fields: &[(&str, &str)]| {
            let lanes = format!("[\"{lane}\"]");
            edited(&[&[("lanes", lanes.as_str()), ("sweep", "[]")], fields].concat()).unwrap_err()
        };
        for (lane, key, value) in [
            ("sse-h1@reqwest", "slow", "0.5"),
            ("poll-h1", "slow", "0.5"),
            ("poll-h1", "audience", "each"),
            ("longpoll-h1", "audience", "rooms:5"),
        ] {
            let said = refused(lane, &[(key, value)]);
            assert!(said.contains(&format!("lane `{lane}`")) && said.contains("such as `sse-h1`"), "{said}");
        }
        for (lane, identity) in
            [("poll-h1", "id"), ("ws-h1%axum", "id"), ("sse-h1+gzip-buffered", "id"), ("raw", "none")]
        {
            let fields = [("heartbeats", "1"), ("payload", "text:100"), ("identity", identity)];
            let said = refused(lane, &fields);
            assert!(
                said.contains(&format!("lane `{lane}` has no `heartbeats`")) && said.contains("sse-h1+gzip,"),
                "{said}"
            );
        }
    }

    /// axum 0.8's `Event::data("")` leaves the field out, and WHATWG HTML 9.2.6 dispatches nothing without one.
    #[test]
    fn an_empty_body_is_refused_where_the_stock_server_drops_it() {
        for (key, value) in [("payload", "text:0"), ("sweep", "[0, 100]")] {
            let with =
                |lane: &str| edited(&[("lanes", &format!("[\"{lane}\"]")), ("sweep", "[]"), (key, value)]);
            let said = with("sse-h1+tls%axum").unwrap_err();
            assert!(said.contains("no empty body") && said.contains("such as `sse-h1`"), "{said}");
            assert!(with("ws-h1%axum").is_ok() && with("sse-h1").is_ok());
        }
    }

    #[test]
    fn a_wrong_field_is_shown_with_its_line_and_a_caret() {
        let text = catalog::text("smoke").unwrap().replace("rate = 50", "rte = 50");
        insta::assert_snapshot!(Scenario::parse("my.toml", &text, &[]).unwrap_err());
    }
}
