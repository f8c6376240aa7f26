//! A host and its fleet: two processes that know of no other pair of their lane.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Context, Result, bail};
use scenarios::{Lane, Payload, Scenario, Schedule, Senders, Upstream};
use servers::contract::{HostOrder, HostReply};

use super::Place;
use crate::contract::{FleetCommand, FleetOrder, FleetReply, Joined, Phase};
use crate::worker::{PATIENCE, Program, Worker};

/// Sampled connections per lane.
const SAMPLED: u64 = 16;

/// A host, and the fleet that subscribes to it.
pub struct Pair {
    pub host: Worker,
    pub fleet: Worker,
    pub port: u16,
    pub first_client: u64,
    pub to_connect: usize,
    pub open: usize,
}

impl Pair {
    /// Starts both for the clients of these numbers.
    pub fn start(
        lane: Lane,
        scenario: &Scenario,
        payload: &Payload,
        clients: Range<u64>,
        place: &mut Place<'_>,
    ) -> Result<Self> {
        let (first_client, share) = (clients.start, clients.end - clients.start);
        let order = HostOrder {
            lane,
            scenario: scenario.clone(),
            payload: payload.clone(),
            core: place.cores.server,
            bind: "127.0.0.1:0".parse().expect("an address of loopback"),
            case: None,
            number: 0,
            log: None,
            identity: None,
            inject: place.server.and_then(|server| server.inject),
        };
        let (name, program) = match place.server {
            None => (format!("the server of lane {lane}"), Program::own("host")?),
            Some(server) => (format!("the server {} of lane {lane}", server.name), server.program.clone()),
        };
        let mut host = Worker::start_program(&program, name, &order)?;
        let reply = host.hear(PATIENCE)?;
        let HostReply::Ready { address, certificate, inject, .. } = reply else {
            bail!(unexpected(&host, &reply))
        };
        if inject != order.inject {
            bail!("{} does not know how to be made worse on purpose: name a newer build", host.name());
        }
        let order = FleetOrder {
            lane,
            scenario: scenario.clone(),
            payload: payload.clone(),
            address: (place.through)(address)?,
            first_client,
            clients: share,
            certificate,
            core: place.cores.client,
            browser: place.browser,
            sample_every: usize::try_from(share.div_ceil(SAMPLED)).context("too many subscribers")?,
            endures: None,
        };
        let mut fleet = Worker::start("fleet", format!("the generator of lane {lane}"), &order)?;
        let reply = fleet.hear(PATIENCE)?;
        let FleetReply::Ready { .. } = reply else { bail!(unexpected(&fleet, &reply)) };
        let to_connect = usize::try_from(share).context("too many subscribers")?;
        Ok(Self { host, fleet, port: address.port(), first_client, to_connect, open: 0 })
    }

    /// Its subscribers as senders of messages.
    pub const fn senders(&self, first: u64) -> Senders {
        Senders { first_client: self.first_client, subscribers: self.open as u64, first }
    }

    /// Messages that the first `blocks` blocks of a schedule owe.
    pub fn messages_in(&self, talk: Option<&(Scenario, u64)>, schedule: &Schedule, blocks: usize) -> u64 {
        talk.map_or(0, |(scenario, first)| {
            Upstream::new(scenario, schedule, self.senders(*first)).messages_in(blocks)
        })
    }

    /// What connecting cost.
    pub fn joined(&mut self) -> Result<Joined> {
        self.fleet.tell(&FleetCommand::Joins)?;
        let reply = self.fleet.hear(PATIENCE)?;
        let FleetReply::Joined(one) = reply else { bail!(unexpected(&self.fleet, &reply)) };
        Ok(*one)
    }

    /// Closes the armed phase.
    pub fn close(&mut self, end_seq: u64) -> Result<Phase> {
        self.fleet.tell(&FleetCommand::Close { end_seq })?;
        let reply = self.fleet.hear(PATIENCE)?;
        let FleetReply::Phase(phase) = reply else { bail!(unexpected(&self.fleet, &reply)) };
        Ok(*phase)
    }
}

/// What to say of a reply that was not asked for; a `Failed` reply holds the reason.
pub fn unexpected(worker: &Worker, reply: &impl std::fmt::Debug) -> String {
    format!("{} answered out of turn: {reply:?}", worker.name())
}

/// Failures by kind, for people.
pub fn spell(failures: &BTreeMap<String, (u64, String)>) -> String {
    let kinds: Vec<String> =
        failures.values().map(|(count, example)| format!("{count} x {example}")).collect();
    kinds.join(", ")
}

/// What connecting cost both.
pub fn merge(mut all: Joined, one: Joined) -> Joined {
    all.connect.merge(&one.connect);
    all.first_event.merge(&one.first_event);
    all.bytes = all.bytes.zip(one.bytes).map(|(a, b)| a + b);
    all.sampled_ports.extend(one.sampled_ports);
    all
}
