//! The workload that a choice is wanted for, and how far a run is from it.

use scenarios::{Audience, Scenario};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bodies whose mean length stands for the payload.
const BODIES: u64 = 200;

/// Who subscribes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Readers {
    /// Pages in browsers.
    #[default]
    Browsers,
    /// Programs with a library of their own.
    Programs,
}

/// A workload, for one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Workload {
    /// What it is called: a scenario's name, or `your workload`.
    pub name: String,
    /// Events per second to every subscriber.
    pub rate: f64,
    /// Mean size of a body, bytes.
    pub payload_bytes: f64,
    /// Subscribers connected at once.
    pub subscribers: u64,
    /// Messages per second that each of them sends.
    #[serde(default)]
    pub upstream: f64,
    /// Who subscribes.
    pub readers: Readers,
    /// Whether the bodies are bytes, which SSE has to carry as text.
    #[serde(default)]
    pub binary: bool,
    /// Into how many rooms the subscribers fall, each with events of its own; 0 or 1 where everybody gets all.
    #[serde(default)]
    pub rooms: u64,
}

impl Workload {
    /// The workload that a scenario describes.
    #[must_use]
    pub fn of(name: &str, scenario: &Scenario) -> Self {
        Self {
            name: name.to_owned(),
            rate: rate_to_each(scenario),
            payload_bytes: mean_body(scenario),
            subscribers: scenario.subscribers.0,
            upstream: scenario.upstream,
            readers: Readers::default(),
            binary: scenario.payload.is_binary(),
            rooms: topics(scenario),
        }
    }

    /// How far a run's workload is from this one: the larger of the factors by which event rate and
    /// payload size differ. Costs per delivery depend on little else.
    #[must_use]
    pub fn factor(&self, scenario: &Scenario) -> f64 {
        let apart = |a: f64, b: f64| (a.max(1e-9) / b.max(1e-9)).ln().abs();
        let rate = apart(self.rate, rate_to_each(scenario));
        // A body below the size of its framing costs what the framing does.
        let payload = apart(self.payload_bytes.max(64.0), mean_body(scenario).max(64.0));
        rate.max(payload).exp()
    }

    /// By which factor a run's messages a second at its server differ from this workload's: the cost of one
    /// depends on how many come at once. Infinite where only one of them has messages.
    #[must_use]
    pub fn factor_up(&self, scenario: &Scenario) -> f64 {
        let theirs = scenario.upstream * scenario.subscribers.0 as f64;
        match (self.messages() > 0.0, theirs > 0.0) {
            (true, true) => (self.messages() / theirs).ln().abs().exp(),
            (false, false) => 1.0,
            _ => f64::INFINITY,
        }
    }

    /// By which factor the number of those who hear an event differs: the last of them waits for all others, so
    /// that times to arrive are mostly this.
    #[must_use]
    pub fn factor_heard(&self, scenario: &Scenario) -> f64 {
        let theirs = scenario.subscribers.0 as f64 / topics(scenario) as f64;
        let ours = self.subscribers as f64 / self.rooms.max(1) as f64;
        (ours / theirs).ln().abs().exp()
    }

    /// Events times subscribers, a second.
    #[must_use]
    pub fn deliveries(&self) -> f64 {
        self.rate * self.subscribers as f64
    }

    /// Messages that all subscribers send, a second.
    #[must_use]
    pub fn messages(&self) -> f64 {
        self.upstream * self.subscribers as f64
    }
}

/// Events a second to one subscriber: all of them, those of its room, or its own.
fn rate_to_each(scenario: &Scenario) -> f64 {
    scenario.rate / topics(scenario) as f64
}

const fn topics(scenario: &Scenario) -> u64 {
    match scenario.audience {
        Audience::All => 1,
        Audience::Rooms(rooms) => rooms,
        Audience::Each => scenario.subscribers.0,
    }
}

fn mean_body(scenario: &Scenario) -> f64 {
    let length = |seq| scenario.payload.body(scenario.seed, seq).len() as f64;
    (1..=BODIES).map(length).sum::<f64>() / BODIES as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(set: &[(&str, &str)]) -> Scenario {
        let set: Vec<_> = set.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Scenario::load("ticker", &set).unwrap().1
    }

    #[test]
    fn a_scenario_is_at_home_in_itself_and_far_from_others() {
        let ticker = Workload::of("ticker", &scenario(&[]));
        assert_eq!((ticker.rate, ticker.subscribers), (20.0, 2_000));
        assert!((120.0..170.0).contains(&ticker.payload_bytes), "{ticker:?}");
        assert!((ticker.factor(&scenario(&[])) - 1.0).abs() < 1e-9);
        assert!((ticker.factor(&scenario(&[("rate", "2")])) - 10.0).abs() < 1e-9);
        let roomy = Workload::of("chat", &scenario(&[("audience", "rooms:4")]));
        assert_eq!((roomy.rate, roomy.deliveries()), (5.0, 10_000.0));
        let large = ticker.factor(&scenario(&[("payload", "text:14k"), ("rate", "40")]));
        assert!((90.0..110.0).contains(&large), "{large}");
        let heard = |set: &[(&str, &str)]| ticker.factor_heard(&scenario(set));
        assert!((heard(&[]) - 1.0).abs() < 1e-9 && (heard(&[("audience", "rooms:4")]) - 4.0).abs() < 1e-9);
        let talk = Workload { upstream: 0.5, ..ticker.clone() };
        let talking = scenario(&[("upstream", "2"), ("lanes", "[\"sse-h1\"]")]);
        assert_eq!(talk.messages(), 1_000.0);
        assert!((talk.factor_up(&talking) - 4.0).abs() < 1e-9);
        assert_eq!([ticker.factor_up(&scenario(&[])), ticker.factor_up(&talking)], [1.0, f64::INFINITY]);
    }
}
