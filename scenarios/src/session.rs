//! A stream of one's own: it begins with a client's request, has so many events, and then is complete.
//!
//! Everything that both ends must agree on without a word on the wire: which events a client gets, when
//! it asks, and what the rules of its transport make it do when the stream is over. Pure, so that the
//! standard's rule is a table that a test reads.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::envelope::Identity;
use crate::lane::{ClientStack, Coding, Lane, ServerStack, Transport};
use crate::quantity::{Count, Span};
use crate::scenario::Scenario;
use crate::schedule::{Block, Schedule};
use crate::seed::SplitMix;

/// The last event's name, where clients are told by one that nothing follows.
pub const DONE_EVENT: &str = "done";

/// Its body, as completion services write it.
pub const DONE_BODY: &[u8] = b"[DONE]";

/// Every subscriber has a stream of its own, of `rate` events a second from its request on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Session {
    /// Events of a stream; behind them it is complete.
    pub events: Count,
    /// Time over which the subscribers first ask, by the law of `arrivals`.
    pub within: Span,
    /// Reconnection time of an `EventSource`. The standard leaves it to the browser: Chromium waits 3 s,
    /// Firefox 5 s.
    pub retry: Span,
    /// How clients learn that they shall not ask again; the subscribers take turns.
    pub told: Vec<Told>,
    /// Of every so many subscribers one leaves in the middle of its stream, and does not come back; 0 for none.
    pub leavers: Count,
    /// Events after which it leaves.
    pub leave_after: Count,
    /// How it leaves.
    pub leaving: Leaving,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            events: Count(10),
            within: Span(Duration::from_secs(1)),
            retry: Span(Duration::from_secs(3)),
            told: vec![Told::Nothing],
            leavers: Count(0),
            leave_after: Count(1),
            leaving: Leaving::Close,
        }
    }
}

/// How a client leaves a stream that goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Leaving {
    /// As its transport would have it: a WebSocket says goodbye (1001), a stream of HTTP/2 is reset, and of
    /// HTTP/1.1 the connection is closed.
    #[default]
    Close,
    /// The connection is closed, whatever it carries: what the kernel does for a client that was killed.
    Drop,
}

/// How a client learns that a stream that was completed shall not be asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// Not at all.
    Nothing,
    /// Who asks again with the id of the last event is answered 204 (No Content).
    NoContent,
    /// A last event named `done`, at which the application closes its client.
    Done,
}

impl Told {
    /// Its word in a scenario.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::NoContent => "no-content",
            Self::Done => "done",
        }
    }
}

/// How a client saw its stream end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In good order: the last chunk, `END_STREAM`, or the end of the connection where nothing else tells.
    Clean,
    /// A close frame with this code.
    Closed(u16),
    /// Its request was answered with this status instead.
    Status(u16),
    /// It left before.
    Left,
    /// Any other way.
    Broken,
}

/// Whether a client asks again by itself after its reconnection time.
///
/// WHATWG HTML 9.2 (https://html.spec.whatwg.org/multipage/server-sent-events.html): "Clients will reconnect
/// if the connection is closed; a client can be told to stop reconnecting using the HTTP 204 No Content
/// response code." Its processing model (9.2.3) does so at the end of a body as at a network error, and
/// fails for good at any status but 200. A WebSocket (RFC 6455 7.2.3 leaves it to the application) and bare
/// TCP do nothing by themselves.
#[must_use]
pub const fn asks_again(transport: Transport, end: End, told_done: bool) -> bool {
    match (transport, end) {
        (Transport::Sse, End::Clean | End::Broken) => !told_done,
        (Transport::Sse, End::Closed(_) | End::Status(_) | End::Left) => false,
        (Transport::Ws | Transport::Raw | Transport::LongPoll | Transport::Poll, _) => false,
    }
}

impl Session {
    /// How a client is told.
    #[must_use]
    pub fn told(&self, client: u64) -> Told {
        let turn = client % self.told.len() as u64;
        self.told[usize::try_from(turn).expect("few ways")]
    }

    /// Events of a client's stream, the one that says so included.
    #[must_use]
    pub fn events(&self, client: u64) -> u64 {
        self.events.0 + u64::from(self.told(client) == Told::Done)
    }

    /// After how many events a client leaves, if it does.
    #[must_use]
    pub fn leaves_after(&self, client: u64) -> Option<u64> {
        let leaves = self.leavers.0 > 0 && (client + 1).is_multiple_of(self.leavers.0);
        leaves.then_some(self.leave_after.0)
    }

