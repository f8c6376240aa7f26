//! The events of one topic, held once for all who have still to read them, and its readers.

use std::collections::VecDeque;
use std::sync::MutexGuard;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Waker;

use bytes::Bytes;
use slab::Slab;

use super::Shared;
use crate::window::Window;

/// The events of one topic that somebody has still to read.
#[derive(Debug, Default)]
pub(super) struct Topic {
    pub(super) ring: VecDeque<Held>,
    /// The position of the ring's front, counted from the first event there was to hold.
    pub(super) front: u64,
    pub(super) readers: Slab<Reader>,
    pub(super) latest: Option<Bytes>,
    /// Only where someone asks for events after an id: to push costs nothing more without it.
    pub(super) kept: Option<Window>,
    /// Readers that are out, and those of them that have not left yet.
    pub(super) out: u64,
    pub(super) leaving: usize,
    /// Empty but while publishing; kept for its room.
    pub(super) waking: Vec<Waker>,
}

#[derive(Debug)]
pub(super) struct Held {
    pub(super) event: Bytes,
    pub(super) unread: usize,
}

#[derive(Debug)]
pub(super) struct Reader {
    /// The position of the next event.
    pub(super) next: u64,
    pub(super) waker: Option<Waker>,
    /// It lagged too far behind: there is nothing more for it.
    pub(super) is_out: bool,
}

/// Wakes all readers of a topic, outside its lock.
pub(super) fn wake(mut held: MutexGuard<'_, Topic>, shared: &Shared, topic: usize) {
    let mut waking = std::mem::take(&mut held.waking);
    waking.extend(held.readers.iter_mut().filter_map(|(_, reader)| reader.waker.take()));
    if waking.is_empty() {
        held.waking = waking;
        return;
    }
    drop(held);
    waking.drain(..).for_each(Waker::wake);
    shared.topic(topic).waking = waking;
}

impl Topic {
    /// A reader of all that is published from now on.
    pub(super) fn join(&mut self) -> usize {
        let next = self.front + self.ring.len() as u64;
        self.readers.insert(Reader { next, waker: None, is_out: false })
    }

    /// Takes the oldest event from all that have still to read it.
    pub(super) fn drop_oldest(&mut self, shared: &Shared) {
        let oldest = self.ring.front_mut().map_or(0, |oldest| std::mem::take(&mut oldest.unread));
        shared.dropped.fetch_add(oldest as u64, Relaxed);
    }

    /// Takes all events from those that have still to read the oldest, and the event that is being published
    /// passes them by.
    pub(super) fn part_with_the_slowest(&mut self, shared: &Shared) {
        let (ring, front) = (&mut self.ring, self.front);
        let end = front + ring.len() as u64;
        for (_, reader) in
            self.readers.iter_mut().filter(|(_, reader)| !reader.is_out && reader.next == front)
        {
            ring.iter_mut().for_each(|held| held.unread -= 1);
            shared.dropped.fetch_add(ring.len() as u64 + 1, Relaxed);
            shared.slow.fetch_add(1, Relaxed);
            (reader.next, reader.is_out) = (end, true);
            self.out += 1;
            self.leaving += 1;
        }
    }

    /// Forgets what nobody has still to read.
    pub(super) fn trim(&mut self, shared: &Shared) {
        while let Some(held) = self.ring.front().filter(|held| held.unread == 0) {
            shared.held.fetch_sub(held.event.len() as u64, Relaxed);
            self.ring.pop_front();
            self.front += 1;
        }
    }

    /// The next event of a reader, and how many it lost before; `None` when it has all there is.
    pub(super) fn take(&mut self, reader: usize, shared: &Shared) -> Option<(Bytes, u64)> {
        let reader = &mut self.readers[reader];
        let lost = self.front.saturating_sub(reader.next);
        reader.next += lost;
        let index = usize::try_from(reader.next - self.front).expect("an index of the ring");
        let held = self.ring.get_mut(index)?;
        reader.next += 1;
        held.unread -= 1;
        let event = held.event.clone();
        if index == 0 {
            self.trim(shared);
        }
        Some((event, lost))
    }
}
