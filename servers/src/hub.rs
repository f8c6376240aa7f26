//! Fan-out by topic: one immutable event to the subscribers of its topic, the latest one to each that
//! joins.
//!
//! Publishing touches the subscribers of one topic and no others. A subscriber that falls behind by more
//! than the hub's capacity loses the oldest events, or its connection; each loss is counted when it happens, none is
//! silent. Joining and publishing exclude each other, so that the greeting, or what a client missed that comes
//! back, and what follows it have neither a gap nor a duplicate. Who comes back reads from the window until it
//! has caught up, and is no reader of the ring before: ten thousand that come back at once cost no copies.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use scenarios::{Moment, SlowPolicy};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use crate::contract::Sessions;
use crate::inject::Drops;
use crate::lanes::Gaps;
use crate::session::Own;
use crate::upward::Upward;
use crate::window::{Gap, Replay, Window};

pub use subscription::{Subscription, Together};
pub use terms::{Barred, Terms};

use subscription::Place;
use topic::{Held, Topic, wake};

mod ending;
mod making;
mod subscription;
mod terms;
mod topic;

/// The fan-out of one lane. Clones share it.
#[derive(Clone, Debug)]
pub struct Hub(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    topics: Box<[Mutex<Topic>]>,
    capacity: usize,
    policy: SlowPolicy,
    closed: AtomicBool,
    dropped: AtomicU64,
    slow: AtomicU64,
    /// Bytes that the rings hold, and the most they ever held.
    held: AtomicU64,
    peak: AtomicU64,
    /// How those who come back are told of events that cannot be given; only where they may come back.
    gaps: Option<Gaps>,
    /// Whether events are kept for who asks for those after an id.
    keeps: bool,
    /// Takes messages from clients, where they may send any.
    upward: Option<Upward>,
    /// Where everybody has a stream of their own, and nothing is published.
    own: Option<Own>,
    /// Tells of each event, where events are kept.
    published: Arc<Notify>,
    /// Tells of the end, and of each time that all who are there are to end.
    ended: Arc<Notify>,
    /// What streams are opened on.
    terms: Terms,
    /// Whether ids are those of a log that other servers give too, so that a client may be ahead of this one.
    follows: bool,
    /// Subscriptions.
    live: AtomicUsize,
    /// How often all who were there were told to end.
    drains: AtomicU32,
    /// Nobody may join any more.
    leaving: AtomicBool,
    /// Event streams that were told when to come back.
    hinted: AtomicU64,
    /// The status that requests for streams are answered with; 0 for streams.
    refusing: AtomicU16,
    /// Deliveries that are left out on purpose.
    drops: Option<Drops>,
}

impl Hub {
    /// Whether a client that comes back with this last event id has had all there is, and is to be told so.
    #[must_use]
    pub fn is_over_for(&self, client: u64, last_id: &[u8]) -> bool {
        self.0.own.as_ref().is_some_and(|own| own.is_over_for(client, last_id))
    }

    /// What came of streams of their own.
    #[must_use]
    pub fn sessions(&self) -> Sessions {
        self.0.own.as_ref().map(Own::report).unwrap_or_default()
    }

    /// What takes messages from clients, if they may send any.
    #[must_use]
    pub fn upward(&self) -> Option<&Upward> {
        self.0.upward.as_ref()
    }

    /// Whether it matters who a client is: there are several topics, echoes for the sender alone, or streams of
    /// one's own.
    #[must_use]
    pub fn wants_names(&self) -> bool {
        self.topics() > 1 || self.upward().is_some() || self.0.own.is_some()
    }

    /// How many topics there are.
    #[must_use]
    pub fn topics(&self) -> usize {
        self.0.topics.len()
    }

    /// Hands event `id`, framed as its lane writes it, to every subscriber.
    pub fn publish(&self, id: u64, event: Bytes) {
        self.publish_to(None, id, event);
    }

    /// Hands an event to every subscriber of a topic, or of all of them.
    pub fn publish_to(&self, topic: Option<usize>, id: u64, event: Bytes) {
        self.publish_at(topic, id, event, Moment::now());
    }

    /// The same for an event that has been there since `at`.
    pub fn publish_at(&self, topic: Option<usize>, id: u64, event: Bytes, at: Moment) {
        if self.is_closed() {
            return;
        }
        match topic {
            Some(topic) => self.fan_out(topic, id, event, at),
            None => (0..self.topics()).for_each(|topic| self.fan_out(topic, id, event.clone(), at)),
        }
        if self.0.keeps {
            self.0.published.notify_waiters();
        }
    }

    /// Hands a heartbeat to every subscriber. It is no event: nobody who joins is greeted with it, and
    /// nobody can ask for it.
    pub fn beat(&self, heartbeat: &Bytes) {
        if !self.is_closed() {
            (0..self.topics()).for_each(|topic| {
                self.hand_out(self.0.topic(topic), topic, heartbeat.clone(), None);
            });
        }
    }

    fn fan_out(&self, topic: usize, id: u64, event: Bytes, at: Moment) {
        let mut held = self.0.topic(topic);
        if let Some(kept) = &mut held.kept {
            kept.push(id, event.clone(), at);
        }
        held.latest = Some(event.clone());
        self.0.dropped.fetch_add(held.out, Relaxed);
        self.hand_out(held, topic, event, Some(id));
    }

