//! Fan-out: one immutable event to every subscriber, the latest one to each that joins.
//!
//! A subscriber that falls behind by more than the hub's capacity loses the oldest events; each
//! loss is counted, none is silent. Joining and publishing exclude each other, so that the
//! greeting and what follows it have neither a gap nor a duplicate.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::Notify;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::futures::OwnedNotified;

use crate::window::{Replay, Window};

/// The fan-out of one lane. Clones share it.
#[derive(Clone, Debug)]
pub struct Hub(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    joining: Mutex<Joining>,
    dropped: AtomicU64,
    slow: AtomicU64,
    /// Tells of each event, where events are kept.
    published: Arc<Notify>,
    closed: Arc<Notify>,
}

#[derive(Debug)]
struct Joining {
    latest: Option<Bytes>,
    /// Only where someone asks for events after an id: to push costs nothing more without it.
    window: Option<Window>,
    /// `None` once the hub is closed.
    sender: Option<broadcast::Sender<Bytes>>,
}

/// One subscriber's end.
#[derive(Debug)]
pub struct Subscription {
    greeting: Option<Bytes>,
    receiver: broadcast::Receiver<Bytes>,
    shared: Arc<Shared>,
    slow: bool,
}

impl Hub {
    /// A hub whose subscribers may lag `capacity` events behind (rounded up to a power of two).
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self::with(capacity, None)
    }

    /// The same, which also keeps its latest `capacity` events for those who ask for what came after an
    /// id, as far as they fit into [`WINDOW_BYTES`](crate::window::WINDOW_BYTES).
    #[must_use]
    pub fn keeping(capacity: usize) -> Self {
        Self::with(capacity, Some(Window::new(capacity)))
    }

    fn with(capacity: usize, window: Option<Window>) -> Self {
        let joining = Joining { latest: None, window, sender: Some(broadcast::Sender::new(capacity)) };
        Self(Arc::new(Shared {
            joining: Mutex::new(joining),
            dropped: AtomicU64::new(0),
            slow: AtomicU64::new(0),
            published: Arc::default(),
            closed: Arc::default(),
        }))
    }

    fn joining(&self) -> MutexGuard<'_, Joining> {
        self.0.joining.lock().expect("no holder of this lock panics")
    }

    /// Hands event `id`, framed as its lane writes it, to every subscriber.
    pub fn publish(&self, id: u64, event: Bytes) {
        let mut joining = self.joining();
        if let Some(sender) = &joining.sender {
            // An error says that nobody is subscribed, which is no failure.
            let _ = sender.send(event.clone());
            if let Some(window) = &mut joining.window {
                window.push(id, event.clone());
                self.0.published.notify_waiters();
            }
            joining.latest = Some(event);
        }
    }

    /// The events after an id, or the latest without one, and how many of them are no longer kept,
    /// which are counted as dropped. `None` when the hub is closed, or keeps nothing.
    #[must_use]
    pub fn after(&self, id: Option<u64>) -> Option<Replay> {
        let joining = self.joining();
        let replay = joining.window.as_ref().filter(|_| joining.sender.is_some())?.after(id);
        if replay.lost > 0 {
            self.0.dropped.fetch_add(replay.lost, Ordering::Relaxed);
            self.0.slow.fetch_add(1, Ordering::Relaxed);
        }
        Some(replay)
    }

    /// Ends with the next event that is published from now on, or with the hub.
    pub fn published(&self) -> OwnedNotified {
        Arc::clone(&self.0.published).notified_owned()
    }

    /// Ends with the hub, if it is not closed yet.
    pub fn closed(&self) -> OwnedNotified {
        Arc::clone(&self.0.closed).notified_owned()
    }

    /// Joins: first the latest event, if there is one, then all that are published from now on.
    /// `None` when the hub is closed.
    #[must_use]
    pub fn subscribe(&self) -> Option<Subscription> {
        let joining = self.joining();
        let receiver = joining.sender.as_ref()?.subscribe();
        let greeting = joining.latest.clone();
        Some(Subscription { greeting, receiver, shared: Arc::clone(&self.0), slow: false })
    }

    /// Ends every subscription once it has drained.
    pub fn close(&self) {
        self.joining().sender = None;
        self.0.closed.notify_waiters();
        self.0.published.notify_waiters();
    }

    /// Whether [`Hub::close`] was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.joining().sender.is_none()
    }

    /// Deliveries dropped because a subscriber lagged, and the subscriptions that lost any.
    #[must_use]
    pub fn losses(&self) -> (u64, u64) {
        (self.0.dropped.load(Ordering::Relaxed), self.0.slow.load(Ordering::Relaxed))
    }
}

