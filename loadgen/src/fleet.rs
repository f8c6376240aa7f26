//! The client worker: many subscribers on one thread and one runtime, one loop for every lane.
//!
//! Its control channel is read on a thread of its own, so that a slow pipe can never hold up a
//! read; between commands the thread does nothing but read sockets and record.

use std::cell::RefCell;
use std::io::{BufRead as _, Write as _};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use scenarios::{Moment, Polls, Scenario, Schedule, Senders, Transport, Upstream, upstream};
use servers::allocations;
use tokio::sync::{Semaphore, mpsc};

use crate::contract::{FleetCommand, FleetOrder, FleetReply};
use crate::desk::{self, Station};
use crate::expect::{Expected, name_on_wire};
use crate::failure::Failure;
use crate::lanes::crowd::{Bell, Crowd, Pace, Timetable};
use crate::lanes::voice::Voice;
use crate::lanes::{READ_BUFFER, Subscriber, Target, tls};
use crate::outage::Herd;
use crate::session::{self, Clients};
use crate::upward::Upward;

mod herd;

/// Handshakes under way at once, per process: enough to be quick, below any listen backlog.
pub const HANDSHAKES: usize = 64;

/// How long answers to the last polls may take.
const REST: Duration = Duration::from_secs(2);

/// Runs a fleet on this process's stdin and stdout until told to exit, or until stdin ends.
///
/// # Errors
/// The order cannot be read, or the process cannot be set up.
pub fn run() -> Result<()> {
    servers::host::end_on_panic();
    let mut lines = std::io::stdin().lock().lines();
    let order =
        lines.next().context("a fleet reads its order from stdin")?.context("cannot read the order")?;
    let order: FleetOrder = serde_json::from_str(&order).context("the order is no fleet order")?;
    drop(lines);
    if let Some(core) = order.core {
        servers::host::pin(core).with_context(|| format!("cannot pin to core {core}"))?;
    }
    servers::host::runtime()?.block_on(serve(order))
}

/// Commands as they come in. The end of stdin ends the process at once, whatever it waits for, so
/// that no orphan outlives the process that started it.
fn commands(bell: Bell) -> mpsc::UnboundedReceiver<Result<FleetCommand, String>> {
    let (send, receive) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let command = serde_json::from_str(&line).map_err(|err| format!("not a fleet command: {err}"));
            bell.ring();
            if send.send(command).is_err() {
                return;
            }
        }
        std::process::exit(0);
    });
    receive
}

/// Replies leave on a thread of their own.
fn replies() -> mpsc::UnboundedSender<FleetReply> {
    let (send, mut receive) = mpsc::unbounded_channel::<FleetReply>();
    std::thread::spawn(move || {
        while let Some(reply) = receive.blocking_recv() {
            let mut line = serde_json::to_vec(&reply).expect("replies are plain data");
            line.push(b'\n');
            let mut out = std::io::stdout().lock();
            if out.write_all(&line).and_then(|()| out.flush()).is_err() {
                return;
            }
        }
    });
    send
}

async fn serve(order: FleetOrder) -> Result<()> {
    let fleet = Fleet::new(order)?;
    let bell = fleet.crowd.bell();
    let (mut commands, replies) = (commands(bell.clone()), replies());
    let say = |reply| allocations::apart(|| replies.send(reply)).context("nobody reads this fleet's replies");
    say(FleetReply::Ready { pid: std::process::id() })?;
    while let Some(command) = commands.recv().await {
        let reply = match command {
            Err(text) => FleetReply::Failed { text },
            Ok(command) => fleet.obey(command).await,
        };
        // Before the reply, for the next command comes after it.
        bell.hush();
        say(reply)?;
    }
    Ok(())
}

/// What is to come.
struct Armed {
    start: Moment,
    schedule: Schedule,
    senders: Option<Senders>,
}

struct Fleet {
    target: Target,
    /// Subscribers a connection serves.
    streams: usize,
    order: FleetOrder,
    handshakes: Arc<Semaphore>,
    crowd: Arc<Crowd<Station>>,
    /// The seat from which on subscribers are slow readers.
    slow_from: usize,
    /// What messages upward say, where there are any.
    bodies: Option<Arc<Vec<Vec<u8>>>>,
    armed: RefCell<Option<Armed>>,
    /// Clients that come back when they lose their streams, where something is to break.
    herd: RefCell<Option<Herd>>,
}