    /// Whether this lane can carry streams of one's own.
    #[must_use]
    pub fn fits(lane: Lane) -> bool {
        !lane.transport.polls()
            && lane.coding == Coding::Plain
            && !lane.mux
            && lane.server == ServerStack::Tuned
            && lane.client == ClientStack::Lean
    }

    /// What of these fields cannot be run.
    ///
    /// # Errors
    /// Says which field, and what is allowed.
    pub fn check(&self, scenario: &Scenario) -> Result<(), String> {
        let span = |field: &str, value: Span, low: u64, high: u64| {
            let (low, high) = (Span(Duration::from_millis(low)), Span(Duration::from_millis(high)));
            match (low..=high).contains(&value) {
                true => Ok(()),
                false => Err(format!("`session.{field}` is {value}; allowed is {low} to {high}")),
            }
        };
        if !(1..=10_000).contains(&self.events.0) {
            return Err(format!("`session.events` is {}; allowed is 1 to 10000", self.events));
        }
        span("within", self.within, 1, 60_000)?;
        span("retry", self.retry, 20, 8_000)?;
        if self.told.is_empty() || (1..self.told.len()).any(|at| self.told[..at].contains(&self.told[at])) {
            return Err("`session.told` names at least one way, and none twice: \"nothing\", \"no-content\", \"done\"".into());
        }
        if self.leavers.0 > 0 && !(1..self.events.0).contains(&self.leave_after.0) {
            return Err(format!(
                "`session.leave_after` is {}; who leaves in the middle of {} events has had 1 to {} of them",
                self.leave_after,
                self.events,
                self.events.0 - 1
            ));
        }
        self.check_identity(scenario.identity)?;
        check_phases(scenario)?;
        match scenario.lanes.iter().find(|lane| !Self::fits(**lane)) {
            None => Ok(()),
            Some(lane) => {
                let able = Lane::all().into_iter().filter(|lane| Self::fits(*lane));
                let able: Vec<String> = able.map(|lane| lane.to_string()).collect();
                Err(format!(
                    "lane `{lane}` cannot carry streams that begin with a request of their own (`session`): lanes that can: {}",
                    able.join(", ")
                ))
            }
        }
    }

    fn check_identity(&self, identity: Identity) -> Result<(), String> {
        match identity {
            Identity::None => {
                Err("`session` counts repeated events by their ids; write `identity = \"id+event\"`".into())
            }
            Identity::Id if self.told.contains(&Told::Done) => {
                Err("`session.told = \"done\"` needs the events' names; write `identity = \"id+event\"`"
                    .into())
            }
            Identity::Id | Identity::IdEvent => Ok(()),
        }
    }
}

/// Phases that need one publisher for all.
fn check_phases(scenario: &Scenario) -> Result<(), String> {
    let asked = [
        ("memory", !scenario.memory.is_empty()),
        ("sweep", !scenario.sweep.is_empty()),
        ("rates", !scenario.rates.is_empty()),
        ("sizes", !scenario.sizes.is_empty()),
        ("warmup", scenario.warmup.0 > 0),
        ("slow", scenario.slow > 0.0),
        ("heartbeats", scenario.heartbeats.0 > 0),
        ("tabs", scenario.tabs.0 > 0),
        ("upstream", scenario.upstream > 0.0),
        ("share", !scenario.share.is_empty()),
        ("audience", scenario.audience != crate::audience::Audience::All),
    ];
    match asked.iter().find(|(_, asked)| *asked) {
        None => Ok(()),
        Some((field, _)) => Err(format!(
            "`{field}` needs one publisher for all subscribers, and with `session` each has a stream of its own; leave `{field}` out"
        )),
    }
}

impl Scenario {
    /// Descriptors of a connection at its client's end: the clients of streams of one's own hold two, the lean
    /// client's and the runtime's.
    #[must_use]
    pub fn descriptors_of_a_connection(&self) -> u64 {
        1 + u64::from(self.session.is_some())
    }

    /// Name and body of event `index` (from 0) of a client's own stream. It is the same in every stream of
    /// this client, because a server that knows nothing of `Last-Event-ID` begins anew.
    #[must_use]
    pub fn own_event(&self, session: &Session, client: u64, index: u64) -> (&str, Vec<u8>) {
        if index >= session.events.0 {
            return (DONE_EVENT, DONE_BODY.to_vec());
        }
        let seed = SplitMix::new(self.seed, 0x5E55_0000_0000 ^ client).draw();
        (&self.event, self.payload.body(seed, index))
    }

