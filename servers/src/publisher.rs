//! Walks a schedule on a thread of its own, with absolute deadlines.
//!
//! tokio's timers are late by a millisecond, `clock_nanosleep` by some ten microseconds (METHOD
//! M3). Events are framed before their deadline and handed to the runtime, which publishes them:
//! from outside, every wake of a subscriber would cost a system call more. The schedule is never
//! re-based: what is late leaves at once.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use bytes::Bytes;
use nix::time::{ClockId, ClockNanosleepFlags, clock_nanosleep};
use scenarios::{Lane, Moment, Payload, Scenario, Schedule};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::UnboundedSender;

use crate::allocations;
use crate::hub::Hub;
use crate::lanes;

/// Framing of a block starts this long before it does.
const LEAD: Duration = Duration::from_millis(20);

/// Framed events that may wait for their deadline, by number and by bytes.
const AHEAD: (usize, usize) = (1024, 8 << 20);

/// What the publisher is told.
#[derive(Debug)]
pub enum Order {
    /// Publish a schedule from this time zero, from this event on: those before were published by others, or
    /// [`recall`]ed.
    Run(Moment, Schedule, u64),
    /// Publish one event now.
    Step(u64),
    /// End the run after the current block.
    Stop,
}

/// What the publisher says.
#[derive(Debug)]
pub enum Signal {
    /// Publish these events now: all that are meant for one instant, so that none of a burst waits for the
    /// fan-out of another before it is even handed over.
    Events(Vec<Framed>),
    /// The same, outside a schedule.
    Step(Framed),
    /// The run ended.
    Ended {
        /// Blocks published to their end.
        blocks_done: u64,
        /// SHA-256 over the bodies, lower-case hex.
        bodies_sha256: String,
        /// The same over those addressed like the first of them.
        addressed_sha256: String,
    },
    /// An event cannot be framed.
    Failed(String),
}

/// An event, framed for each lane.
#[derive(Debug)]
pub struct Framed {
    /// Its sequence number.
    pub seq: u64,
    /// When it is meant to leave; the moment of framing for a step.
    pub intended: Moment,
    /// The topic it goes to; `None` for all of them.
    pub topic: Option<usize>,
    /// One frame a lane, in the framer's order.
    pub frames: Vec<Bytes>,
}

impl Framed {
    /// Hands it to the hubs of its lanes, in the framer's order.
    pub fn publish(self, hubs: &[Hub]) {
        self.publish_at(hubs, Moment::now());
    }

    /// The same for one that has been there since `at`.
    pub fn publish_at(self, hubs: &[Hub], at: Moment) {
        for (hub, frame) in hubs.iter().zip(self.frames) {
            hub.publish_at(self.topic, self.seq, frame, at);
        }
    }
}

/// Frames events.
#[derive(Clone, Debug)]
pub struct Framer {
    /// The lanes to frame for.
    pub lanes: Vec<Lane>,
    /// Identity, envelope, name and seed.
    pub scenario: Scenario,
    /// The bodies.
    pub payload: Payload,
}

impl Framer {
    /// The body of an event and where it goes, entered into the account.
    fn body(&self, seq: u64, bodies: &mut Bodies) -> (Option<u64>, Vec<u8>) {
        let body = self.payload.body(self.scenario.seed, seq);
        let topic = self.scenario.addressing().topic_of(seq);
        bodies.add(topic, &body);
        (topic, body)
    }

    fn frame(&self, seq: u64, intended: Moment, bodies: &mut Bodies) -> Result<Framed, String> {
        let (topic, body) = self.body(seq, bodies);
        let frames = self.lanes.iter().map(|lane| lanes::frame(*lane, &self.scenario, seq, &body));
        let frames = frames.collect::<Result<_, _>>()?;
        let topic = topic.map(|topic| usize::try_from(topic).expect("the hub's topics are in memory"));
        Ok(Framed { seq, intended, topic, frames })
    }
}

/// Hashes of what is published: all of it, and what goes where its first event went.
#[derive(Default)]
struct Bodies {
    all: Sha256,
    addressed: Sha256,
    topic: Option<u64>,
}

impl Bodies {
    fn add(&mut self, topic: Option<u64>, body: &[u8]) {
        self.all.update(body);
        self.topic = self.topic.or(topic);
        if topic.is_none() || topic == self.topic {
            self.addressed.update(body);
        }
    }

    fn ended(self, blocks_done: u64) -> Signal {
        let hex = |hash: Sha256| hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Signal::Ended { blocks_done, bodies_sha256: hex(self.all), addressed_sha256: hex(self.addressed) }
    }
}

