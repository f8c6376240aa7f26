//! One subscriber's end of the hub: its greeting, the echoes for it alone, and the events of its topic, or a
//! stream of its own.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;

use super::Shared;
use super::topic::{ENDLESS, Next};
use crate::http::HEAD_BYTES;
use crate::session::Stream as OwnStream;
use crate::upward::{Mailbox, Refusal};

/// One subscriber's end.
#[derive(Debug)]
pub struct Subscription {
    pub(super) greeting: Option<Bytes>,
    /// Echoes for this subscriber alone; boxed, so that to push costs no more memory without it.
    pub(super) mailbox: Option<Box<Mailbox>>,
    pub(super) shared: Arc<Shared>,
    pub(super) topic: usize,
    pub(super) place: Place,
    pub(super) slow: bool,
    /// A stream of its own, in place of the topic's.
    pub(super) own: Option<Box<OwnStream>>,
}

/// Events, and bytes of them, that leave with one write where they are there at once: as many as hyper's queue
/// takes for an event stream, so that a burst costs the twins as many system calls.
const TOGETHER: (usize, usize) = (16, HEAD_BYTES);

/// Events that leave with one write; one alone is in no list, so that it costs no memory.
#[derive(Debug)]
pub enum Together {
    /// Nothing else was there.
    One(Bytes),
    /// In their order.
    Several(Vec<Bytes>),
}

/// Where a subscriber is in its topic.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// A reader of the ring.
    Live(usize),
    /// Behind it, in the window: the last id that it has, and how often the topic had been drained when it came.
    Behind(u64, u32),
    /// A reader of the ring that has what is still to come, up to an id.
    Ahead(u32, u64),
}

impl Place {
    fn reader(self) -> Option<usize> {
        match self {
            Self::Live(reader) => Some(reader),
            Self::Ahead(reader, _) => Some(reader as usize),
            Self::Behind(..) => None,
        }
    }
}

impl Subscription {
    /// The next event; `None` when the hub is closed. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Bytes> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    /// An event with those behind it that need not be waited for, as many as leave with one write.
    pub async fn together(&mut self, first: Bytes) -> Together {
        let (most, most_bytes) = TOGETHER;
        let mut bytes = first.len();
        let second = if bytes < most_bytes { self.ready().await } else { None };
        let Some(second) = second else { return Together::One(first) };
        bytes += second.len();
        let mut events = vec![first, second];
        while events.len() < most
            && bytes < most_bytes
            && let Some(event) = self.ready().await
        {
            bytes += event.len();
            events.push(event);
        }
        Together::Several(events)
    }

    /// An event that is there already, if one is.
    async fn ready(&mut self) -> Option<Bytes> {
        std::future::poll_fn(|cx| match self.poll_event(cx) {
            Poll::Ready(event) => Poll::Ready(event),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    /// Takes a message of this stream's client, which a hub that takes none ignores.
    ///
    /// # Errors
    /// The message is none.
    pub fn hear(&self, message: &[u8]) -> Result<(), Refusal> {
        self.mailbox.as_ref().map_or(Ok(()), |mailbox| mailbox.take(message))
    }

    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(own) = &mut self.own {
            return own.poll(cx);
        }
        if let Some(greeting) = self.greeting.take() {
            return Poll::Ready(Some(greeting));
        }
        if let Some(mailbox) = &mut self.mailbox
            && let Poll::Ready(Some(echo)) = mailbox.poll(cx)
        {
            return Poll::Ready(Some(echo));
        }
        let mut topic = self.shared.topic(self.topic);
        if let Place::Behind(after, epoch) = self.place {
            match topic.catch_up(after, epoch, &self.shared) {
                Next::Event(id, event) => {
                    self.place = Place::Behind(id, epoch);
                    return Poll::Ready(Some(event));
                }
                Next::Gap(gap) => {
                    self.place = Place::Behind(gap.through, epoch);
                    return Poll::Ready(self.shared.gap(gap));
                }
                Next::End => return Poll::Ready(None),
                Next::Live(reader) => self.place = Place::Live(reader),
                Next::Ahead(reader) => {
                    let reader = u32::try_from(reader).expect("descriptors run out before");
                    self.place = Place::Ahead(reader, after);
                }
            }
        }
        let reader = self.place.reader().expect("who was behind has joined or returned");
        if topic.readers[reader].is_out {
            return Poll::Ready(None);
        }
        loop {
            let (event, lost) = topic.take(reader, &self.shared);
            if lost > 0 && !std::mem::replace(&mut self.slow, true) {
                self.shared.slow.fetch_add(1, Relaxed);
            }
            match (event, self.place) {
                (Some((_, Some(id))), Place::Ahead(_, has)) if id <= has => {}
                (Some((_, Some(id))), _)
                    if self.shared.drops.is_some_and(|drops| drops.takes(reader, id)) => {}
                (Some((event, _)), _) => return Poll::Ready(Some(event)),
                (None, _) => break,
            }
        }
        let is_at_its_end = topic.readers[reader].until != ENDLESS;
        if is_at_its_end || self.shared.closed.load(Relaxed) {
            return Poll::Ready(None);
        }
        let waker = &mut topic.readers[reader].waker;
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Whether it was ended because it lagged too far behind.
    #[must_use]
    pub fn is_out(&self) -> bool {
        self.place.reader().is_some_and(|reader| self.shared.topic(self.topic).readers[reader].is_out)
    }

    /// Whether it was ended in good order while its server goes on: its client may come back at once.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let topic = self.shared.topic(self.topic);
        match (self.place, self.place.reader()) {
            (Place::Behind(_, epoch), _) => topic.end_of(epoch).is_some(),
            (_, reader) => reader.is_some_and(|reader| {
                let reader = &topic.readers[reader];
                reader.until != ENDLESS && !reader.is_out
            }),
        }
    }

    /// Whether its stream, one of its own, is complete.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.own.as_ref().is_some_and(|own| own.is_complete())
    }

    /// All events as a stream, for bodies that are polled.
    pub fn into_stream(self) -> impl Stream<Item = Bytes> + Send + 'static {
        self
    }
}

impl Stream for Subscription {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.get_mut().poll_event(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.live.fetch_sub(1, Relaxed);
        if let Some(reader) = self.place.reader() {
            self.shared.topic(self.topic).part_with(reader, &self.shared);
        }
    }
}
