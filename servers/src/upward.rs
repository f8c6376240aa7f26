//! Messages from clients: who may send, what came and when, and the echo to its sender.
//!
//! An echo goes through the sender's own stream on every lane, by a mailbox that its connection empties
//! between events, so that the application's work is the same whatever carries it. A mailbox that is
//! full loses the echo, and it is counted. Without a two-way hub none of this exists.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use bytes::Bytes;
use scenarios::upstream::{self, Account, ECHO};
use scenarios::{Lane, Moment, Scenario, Upstream};
use tokio::sync::mpsc;

use crate::contract::{Heard, HeardBlock};
use crate::lanes;

/// The largest message that is taken, bytes, its number included.
pub const MESSAGE_BYTES: usize = 64 * 1024;

/// Why a message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No stream is open under this name.
    Unknown,
    /// It has no number, or holds what its lane cannot carry back.
    Malformed,
}

/// What takes the messages of one lane. Clones share it.
#[derive(Clone, Debug)]
pub struct Upward(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    lane: Lane,
    /// Its event is the echo.
    echo: Scenario,
    capacity: usize,
    boxes: Mutex<HashMap<u64, mpsc::Sender<Bytes>>>,
    phase: Mutex<Option<Phase>>,
}

/// What is expected and came since it was armed.
#[derive(Debug)]
struct Phase {
    start: Moment,
    upstream: Upstream,
    account: Account,
    heard: Heard,
}

/// The stream's end of a client that has a name.
#[derive(Debug)]
pub struct Mailbox {
    client: u64,
    upward: Upward,
    receiver: mpsc::Receiver<Bytes>,
}

impl Upward {
    /// Takes messages of a lane; a mailbox holds up to `capacity` echoes.
    #[must_use]
    pub fn new(lane: Lane, scenario: &Scenario, capacity: usize) -> Self {
        let echo = Scenario {
            event: ECHO.to_owned(),
            payload: scenario.upstream_payload.clone(),
            ..scenario.clone()
        };
        let (boxes, phase) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Shared { lane, echo, capacity, boxes, phase }))
    }

    fn boxes(&self) -> MutexGuard<'_, HashMap<u64, mpsc::Sender<Bytes>>> {
        self.0.boxes.lock().expect("no holder of this lock panics")
    }

    fn phase(&self) -> MutexGuard<'_, Option<Phase>> {
        self.0.phase.lock().expect("no holder of this lock panics")
    }

    /// Opens the mailbox of a client; an older stream of the same name gets no more echoes.
    #[must_use]
    pub fn join(&self, client: u64) -> Mailbox {
        let (sender, receiver) = mpsc::channel(self.0.capacity);
        self.boxes().insert(client, sender);
        Mailbox { client, upward: self.clone(), receiver }
    }

    /// Takes a message that came at `came`, and puts its echo into its sender's mailbox.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn take(&self, client: u64, message: &[u8], came: Moment) -> Result<(), Refusal> {
        let sender = self.boxes().get(&client).cloned().ok_or(Refusal::Unknown)?;
        let (number, body) = upstream::read(message).ok_or(Refusal::Malformed)?;
        let echo = lanes::frame(self.0.lane, &self.0.echo, number, body).map_err(|_| Refusal::Malformed)?;
        let mut phase = self.phase();
        let block = phase.as_mut().and_then(|phase| phase.enter(client, number, came));
        let echoed = sender.try_send(echo).is_ok();
        if let Some((phase, block)) = phase.as_mut().zip(block) {
            let heard = &mut phase.heard.blocks[block];
            *(if echoed { &mut heard.echoed } else { &mut heard.dropped }) += 1;
        }
        Ok(())
    }

    /// Expects the messages of a phase.
    pub fn expect(&self, start: Moment, upstream: Upstream) {
        let messages = usize::try_from(upstream.messages()).expect("messages in memory");
        let blocks = vec![HeardBlock::default(); upstream.blocks()];
        let heard = Heard { blocks, one_way_ns: Vec::with_capacity(messages), ..Heard::default() };
        let account = Account::of(&upstream);
        *self.phase() = Some(Phase { start, upstream, account, heard });
    }

    /// Ends the phase and tells what came in it.
    #[must_use]
    pub fn close(&self) -> Heard {
        self.phase().take().map_or_else(Heard::default, |phase| Heard {
            duplicated: phase.account.duplicated,
            reordered: phase.account.reordered,
            unexpected: phase.account.unexpected,
            ..phase.heard
        })
    }
}

