//! The worker process that serves one lane: the [`contract`](crate::contract) on its stdio.
//!
//! Reading and writing lines happen on threads of their own, joined to the runtime by channels, so
//! that a slow reader of the replies can never stall a delivery.

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use scenarios::{Moment, Scenario, Upstream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::contract::{HostCommand, HostOrder, HostReply, RanPhase, Totals};
use crate::http::Limits;
use crate::hub::Hub;
use crate::lanes::{self, Service, read_buffer_bytes};
use crate::listen::listen;
use crate::publisher::{self, Framed, Framer, Order, Signal};
use crate::tls;
use crate::upward::Upward;
use crate::wire::Meter;

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
    runtime()?.block_on(host(order, replies))
}

/// The runtime of every worker, hosts and fleets alike: one thread, and a look at the sockets after
/// each 1,024 polls. With tokio's default of 61, a fan-out to thousands of tasks asks the kernel
/// again and again for what it already has in hand.
///
/// # Errors
/// The kernel gives no epoll.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .event_interval(1_024)
        .enable_all()
        .build()
        .context("cannot start the runtime")
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
    let HostOrder { lane, scenario, payload, core: _, bind } = order;
    let hub = lanes::hub(lane, &scenario)?;
    let meter = Arc::new(Meter::default());
    let listening = listen(bind, &scenario, read_buffer_bytes(lane))?;
    let (address, sockets) = (listening.address, listening.facts.clone());
    let service = Service::of(lane, hub.clone(), &scenario, Limits::default());
    let secured = lane.tls.then(|| tls::secure(lane.carrier, address.ip())).transpose()?;
    let certificate = secured.as_ref().map(|secured| secured.certificate.clone());
    tokio::spawn(listening.serve(Arc::clone(&meter), service, secured));
    let (orders, told) = std::sync::mpsc::channel();
    let (signals, mut signalled) = unbounded_channel();
    publisher::start(Framer { lanes: vec![lane], scenario: scenario.clone(), payload }, told, signals)
        .context("cannot start the publisher")?;
    let mut commands = read_commands()?;
    reply(replies, HostReply::Ready { pid: std::process::id(), address, sockets, certificate });
    let heartbeat = lanes::heartbeat(lane);
    let ran = RanPhase::default();
    let mut desk = Desk { hub, scenario, heartbeat, meter, orders, replies, ran, running: false };
    loop {
        tokio::select! {
            biased;
            Some(signal) = signalled.recv() => desk.on_signal(signal),
            command = commands.recv() => match command {
                Some(Ok(HostCommand::Exit)) | None => return Ok(()),
                Some(Ok(command)) => desk.on_command(command),
                Some(Err(text)) => desk.fail(text),
            },
        }
    }
}

/// What the runtime's side of the host holds.
struct Desk<'a> {
    hub: Hub,
    heartbeat: Bytes,
    scenario: Scenario,
    meter: Arc<Meter>,
    orders: Sender<Order>,
    replies: &'a Sender<HostReply>,
    ran: RanPhase,
    running: bool,
}

impl Desk<'_> {
    fn on_signal(&mut self, signal: Signal) {
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

    fn publish(&self, framed: Framed) {
        framed.publish(std::slice::from_ref(&self.hub));
    }

    fn on_command(&mut self, command: HostCommand) {
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
                Order::Run(start, schedule)
            }
            HostCommand::Beat => {
                self.hub.beat(&self.heartbeat);
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
            HostCommand::Exit => return,
        };
        if self.orders.send(order).is_err() {
            self.fail("the publisher's thread has ended".into());
        }
    }

    fn fail(&self, text: String) {
        reply(self.replies, HostReply::Failed { text });
    }
}

fn reply(replies: &Sender<HostReply>, reply: HostReply) {
    // An error says that the writer has ended, and it ends the process with it.
    let _ = replies.send(reply);
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