    fn hand_out(&self, mut held: MutexGuard<'_, Topic>, topic: usize, event: Bytes, id: Option<u64>) {
        // Nobody's loss where there is nobody to hold it for.
        if held.readers.len() == held.leaving {
            return;
        }
        if held.ring.len() == self.0.capacity {
            match self.0.policy {
                SlowPolicy::DropOldest => held.drop_oldest(&self.0),
                SlowPolicy::Disconnect => held.part_with_the_slowest(&self.0),
            }
            held.trim(&self.0);
        }
        let unread = held.readers.len() - held.leaving;
        if unread == 0 {
            return;
        }
        self.0.hold(event.len());
        held.ring.push_back(Held { event, id, unread });
        wake(held, &self.0, topic);
    }

    /// The events of the first topic after an id, or the latest without one, and how many of them are no
    /// longer kept, which are counted as dropped. `None` when the hub is closed, or keeps nothing.
    #[must_use]
    pub fn after(&self, id: Option<u64>) -> Option<Replay> {
        if self.is_closed() || self.is_leaving() {
            return None;
        }
        let replay = self.0.topic(0).kept.as_mut()?.after(id, Moment::now());
        if replay.lost > 0 {
            self.0.dropped.fetch_add(replay.lost, Relaxed);
            self.0.slow.fetch_add(1, Relaxed);
        }
        Some(replay)
    }

    /// Ends with the next event that is published from now on, or with the hub.
    pub fn published(&self) -> OwnedNotified {
        Arc::clone(&self.0.published).notified_owned()
    }

    /// Ends with the hub, or when all who are there are to end, if it does not happen before.
    pub fn closed(&self) -> OwnedNotified {
        Arc::clone(&self.0.ended).notified_owned()
    }

    /// Joins the first topic. `None` when the hub is closed.
    #[must_use]
    pub fn subscribe(&self) -> Option<Subscription> {
        self.subscribe_as(0)
    }

    /// Joins a client's topic: first its latest event, if there is one, then all that are published
    /// from now on. `None` when the hub is closed.
    #[must_use]
    pub fn subscribe_as(&self, client: u64) -> Option<Subscription> {
        self.join(client, None)
    }

    /// Joins a client's topic where it left it: all events after an id, then those that are published from now
    /// on, with a `gap` event in the place of what cannot be given. A hub that does not resume takes it for one
    /// that comes for the first time. `None` when the hub is closed.
    #[must_use]
    pub fn resume_as(&self, client: u64, last_id: &[u8]) -> Option<Subscription> {
        self.join(client, self.0.gaps.as_ref().map(|_| last_id))
    }

    fn join(&self, client: u64, last_id: Option<&[u8]>) -> Option<Subscription> {
        let topics = self.topics() as u64;
        let topic = usize::try_from(client % topics).expect("below a usize");
        let mut held = self.0.topic(topic);
        if self.is_closed() || self.is_leaving() {
            return None;
        }
        self.0.live.fetch_add(1, Relaxed);
        let (greeting, place) = match last_id.map(|id| std::str::from_utf8(id).ok()?.parse().ok()) {
            None => (held.latest.clone(), Place::Live(held.join(&self.0))),
            Some(Some(id)) => (None, Place::Behind(id, held.epoch())),
            Some(None) => {
                let through = held.kept.as_ref().map_or(0, Window::newest);
                (self.0.gap(Gap { after: None, through }), Place::Live(held.join(&self.0)))
            }
        };
        drop(held);
        let mailbox = self.0.upward.as_ref().map(|upward| Box::new(upward.join(client)));
        let own = self.0.own.as_ref().map(|own| Box::new(own.begin(client)));
        Some(Subscription { greeting, mailbox, shared: Arc::clone(&self.0), topic, place, slow: false, own })
    }

    /// Ends every subscription once it has drained.
    pub fn close(&self) {
        self.0.closed.store(true, Relaxed);
        self.0.ended.notify_waiters();
        self.0.published.notify_waiters();
        (0..self.topics()).for_each(|topic| wake(self.0.topic(topic), &self.0, topic));
    }

    /// Whether [`Hub::close`] was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.closed.load(Relaxed)
    }

    /// Subscriptions that nobody has given up.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.0.live.load(Relaxed)
    }

    /// Bytes of events held now for subscribers that have still to read them.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.0.held.load(Relaxed)
    }

    /// The most bytes of events ever held for subscribers that had still to read them.
    #[must_use]
    pub fn peak_bytes(&self) -> u64 {
        self.0.peak.load(Relaxed)
    }

    /// Deliveries dropped because a subscriber lagged, and the subscriptions that lost any.
    #[must_use]
    pub fn losses(&self) -> (u64, u64) {
        (self.0.dropped.load(Relaxed), self.0.slow.load(Relaxed))
    }
}

impl Shared {
    fn gap(&self, gap: Gap) -> Option<Bytes> {
        self.gaps.as_ref().map(|gaps| gaps.frame(gap))
    }

    fn hold(&self, bytes: usize) {
        let bytes = bytes as u64;
        let held = self.held.fetch_add(bytes, Relaxed) + bytes;
        self.peak.fetch_max(held, Relaxed);
    }

    fn topic(&self, topic: usize) -> MutexGuard<'_, Topic> {
        self.topics[topic].lock().expect("no holder of this lock panics")
    }
}

#[cfg(test)]
mod tests;
