//! The events of one topic, held once for all who have still to read them, and its readers.

use std::collections::VecDeque;
use std::sync::MutexGuard;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use scenarios::Moment;
use slab::Slab;

use super::Shared;
use crate::window::{Gap, Window};

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
    /// Readers that are out, and those, out or at their end, for whom nothing more is held and who have not left
    /// yet.
    pub(super) out: u64,
    pub(super) leaving: usize,
    /// The newest id each time that it was drained.
    pub(super) drained: Vec<u64>,
    /// Who joined when, the oldest first; only where streams have an age at which they end.
    pub(super) joined: VecDeque<Joined>,
    /// Readers there ever were: tells two apart that had one place.
    pub(super) serial: u32,
    /// Empty but while publishing; kept for its room.
    pub(super) waking: Vec<Waker>,
}

#[derive(Debug)]
pub(super) struct Held {
    pub(super) event: Bytes,
    /// What is no event has no id.
    pub(super) id: Option<u64>,
    pub(super) unread: usize,
}

/// A reader, and when it came.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) at: Moment,
    pub(super) reader: u32,
    pub(super) serial: u32,
}

#[derive(Debug)]
pub(super) struct Reader {
    /// The position of the next event.
    pub(super) next: u64,
    /// The position of what is not for it any more; [`ENDLESS`] as long as all is.
    pub(super) until: u64,
    pub(super) waker: Option<Waker>,
    pub(super) serial: u32,
    /// It lagged too far behind: there is nothing more for it.
    pub(super) is_out: bool,
}

/// No event is so late.
pub(super) const ENDLESS: u64 = u64::MAX;

/// What comes next for somebody who is behind the ring.
pub(super) enum Next {
    /// An event of the window.
    Event(u64, Bytes),
    /// Something that cannot be given.
    Gap(Gap),
    /// It has caught up, and reads the ring from here on.
    Live(usize),
    /// It has what is still to come here: another server of the same log gave it.
    Ahead(usize),
    /// It was to end here.
    End,
}

/// Wakes all readers of a topic, outside its lock.
pub(super) fn wake(mut held: MutexGuard<'_, Topic>, shared: &Shared, topic: usize) {
    let Topic { waking, readers, .. } = &mut *held;
    waking.extend(readers.iter_mut().filter_map(|(_, reader)| reader.waker.take()));
    rouse(held, shared, topic);
}

/// Wakes those who are to be woken, outside the lock.
pub(super) fn rouse(mut held: MutexGuard<'_, Topic>, shared: &Shared, topic: usize) {
    let mut waking = std::mem::take(&mut held.waking);
    if waking.is_empty() {
        held.waking = waking;
        return;
    }
    drop(held);
    waking.drain(..).for_each(Waker::wake);
    shared.topic(topic).waking = waking;
}

impl Topic {
    /// The position of the next event that is published.
    fn end(&self) -> u64 {
        self.front + self.ring.len() as u64
    }

    /// A reader of all that is published from now on.
    pub(super) fn join(&mut self, shared: &Shared) -> usize {
        self.serial = self.serial.wrapping_add(1);
        let (next, serial) = (self.end(), self.serial);
        let reader = self.readers.insert(Reader { next, until: ENDLESS, waker: None, serial, is_out: false });
        if !shared.terms.max_age.is_zero() {
            self.age(reader);
        }
        reader
    }

    /// Notes when a reader came. Those who left early are forgotten now and then, so that there are never more than
    /// twice as many notes as readers.
    fn age(&mut self, reader: usize) {
        let Self { joined, readers, serial, .. } = self;
        if joined.len() > 2 * readers.len() + 64 {
            joined.retain(|one| one.reader_in(readers).is_some());
        }
        let reader = u32::try_from(reader).expect("descriptors run out before");
        joined.push_back(Joined { at: Moment::now(), reader, serial: *serial });
    }

    /// Ends the readers that came so long before `now`, once they have read what there is; when the next one is due.
    pub(super) fn end_older(&mut self, max_age: Duration, now: Moment) -> Option<Moment> {
        let age_ns = u64::try_from(max_age.as_nanos()).unwrap_or(u64::MAX / 2);
        let end = self.end();
        while let Some(oldest) = self.joined.front() {
            let due = oldest.at.plus_nanos(age_ns);
            if due > now {
                return Some(due);
            }
            if let Some(reader) = oldest.reader_in(&mut self.readers)
                && reader.until == ENDLESS
            {
                reader.until = end;
                self.leaving += 1;
                self.waking.extend(reader.waker.take());
            }
            self.joined.pop_front();
        }
        None
    }

