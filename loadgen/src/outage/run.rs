//! The trials of a scenario in which something breaks: fresh processes each, lane after lane in seeded order
//! (METHOD M16), each with the fault at its moment.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use results::run::outage::ServerTick;
use results::run::{Outage, Sockets};
use scenarios::outage::{Case, Fault, FaultKind};
use scenarios::seed::{SplitMix, repeated};
use scenarios::{Block, Lane, Moment, Plan, Scenario, Schedule};
use servers::contract::HostCommand;
use servers::tls::Identity;
use sha2::{Digest as _, Sha256};

use super::curves::{curve, spread};
use super::nanos;
use super::server::Server;
use super::stage::{Deed, LOOK_NS, Released, Stage};
use crate::contract::{Endured, Endures, FleetCommand, FleetOrder, FleetReply};
use crate::kernel;
use crate::lane::{Cores, spell, unexpected};
use crate::middlebox::Middlebox;
use crate::progress::Progress;
use crate::repetition::socket_rows;
use crate::worker::{PATIENCE, Worker};

/// Time for the clients to make the bodies that they expect, ns.
const LEAD_NS: u64 = 300_000_000;

/// How long connecting for the first time may take.
const CONNECTING: Duration = Duration::from_secs(60);

/// Runs all trials of repetition `repetition`, and gives each to `save`. An interrupt ends it; the trial under way is
/// left out.
///
/// # Errors
/// A process cannot be started, or dies without having been killed.
pub fn run(
    plan: &Plan,
    repetition: u64,
    cores: Cores,
    progress: &Progress,
    stop: &AtomicBool,
    mut save: impl FnMut(Outage, Rows) -> Result<()>,
) -> Result<bool> {
    let outage = plan.scenario.outage.as_ref().context("this scenario has no outage")?;
    let mut trials: Vec<(Lane, Case)> = plan
        .lanes()
        .iter()
        .flat_map(|lane| outage.cases(*lane).into_iter().map(move |case| (*lane, case)))
        .collect();
    SplitMix::new(plan.scenario.seed, 0x00F_A017 ^ repetition).shuffle(&mut trials);
    let count = trials.len();
    // Bodies, delays and hints are drawn anew for each repetition, and alike on all lanes of it.
    let scenario = Scenario { seed: repeated(plan.scenario.seed, repetition), ..plan.scenario.clone() };
    let broke_ns = |case: Case| outage.comes_ns(case.fault, plan.scenario.seed, repetition);
    for (done, (lane, case)) in trials.into_iter().enumerate() {
        let fault = outage.faults[case.fault];
        progress.say(&format!("{lane}: {fault}, {} ({} of {count})", case.policy, done + 1));
        let broke_ns = broke_ns(case);
        let trial = Trial { scenario: &scenario, outage, lane, case, repetition, fault, broke_ns, cores };
        let Some(one) = trial.run(stop)? else { return Ok(false) };
        save(one.0, one.1)?;
    }
    Ok(true)
}

/// The options of a lane's sockets, by lane and side.
pub type Rows = Vec<(String, Sockets)>;

/// One fault on one lane.
struct Trial<'a> {
    scenario: &'a Scenario,
    outage: &'a scenarios::Outage,
    lane: Lane,
    case: Case,
    repetition: u64,
    fault: Fault,
    /// When it breaks, ns behind time zero.
    broke_ns: u64,
    cores: Cores,
}

