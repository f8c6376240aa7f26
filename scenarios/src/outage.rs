//! What breaks, and how clients come back: faults, retry policies by name, hints and windows.
//!
//! Plain data that both ends and the report share. What a policy does is the client's (`loadgen/src/reconnect.rs`),
//! what a fault does the runner's; here stands which of them go together.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::lane::{ClientStack, Lane, ServerStack, Transport};
use crate::quantity::{Count, Span};
use crate::seed::SplitMix;

mod check;
mod fault;
mod hint;
mod policy;
pub use fault::{Fault, FaultKind, Lasting};
pub use hint::Hint;
pub use policy::Policy;

/// All subscribers hear one publisher for `duration`, and something breaks meanwhile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// What breaks; each of them in trials of its own.
    pub faults: Vec<Fault>,
    /// How clients come back; each of them in trials of its own, on the lanes that it fits.
    pub policies: Vec<Policy>,
    /// All delays of a policy, and what a server hints at, times this.
    #[serde(default = "defaults::scale")]
    pub retry_scale: f64,
    /// What servers tell event streams of the reconnection time (`retry`); each in trials of its own, where the
    /// policy heeds it.
    #[serde(default = "defaults::hints")]
    pub hints: Vec<Hint>,
    /// Events that the server keeps for those who come back; each number in trials of its own.
    #[serde(default = "defaults::windows")]
    pub windows: Vec<Count>,
    /// Bytes of them that it keeps at most.
    #[serde(default = "defaults::window_bytes")]
    pub window_bytes: Count,
    /// How long it keeps them at most; 0 for as long as there is room.
    #[serde(default)]
    pub window_age: Span,
    /// Whether clients say which event they got last.
    #[serde(default = "defaults::yes")]
    pub resume: bool,
    /// Time from one heartbeat of the server to the next; 0 for none.
    #[serde(default)]
    pub heartbeat: Span,
    /// After so long without a byte a client takes its connection for dead, and the server its client, when what it sent
    /// is not acknowledged; 0 for never.
    #[serde(default)]
    pub silence: Span,
    /// Age at which the server ends a stream, so that clients spread over servers; 0 for none.
    #[serde(default)]
    pub max_age: Span,
    /// Streams of a server, above which it answers 503; 0 for no bound.
    #[serde(default)]
    pub most: Count,
    /// Time for the last of those who come back, behind the last event.
    #[serde(default = "defaults::settle")]
    pub settle: Span,
}

macro_rules! as_text {
    ($($named:ty),*) => {$(
        impl Serialize for $named {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $named {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
            }
        }
        impl JsonSchema for $named {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($named).into()
            }
            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                String::json_schema(generator)
            }
        }
    )*};
}
as_text!(Policy, Hint);

/// What one trial is of, beside its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Case {
    /// Place in [`Outage::faults`].
    pub fault: usize,
    /// As written.
    pub policy: Policy,
    /// What servers tell of the reconnection time.
    pub hint: Hint,
    /// Events that the server keeps.
    pub window: Count,
}

impl Outage {
    /// What has trials of its own on a lane, in the order that it is shown.
    #[must_use]
    pub fn cases(&self, lane: Lane) -> Vec<Case> {
        let mut cases = Vec::new();
        for fault in 0..self.faults.len() {
            for &policy in &self.policies {
                let Some(own) = policy.on(lane.transport) else { continue };
                // Who heeds no hint comes back alike under all of them.
                let hints = if own.heeds_hints() { self.hints.len() } else { 1 };
                for &hint in &self.hints[..hints] {
                    cases.extend(self.windows.iter().map(|&window| Case { fault, policy, hint, window }));
                }
            }
        }
        cases
    }

    /// When a fault comes, ns behind time zero.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "below a minute"
    )]
    pub fn comes_ns(&self, fault: usize, seed: u64, repetition: u64) -> u64 {
        let Fault { at, within, .. } = self.faults[fault];
        let drawn = SplitMix::new(seed, (repetition << 8) ^ fault as u64 ^ 0xFA_0000).unit();
        (at.0.as_nanos() as f64 + within.0.as_nanos() as f64 * drawn) as u64
    }

    /// Servers of a lane at once.
    #[must_use]
    pub fn servers(&self, fault: usize) -> usize {
        if self.faults[fault].kind == FaultKind::Rolling { 2 } else { 1 }
    }

    /// Whether clients of this lane come back.
    #[must_use]
    pub fn fits(lane: Lane) -> bool {
        matches!(lane.transport, Transport::Sse | Transport::Ws)
            && lane.server == ServerStack::Tuned
            && lane.client == ClientStack::Lean
            && !lane.mux
            && !lane.holds_back()
    }
}

mod defaults {
    use super::{Count, Duration, Hint, Span};