impl Subscription {
    /// The next event; `None` when the hub is closed. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Bytes> {
        if let Some(greeting) = self.greeting.take() {
            return Some(greeting);
        }
        loop {
            match self.receiver.recv().await {
                Ok(event) => return Some(event),
                Err(RecvError::Lagged(events)) => self.count_loss(events),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    fn count_loss(&mut self, events: u64) {
        self.shared.dropped.fetch_add(events, Ordering::Relaxed);
        if !std::mem::replace(&mut self.slow, true) {
            self.shared.slow.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All events as a stream, for bodies that are polled.
    pub fn into_stream(self) -> impl Stream<Item = Bytes> + Send + 'static {
        futures_util::stream::unfold(self, |mut subscription| async {
            let event = subscription.next().await?;
            Some((event, subscription))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(n: u8) -> Bytes {
        Bytes::from(vec![n])
    }

    fn drained(subscription: Subscription) -> Vec<u8> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let events: Vec<Bytes> =
            runtime.block_on(futures_util::StreamExt::collect(subscription.into_stream()));
        events.iter().map(|event| event[0]).collect()
    }

    #[test]
    fn what_a_slow_subscriber_loses_is_counted_and_the_rest_arrives() {
        let hub = Hub::new(4);
        let (slow, quick) = (hub.subscribe().unwrap(), Hub::new(4).subscribe().unwrap());
        (1..=7).for_each(|n| hub.publish(n.into(), event(n)));
        hub.close();
        assert_eq!(drained(slow), [4, 5, 6, 7]);
        assert_eq!(hub.losses(), (3, 1));
        assert!(hub.subscribe().is_none() && hub.is_closed());
        drop(quick);
    }

    #[test]
    fn events_are_kept_only_where_they_are_asked_for_and_what_fell_out_is_counted() {
        let (pushing, keeping) = (Hub::new(4), Hub::keeping(4));
        (1..=7)
            .for_each(|n| [&pushing, &keeping].into_iter().for_each(|hub| hub.publish(n.into(), event(n))));
        assert_eq!(pushing.after(Some(5)), None);
        assert_eq!(keeping.after(Some(5)).unwrap().events, [event(6), event(7)]);
        assert_eq!(keeping.losses(), (0, 0));
        assert_eq!(keeping.after(Some(1)).unwrap().lost, 2);
        assert_eq!(keeping.losses(), (2, 1));
        keeping.close();
        assert_eq!(keeping.after(Some(5)), None);
    }

    proptest! {
        /// One byte an operation: publish the next number, or join.
        #[test]
        fn joining_at_any_moment_sees_the_latest_and_all_that_follow(joins: Vec<bool>) {
            let hub = Hub::new(256);
            let (mut published, mut joined) = (0u8, Vec::new());
            for join in joins.into_iter().take(200) {
                if join {
                    joined.push((published, hub.subscribe().unwrap()));
                } else {
                    published += 1;
                    hub.publish(published.into(), event(published));
                }
            }
            hub.close();
            for (latest, subscription) in joined {
                let expected: Vec<u8> = (latest.max(1)..=published).collect();
                prop_assert_eq!(drained(subscription), expected);
            }
            prop_assert_eq!(hub.losses(), (0, 0));
        }
    }
}
