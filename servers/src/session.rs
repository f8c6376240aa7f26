//! Streams of one's own: events on a timeline that begins with a client's request, and an end.
//!
//! A stream knows its client by the number that it names itself by, and nothing of what that client got
//! before: it begins anew whenever it is asked for. What was produced, and when each stream was released,
//! is kept for the account.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use bytes::Bytes;
use scenarios::{Lane, Moment, Scenario, Session, Told};
use sha2::{Digest as _, Sha256};

use crate::alarm::{Alarm, Until};
use crate::contract::{Released, Sessions};
use crate::lanes;

/// Makes the streams of one lane. Clones share it.
#[derive(Clone, Debug)]
pub struct Own(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    lane: Lane,
    scenario: Scenario,
    session: Session,
    interval_ns: u64,
    alarm: Alarm,
    log: Mutex<Log>,
}

/// What came of the streams so far.
#[derive(Debug, Default)]
struct Log {
    /// Streams that each client has asked for.
    asked: BTreeMap<u64, u32>,
    report: Sessions,
    /// The bodies of the first stream of the first client.
    witness: Sha256,
}

/// One client's stream.
#[derive(Debug)]
pub struct Stream {
    own: Own,
    client: u64,
    visit: u32,
    began: Moment,
    events: u64,
    produced: u64,
    /// The next event, framed before its deadline.
    next: Option<Bytes>,
    due: Option<Until>,
}

impl Own {
    /// The streams of a scenario; `None` where all hear one publisher. Needs a running runtime.
    ///
    /// # Errors
    /// The kernel gives no timer.
    pub fn of(lane: Lane, scenario: &Scenario) -> io::Result<Option<Self>> {
        let Some(session) = scenario.session.clone() else { return Ok(None) };
        let shared = Shared {
            lane,
            session,
            interval_ns: scenario.interval_ns(),
            scenario: scenario.clone(),
            alarm: Alarm::start()?,
            log: Mutex::default(),
        };
        Ok(Some(Self(Arc::new(shared))))
    }

    /// A client's stream, from now on.
    #[must_use]
    pub fn begin(&self, client: u64) -> Stream {
        let mut log = self.log();
        let asked = log.asked.entry(client).or_default();
        let visit = *asked;
        *asked += 1;
        log.report.begun += 1;
        drop(log);
        let events = self.0.session.events(client);
        let (own, began) = (self.clone(), Moment::now());
        let mut stream = Stream { own, client, visit, began, events, produced: 0, next: None, due: None };
        stream.prepare();
        stream
    }

    /// Whether a client that asks with this last event id has had all there is, and is to be told so.
    #[must_use]
    pub fn is_over_for(&self, client: u64, last_id: &[u8]) -> bool {
        let session = &self.0.session;
        session.told(client) == Told::NoContent
            && scenarios::envelope::decimal(last_id) == Some(session.events(client))
    }

    /// What came of the streams so far.
    #[must_use]
    pub fn report(&self) -> Sessions {
        let log = self.log();
        let hash = log.witness.clone().finalize();
        let witness_sha256 = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Sessions { witness_sha256, ..log.report.clone() }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.log.lock().expect("no holder of this lock panics")
    }
}

impl Stream {
    /// Whether all its events have been produced.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.produced == self.events
    }

    /// The next event once it is due; `None` behind the last.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(due) = &mut self.due else { return Poll::Ready(None) };
        if Pin::new(&mut *due).poll(cx).is_pending() {
            return Poll::Pending;
        }
        let lag_ns = Moment::now().nanos_since(due.deadline());
        self.own.log().report.lag_ns.push(lag_ns);
        let event = self.next.take();
        self.produced += 1;
        self.prepare();
        Poll::Ready(event)
    }

    /// Frames the next event, so that it only waits for its deadline. The one that tells of the end does not
    /// wait: it leaves with the last of the others.
    fn prepare(&mut self) {
        let Shared { lane, scenario, session, interval_ns, alarm, .. } = &*self.own.0;
        let index = self.produced;
        if index == self.events {
            self.due = None;
            return;
        }
        let (name, body) = scenario.own_event(session, self.client, index);
        if (self.client, self.visit) == (0, 0) {
            self.own.log().witness.update(&body);
        }
        let framed = lanes::frame_as(*lane, scenario, index + 1, name, &body);
        self.next = Some(framed.expect("the scenario's checks know what a lane can carry"));
        let place = index.min(session.events.0 - 1);
        self.due = Some(alarm.until(self.began.plus_nanos(place * interval_ns)));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let Self { client, visit, began, produced, .. } = *self;
        let released = Moment::now();
        self.own.log().report.released.push(Released { client, visit, began, released, produced });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(told: &str) -> Own {
        let fields = [("session.told", told), ("rate", "1000"), ("lanes", "[\"sse-h1\"]")];
        let fields = fields.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let scenario = Scenario::load("finite", &fields).unwrap().1;
        Own::of("sse-h1".parse().unwrap(), &scenario).unwrap().unwrap()
    }

    async fn all(mut stream: Stream) -> Vec<Bytes> {
        let mut events = Vec::new();
        while let Some(event) = std::future::poll_fn(|cx| stream.poll(cx)).await {
            events.push(event);
        }
        assert!(stream.is_complete());
        events
    }

    #[tokio::test]
    async fn a_stream_ends_behind_its_last_event_and_begins_anew_when_asked_again() {
        let own = own("[\"nothing\"]");
        let first = all(own.begin(5)).await;
        assert_eq!(first.len(), 10);
        assert!(first[9].starts_with(b"id: 10\nevent: interval\ndata: {"));
        assert_eq!(all(own.begin(5)).await, first);
        drop(own.begin(5));
        let report = own.report();
        let seen: Vec<(u32, u64)> = report.released.iter().map(|one| (one.visit, one.produced)).collect();
        assert_eq!((report.begun, seen), (3, vec![(0, 10), (1, 10), (2, 0)]));
        assert_eq!(report.lag_ns.len(), 20);
        let span = report.released[0].released.nanos_since(report.released[0].began);
        assert!(span >= 9 * own.0.interval_ns, "no event left before its time: {span} ns");
    }

    #[tokio::test]
    async fn who_is_told_is_told_by_an_event_or_by_the_id_it_comes_back_with() {
        let done = all(own("[\"done\"]").begin(0)).await;
        assert_eq!(done[10], "id: 11\nevent: done\ndata: [DONE]\n\n");
        let own = own("[\"nothing\", \"no-content\"]");
        let over = |client, id: &[u8]| own.is_over_for(client, id);
        assert!(over(1, b"10") && !over(1, b"9") && !over(1, b"") && !over(0, b"10"));
    }
}