impl Fleet {
    fn new(order: FleetOrder) -> Result<Self> {
        let scenario = Arc::new(order.scenario.clone());
        let slow_from = scenario.fast().saturating_sub(order.first_client);
        let slow_from = usize::try_from(slow_from).context("too many subscribers")?;
        if scenario.slow > 0.0 {
            desk::at(|desk| desk.slow_from(slow_from));
        }
        let tls = order.certificate.as_deref().map(|one| tls::trusting(one, order.lane.carrier)).transpose();
        let tls = tls.map_err(|err| anyhow!("cannot trust the server: {err}"))?;
        let target = Target {
            lane: order.lane,
            address: order.address,
            path: None,
            source: None,
            client: 0,
            streams: 1,
            scenario,
            tls,
            after: Vec::new(),
        };
        let crowd = Arc::new(Crowd::start().context("cannot make an epoll")?);
        let bodies = (order.scenario.upstream > 0.0).then(|| Arc::new(upstream::bodies(&order.scenario)));
        let handshakes = Arc::new(Semaphore::new(order.browser.unwrap_or(HANDSHAKES)));
        let streams = usize::try_from(order.scenario.streams_of(order.lane))?;
        Ok(Self {
            target,
            streams,
            order,
            handshakes,
            crowd,
            slow_from,
            bodies,
            armed: None.into(),
            herd: None.into(),
        })
    }

    async fn obey(&self, command: FleetCommand) -> FleetReply {
        match command {
            FleetCommand::Connect { count, deadline: None } => self.connect(count).await,
            FleetCommand::Connect { count, deadline: Some(deadline) } => {
                // Who still waits at the deadline shows in the number open.
                let left = deadline.since(Moment::now());
                let all = tokio::time::timeout(left, self.connect(count)).await;
                all.unwrap_or_else(|_| connected())
            }
            FleetCommand::Arm { start, schedule, senders } => self.arm(Armed { start, schedule, senders }),
            FleetCommand::Go => self.go().await,
            FleetCommand::Stop => self.stop(),
            FleetCommand::Slow(slowly) => {
                self.crowd.slow(slowly.then(|| pace(&self.order.scenario))).await;
                FleetReply::Armed
            }
            FleetCommand::Await { deliveries, deadline } => {
                let woken = desk::at(|desk| desk.woken());
                if !desk::at(|desk| desk.want(deliveries)) {
                    let left = deadline.since(Moment::now());
                    // At the deadline the count says what is missing.
                    let _ = tokio::time::timeout(left, woken.notified()).await;
                }
                let (deliveries, p99_ns) = desk::at(|desk| desk.arrivals());
                FleetReply::Arrived { deliveries, p99_ns }
            }
            FleetCommand::Close { end_seq } => self.close(end_seq).await,
            FleetCommand::Joins => FleetReply::Joined(Box::new(desk::at(|desk| desk.joined()))),
            FleetCommand::Visit { start } => self.visit(start).await,
            FleetCommand::Endure => self.endure().await,
            FleetCommand::Blackhole => self.blackhole(),
            FleetCommand::Settle { end_seq, deadline } => self.settle(end_seq, deadline).await,
            FleetCommand::Exit => std::process::exit(0),
        }
    }

    async fn connect(&self, count: usize) -> FleetReply {
        let first = desk::at(|desk| desk.admit(count));
        let (end, every) = (first + count, self.order.sample_every);
        for from in (first..end).step_by(self.streams) {
            let seats = from..end.min(from + self.streams);
            let sample = every > 0 && seats.clone().any(|seat| seat.is_multiple_of(every))
                // What waits for a slow reader is no lag of the generator.
                && from < self.slow_from;
            let client = self.order.first_client + from as u64;
            let target = Target { client, streams: seats.len(), ..self.target.clone() };
            tokio::spawn(subscribe(
                seats,
                sample,
                target,
                Arc::clone(&self.handshakes),
                self.order.browser.is_some(),
                Arc::clone(&self.crowd),
                self.bodies.clone(),
            ));
        }
        let woken = desk::at(|desk| desk.woken());
        while desk::at(|desk| desk.waiting()) > 0 {
            woken.notified().await;
        }
        connected()
    }

    async fn visit(&self, start: Moment) -> FleetReply {
        let Some(session) = self.order.scenario.session.clone() else {
            return FleetReply::Failed { text: "this scenario has no streams of one's own".into() };
        };
        let (target, first) = (self.target.clone(), self.order.first_client);
        let (end, sample_every) = (first + self.order.clients, self.order.sample_every);
        match session::visit(Clients { target, session, first, end, sample_every }, start).await {
            Ok(visited) => FleetReply::Visited(Box::new(visited)),
            Err(err) => FleetReply::Failed { text: format!("cannot make a timer: {err}") },
        }
    }

    async fn close(&self, end_seq: u64) -> FleetReply {
        if self.order.lane.transport == Transport::Poll || self.bodies.is_some() {
            // A server that no longer answers shows in the account.
            let _stalled = tokio::time::timeout(REST, self.crowd.rest()).await;
        }
        match desk::at(|desk| desk.close(end_seq)) {
            Some(phase) => FleetReply::Phase(Box::new(phase)),
            None => FleetReply::Failed { text: "no phase is armed".into() },
        }
    }