impl Trial<'_> {
    /// All of it; `None` when interrupted.
    fn run(&self, stop: &AtomicBool) -> Result<Option<(Outage, Rows)>> {
        let Some(mut stage) = self.set(stop)? else { return Ok(None) };
        let overflows = kernel::listen_overflows()?;
        let schedule_ns = stage.schedule.blocks().iter().map(Block::end_ns).max().unwrap_or(0);
        if !stage.play(schedule_ns, stop)? {
            return Ok(None);
        }
        let end_seq = stage.schedule.first_seq() + stage.schedule.events();
        let settle_ns = schedule_ns + nanos(self.outage.settle.0);
        let deadline = stage.start.plus_nanos(settle_ns);
        stage.fleet.tell(&FleetCommand::Settle { end_seq, deadline })?;
        let heard = heard(deadline.since(Moment::now()) + PATIENCE, stop, || {
            stage.look()?;
            stage.fleet.try_hear()
        });
        let Some(reply) = heard? else { return Ok(None) };
        let FleetReply::Endured(endured) = reply else { bail!(unexpected(&stage.fleet, &reply)) };
        let Some(released) = stage.released(self.outage.silence.0, stop)? else { return Ok(None) };
        let listen_overflows = kernel::listen_overflows()? - overflows;
        let backlog = stage.servers.first().map_or(0, |server| server.sockets.backlog);
        let Stage { marks, ticks: server, .. } = stage;
        let expected = self.bodies(end_seq);
        let Endured { received_sha256, sockets: client, .. } = &*endured;
        let sockets = socket_rows(self.lane, self.scenario, client.as_ref(), released.sockets.as_ref());
        let bodies_sha256 = [expected, received_sha256.clone().unwrap_or_default()];
        let facts = Facts { marks, server, backlog, listen_overflows, released, bodies_sha256 };
        Ok(Some((self.build(*endured, facts), sockets)))
    }

    /// The events: one block, and one behind a pause where nothing is to be published for a while.
    fn schedule(&self) -> Schedule {
        let scenario = self.scenario;
        let (span_ns, pause_ns) = (nanos(scenario.duration.0), nanos(self.fault.down.0));
        let before = self.broke_ns;
        let spans = match self.fault.kind == FaultKind::Idle {
            true => vec![(0, before), (before + pause_ns, span_ns - before - pause_ns)],
            false => vec![(0, span_ns)],
        };
        let mut first_seq = 1;
        let blocks = (0..).zip(spans).map(|(round, (start_ns, span_ns))| {
            let events = events(scenario.rate, span_ns);
            let block = Block { lane: 0, round, start_ns, span_ns, first_seq, events };
            first_seq += events;
            block
        });
        Schedule::new(scenario.arrivals, scenario.seed, blocks.collect())
    }

    /// What is done when to which server, the first last.
    fn deeds(&self) -> Vec<(u64, usize, Deed)> {
        let (at, down) = (self.broke_ns, nanos(self.fault.down.0));
        let drain = Deed::Drain { listens: true };
        let mut deeds = match self.fault.kind {
            FaultKind::Drain if down == 0 => vec![(at, 0, drain)],
            FaultKind::Drain => vec![(at, 0, Deed::Drain { listens: false }), (at + down, 0, Deed::Listen)],
            FaultKind::Kill => vec![(at, 0, Deed::Kill), (at + down, 0, Deed::Listen)],
            FaultKind::Reset => vec![(at, 0, Deed::Reset)],
            FaultKind::Blackhole => vec![(at, 0, Deed::Blackhole)],
            FaultKind::Stop => vec![(at, 0, Deed::Stop), (at + down, 0, Deed::Continue)],
            FaultKind::Unavailable | FaultKind::NoContent => {
                let status = if self.fault.kind == FaultKind::Unavailable { 503 } else { 204 };
                vec![(at, 0, Deed::Refuse(Some(status))), (at, 0, drain), (at + down, 0, Deed::Refuse(None))]
            }
            FaultKind::Idle => vec![(at, 0, Deed::Silence)],
            FaultKind::Rolling => (0..2)
                .flat_map(|server: usize| {
                    let from = at + 2 * down * server as u64;
                    [(from, server, Deed::Drain { listens: false }), (from + down, server, Deed::Listen)]
                })
                .collect(),
            FaultKind::Churn => Vec::new(),
        };
        deeds.reverse();
        deeds
    }

    /// Starts servers and clients, connects all, and tells both what is to come.
    fn set(&self, stop: &AtomicBool) -> Result<Option<Stage>> {
        let scenario = self.scenario;
        let address = std::net::Ipv4Addr::LOCALHOST.into();
        let identity = self.lane.tls.then(|| Identity::make(address)).transpose()?;
        let servers = (0..self.outage.servers(self.case.fault) as u64).map(|number| {
            Server::start(scenario, self.lane, self.case, number, self.cores, identity.as_ref())
        });
        let mut servers = servers.collect::<Result<Vec<_>>>()?;
        let mut addresses: Vec<_> = servers.iter().map(Server::address).collect();
        let before = (self.fault.kind == FaultKind::Idle)
            .then(|| Middlebox::start(addresses[0], scenario.idle_timeout.0))
            .transpose()?;
        if let Some(middlebox) = &before {
            addresses = vec![middlebox.address()];
        }
        let order = FleetOrder {
            lane: self.lane,
            scenario: scenario.clone(),
            payload: scenario.payload.clone(),
            address: addresses[0],
            first_client: 0,
            clients: scenario.subscribers.0,
            certificate: identity.map(|identity| identity.certificate),
            core: self.cores.client,
            browser: None,
            sample_every: 0,
            endures: Some(Endures { case: self.case, servers: addresses, broke_ns: self.broke_ns }),
        };
        let mut fleet = Worker::start("fleet", format!("the generator of lane {}", self.lane), &order)?;
        let reply = fleet.hear(PATIENCE)?;
        let FleetReply::Ready { .. } = reply else { bail!(unexpected(&fleet, &reply)) };
        for server in &mut servers {
            server.tell(&HostCommand::Step { seq: 0 })?;
        }
        fleet.tell(&FleetCommand::Endure)?;
        let Some(reply) = heard(CONNECTING, stop, || fleet.try_hear())? else { return Ok(None) };
        let FleetReply::Connected { open, failures } = reply else { bail!(unexpected(&fleet, &reply)) };
        if open as u64 != scenario.subscribers.0 || !failures.is_empty() {
            let of = scenario.subscribers.0;
            bail!("{}: {open} of {of} subscribers connected; {}", self.lane, spell(&failures));
        }
        let schedule = self.schedule();
        let start = Moment::now().plus_nanos(LEAD_NS);
        fleet.tell(&FleetCommand::Arm { start, schedule: schedule.clone(), senders: None })?;
        for server in &mut servers {
            server.publish(start, &schedule)?;
        }
        let reply = fleet.hear(PATIENCE)?;
        let FleetReply::Armed = reply else { bail!(unexpected(&fleet, &reply)) };
        if Moment::now() > start {
            bail!("{} was not ready in time; use fewer events or another machine", fleet.name());
        }
        let (deeds, marks, ticks) = (self.deeds(), Vec::new(), Vec::new());
        let stage = Stage { servers, fleet, start, schedule, deeds, marks, ticks, middlebox: before };
        Ok(Some(stage))
    }

    /// SHA-256 over the bodies of all events, hex.
    fn bodies(&self, end_seq: u64) -> String {
        let mut hash = Sha256::new();
        let scenario = self.scenario;
        (1..end_seq).for_each(|seq| hash.update(scenario.payload.body(scenario.seed, seq)));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn build(&self, endured: Endured, facts: Facts) -> Outage {
        let Facts { marks, server, backlog, listen_overflows, released, bodies_sha256 } = facts;
        let broke_ns = self.broke_ns;
        let since = |moments: Vec<u64>| curve(moments, broke_ns);
        let back_ns = endured.back_ns(self.scenario.subscribers.0);
        let (scheduled, actual): (Vec<u64>, Vec<u64>) = endured.first_attempts.into_iter().unzip();
        Outage {
            lane: self.lane,
            repetition: self.repetition,
            fault: self.fault,
            broke_ns,
            marks,
            policy: self.case.policy,
            own_policy: self.case.policy.on(self.lane.transport).expect("a case of this lane"),
            hint: self.case.hint,
            window: self.case.window.0,
            clients: self.scenario.subscribers.0,
            ledger: endured.ledger,
            lost: endured.lost,
            disconnections: endured.disconnections,
            recovered: endured.recovered,
            attempts: endured.attempts,
            failed_attempts: endured.failed_attempts,
            noticed: endured.noticed,
            gave_up: endured.gave_up,
            parts: endured.parts,
            unavailable: endured.unavailable,
            to_first_event: endured.to_first_event,
            parts_differ_by_ns: endured.parts_differ_by_ns,
            silence_late: endured.silence_late,
            replayed_events: endured.replayed_events,
            replayed_bytes: endured.replayed_bytes,
            handshake_bytes: endured.handshake_bytes,
            still_away: endured.still_away,
            scheduled_spread_ns: spread(&scheduled),
            actual_spread_ns: spread(&actual),
            scheduled: since(scheduled),
            begun: since(endured.begun),
            opened: since(endured.opened),
            caught_up: since(endured.caught_up),
            timeline: endured.timeline,
            server,
            backlog,
            listen_overflows,
            refused: released.refused,
            leaked: released.open,
            released_ns: released.after_ns,
            back_ns,
            bodies_sha256,
        }
    }
}

/// What is known beside what the clients went through.
struct Facts {
    marks: Vec<(String, u64)>,
    server: Vec<ServerTick>,
    backlog: u32,
    listen_overflows: u64,
    released: Released,
    bodies_sha256: [String; 2],
}

/// What the clients say, asked for again and again; `None` when interrupted.
fn heard(
    patience: Duration,
    stop: &AtomicBool,
    mut ask: impl FnMut() -> Result<Option<FleetReply>>,
) -> Result<Option<FleetReply>> {
    let deadline = Moment::now().plus_nanos(nanos(patience));
    loop {
        match ask()? {
            Some(reply) => return Ok(Some(reply)),
            None if stop.load(Ordering::Relaxed) => return Ok(None),
            None if Moment::now() > deadline => {
                bail!("the clients did not answer within {} s", patience.as_secs())
            }
            None => std::thread::sleep(Duration::from_nanos(LOOK_NS)),
        }
    }
}

/// Events of a span at a rate, at least one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "bounded by the scenario's checks"
)]
fn events(rate: f64, span_ns: u64) -> u64 {
    ((rate * span_ns as f64 / 1e9).round() as u64).max(1)
}