    pub const fn scale() -> f64 {
        1.0
    }
    pub fn hints() -> Vec<Hint> {
        vec![Hint::default()]
    }
    pub fn windows() -> Vec<Count> {
        vec![Count(1_024)]
    }
    pub const fn window_bytes() -> Count {
        Count(16 << 20)
    }
    pub const fn yes() -> bool {
        true
    }
    pub const fn settle() -> Span {
        Span(Duration::from_secs(10))
    }
    pub const fn at() -> Span {
        Span(Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    fn loaded(overrides: &[(&str, &str)]) -> Result<Scenario, String> {
        let overrides: Vec<_> =
            overrides.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Scenario::load("reconnect", &overrides).map(|(_, scenario)| scenario).map_err(|err| err.to_string())
    }

    #[test]
    fn names_read_back_and_wrong_ones_are_explained() {
        for (name, _) in crate::catalog::all() {
            let (_, scenario) = Scenario::load(name, &[]).unwrap();
            for policy in scenario.outage.iter().flat_map(|outage| &outage.policies) {
                assert_eq!(policy.to_string().parse(), Ok(*policy));
            }
        }
        for text in ["none", "2s", "1s..5s"] {
            assert_eq!(text.parse::<Hint>().unwrap().to_string(), text);
        }
        assert!("eventsauce".parse::<Policy>().unwrap_err().contains("`eventsource`"));
        assert!("5s..1s".parse::<Hint>().is_err() && "soon".parse::<Hint>().is_err());
    }

    #[test]
    fn a_policy_is_tried_where_it_fits_and_a_hint_where_it_is_heeded() {
        let set = [
            ("outage.faults", "[{ kind = \"reset\" }]"),
            ("outage.policies", "[\"native\", \"rfc6455\", \"full-jitter\"]"),
            ("outage.hints", "[\"none\", \"2s\"]"),
        ];
        let outage = loaded(&set).unwrap().outage.unwrap();
        let cases = |lane: &str| -> Vec<String> {
            let cases = outage.cases(lane.parse().unwrap());
            cases.iter().map(|case| format!("{} {}", case.policy, case.hint)).collect()
        };
        assert_eq!(cases("sse-h2"), ["native none", "native 2s", "full-jitter none"]);
        assert_eq!(cases("ws-h1"), ["native none", "rfc6455 none", "full-jitter none"]);
        let own = |policy: Policy, transport| policy.on(transport).map(|own| own.to_string());
        assert_eq!(own(Policy::Native, Transport::Sse), Some("eventsource".into()));
        assert_eq!(own(Policy::Native, Transport::Ws), Some("reconnecting-websocket".into()));
        assert_eq!(own(Policy::Rfc6455, Transport::Sse), None);
    }

    #[test]
    fn what_a_stream_is_told_is_drawn_for_it_and_scaled() {
        let told = |hint: &str, count| hint.parse::<Hint>().unwrap().draw(1, count, 0.5);
        assert_eq!((told("none", 0), told("2s", 0), told("2s", 9)), (None, Some(1_000), Some(1_000)));
        let drawn: Vec<u64> = (0..500).filter_map(|count| told("1s..5s", count)).collect();
        let (low, high) = (drawn.iter().min().unwrap(), drawn.iter().max().unwrap());
        assert!((500..520).contains(low) && (2_480..=2_500).contains(high), "{low} {high}");
    }

    #[test]
    fn the_moment_of_a_fault_is_drawn_anew_for_each_repetition() {
        let outage =
            loaded(&[("outage.faults", "[{kind = \"reset\", at = \"1s\", within = \"2s\"}]")]).unwrap();
        let outage = outage.outage.unwrap();
        let moments: Vec<u64> = (0..50).map(|repetition| outage.comes_ns(0, 1, repetition)).collect();
        assert!(moments.iter().all(|ns| (1_000_000_000..=3_000_000_000).contains(ns)));
        assert!(moments.windows(2).all(|two| two[0] != two[1]));
    }

    #[test]
    fn what_cannot_be_run_is_refused_with_what_to_do() {
        let cases = [
            ("outage.faults", "[{kind = \"stop\"}]", "needs `down`"),
            ("outage.faults", "[{kind = \"reset\", down = \"1s\"}]", "leave out `down`"),
            ("outage.faults", "[{kind = \"reset\", every = \"1s\"}]", "leave out `every`"),
            ("outage.faults", "[{kind = \"churn\", down = \"1s\"}]", "needs `every`"),
            ("outage.faults", "[{kind = \"drain\", at = \"1m\"}]", "lengthen that"),
            (
                "outage.faults",
                "[{kind = \"churn\", every = \"1s\", down = \"1s\", within = \"1s\"}]",
                "out `within`",
            ),
            ("outage.settle", "0s", "allowed is 100ms to"),
            ("outage.max_age", "1ms", "allowed is 100ms to"),
            ("outage.heartbeat", "1ms", "allowed is 10ms to"),
            ("outage.faults", "[{kind = \"blackhole\"}]", "set `heartbeat` and `silence`"),
            ("outage.faults", "[{kind = \"idle\", down = \"100ms\"}]", "above `idle_timeout`"),
            ("outage.faults", "[]", "at least one of each"),
            ("outage.policies", "[\"rfc6455\"]", "`native` and `full-jitter` fit every lane"),
            ("outage.silence", "1s", "there must be heartbeats"),
            ("lanes", "[\"raw\"]", "no clients that come back"),
            ("lanes", "[\"poll-h1\"]", "lanes that have them: sse-h1"),
            ("identity", "id", "identity = \"id+event\""),
            ("upstream", "1", "goes without `upstream`"),
            ("subscribers", "19k", "at most 18000"),
        ];
        for (key, value, said) in cases {
            let text = loaded(&[(key, value)]).unwrap_err();
            assert!(text.contains(said), "{key}={value}: {text}");
        }
        let churn = ("outage.faults", "[{kind = \"churn\", every = \"1s\", down = \"1s\"}]");
        let text = loaded(&[churn, ("outage.policies", "[\"full-jitter\", \"none\"]")]).unwrap_err();
        assert!(text.contains("leave out policy `none`"), "{text}");
        let idle = ("outage.faults", "[{kind = \"idle\", down = \"2s\"}]");
        let text = loaded(&[idle, ("subscribers", "10k")]).unwrap_err();
        assert!(text.contains("two of 20,000 descriptors") && text.contains("at most 9500"), "{text}");
    }
}
