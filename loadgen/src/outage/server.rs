//! The servers of a lane while something breaks: started, told, killed, and started again in their place.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use results::run::outage::ServerTick;
use scenarios::outage::Case;
use scenarios::{Lane, Moment, Scenario, Schedule};
use servers::contract::{HostCommand, HostOrder, HostReply, SocketFacts, Totals};

use servers::tls::Identity;

use crate::lane::{Cores, unexpected};
use crate::worker::{PATIENCE, Worker};
use crate::{kernel, usage};

/// Servers of a lane at once at most: numbers of those that take their places begin behind them.
const SERVERS: u64 = 16;

/// A server, or the place of one.
pub struct Server {
    order: HostOrder,
    worker: Option<Worker>,
    /// CPU time of the present process at the last look.
    cpu_ns: u64,
    /// CPU time of processes that ended, since the last look.
    spent_ns: u64,
    /// What processes that ended in good order had refused, by reason.
    pub refused: BTreeMap<String, u64>,
    pub sockets: SocketFacts,
}

impl Server {
    /// Starts the one of this number, which on a lane inside TLS is known by this key and certificate, as whoever takes its place will be.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(
        scenario: &Scenario,
        lane: Lane,
        case: Case,
        number: u64,
        cores: Cores,
        identity: Option<&Identity>,
    ) -> Result<Self> {
        let order = HostOrder {
            inject: None,
            lane,
            scenario: scenario.clone(),
            payload: scenario.payload.clone(),
            core: cores.server,
            bind: "127.0.0.1:0".parse().expect("an address of loopback"),
            case: Some(case),
            number,
            log: None,
            identity: identity.cloned(),
        };
        let refused = BTreeMap::new();
        let mut server =
            Self { order, worker: None, cpu_ns: 0, spent_ns: 0, refused, sockets: SocketFacts::default() };
        server.listen()?;
        Ok(server)
    }

    fn listen(&mut self) -> Result<()> {
        let mut worker =
            Worker::start("host", format!("the server of lane {}", self.order.lane), &self.order)?;
        let reply = worker.hear(PATIENCE)?;
        let HostReply::Ready { address, sockets, .. } = reply else { bail!(unexpected(&worker, &reply)) };
        self.order.bind = address;
        (self.sockets, self.cpu_ns) = (sockets, 0);
        self.worker = Some(worker);
        Ok(())
    }

    /// Starts one in the place of the last, which has its log, and publishes on.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn take_its_place(&mut self, start: Moment, schedule: &Schedule) -> Result<()> {
        self.order.log = Some((start, schedule.clone()));
        self.order.number += SERVERS;
        self.listen()?;
        self.publish(start, schedule)
    }

    /// Where it listens, or did.
    pub const fn address(&self) -> SocketAddr {
        self.order.bind
    }

    /// Tells it to publish.
    ///
    /// # Errors
    /// It is gone.
    pub fn publish(&mut self, start: Moment, schedule: &Schedule) -> Result<()> {
        self.tell(&HostCommand::Run { start, schedule: schedule.clone(), senders: None })
    }

    /// Tells it something.
    ///
    /// # Errors
    /// It is gone.
    pub fn tell(&mut self, command: &HostCommand) -> Result<()> {
        let lane = self.order.lane;
        self.worker.as_mut().with_context(|| format!("the server of lane {lane} is away"))?.tell(command)
    }

    /// What it has said, if anything.
    ///
    /// # Errors
    /// It is gone, or could not do what it was told.
    pub fn heard(&mut self) -> Result<Option<HostReply>> {
        let Some(worker) = &mut self.worker else { return Ok(None) };
        match worker.try_hear()? {
            Some(HostReply::Failed { text }) => bail!("{}: {text}", worker.name()),
            reply => Ok(reply),
        }
    }

    /// Its counters, past whatever else it says.
    ///
    /// # Errors
    /// It is gone.
    pub fn totals(&mut self) -> Result<Totals> {
        self.tell(&HostCommand::Report)?;
        let worker = self.worker.as_mut().context("the server is away")?;
        loop {
            let reply = worker.hear(PATIENCE)?;
            if let HostReply::Report(totals) = reply {
                return Ok(totals);
            }
            if let HostReply::Failed { text } = reply {
                bail!("{}: {text}", worker.name());
            }
        }
    }

    /// Whether there is a process in this place.
    pub const fn is_there(&self) -> bool {
        self.worker.is_some()
    }

    /// Kills it. What it used until here is part of the next look.
    ///
    /// # Errors
    /// The kernel does not tell what it used.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(worker) = self.worker.take() {
            self.spent_ns += usage::cpu_ns(worker.pid())?.saturating_sub(self.cpu_ns);
        }
        Ok(())
    }

    /// Ends it, when it has drained: what it refused is kept.
    ///
    /// # Errors
    /// It is gone.
    pub fn end(&mut self) -> Result<()> {
        for (reason, count) in self.totals()?.refused {
            *self.refused.entry(reason).or_default() += count;
        }
        self.kill()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let worker = self.worker.as_ref().context("the server is away")?;
        kill(Pid::from_raw(i32::try_from(worker.pid())?), signal)
            .context("cannot send a signal to the server")
    }

    /// Adds what it uses now to a tick.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn look(&mut self, tick: &mut ServerTick) -> Result<()> {
        tick.cpu_ns += std::mem::take(&mut self.spent_ns);
        let Some(worker) = &self.worker else { return Ok(()) };
        let cpu_ns = usage::cpu_ns(worker.pid())?;
        tick.cpu_ns += cpu_ns.saturating_sub(std::mem::replace(&mut self.cpu_ns, cpu_ns));
        tick.rss_bytes += usage::rss_bytes(worker.pid())?;
        tick.accept_queue += kernel::accept_queue(self.order.bind.port())?;
        Ok(())
    }
}
