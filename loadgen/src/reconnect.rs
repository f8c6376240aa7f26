//! When a client that lost its stream comes back, if it does: retry policies as pure functions of what it
//! saw, with a seeded random source, and the states of a client that follows one.
//!
//! Each policy is what a standard or a library does, not what would be wise. Time is asked of nobody: whoever
//! drives a client tells it what happened when, and waits as long as it is told.

use std::time::Duration;

use scenarios::seed::SplitMix;
use scenarios::{Moment, Policy};

/// How a stream, or an attempt to open one, ended, as its client can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The response's body ended.
    Body,
    /// No connection, a reset, or an end in the middle of something.
    Network,
    /// A response that opens no stream.
    Status(u16),
    /// A response of status 200 that is no event stream.
    ContentType,
    /// A WebSocket's close frame, with its code.
    Closed(u16),
    /// Nothing was heard for as long as the application bears, which then opens a stream anew.
    Silence,
    /// The client itself left, as a telephone does without a network.
    Left,
}

/// The reconnection time of Chromium's `EventSource` without a `retry` field.
const CHROMIUM: Duration = Duration::from_secs(3);
/// That of Firefox, and the shortest that a server may ask of it.
const FIREFOX: Duration = Duration::from_secs(5);
const LEAST_OF_FIREFOX: Duration = Duration::from_millis(500);

/// Of reconnecting-websocket 4 and partysocket: `minUptime`, from which on a stream is a success;
/// `maxReconnectionDelay`; `reconnectionDelayGrowFactor`; `connectionTimeout`.
const STABLE: Duration = Duration::from_secs(5);
const LIBRARY_LAST: Duration = Duration::from_secs(10);
const LIBRARY_GROWTH: f64 = 1.3;
const LIBRARY_PATIENCE: Duration = Duration::from_secs(4);

/// First limit of full jitter and of RFC 6455's back-off, and the last of both.
const FIRST: Duration = Duration::from_secs(1);
const FIRST_OF_RFC: Duration = Duration::from_secs(5);
const LAST: Duration = Duration::from_secs(30);

/// One client's retries.
#[derive(Clone, Debug)]
struct Retries {
    policy: Policy,
    scale: f64,
    /// The reconnection time that the server last asked for (`retry`).
    hint: Option<Duration>,
    /// Attempts since the last success.
    failures: u32,
    /// What a page draws once, when it loads the library: `minReconnectionDelay`, 1 to 5 s.
    drawn: Duration,
    draw: SplitMix,
}

impl Retries {
    /// How long to wait before the next attempt after a stream ended that had lived so long (nothing for an
    /// attempt that opened none); `None` for never.
    fn next(&mut self, ended: Ended, lived: Duration) -> Option<Duration> {
        let opened = !lived.is_zero();
        // An application that opens a stream anew does so at once; its client begins from the start.
        let is_anew = matches!(ended, Ended::Silence | Ended::Left);
        let scale = self.scale;
        // What a server asks for is scaled by the server.
        let own = |time: Duration| time.mul_f64(scale);
        match self.policy {
            Policy::None => None,
            Policy::EventSourceChromium | Policy::EventSourceFirefox | Policy::EventSourceResilient => {
                let browser = if self.policy == Policy::EventSourceFirefox { FIREFOX } else { CHROMIUM };
                let resilient = self.policy == Policy::EventSourceResilient && ended != Ended::Status(204);
                match is_anew {
                    true => Some(Duration::ZERO),
                    false => (resilient || reopens(ended)).then(|| self.hint.unwrap_or(own(browser))),
                }
            }
            Policy::ReconnectingWebSocket | Policy::PartySocket | Policy::Native => {
                if is_anew {
                    self.failures = 0;
                    return Some(Duration::ZERO);
                }
                self.count(lived >= own(STABLE));
                let grown = LIBRARY_GROWTH.powi(i32::try_from(self.failures - 1).unwrap_or(i32::MAX));
                Some(own(self.drawn.mul_f64(grown.min(1e3)).min(LIBRARY_LAST)))
            }
            Policy::Rfc6455 => {
                self.count(opened);
                Some(own(self.jittered(FIRST_OF_RFC)))
            }
            Policy::FullJitter => {
                self.count(opened);
                Some(own(self.jittered(FIRST)))
            }
        }
    }

    /// One more attempt, or the first after a success.
    const fn count(&mut self, after_success: bool) {
        self.failures = if after_success { 1 } else { self.failures.saturating_add(1) };
    }

    /// Drawn from zero to a limit that doubles with each failure.
    fn jittered(&mut self, first: Duration) -> Duration {
        let limit = first.saturating_mul(1 << (self.failures - 1).min(16)).min(LAST);
        limit.mul_f64(self.draw.unit())
    }
}

/// Whether an `EventSource` tries again by itself (WHATWG HTML 9.2.3): after the end of the body and after a
/// network error it reestablishes the connection; "if res's status is not 200, or if res's `Content-Type` is
/// not `text/event-stream`, then fail the connection", for good.
const fn reopens(ended: Ended) -> bool {
    match ended {
        Ended::Body | Ended::Network => true,
        Ended::Status(_) | Ended::ContentType | Ended::Closed(_) | Ended::Silence | Ended::Left => false,
    }
}