    /// Lets messages end with the block that has begun last.
    fn stop(&self) -> FleetReply {
        if let Some(Armed { start, schedule, .. }) = &*self.armed.borrow() {
            let now_ns = Moment::now().nanos_since(*start);
            let begun = schedule.blocks().iter().filter(|block| block.start_ns <= now_ns);
            self.crowd.until(start.plus_nanos(begun.map(scenarios::Block::end_ns).max().unwrap_or(0)));
        }
        FleetReply::Stopped
    }

    fn arm(&self, armed: Armed) -> FleetReply {
        let scenario = &self.order.scenario;
        let Armed { start, schedule, senders } = &armed;
        let upward = senders.map(|senders| Upward::new(scenario, *start, schedule, senders));
        let expected = Expected::new(scenario, &self.order.payload, *start, schedule).on(self.order.lane);
        if let Some(herd) = &*self.herd.borrow() {
            herd.arm(expected, *start, schedule);
            return FleetReply::Armed;
        }
        desk::at(|desk| {
            desk.expect_echoes(upward);
            desk.arm(expected, name_on_wire(scenario), self.order.first_client);
        });
        *self.armed.borrow_mut() = Some(armed);
        FleetReply::Armed
    }

    async fn go(&self) -> FleetReply {
        let scenario = &self.order.scenario;
        let timetable = self.armed.borrow().as_ref().and_then(|Armed { start, schedule, senders }| {
            let polls = self.order.lane.transport == Transport::Poll;
            match senders {
                Some(senders) => Some(talking(scenario, *start, schedule, *senders)),
                None => polls.then(|| polling(scenario, *start, schedule)),
            }
        });
        if let Some(timetable) = timetable {
            self.crowd.arm(timetable).await;
        }
        FleetReply::Going
    }
}

fn connected() -> FleetReply {
    desk::at(|desk| FleetReply::Connected { open: desk.open(), failures: desk.failures().clone() })
}

/// How slow readers read: what a read takes, spread over the time that the scenario gives it.
fn pace(scenario: &Scenario) -> Pace {
    match scenario.slow_read.0 {
        0 => Pace::Still,
        bytes => Pace::Every(READ_BUFFER as u64 * 1_000_000_000 / bytes),
    }
}

/// When each subscriber sends which message in a phase that begins at `start`.
fn talking(scenario: &Scenario, start: Moment, schedule: &Schedule, senders: Senders) -> Timetable {
    let upstream = Upstream::new(scenario, schedule, senders);
    Box::new(move |client, last| {
        let number = last.and_then(|(_, number)| number).map_or(senders.first, |number| number + 1);
        let message = upstream.find(client, number)?;
        Some((start.plus_nanos(message.intended_ns), Some(number)))
    })
}

/// When each subscriber polls in a phase that begins at `start`.
fn polling(scenario: &Scenario, start: Moment, schedule: &Schedule) -> Timetable {
    let interval_ns = u64::try_from(scenario.poll.0.as_nanos()).expect("bounded by the scenario's checks");
    let polls = Polls::new(interval_ns, scenario.seed, schedule);
    Box::new(move |subscriber, last| {
        let ask = polls.next(subscriber, last.map(|last| last.0.nanos_since(start)))?;
        Some((start.plus_nanos(ask.at_ns), ask.unless))
    })
}

/// One connection and its subscribers, from the first packet to the end of its streams.
async fn subscribe(
    seats: Range<usize>,
    sample: bool,
    target: Target,
    handshakes: Arc<Semaphore>,
    is_browser: bool,
    crowd: Arc<Crowd<Station>>,
    bodies: Option<Arc<Vec<Vec<u8>>>>,
) {
    let turn = handshakes.acquire_owned().await.expect("the semaphore is never closed");
    let index = seats.start;
    let fail = |failure: &Failure| desk::at(|desk| seats.clone().for_each(|seat| desk.failed(seat, failure)));
    // Before the stream, so that joining takes the time that it takes without.
    let voice = match bodies {
        None => None,
        Some(bodies) => match Voice::connect(&target, bodies).await {
            Ok(voice) => Some(voice),
            Err(failure) => return fail(&failure),
        },
    };
    desk::at(|desk| seats.clone().for_each(|seat| desk.begins(seat)));
    let mut subscriber = match Subscriber::connect(&target).await {
        Ok(subscriber) => subscriber,
        Err(failure) => return fail(&failure),
    };
    let sockets = if index == 0 { subscriber.sockets().ok().flatten() } else { None };
    if let Some(voice) = voice {
        subscriber.speak(voice);
    }
    desk::at(|desk| desk.opened(index, subscriber.counts(), sockets));
    if target.lane.holds_back() {
        desk::at(|desk| desk.needs_no_greeting(index));
    }
    drop(target);
    // A browser counts connections, not handshakes.
    let turn = is_browser.then_some(turn);
    if sample
        && subscriber.sample().is_ok_and(|on| on)
        && let Some(port) = subscriber.local_port()
    {
        desk::at(|desk| desk.sampled(index, port));
    }
    subscriber.attend(Station::new(index, turn), &crowd).await;
}