impl Phase {
    /// Records a message that came for the first time; its block.
    fn enter(&mut self, client: u64, number: u64, came: Moment) -> Option<usize> {
        let message = self.account.enter(&self.upstream, client, number)?;
        let late_ns = came.nanos_since(self.start.plus_nanos(message.intended_ns));
        let block = &mut self.heard.blocks[message.block];
        block.received += 1;
        block.one_way_sum_ns += late_ns;
        self.heard.one_way_ns.push(late_ns);
        Some(message.block)
    }
}

impl Mailbox {
    /// The next echo; `None` when a younger stream took the name.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.receiver.poll_recv(cx)
    }

    /// Takes a message of this stream's client.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn take(&self, message: &[u8]) -> Result<(), Refusal> {
        self.upward.take(self.client, message, Moment::now())
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        // A younger stream may have taken the name: its box is open, this one's ends here.
        self.receiver.close();
        let mut boxes = self.upward.boxes();
        if boxes.get(&self.client).is_some_and(mpsc::Sender::is_closed) {
            boxes.remove(&self.client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarios::{Arrivals, Block, Schedule, Senders};

    fn upward(lane: &str, capacity: usize) -> Upward {
        let fields = [("upstream".to_owned(), "2".to_owned())];
        let (_, scenario) = Scenario::load("smoke", &fields).unwrap();
        let block = Block { lane: 0, round: 0, start_ns: 0, span_ns: 1_000_000_000, first_seq: 1, events: 1 };
        let schedule = Schedule::new(Arrivals::Constant, 1, vec![block]);
        let senders = Senders { first_client: 0, subscribers: 1, first: 5 };
        let upward = Upward::new(lane.parse().unwrap(), &scenario, capacity);
        upward.expect(Moment::from_nanos(0), Upstream::new(&scenario, &schedule, senders));
        upward
    }

    #[test]
    fn an_echo_is_framed_as_its_lane_writes_events() {
        for (lane, bytes) in [
            ("sse-h1", &b"id: 5\nevent: echo\ndata: hi\n\n"[..]),
            ("ws-h1", b"\x81\x095\necho\nhi"),
            ("raw", b"\0\0\0\x095\necho\nhi"),
        ] {
            let upward = upward(lane, 4);
            let mut mailbox = upward.join(0);
            mailbox.take(b"5\nhi").unwrap();
            assert_eq!(mailbox.receiver.try_recv().unwrap(), bytes, "{lane}");
            assert_eq!(upward.take(1, b"5\nhi", Moment::now()), Err(Refusal::Unknown));
            assert_eq!(mailbox.take(b"hi"), Err(Refusal::Malformed));
            let heard = upward.close();
            assert_eq!((heard.blocks[0].received, heard.blocks[0].echoed, heard.unexpected), (1, 1, 0));
        }
    }

    #[test]
    fn what_comes_is_counted_once_each_and_against_its_instant() {
        let upward = upward("raw", 2);
        let _mailbox = upward.join(0);
        for (number, millis) in [(6, 760), (5, 260), (5, 261), (9, 300)] {
            let came = Moment::from_nanos(millis * 1_000_000);
            upward.take(0, format!("{number}\nx").as_bytes(), came).unwrap();
        }
        let heard = upward.close();
        assert_eq!((heard.duplicated, heard.reordered, heard.unexpected), (1, 1, 1));
        assert_eq!(heard.one_way_ns, [10_000_000, 10_000_000]);
        let block = HeardBlock { received: 2, echoed: 2, dropped: 0, one_way_sum_ns: 20_000_000 };
        assert_eq!(heard.blocks, [block]);
    }

    #[test]
    fn a_full_mailbox_loses_the_echo_and_counts_it() {
        let upward = upward("raw", 1);
        let mailbox = upward.join(0);
        mailbox.take(b"5\nx").unwrap();
        mailbox.take(b"6\nx").unwrap();
        let heard = upward.close();
        assert_eq!((heard.blocks[0].echoed, heard.blocks[0].dropped), (1, 1));
    }

    #[test]
    fn the_youngest_stream_of_a_name_has_the_mailbox() {
        let upward = upward("raw", 4);
        let (old, mut young) = (upward.join(0), upward.join(0));
        drop(old);
        upward.take(0, b"5\nx", Moment::now()).unwrap();
        assert!(young.receiver.try_recv().is_ok());
        drop(young);
        assert_eq!(upward.take(0, b"6\nx", Moment::now()), Err(Refusal::Unknown));
    }
}