/// Starts the thread; it ends with the sender of orders.
///
/// # Errors
/// The thread cannot be started.
pub fn start(
    framer: Framer,
    orders: Receiver<Order>,
    signals: UnboundedSender<Signal>,
) -> std::io::Result<()> {
    let body = move || {
        // Without the right to set it, the kernel's default of 50 us stays, and shows as lag.
        let _ = nix::sys::prctl::set_timerslack(1);
        work(&framer, &orders, |signal| {
            // An error says that the runtime has ended, and the orders end with it.
            let _ = signals.send(signal);
        });
    };
    std::thread::Builder::new().name("publisher".into()).spawn(body).map(drop)
}

fn work(framer: &Framer, orders: &Receiver<Order>, mut emit: impl FnMut(Signal)) {
    while let Ok(order) = orders.recv() {
        let signal = match order {
            Order::Run(start, schedule, from) => {
                let pace = |until| wait_for_stop(orders, until);
                let ended = walk(framer, start, &schedule, from, pace, sleep_until, &mut emit);
                ended.unwrap_or_else(Signal::Failed)
            }
            Order::Step(seq) => {
                let frame = || framer.frame(seq, Moment::now(), &mut Bodies::default());
                allocations::elsewhere(frame).map_or_else(Signal::Failed, Signal::Step)
            }
            Order::Stop => continue,
        };
        emit(signal);
    }
}

/// Frames what of a schedule is due before `now`, in order, as if read from a log that outlives servers; the first
/// event that is not.
///
/// # Errors
/// An event cannot be framed.
pub fn recall(
    framer: &Framer,
    start: Moment,
    schedule: &Schedule,
    now: Moment,
    mut emit: impl FnMut(Framed),
) -> Result<u64, String> {
    let mut from = schedule.first_seq();
    let mut bodies = Bodies::default();
    while let Some(offset) = schedule.intended(from) {
        let intended = start.plus_nanos(offset);
        if intended >= now {
            break;
        }
        emit(framer.frame(from, intended, &mut bodies)?);
        from += 1;
    }
    Ok(from)
}

/// Publishes a schedule from an event on; the hashes are those of all of it, so that whoever has all of it can
/// compare. `pause` waits for a moment or says that the run shall stop, `sleep` waits precisely.
fn walk(
    framer: &Framer,
    start: Moment,
    schedule: &Schedule,
    from: u64,
    mut pause: impl FnMut(Moment) -> bool,
    mut sleep: impl FnMut(Moment),
    emit: &mut impl FnMut(Signal),
) -> Result<Signal, String> {
    let mut bodies = Bodies::default();
    let mut blocks_done = 0;
    let lead = u64::try_from(LEAD.as_nanos()).expect("a small constant");
    for block in schedule.blocks() {
        let begins = start.plus_nanos(block.start_ns);
        if pause(Moment::from_nanos(begins.as_nanos().saturating_sub(lead))) {
            break;
        }
        let mut waiting = VecDeque::new();
        let end = block.first_seq + block.events;
        let mut seqs = from.clamp(block.first_seq, end)..end;
        (block.first_seq..seqs.start).for_each(|seq| drop(framer.body(seq, &mut bodies)));
        loop {
            if waiting.is_empty() {
                frame_ahead(framer, start, schedule, &mut seqs, &mut bodies, &mut waiting)?;
            }
            let Some(event): Option<Framed> = waiting.pop_front() else { break };
            sleep(event.intended);
            let intended = event.intended;
            let mut together = vec![event];
            while waiting.front().is_some_and(|next| next.intended == intended) {
                together.extend(waiting.pop_front());
            }
            emit(Signal::Events(together));
        }
        blocks_done += 1;
    }
    Ok(bodies.ended(blocks_done))
}

fn frame_ahead(
    framer: &Framer,
    start: Moment,
    schedule: &Schedule,
    seqs: &mut impl Iterator<Item = u64>,
    bodies: &mut Bodies,
    waiting: &mut VecDeque<Framed>,
) -> Result<(), String> {
    let mut bytes = 0;
    while waiting.len() < AHEAD.0 && bytes < AHEAD.1 {
        let Some(seq) = seqs.next() else { break };
        let intended = schedule.intended(seq).expect("a block's seqs are scheduled");
        let framed = framer.frame(seq, start.plus_nanos(intended), bodies)?;
        bytes += framed.frames.iter().map(Bytes::len).sum::<usize>();
        waiting.push_back(framed);
    }
    Ok(())
}

/// Waits until `until`, or for the order to stop; true when the run shall end. Whoever gives the
/// orders refuses to run or step in the middle of a run.
fn wait_for_stop(orders: &Receiver<Order>, until: Moment) -> bool {
    loop {
        match orders.recv_timeout(until.since(Moment::now())) {
            Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return true,
            Ok(Order::Run(..) | Order::Step(_)) => {}
            Err(RecvTimeoutError::Timeout) => return false,
        }
    }
}

fn sleep_until(deadline: Moment) {
    let deadline = Duration::from_nanos(deadline.as_nanos()).into();
    // Only a signal ends it early (EINTR); then it sleeps on.
    while clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &deadline).is_err() {}
}

#[cfg(test)]
mod tests;
