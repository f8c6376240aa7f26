//! How streams end in good order while their server goes on: all who are there at once, or each at an age.
//!
//! Who is to end gets what was published before, and nothing behind it; its client is told that it may come back.
//! Ages are a queue a topic, in the order in which readers came, because all have the same: no timer and no wake-up
//! a connection, and a server without ages has none of it. One that is still catching up is not cut off at its age,
//! which counts from when it has.

use std::sync::atomic::Ordering::Relaxed;

use scenarios::Moment;

use super::Hub;
use super::topic::{rouse, wake};

impl Hub {
    /// Ends every subscription that is there, once it has what there is; who joins later stays.
    pub fn drain(&self) {
        for topic in 0..self.topics() {
            let mut held = self.0.topic(topic);
            held.drain();
            wake(held, &self.0, topic);
        }
        self.0.drains.fetch_add(1, Relaxed);
        self.0.ended.notify_waiters();
    }

    /// The same, and nobody may join any more.
    pub fn leave(&self) {
        self.0.leaving.store(true, Relaxed);
        self.drain();
        self.0.published.notify_waiters();
    }

    /// Whether nobody may join any more.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.0.leaving.load(Relaxed)
    }

    /// How often all who were there were told to end.
    #[must_use]
    pub fn drains(&self) -> u32 {
        self.0.drains.load(Relaxed)
    }

    /// Whether a connection that came after so many drains is to end.
    #[must_use]
    pub fn is_over_since(&self, drains: u32) -> bool {
        self.is_closed() || self.is_leaving() || self.drains() != drains
    }

    /// Ends the subscriptions that are older at `now` than streams may be, once they have what there is; when
    /// the next is due, if any is.
    pub fn end_older(&self, now: Moment) -> Option<Moment> {
        let due = (0..self.topics()).filter_map(|topic| {
            let mut held = self.0.topic(topic);
            let due = held.end_older(self.0.terms.max_age, now);
            rouse(held, &self.0, topic);
            due
        });
        due.min()
    }

    /// Ends subscriptions at the age that the terms give, as long as the hub is open; at once if they give none.
    pub async fn end_at_age(self) {
        let max_age = self.0.terms.max_age;
        while !max_age.is_zero() && !self.is_closed() {
            let now = Moment::now();
            // Whoever joins meanwhile is not due before.
            let pause = self.end_older(now).map_or(max_age, |due| due.since(now));
            tokio::time::sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests;
