//! The runtime's side of the host: what it does when it is told something, and what it says.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use anyhow::{Error, Result};
use bytes::Bytes;
use scenarios::{Moment, Scenario, Schedule, Upstream};
use tokio::task::JoinHandle;

use super::reply;
use crate::contract::{HostCommand, HostReply, RanPhase, Totals};
use crate::drain::{self, Ending};
use crate::hub::Hub;
use crate::inject::{Inject, Padding};
use crate::publisher::{self, Framed, Framer, Order, Signal};
use crate::upward::Upward;
use crate::wire::Meter;

/// What the runtime's side of the host holds.
pub(super) struct Desk<'a> {
    pub(super) hub: Hub,
    pub(super) heartbeat: Bytes,
    pub(super) scenario: Scenario,
    pub(super) meter: Arc<Meter>,
    pub(super) orders: Sender<Order>,
    pub(super) replies: &'a Sender<HostReply>,
    pub(super) ran: RanPhase,
    pub(super) running: bool,
    /// Accepts connections, as long as it is there.
    pub(super) listener: Option<JoinHandle<()>>,
    /// What was in the window when it began to listen.
    pub(super) log: Option<Log>,
    /// How it is worse than it is.
    pub(super) inject: Option<Inject>,
    pub(super) padding: Option<Padding>,
}

/// What was due before the server listened.
pub(super) struct Log {
    start: Moment,
    schedule: Schedule,
    /// The first event that was not.
    from: u64,
}

impl Log {
    /// Puts what was due into the window, each event as if it had come at its time.
    pub(super) fn read(framer: &Framer, hub: &Hub, start: Moment, schedule: Schedule) -> Result<Self> {
        let from = publisher::recall(framer, start, &schedule, Moment::now(), |framed| {
            let at = framed.intended;
            framed.publish_at(std::slice::from_ref(hub), at);
        });
        Ok(Self { from: from.map_err(Error::msg)?, start, schedule })
    }

    /// Where a run of this schedule begins.
    fn from(&self, start: Moment, schedule: &Schedule) -> Option<u64> {
        (self.start == start && self.schedule == *schedule).then_some(self.from)
    }
}

impl Desk<'_> {
    pub(super) fn on_signal(&mut self, signal: Signal) {
        match signal {
            Signal::Events(together) => {
                // The moment of all of them: what one of a burst takes of the hub is fan-out, not lateness.
                let published = Moment::now();
                for framed in together {
                    self.ran.lag_ns.push(published.nanos_since(framed.intended));
                    self.ran.published.push(published);
                    self.publish(framed);
                }
            }
            Signal::Step(framed) => {
                let seq = framed.seq;
                self.publish(framed);
                reply(self.replies, HostReply::Stepped { seq });
            }
            Signal::Ended { blocks_done, bodies_sha256, addressed_sha256 } => {
                self.running = false;
                let ran = std::mem::take(&mut self.ran);
                let ran = RanPhase { blocks_done, bodies_sha256, addressed_sha256, ..ran };
                reply(self.replies, HostReply::Ran(ran));
            }
            Signal::Failed(text) => {
                self.running = false;
                self.fail(text);
            }
        }
    }

    fn publish(&mut self, mut framed: Framed) {
        if self.inject.is_some_and(|inject| inject.loses(framed.seq)) {
            return;
        }
        if let Some(padding) = &mut self.padding {
            framed.frames.iter_mut().for_each(|frame| *frame = padding.beside(frame));
        }
        framed.publish(std::slice::from_ref(&self.hub));
    }

    pub(super) fn on_command(&mut self, command: HostCommand) {
        let order = match command {
            HostCommand::Run { .. } | HostCommand::Step { .. } | HostCommand::Beat if self.running => {
                return self.fail("cannot publish anything else while a run goes on".into());
            }
            HostCommand::Run { start, schedule, senders } => {
                if let Some((upward, senders)) = self.hub.upward().zip(senders) {
                    upward.expect(start, Upstream::new(&self.scenario, &schedule, senders));
                }
                let events = usize::try_from(schedule.events()).expect("its offsets are in memory");
                self.ran = RanPhase::default();
                self.ran.lag_ns.reserve(events);
                self.ran.published.reserve(events);
                self.running = true;
                let from = self.log.as_ref().and_then(|log| log.from(start, &schedule)).unwrap_or(0);
                // Its own clock, so to speak, is late: its books say that it is in time.
                let late_ns = self.inject.map_or(0, Inject::delay_ns);
                Order::Run(start.plus_nanos(late_ns), schedule, from)
            }
            HostCommand::Beat => {
                self.beat();
                return reply(self.replies, HostReply::Beaten);
            }
            HostCommand::Step { seq } => Order::Step(seq),
            HostCommand::Stop => Order::Stop,
            HostCommand::Sample { peers } => return self.meter.sample(&peers),
            HostCommand::Report => {
                return reply(
                    self.replies,
                    HostReply::Report(Totals {
                        hub_peak_bytes: self.hub.peak_bytes(),
                        ..self.meter.totals(self.hub.losses())
                    }),
                );
            }
            HostCommand::Heard => {
                let heard = self.hub.upward().map(Upward::close).unwrap_or_default();
                return reply(self.replies, HostReply::Heard(Box::new(heard)));
            }
            HostCommand::Sessions => {
                return reply(self.replies, HostReply::Sessions(Box::new(self.hub.sessions())));
            }
            HostCommand::Drain { listens } => return self.drain(listens),
            HostCommand::Reset => return self.broke(self.meter.connections().reset(false)),
            HostCommand::Blackhole => return self.broke(self.meter.connections().blackhole()),
            HostCommand::Refuse { status } => return self.refuse(status),
            HostCommand::Exit => return,
        };
        if self.orders.send(order).is_err() {
            self.fail("the publisher's thread has ended".into());
        }
    }

    /// Sends a heartbeat to every connection.
    pub(super) fn beat(&self) {
        self.hub.beat(&self.heartbeat);
    }

    /// Ends what is open in a task of its own: meanwhile the server goes on.
    fn drain(&mut self, listens: bool) {
        let ending =
            if listens { Ending::Open } else { Ending::All(self.listener.take().into_iter().collect()) };
        let (hub, meter, replies) = (self.hub.clone(), Arc::clone(&self.meter), self.replies.clone());
        tokio::spawn(async move {
            let cut = drain::drain(&[hub], &meter, ending, drain::PATIENCE).await;
            reply(&replies, HostReply::Drained { cut });
        });
    }

    fn broke(&self, connections: u64) {
        reply(self.replies, HostReply::Broke { connections });
    }

    fn refuse(&self, status: Option<u16>) {
        if let Some(status) = status.filter(|status| ![503, 204].contains(status)) {
            return self.fail(format!("cannot refuse with status {status}; there are 503 and 204"));
        }
        self.hub.refuse(status);
        reply(self.replies, HostReply::Refusing);
    }

    pub(super) fn fail(&self, text: String) {
        reply(self.replies, HostReply::Failed { text });
    }
}
