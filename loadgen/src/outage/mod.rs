//! Clients that lose their streams and come back: a task of the runtime each, because what a client does next
//! depends on how its stream ended, and recovery is counted in milliseconds, not in microseconds.
//!
//! What happened is stamped where it happens (`account.rs`); when a client comes back is its policy's
//! (`reconnect.rs`); what breaks is the runner's (`run.rs`).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use scenarios::outage::{Case, Fault, FaultKind};
use scenarios::seed::SplitMix;
use scenarios::{Moment, Outage, Schedule};
use servers::alarm::Alarm;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::contract::{Endured, Endures};
use crate::expect::Expected;
use crate::fleet::HANDSHAKES;
use crate::lanes::Target;
use crate::reconnect::Connection;
use client::Client;

mod account;
mod client;
mod curves;
mod recovery;
pub mod run;
mod server;
mod stage;

/// What all clients are told while they live.
#[derive(Clone, Debug, Default)]
struct Cue {
    /// Time zero, and the end of the events, once there is one.
    phase: Option<(Moment, Moment)>,
    /// How often connections were to pass nothing any more.
    blackholes: u64,
}

/// The clients of a fleet, living.
pub struct Herd {
    cue: watch::Sender<Cue>,
    tasks: JoinSet<()>,
}

/// Whom the clients of a fleet are.
pub struct Clients {
    /// As what they connect; each with its own number.
    pub target: Target,
    /// What they live through.
    pub endures: Endures,
    /// Number of the first.
    pub first: u64,
    /// How many.
    pub count: u64,
}

impl Herd {
    /// Lets all clients connect, and waits until each is greeted or failed.
    ///
    /// # Errors
    /// The kernel gives no timer.
    pub async fn gather(clients: Clients) -> std::io::Result<Self> {
        let Clients { target, endures, first, count } = clients;
        let scenario = Arc::clone(&target.scenario);
        let outage = scenario.outage.clone().expect("a herd is of an outage");
        let (alarm, turns) = (Alarm::start()?, Arc::new(Semaphore::new(HANDSHAKES)));
        let (cue, cued) = watch::channel(Cue::default());
        account::begin(&scenario, endures.broke_ns, first, count);
        let mut tasks = JoinSet::new();
        let policy = endures.case.policy.on(target.lane.transport).expect("a case of this lane");
        for number in first..first + count {
            let connection =
                Connection::new(policy, outage.retry_scale, scenario.seed, number, Moment::now());
            let client = Client {
                target: Target { client: number, ..target.clone() },
                servers: endures.servers.clone(),
                connection,
                outage: outage.clone(),
                churn: Churn::of(&outage, endures.case, scenario.seed, number),
                alarm: alarm.clone(),
                cued: cued.clone(),
            };
            tasks.spawn(client.live(Arc::clone(&turns)));
        }
        let woken = account::at(|account| account.woken());
        while account::at(|account| account.waiting()) > 0 {
            woken.notified().await;
        }
        Ok(Self { cue, tasks })
    }

    /// Streams that are open, and what failed on the way, by kind.
    pub fn gathered(&self) -> (usize, BTreeMap<String, (u64, String)>) {
        account::at(|account| (account.open(), account.failures()))
    }

    /// Tells them what is to come.
    pub fn arm(&self, expected: Expected, start: Moment, schedule: &Schedule) {
        let span_ns = schedule.blocks().iter().map(scenarios::Block::end_ns).max().unwrap_or(0);
        account::at(|account| account.arm(expected, start));
        self.cue.send_modify(|cue| cue.phase = Some((start, start.plus_nanos(span_ns))));
    }

    /// From now on the kernel drops what comes on the connections that there are.
    pub fn blackhole(&self) {
        self.cue.send_modify(|cue| cue.blackholes += 1);
    }

    /// Waits until everybody has all events or has given up, or for the deadline; what came of them.
    pub async fn settle(mut self, end_seq: u64, deadline: Moment) -> Endured {
        let woken = account::at(|account| account.woken());
        let all = async {
            while !account::at(|account| account.has_settled(end_seq)) {
                woken.notified().await;
            }
        };
        // Who is still to come back at the deadline is counted so.
        let _elapsed = tokio::time::timeout(deadline.since(Moment::now()), all).await;
        let endured = account::end(end_seq).expect("it was begun with the herd");
        self.tasks.abort_all();
        while self.tasks.join_next().await.is_some() {}
        endured
    }
}

/// How a client leaves and comes back by itself, if it does.
#[derive(Clone, Debug)]
struct Churn {
    fault: Fault,
    draw: SplitMix,
}

impl Churn {
    fn of(outage: &Outage, case: Case, seed: u64, client: u64) -> Option<Self> {
        let fault = outage.faults[case.fault];
        (fault.kind == FaultKind::Churn)
            .then(|| Self { fault, draw: SplitMix::new(seed ^ 0xC4_0412, client) })
    }

    /// When it leaves next: exponential, as of a Poisson process.
    fn leaves(&mut self, now: Moment, start: Moment) -> Moment {
        let begins = now.max(start.plus_nanos(nanos(self.fault.at.0)));
        begins.plus_nanos(nanos(self.fault.every.0.mul_f64(-self.draw.unit().ln())))
    }

    /// How long it stays away.
    fn away_ns(&mut self) -> u64 {
        nanos(self.fault.down.0.mul_f64(-self.draw.unit().ln()))
    }
}

fn nanos(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// The server that a client turns to at its attempt number `attempt`.
fn server_of(servers: &[SocketAddr], client: u64, attempt: u64) -> SocketAddr {
    let place = (client + attempt) % servers.len() as u64;
    servers[usize::try_from(place).expect("few servers")]
}

/// Addresses of loopback that clients come from.
const SOURCES: u64 = 16;

/// The address that a client comes from at its attempt number `attempt`. Not all from one, and not again from the same:
/// towards one server the kernel searches an address's 28,000 ports for a free one, and with ten thousand dead
/// connections among them that takes half a millisecond a connection, which would pass for reconnecting.
fn source_of(client: u64, attempt: u64) -> IpAddr {
    let place = (client + attempt) % SOURCES;
    IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1 + u8::try_from(place).expect("few addresses")))
}

#[cfg(test)]
mod tests;