/// Where a client is between streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It opens a stream.
    Connecting {
        /// Since when.
        since: Moment,
    },
    /// It has one.
    Open {
        /// Since when.
        since: Moment,
    },
    /// It waits before the next attempt.
    Waiting {
        /// For when.
        until: Moment,
    },
    /// It never comes back.
    Closed,
}

/// A client that follows a policy.
#[derive(Clone, Debug)]
pub struct Connection {
    state: State,
    retries: Retries,
}

impl Connection {
    /// Client `client` of a fleet, which connects for the first time now. All delays of its policy are
    /// multiplied by `scale`.
    #[must_use]
    pub fn new(policy: Policy, scale: f64, seed: u64, client: u64, now: Moment) -> Self {
        let mut draw = SplitMix::new(seed ^ 0x2E7_12E5, client);
        let drawn = Duration::from_secs(1) + Duration::from_secs(4).mul_f64(draw.unit());
        let retries = Retries { policy, scale, hint: None, failures: 0, drawn, draw };
        Self { state: State::Connecting { since: now }, retries }
    }

    /// Where it is.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// How long an attempt may take; `None` where nobody but the system sets a limit.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        let has = matches!(self.retries.policy, Policy::ReconnectingWebSocket | Policy::PartySocket);
        has.then(|| LIBRARY_PATIENCE.mul_f64(self.retries.scale))
    }

    /// The server sent `retry` (WHATWG HTML 9.2.6: "set the event stream's reconnection time to that
    /// integer"). Only an `EventSource` listens.
    pub fn hint(&mut self, reconnection_time: Duration) {
        let is_firefox = matches!(self.retries.policy, Policy::EventSourceFirefox);
        if self.retries.policy.heeds_hints() {
            let least =
                if is_firefox { LEAST_OF_FIREFOX.mul_f64(self.retries.scale) } else { Duration::ZERO };
            self.retries.hint = Some(reconnection_time.max(least));
        }
    }

    /// Its time to wait is over: it makes an attempt.
    pub const fn begin(&mut self, now: Moment) {
        self.state = State::Connecting { since: now };
    }

    /// Its stream is open.
    pub const fn opened(&mut self, now: Moment) {
        self.state = State::Open { since: now };
    }

    /// Its stream, or its attempt, is over: where it is then.
    pub fn ended(&mut self, ended: Ended, now: Moment) -> State {
        let lived = match self.state {
            // A stream that lived no time at all lived.
            State::Open { since } => now.since(since).max(Duration::from_nanos(1)),
            State::Connecting { .. } | State::Waiting { .. } | State::Closed => Duration::ZERO,
        };
        let delay = self.retries.next(ended, lived);
        let until =
            delay.map(|delay| now.plus_nanos(u64::try_from(delay.as_nanos()).expect("below an hour")));
        self.state = until.map_or(State::Closed, |until| State::Waiting { until });
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn client(policy: Policy, number: u64) -> Connection {
        Connection::new(policy, 1.0, 1, number, Moment::from_nanos(0))
    }

    /// Opens at 10 s, ends so at 20 s: how long it waits then.
    fn waits(mut connection: Connection, ended: Ended) -> Option<u64> {
        connection.opened(Moment::from_nanos(10 * SECOND));
        again(&mut connection, ended, 20 * SECOND)
    }

    fn again(connection: &mut Connection, ended: Ended, now: u64) -> Option<u64> {
        match connection.ended(ended, Moment::from_nanos(now)) {
            State::Waiting { until } => Some(until.as_nanos() - now),
            State::Closed => None,
            state @ (State::Connecting { .. } | State::Open { .. }) => panic!("{state:?}"),
        }
    }

    /// WHATWG HTML 9.2.2 (https://html.spec.whatwg.org/multipage/server-sent-events.html): "Clients will
    /// reconnect if the connection is closed; a client can be told to stop reconnecting using the HTTP 204 No
    /// Content response code." 9.2.3: "if aborting fails due to a network error, reestablish the connection";
    /// any other status, or content type, "fail the connection".
    #[test]
    fn an_event_source_comes_back_after_ends_and_errors_and_after_no_status() {
        let chromium = |ended| waits(client(Policy::EventSourceChromium, 0), ended);
        let firefox = |ended| waits(client(Policy::EventSourceFirefox, 0), ended);
        for ended in [Ended::Body, Ended::Network] {
            assert_eq!((chromium(ended), firefox(ended)), (Some(3 * SECOND), Some(5 * SECOND)), "{ended:?}");
        }
        for status in [204, 205, 301, 400, 401, 403, 404, 410, 429, 500, 502, 503] {
            assert_eq!(
                (chromium(Ended::Status(status)), firefox(Ended::Status(status))),
                (None, None),
                "{status}"
            );
        }
        assert_eq!(chromium(Ended::ContentType), None);
    }

    #[test]
    fn one_that_replaces_it_comes_back_after_every_status_but_204() {
        let resilient = |ended| waits(client(Policy::EventSourceResilient, 0), ended);
        assert_eq!(resilient(Ended::Status(503)), Some(3 * SECOND));
        assert_eq!(
            (resilient(Ended::ContentType), resilient(Ended::Body)),
            (Some(3 * SECOND), Some(3 * SECOND))
        );
        assert_eq!(resilient(Ended::Status(204)), None);
    }

    /// 9.2.6: "If the field name is `retry` [...] set the event stream's reconnection time to that integer."
    #[test]
    fn who_listens_waits_as_long_as_the_server_asks() {
        let hinted = |policy| {
            let mut connection = client(policy, 0);
            connection.hint(Duration::from_millis(250));
            waits(connection, if policy == Policy::Rfc6455 { Ended::Closed(1012) } else { Ended::Body })
        };
        assert_eq!(hinted(Policy::EventSourceChromium), Some(SECOND / 4));
        // Gecko's `MIN_RECONNECTION_TIME_VALUE`.
        assert_eq!(hinted(Policy::EventSourceFirefox), Some(SECOND / 2));
        assert_ne!(hinted(Policy::Rfc6455), Some(SECOND / 4));
    }

    /// RFC 6455 7.2.3: "the first reconnect attempt SHOULD be delayed by a random amount of time [...] a random
    /// value chosen between 0 and 5 seconds [...] Should the first reconnect attempt fail, subsequent reconnect
    /// attempts SHOULD be delayed by increasingly longer amounts of time, using a method such as truncated
    /// binary exponential backoff."
    #[test]
    fn the_rfcs_delays_are_drawn_from_five_seconds_and_then_from_limits_that_double() {
        let first: Vec<u64> = (0..1_000)
            .map(|number| waits(client(Policy::Rfc6455, number), Ended::Closed(1006)).unwrap())
            .collect();
        assert!(first.iter().all(|wait| *wait < 5 * SECOND));
        let (low, high) = (first.iter().min().unwrap(), first.iter().max().unwrap());
        assert!(*low < SECOND / 20 && *high > 5 * SECOND - SECOND / 20, "{low} {high}");
        let most = |failures: u32| {
            let wait = |number| {
                let mut connection = client(Policy::Rfc6455, number);
                let waits = (0..=failures).map(|_| again(&mut connection, Ended::Network, 0).unwrap());
                waits.last().unwrap()
            };
            (0..1_000).map(wait).max().unwrap().div_ceil(SECOND)
        };
        assert_eq!([0, 1, 2, 3, 9].map(most), [5, 10, 20, 30, 30]);
    }

    /// Their source: `minReconnectionDelay: 1000 + Math.random() * 4000`, factor 1.3, at most 10 s; a stream
    /// that lived for `minUptime`, 5 s, begins anew.
    #[test]
    fn the_libraries_grow_from_a_delay_that_the_page_drew() {
        for policy in [Policy::ReconnectingWebSocket, Policy::PartySocket] {
            let mut connection = client(policy, 7);
            let first = again(&mut connection, Ended::Network, 0).unwrap();
            assert!((SECOND..=5 * SECOND).contains(&first));
            let second = again(&mut connection, Ended::Network, 0).unwrap();
            assert!(second.abs_diff(first * 13 / 10) < 10, "{first} {second}");
            let last = (0..20).map(|_| again(&mut connection, Ended::Status(503), 0).unwrap()).last();
            assert_eq!(last, Some(10 * SECOND));
            connection.opened(Moment::from_nanos(0));
            assert_eq!(again(&mut connection, Ended::Closed(1000), 5 * SECOND), Some(first), "a success");
            connection.opened(Moment::from_nanos(0));
            assert_eq!(
                again(&mut connection, Ended::Closed(1012), SECOND),
                Some(second),
                "too short a success"
            );
            assert_eq!(connection.patience(), Some(Duration::from_secs(4)));
        }
    }

    #[test]
    fn full_jitter_is_drawn_from_one_second_on() {
        let wait = |number| waits(client(Policy::FullJitter, number), Ended::Body).unwrap();
        let most = (0..1_000).map(wait).max().unwrap();
        assert!((SECOND - SECOND / 100..SECOND).contains(&most), "{most}");
    }

    #[test]
    fn who_stays_away_stays_away_and_delays_scale() {
        assert_eq!(waits(client(Policy::None, 0), Ended::Body), None);
        let fast = Connection::new(Policy::EventSourceChromium, 0.01, 1, 0, Moment::from_nanos(0));
        assert_eq!(waits(fast, Ended::Body), Some(3 * SECOND / 100));
    }

    #[test]
    fn an_application_that_heard_nothing_opens_a_stream_at_once() {
        for policy in [Policy::EventSourceChromium, Policy::ReconnectingWebSocket] {
            assert_eq!(waits(client(policy, 0), Ended::Silence), Some(0));
        }
        assert!(waits(client(Policy::FullJitter, 0), Ended::Silence).is_some_and(|wait| wait > 0));
    }
}