    /// Ends all who are there, once they have what there is.
    pub(super) fn drain(&mut self) {
        let end = self.end();
        self.drained.push(self.kept.as_ref().map_or(0, Window::newest));
        for (_, reader) in self.readers.iter_mut().filter(|(_, reader)| reader.until == ENDLESS) {
            reader.until = end;
            self.leaving += 1;
        }
    }

    /// How often it has been drained.
    pub(super) fn epoch(&self) -> u32 {
        u32::try_from(self.drained.len()).expect("a server that is drained is one that somebody attends to")
    }

    /// The last id for those who came when it had been drained so often, if it was drained since.
    pub(super) fn end_of(&self, epoch: u32) -> Option<u64> {
        self.drained.get(epoch as usize).copied()
    }

    /// What comes next for somebody who has all up to an id, and came when it had been drained so often.
    pub(super) fn catch_up(&mut self, after: u64, epoch: u32, shared: &Shared) -> Next {
        let end = self.end_of(epoch);
        let next = self.kept.as_mut().map_or(Ok(None), |kept| kept.next(after, Moment::now()));
        match next {
            Ok(Some((id, event))) if end.is_none_or(|end| id <= end) => Next::Event(id, event),
            Err(gap) if gap.through > after || !shared.follows => Next::Gap(gap),
            Ok(_) | Err(_) if end.is_some() => Next::End,
            Ok(_) => Next::Live(self.join(shared)),
            Err(_) => Next::Ahead(self.join(shared)),
        }
    }

    /// Takes the oldest event from all that have still to read it.
    pub(super) fn drop_oldest(&mut self, shared: &Shared) {
        let oldest = self.ring.front_mut().map_or(0, |oldest| std::mem::take(&mut oldest.unread));
        shared.dropped.fetch_add(oldest as u64, Relaxed);
    }

    /// Takes all events from those that have still to read the oldest, and the event that is being published
    /// passes them by.
    pub(super) fn part_with_the_slowest(&mut self, shared: &Shared) {
        let end = self.end();
        let (ring, front) = (&mut self.ring, self.front);
        for (_, reader) in self
            .readers
            .iter_mut()
            .filter(|(_, reader)| !reader.is_out && reader.next == front && reader.next < reader.until)
        {
            let unread = usize::try_from(reader.until.min(end) - front).expect("a part of the ring");
            ring.iter_mut().take(unread).for_each(|held| held.unread -= 1);
            let is_endless = reader.until == ENDLESS;
            shared.dropped.fetch_add(unread as u64 + u64::from(is_endless), Relaxed);
            shared.slow.fetch_add(1, Relaxed);
            (reader.next, reader.until, reader.is_out) = (end, end, true);
            if is_endless {
                self.out += 1;
                self.leaving += 1;
            }
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

    /// The next event of a reader with its id, if it has not got all there is for it, and how many it lost before.
    pub(super) fn take(&mut self, reader: usize, shared: &Shared) -> (Option<(Bytes, Option<u64>)>, u64) {
        let reader = &mut self.readers[reader];
        let lost = self.front.min(reader.until).saturating_sub(reader.next);
        reader.next += lost;
        if reader.next >= reader.until {
            return (None, lost);
        }
        let index = usize::try_from(reader.next - self.front).expect("an index of the ring");
        let Some(held) = self.ring.get_mut(index) else { return (None, lost) };
        reader.next += 1;
        held.unread -= 1;
        let event = (held.event.clone(), held.id);
        if index == 0 {
            self.trim(shared);
        }
        (Some(event), lost)
    }

    /// Lets a reader go: what was held for it is held for it no longer.
    pub(super) fn part_with(&mut self, reader: usize, shared: &Shared) {
        let reader = self.readers.remove(reader);
        let is_leaving = reader.until != ENDLESS;
        self.leaving -= usize::from(is_leaving);
        if reader.is_out {
            return;
        }
        let index = |position: u64| {
            usize::try_from(position.saturating_sub(self.front)).expect("an index of the ring")
        };
        let (read, end) = (index(reader.next), index(reader.until.min(self.end())));
        self.ring.range_mut(read.min(end)..end).for_each(|held| held.unread -= 1);
        self.trim(shared);
    }
}

impl Joined {
    /// The reader, if it is still there.
    fn reader_in<'a>(&self, readers: &'a mut Slab<Reader>) -> Option<&'a mut Reader> {
        readers.get_mut(self.reader as usize).filter(|reader| reader.serial == self.serial)
    }
}
