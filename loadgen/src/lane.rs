//! One lane of a repetition: its hosts and fleets, and what they are told together.
//!
//! Several pairs of a host and a fleet where one process cannot hold the descriptors; to the runner
//! a lane is one thing, whatever the number of processes behind it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use results::run::{Bytes, KernelCounts};
use scenarios::{Addressing, Lane, Moment, Payload, Scenario, Schedule, Transport, Upstream};
use servers::contract::{Heard, HostCommand, HostReply, RanPhase, Totals};

use crate::contract::{FleetCommand, FleetReply, Joined, Phase};
use crate::kernel;
use crate::usage;
use crate::worker::PATIENCE;
use pair::{Pair, merge};
pub use pair::{spell, unexpected};
pub use place::{Cores, Place, Server, Through};
pub use shares::CONNECTIONS_PER_WORKER;
use shares::shares;

mod joining;
mod pair;
mod place;
mod shares;
mod visits;

/// The processes of one lane.
pub struct LaneProcesses {
    /// Which lane.
    pub lane: Lane,
    pairs: Vec<Pair>,
    addressing: Addressing,
    /// The scenario and the number of everybody's next message, where clients send any.
    talk: Option<(Scenario, u64)>,
}

/// What one phase left behind, one entry a pair.
pub struct Measured {
    /// What the hosts published.
    pub ran: Vec<RanPhase>,
    /// What the fleets received.
    pub phases: Vec<Phase>,
    /// What the hosts heard from them, where clients send messages.
    pub heard: Vec<Heard>,
}

impl LaneProcesses {
    /// Starts hosts and fleets for up to `subscribers`.
    ///
    /// # Errors
    /// A process cannot be started or refuses its order.
    pub fn start(
        lane: Lane,
        scenario: &Scenario,
        payload: &Payload,
        subscribers: u64,
        cores: Cores,
    ) -> Result<Self> {
        let place = Place { server: None, cores, through: &mut Ok, browser: None };
        Self::start_in(lane, scenario, payload, subscribers, place)
    }

    /// The same in another place.
    ///
    /// # Errors
    /// As [`LaneProcesses::start`], and those of what stands before the servers.
    pub fn start_in(
        lane: Lane,
        scenario: &Scenario,
        payload: &Payload,
        subscribers: u64,
        mut place: Place<'_>,
    ) -> Result<Self> {
        let shares = shares(lane, scenario, subscribers).into_iter();
        let pairs = shares.map(|clients| Pair::start(lane, scenario, payload, clients, &mut place));
        let pairs = pairs.collect::<Result<_>>()?;
        let talk = (scenario.upstream > 0.0).then(|| (scenario.clone(), 0));
        Ok(Self { lane, pairs, addressing: scenario.addressing(), talk })
    }

    /// Processes of the server side.
    #[must_use]
    pub fn host_pids(&self) -> Vec<u32> {
        self.pairs.iter().map(|pair| pair.host.pid()).collect()
    }

    /// Processes of the generator side.
    #[must_use]
    pub fn fleet_pids(&self) -> Vec<u32> {
        self.pairs.iter().map(|pair| pair.fleet.pid()).collect()
    }

