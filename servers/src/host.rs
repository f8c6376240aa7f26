//! The worker process that serves one lane: the [`contract`](crate::contract) on its stdio.
//!
//! Reading and writing lines happen on threads of their own, joined to the runtime by channels, so
//! that a slow reader of the replies can never stall a delivery.

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, bail};
use futures_util::future::OptionFuture;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use scenarios::Scenario;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::allocations;
use crate::contract::{HostCommand, HostOrder, HostReply, RanPhase};
use crate::http::Limits;
use crate::inject::{Burner, Inject};
use crate::lanes::{self, Service, read_buffer_bytes};
use crate::listen::listen;
use crate::publisher::{self, Framer};
use crate::tls::{self, Identity};
use crate::wire::Meter;
use desk::{Desk, Log};

mod desk;

/// Serves one lane, as told on stdin, until told to exit. When stdin ends, the process does.
///
/// # Errors
/// What it cannot do; the parent is told the same as [`HostReply::Failed`].
pub fn run() -> Result<()> {
    end_on_panic();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("cannot read the order")?;
    if line.is_empty() {
        return Ok(());
    }
    let (replies, writer) = write_replies();
    let served = serve(&line, &replies);
    if let Err(err) = &served {
        reply(&replies, HostReply::Failed { text: format!("{err:#}") });
    }
    drop(replies);
    writer.join().ok().context("the thread that writes replies panicked")?;
    served
}

fn serve(order: &str, replies: &Sender<HostReply>) -> Result<()> {
    let order: HostOrder = serde_json::from_str(order).context("cannot read the order")?;
    if let Some(core) = order.core {
        pin(core).with_context(|| format!("cannot pin to core {core}"))?;
    }
    let burner = order.inject.and_then(Inject::burner);
    runtime_with(burner)?.block_on(host(order, replies))
}

/// The runtime of every worker, hosts and fleets alike: one thread, and a look at the sockets after
/// each 1,024 polls. With tokio's default of 61, a fan-out to thousands of tasks asks the kernel
/// again and again for what it already has in hand.
///
/// # Errors
/// The kernel gives no epoll.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    runtime_with(None)
}

/// The same; a server that is to burn does so whenever it has nothing more to do, so that all of it is paid for in the block
/// that it is for.
fn runtime_with(burner: Option<Arc<Burner>>) -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.event_interval(1_024).enable_all();
    if let Some(burner) = burner {
        builder.on_thread_park(move || burner.burn());
    }
    builder.build().context("cannot start the runtime")
}

/// Ends this process when any of it panics: a task that is gone would leave the parent waiting.
pub fn end_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |what| {
        print(what);
        std::process::exit(101);
    }));
}

/// Pins this process, which has no other threads yet, to one core.
///
/// # Errors
/// There is no such core.
pub fn pin(core: usize) -> nix::Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &set)
}

async fn host(order: HostOrder, replies: &Sender<HostReply>) -> Result<()> {
    let HostOrder { lane, scenario, payload, core: _, bind, case, number, log, identity, inject } = order;
    if let Some(refusal) = inject.and_then(|inject| inject.refusal(lane, &scenario)) {
        bail!(refusal);
    }
    let hub = lanes::outage::prepared(lanes::hub(lane, &scenario)?, lane, &scenario, case, number)?;
    let hub = match inject.and_then(|inject| inject.drops(scenario.seed)) {
        Some(drops) => hub.dropping(drops),
        None => hub,
    };
    let meter = Arc::new(Meter::default());
    meter.write_apart(inject.map_or(0, Inject::apart));
    let framer = Framer { lanes: vec![lane], scenario: scenario.clone(), payload };
    // Last before it listens, so that as little as may be becomes due in between; that leaves when the run begins.
    let log = log.map(|(start, schedule)| Log::read(&framer, &hub, start, schedule)).transpose()?;
    let listening = listen(bind, &scenario, read_buffer_bytes(lane))?;
    let (address, sockets) = (listening.address, listening.facts.clone());
    let service = Service::of(lane, hub.clone(), &scenario, Limits::default());
    let identity = || identity.map_or_else(|| Identity::make(address.ip()), Ok);
    let secure = || tls::secure_as(tls::protocols(lane.carrier), identity()?);
    let secured = lane.tls.then(secure).transpose()?;
    let certificate = secured.as_ref().map(|secured| secured.certificate.clone());
    let listener = Some(tokio::spawn(listening.serve(Arc::clone(&meter), service, secured)));
    tokio::spawn(hub.clone().end_at_age());
    let (orders, told) = std::sync::mpsc::channel();
    let (signals, mut signalled) = unbounded_channel();
    publisher::start(framer, told, signals).context("cannot start the publisher")?;
    let mut commands = read_commands()?;
    reply(replies, HostReply::Ready { pid: std::process::id(), address, sockets, certificate, inject });
    let heartbeat = lanes::heartbeat(lane);
    let ran = RanPhase::default();
    let mut beats = beats(&scenario);
    let padding = inject.and_then(|inject| inject.padding(lane));
    let mut desk = Desk {
        hub,
        scenario,
        heartbeat,
        meter,
        orders,
        replies,
        ran,
        running: false,
        listener,
        log,
        inject,
        padding,
    };
    loop {
        tokio::select! {
            biased;
            Some(signal) = signalled.recv() => desk.on_signal(signal),
            command = commands.recv() => match command {
                Some(Ok(HostCommand::Exit)) | None => return Ok(()),
                Some(Ok(command)) => allocations::apart(|| desk.on_command(command)),
                Some(Err(text)) => desk.fail(text),
            },
            Some(_) = OptionFuture::from(beats.as_mut().map(Interval::tick)) => desk.beat(),
        }
    }
}

/// When the server sends heartbeats by itself, if it does.
fn beats(scenario: &Scenario) -> Option<Interval> {
    let every = scenario.outage.as_ref()?.heartbeat.0;
    let mut beats = (!every.is_zero()).then(|| interval(every))?;
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Some(beats)
}

fn reply(replies: &Sender<HostReply>, reply: HostReply) {
    // An error says that the writer has ended, and it ends the process with it.
    allocations::apart(|| drop(replies.send(reply)));
}

/// Starts the thread that writes replies, one line each; a parent that is gone ends the process.
fn write_replies() -> (Sender<HostReply>, JoinHandle<()>) {
    let (replies, received) = std::sync::mpsc::channel::<HostReply>();
    let writer = std::thread::spawn(move || {
        for reply in received {
            let mut line = serde_json::to_vec(&reply).expect("a reply is plain data");
            line.push(b'\n');
            let mut out = std::io::stdout().lock();
            if out.write_all(&line).and_then(|()| out.flush()).is_err() {
                std::process::exit(0);
            }
        }
    });
    (replies, writer)
}

/// Starts the thread that reads commands, or says why a line is none; the end of stdin ends the
/// process.
fn read_commands() -> Result<UnboundedReceiver<Result<HostCommand, String>>> {
    let (commands, received) = unbounded_channel();
    let body = move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let command =
                serde_json::from_str(&line).map_err(|err| format!("cannot read the command `{line}`: {err}"));
            if commands.send(command).is_err() {
                return;
            }
        }
        std::process::exit(0);
    };
    std::thread::Builder::new().name("commands".into()).spawn(body).context("cannot start a thread")?;
    Ok(received)
}