    /// When each client first asks, ns after time zero.
    #[must_use]
    pub fn first_asks(&self, session: &Session) -> Vec<u64> {
        let span_ns = u64::try_from(session.within.0.as_nanos()).expect("bounded by the scenario's checks");
        let events = self.subscribers.0;
        let block = Block { lane: 0, round: 0, start_ns: 0, span_ns, first_seq: 0, events };
        let schedule = Schedule::new(self.arrivals, self.seed, vec![block]);
        (0..events).map(|client| schedule.intended(client).expect("the block has so many")).collect()
    }

    /// Time from one event of a stream of one's own to the next, ns.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded by the scenario's checks"
    )]
    pub fn interval_ns(&self) -> u64 {
        (1e9 / self.rate).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// METHOD M24, in a table: who comes back, and who is told not to.
    #[test]
    fn an_event_source_comes_back_unless_told_and_a_websocket_never_does() {
        let ends = [End::Clean, End::Broken, End::Status(204), End::Status(500), End::Closed(1000)];
        let of = |transport, done| ends.map(|end| asks_again(transport, end, done));
        assert_eq!(of(Transport::Sse, false), [true, true, false, false, false]);
        assert_eq!(of(Transport::Sse, true), [false; 5]);
        assert_eq!(of(Transport::Ws, false), [false; 5]);
        assert_eq!(of(Transport::Raw, false), [false; 5]);
    }

    fn finite(fields: &[(&str, &str)]) -> Result<Scenario, String> {
        let fields: Vec<_> = fields.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Scenario::load("finite", &fields).map(|(_, scenario)| scenario).map_err(|err| err.to_string())
    }

    #[test]
    fn clients_take_turns_in_how_they_are_told_and_hear_the_same_in_every_stream() {
        let scenario = finite(&[]).unwrap();
        let session = scenario.session.clone().unwrap();
        let told: Vec<Told> = (0..4).map(|client| session.told(client)).collect();
        assert_eq!(told, [Told::Nothing, Told::NoContent, Told::Done, Told::Nothing]);
        assert_eq!([0, 1, 2].map(|client| session.events(client)), [10, 10, 11]);
        let event = |client, index| scenario.own_event(&session, client, index);
        assert_eq!(event(7, 3), event(7, 3));
        assert_eq!(event(2, 10), (DONE_EVENT, DONE_BODY.to_vec()));
        let tokens = finite(&[("payload", "tokens")]).unwrap();
        assert_ne!(tokens.own_event(&session, 0, 3), tokens.own_event(&session, 1, 3));
    }

    #[test]
    fn first_requests_are_spread_by_the_law_of_arrivals() {
        let scenario = finite(&[("subscribers", "4"), ("session.within", "400ms")]).unwrap();
        let asks = scenario.first_asks(scenario.session.as_ref().unwrap());
        assert_eq!(asks, [0, 100_000_000, 200_000_000, 300_000_000]);
        assert_eq!(scenario.interval_ns(), 50_000_000);
        assert_eq!(scenario.descriptors_of_a_connection(), 2);
    }

    #[test]
    fn what_cannot_have_a_stream_of_its_own_is_refused_with_the_lanes_that_can() {
        let leaves = |after: &str| finite(&[("session.leavers", "3"), ("session.leave_after", after)]);
        assert!(
            ["0", "10"].iter().all(|after| leaves(after).unwrap_err().contains("has had 1 to 9 of them"))
        );
        let session = leaves("9").unwrap().session.unwrap();
        assert_eq!([0, 1, 2, 5].map(|client| session.leaves_after(client)), [None, None, Some(9), Some(9)]);
        for lane in ["poll-h1", "sse-h1+gzip", "sse-h2+mux", "ws-h1%axum", "sse-h1@reqwest"] {
            let lanes = format!("[\"{lane}\"]");
            let said = finite(&[("lanes", &lanes)]).unwrap_err();
            assert!(
                said.contains(&format!("lane `{lane}`"))
                    && said.contains("sse-h1, sse-h2, ws-h1, ws-h2, raw"),
                "{said}"
            );
        }
        let cases = [
            ("session.events", "0", "1 to 10000"),
            ("session.retry", "9s", "20ms to 8s"),
            ("session.within", "0s", "1ms to 60s"),
            ("session.told", "[]", "at least one"),
            ("session.told", "[\"done\", \"done\"]", "none twice"),
            ("identity", "none", "by their ids"),
            ("identity", "id", "needs the events' names"),
            ("memory", "[100]", "leave `memory` out"),
            ("slow", "0.5", "leave `slow` out"),
            ("audience", "each", "leave `audience` out"),
        ];
        for (key, value, says) in cases {
            let said = finite(&[(key, value)]).unwrap_err();
            assert!(said.contains(says), "{key}={value}: {said}");
        }
    }
}