    /// What the kernel counted for all its connections.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn kernel(&self) -> Result<KernelCounts> {
        kernel::counts(&self.pairs.iter().map(|pair| pair.port).collect::<Vec<_>>())
    }

    /// CPU and context switches of the server side and the generator side.
    ///
    /// # Errors
    /// A process is gone.
    pub fn usage(&self) -> Result<(usage::Usage, usage::Usage)> {
        self.sides(usage::of)
    }

    /// Memory (PSS) of the server side and the generator side, bytes.
    ///
    /// # Errors
    /// A process is gone.
    pub fn pss_bytes(&self) -> Result<(u64, u64)> {
        self.sides(usage::pss_bytes)
    }

    /// The same reading of both sides; an error names the side that is gone.
    fn sides<T>(&self, read: fn(&[u32]) -> Result<T>) -> Result<(T, T)> {
        let of = |side: &str, pids: Vec<u32>| {
            read(&pids)
                .with_context(|| format!("cannot watch the {side} of lane {}, it may have died", self.lane))
        };
        Ok((of("server", self.host_pids())?, of("generator", self.fleet_pids())?))
    }

    /// Publishes one event to all.
    ///
    /// # Errors
    /// A host is gone.
    pub fn step(&mut self, seq: u64) -> Result<()> {
        self.pairs.iter_mut().try_for_each(|pair| {
            pair.host.tell(&HostCommand::Step { seq })?;
            let reply = pair.host.hear(PATIENCE)?;
            let HostReply::Stepped { .. } = reply else { bail!(unexpected(&pair.host, &reply)) };
            Ok(())
        })
    }

    /// Sends a heartbeat to all.
    ///
    /// # Errors
    /// A host is gone.
    pub fn beat(&mut self) -> Result<()> {
        self.pairs.iter_mut().try_for_each(|pair| {
            pair.host.tell(&HostCommand::Beat)?;
            let reply = pair.host.hear(PATIENCE)?;
            let HostReply::Beaten = reply else { bail!(unexpected(&pair.host, &reply)) };
            Ok(())
        })
    }

    /// Tells both sides what is coming.
    ///
    /// # Errors
    /// A process is gone.
    pub fn arm(&mut self, start: Moment, schedule: &Schedule) -> Result<()> {
        for pair in &mut self.pairs {
            let senders = self.talk.as_ref().map(|talk| pair.senders(talk.1));
            pair.fleet.tell(&FleetCommand::Arm { start, schedule: schedule.clone(), senders })?;
        }
        for pair in &mut self.pairs {
            let reply = pair.fleet.hear(PATIENCE)?;
            let FleetReply::Armed = reply else { bail!(unexpected(&pair.fleet, &reply)) };
        }
        Ok(())
    }

    /// Lets the hosts publish what was armed.
    ///
    /// # Errors
    /// A host is gone.
    pub fn publish(&mut self, start: Moment, schedule: &Schedule) -> Result<()> {
        let mut most = 0;
        let by_clock = self.talk.is_some() || self.lane.transport == Transport::Poll;
        for pair in &mut self.pairs {
            let senders = self.talk.as_ref().map(|talk| pair.senders(talk.1));
            if let Some(((scenario, _), senders)) = self.talk.as_ref().zip(senders) {
                most = most.max(Upstream::new(scenario, schedule, senders).most());
            }
            pair.host.tell(&HostCommand::Run { start, schedule: schedule.clone(), senders })?;
            if by_clock {
                pair.fleet.tell(&FleetCommand::Go)?;
            }
        }
        for pair in self.pairs.iter_mut().filter(|_| by_clock) {
            let reply = pair.fleet.hear(PATIENCE)?;
            let FleetReply::Going = reply else { bail!(unexpected(&pair.fleet, &reply)) };
        }
        // A message that is late by a phase must not pass for one of the next.
        if let Some((_, first)) = &mut self.talk {
            *first += most;
        }
        Ok(())
    }

    /// Messages that the first `blocks` blocks of a schedule owe.
    #[must_use]
    pub fn messages_in(&self, schedule: &Schedule, blocks: usize) -> u64 {
        self.pairs.iter().map(|pair| pair.messages_in(self.talk.as_ref(), schedule, blocks)).sum()
    }

    /// Ends publishing at the end of the current block.
    ///
    /// # Errors
    /// A host is gone.
    pub fn stop(&mut self) -> Result<()> {
        for pair in &mut self.pairs {
            pair.host.tell(&HostCommand::Stop)?;
            if self.talk.is_some() {
                pair.fleet.tell(&FleetCommand::Stop)?;
                let reply = pair.fleet.hear(PATIENCE)?;
                let FleetReply::Stopped = reply else { bail!(unexpected(&pair.fleet, &reply)) };
            }
        }
        Ok(())
    }

    /// Waits until so many deliveries arrived, or the deadline; gives the count and the largest p99.
    ///
    /// # Errors
    /// A fleet is gone.
    pub fn arrivals(&mut self, deliveries: u64, deadline: Moment) -> Result<(u64, Option<u64>)> {
        let pairs = self.pairs.len() as u64;
        for pair in &mut self.pairs {
            pair.fleet.tell(&FleetCommand::Await { deliveries: deliveries / pairs, deadline })?;
        }
        let (mut all, mut worst) = (0, None);
        for pair in &mut self.pairs {
            let reply = pair.fleet.hear(deadline.since(Moment::now()) + PATIENCE)?;
            let FleetReply::Arrived { deliveries, p99_ns } = reply else {
                bail!(unexpected(&pair.fleet, &reply))
            };
            all += deliveries;
            worst = worst.max(p99_ns);
        }
        Ok((all, worst))
    }

    /// Collects a phase: waits for the hosts' end, then for the deliveries that no host has dropped
    /// beyond those of `dropped`, at most until `drain` after the last event.
    ///
    /// # Errors
    /// A process is gone.
    pub fn collect(
        &mut self,
        schedule: &Schedule,
        patience: Duration,
        drain: Duration,
        dropped: &[Totals],
    ) -> Result<Measured> {
        let mut ran = Vec::new();
        for pair in &mut self.pairs {
            let reply = pair.host.hear(patience)?;
            let HostReply::Ran(one) = reply else { bail!(unexpected(&pair.host, &reply)) };
            ran.push(one);
        }
        let now = if dropped.is_empty() { Vec::new() } else { self.totals()? };
        let more = now.iter().zip(dropped).map(|(now, then)| now.events_dropped - then.events_dropped);
        let mut dropped = more.chain(std::iter::repeat(0));
        let deadline = Moment::now().plus_nanos(u64::try_from(drain.as_nanos()).unwrap_or(u64::MAX / 2));
        for (pair, one) in self.pairs.iter_mut().zip(&ran) {
            let (seq, clients) = (schedule.first_seq(), pair.first_client);
            let events = seq..seq + one.lag_ns.len() as u64;
            let deliveries = self.addressing.deliveries(events, &(clients..clients + pair.open as u64));
            let deliveries = deliveries.saturating_sub(dropped.next().unwrap_or(0));
            let blocks = usize::try_from(one.blocks_done).unwrap_or(usize::MAX);
            let deliveries = deliveries + pair.messages_in(self.talk.as_ref(), schedule, blocks);
            pair.fleet.tell(&FleetCommand::Await { deliveries, deadline })?;
        }
        let mut phases = Vec::new();
        for (pair, one) in self.pairs.iter_mut().zip(&ran) {
            let _: FleetReply = pair.fleet.hear(drain + PATIENCE)?;
            phases.push(pair.close(schedule.first_seq() + one.lag_ns.len() as u64)?);
        }
        let mut heard = Vec::new();
        for pair in self.pairs.iter_mut().filter(|_| self.talk.is_some()) {
            pair.host.tell(&HostCommand::Heard)?;
            let reply = pair.host.hear(PATIENCE)?;
            let HostReply::Heard(one) = reply else { bail!(unexpected(&pair.host, &reply)) };
            heard.push(*one);
        }
        Ok(Measured { ran, phases, heard })
    }

    /// Lets slow readers read slowly, or like all others and all that waits for them.
    ///
    /// # Errors
    /// A fleet is gone.
    pub fn slow(&mut self, slowly: bool) -> Result<()> {
        self.pairs.iter_mut().try_for_each(|pair| pair.fleet.tell(&FleetCommand::Slow(slowly)))?;
        self.pairs.iter_mut().try_for_each(|pair| {
            let reply = pair.fleet.hear(PATIENCE)?;
            let FleetReply::Armed = reply else { bail!(unexpected(&pair.fleet, &reply)) };
            Ok(())
        })
    }

    /// Bytes that wait in the kernel: in the servers' send queues and the clients' receive queues.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn queued(&self) -> Result<(u64, u64)> {
        kernel::queued(&self.pairs.iter().map(|pair| pair.port).collect::<Vec<_>>())
    }

    /// Closes the armed phase of every fleet.
    ///
    /// # Errors
    /// A fleet is gone.
    pub fn close(&mut self, end_seq: u64) -> Result<Vec<Phase>> {
        self.pairs.iter_mut().map(|pair| pair.close(end_seq)).collect()
    }

    /// What connecting cost, over all fleets; begins sampling on the hosts.
    ///
    /// # Errors
    /// A process is gone.
    pub fn joined(&mut self) -> Result<Joined> {
        let mut all: Option<Joined> = None;
        for pair in &mut self.pairs {
            let one = pair.joined()?;
            pair.host.tell(&HostCommand::Sample { peers: one.sampled_ports.clone() })?;
            all = Some(match all {
                None => one,
                Some(all) => merge(all, one),
            });
        }
        all.context("a lane has at least one fleet")
    }

    /// All bytes so far by layer; zeros where the client stack hides them.
    ///
    /// # Errors
    /// A fleet is gone.
    pub fn bytes(&mut self) -> Result<Bytes> {
        let one = |pair: &mut Pair| Ok(pair.joined()?.bytes.unwrap_or_default());
        self.pairs.iter_mut().map(one).sum()
    }

    /// The hosts' counters since they began.
    ///
    /// # Errors
    /// A host is gone.
    pub fn totals(&mut self) -> Result<Vec<Totals>> {
        self.pairs
            .iter_mut()
            .map(|pair| {
                pair.host.tell(&HostCommand::Report)?;
                let reply = pair.host.hear(PATIENCE)?;
                let HostReply::Report(totals) = reply else { bail!(unexpected(&pair.host, &reply)) };
                Ok(totals)
            })
            .collect()
    }
}
