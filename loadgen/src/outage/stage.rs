//! The servers and clients of a trial while it goes on: what is done to them when, what they say, what they use.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use nix::sys::signal::Signal;
use results::run::outage::{ServerTick, TICK_NS};
use scenarios::{Moment, Schedule};
use servers::contract::{HostCommand, HostReply, SocketFacts};

use super::nanos;
use super::server::Server;
use crate::contract::{FleetCommand, FleetReply};
use crate::lane::unexpected;
use crate::middlebox::Middlebox;
use crate::pace;
use crate::worker::{PATIENCE, Worker};

/// How long servers may take to let go of clients that left.
const RELEASE: Duration = Duration::from_secs(5);

/// How often what the servers say is looked at, ns.
pub const LOOK_NS: u64 = 5_000_000;

/// What is done to which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Drain { listens: bool },
    Kill,
    Listen,
    Reset,
    Blackhole,
    Stop,
    Continue,
    Refuse(Option<u16>),
    Silence,
}

/// What is running in a trial.
pub struct Stage {
    pub servers: Vec<Server>,
    pub fleet: Worker,
    pub start: Moment,
    pub schedule: Schedule,
    /// What is still to be done, the next last.
    pub deeds: Vec<(u64, usize, Deed)>,
    pub marks: Vec<(String, u64)>,
    pub ticks: Vec<ServerTick>,
    /// What stands before the servers, if anything.
    pub middlebox: Option<Middlebox>,
}

/// What the servers have to say when all is over.
#[derive(Default)]
pub struct Released {
    /// Connections that they still hold.
    pub open: u64,
    /// How long it took until they held none, ns behind the clients' last word; `None` where they still hold some.
    pub after_ns: Option<u64>,
    /// What they refused, by reason; of a process that was killed, nothing is known.
    pub refused: BTreeMap<String, u64>,
    /// Options of a connection.
    pub sockets: Option<SocketFacts>,
}

impl Stage {
    /// Does all deeds at their moments, until the last event was due; false when interrupted.
    pub fn play(&mut self, until_ns: u64, stop: &AtomicBool) -> Result<bool> {
        // What was used before time zero is no part of the first tick.
        self.servers.iter_mut().try_for_each(|server| server.look(&mut ServerTick::default()))?;
        loop {
            let now_ns = Moment::now().nanos_since(self.start);
            let due = self.deeds.last().copied().filter(|(at_ns, ..)| *at_ns <= now_ns);
            match due {
                // Who listens again waits until who listened has ended.
                Some((_, server, Deed::Listen)) if self.servers[server].is_there() => {}
                Some((_, server, deed)) => {
                    self.deeds.pop();
                    self.act(server, deed)?;
                    continue;
                }
                None if self.deeds.is_empty() && now_ns >= until_ns => return Ok(true),
                None => {}
            }
            self.look()?;
            let next_ns = self.deeds.last().map_or(u64::MAX, |(at_ns, ..)| *at_ns).max(now_ns + 200_000);
            let wake = self.start.plus_nanos(next_ns.min(now_ns + LOOK_NS));
            if pace::sleep_until(wake, stop) {
                return Ok(false);
            }
        }
    }

    fn act(&mut self, index: usize, deed: Deed) -> Result<()> {
        let Self { servers, fleet, start, schedule, marks, .. } = self;
        let server = &mut servers[index];
        let word = match deed {
            Deed::Drain { listens } => {
                server.tell(&HostCommand::Drain { listens })?;
                "drains"
            }
            Deed::Kill => {
                server.kill()?;
                "killed"
            }
            Deed::Listen => {
                server.take_its_place(*start, schedule)?;
                "listens again"
            }
            Deed::Reset => {
                server.tell(&HostCommand::Reset)?;
                "resets"
            }
            Deed::Blackhole => {
                // The clients first: what the server still sends is not acknowledged then.
                fleet.tell(&FleetCommand::Blackhole)?;
                server.tell(&HostCommand::Blackhole)?;
                let reply = fleet.hear(PATIENCE)?;
                let FleetReply::Going = reply else { bail!(unexpected(fleet, &reply)) };
                "passes nothing"
            }
            Deed::Stop => {
                server.signal(Signal::SIGSTOP)?;
                "stopped"
            }
            Deed::Continue => {
                server.signal(Signal::SIGCONT)?;
                "continues"
            }
            Deed::Refuse(status) => {
                server.tell(&HostCommand::Refuse { status })?;
                if status.is_some() { "refuses" } else { "takes streams again" }
            }
            Deed::Silence => "nothing published",
        };
        let word = if servers.len() > 1 { format!("{word} ({})", index + 1) } else { word.to_owned() };
        marks.push((word, Moment::now().nanos_since(*start)));
        Ok(())
    }

    /// Hears what servers say, and looks at what they use once a tick.
    pub fn look(&mut self) -> Result<()> {
        if self.middlebox.as_ref().is_some_and(|middlebox| !middlebox.is_running()) {
            bail!("the middlebox before the server has ended");
        }
        let now_ns = Moment::now().nanos_since(self.start);
        let listens_again: Vec<usize> = self
            .deeds
            .iter()
            .filter(|(.., deed)| *deed == Deed::Listen)
            .map(|(_, server, _)| *server)
            .collect();
        for (index, server) in self.servers.iter_mut().enumerate() {
            while let Some(reply) = server.heard()? {
                if let HostReply::Drained { cut } = reply {
                    let word = if cut > 0 { format!("drained, {cut} cut off") } else { "drained".to_owned() };
                    self.marks.push((word, now_ns));
                    // Who drained to come back has nothing more to do.
                    if listens_again.contains(&index) {
                        server.end()?;
                    }
                }
            }
        }
        let next_ns = self.ticks.last().map_or(0, |last| last.at_ns + TICK_NS);
        if now_ns >= next_ns && Moment::now() >= self.start {
            let mut tick = ServerTick { at_ns: now_ns, ..ServerTick::default() };
            for server in &mut self.servers {
                server.look(&mut tick)?;
            }
            self.ticks.push(tick);
        }
        Ok(())
    }

    /// What the servers say when all clients have left and what is silent was given up; `None` when interrupted.
    pub fn released(&mut self, silence: Duration, stop: &AtomicBool) -> Result<Option<Released>> {
        let left = Moment::now();
        let deadline = left.plus_nanos(nanos(RELEASE + 2 * silence));
        loop {
            let mut held = Released::default();
            for server in &mut self.servers {
                let totals = server.totals()?;
                held.open += totals.open;
                held.sockets = held.sockets.or(totals.sockets);
                let ended = server.refused.iter().map(|(reason, count)| (reason.clone(), *count));
                for (reason, count) in ended.chain(totals.refused) {
                    *held.refused.entry(reason).or_default() += count;
                }
            }
            held.after_ns = (held.open == 0).then(|| Moment::now().nanos_since(left));
            if held.open == 0 || Moment::now() > deadline {
                return Ok(Some(held));
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_nanos(LOOK_NS));
        }
    }
}
