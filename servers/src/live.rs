//! Endless publishing on three lanes at once, and an end that every client is told of.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use anyhow::{Context as _, Result};
use scenarios::{Block, Carrier, Coding, Hint, Http2, Lane, Moment, Scenario, Schedule, Transport};
use servers::drain::{Ending, PATIENCE, drain};
use servers::http::{HEAD_BYTES, Limits, Site, Tally};
use servers::hub::{self, Hub};
use servers::lanes::poll::Polled;
use servers::lanes::{Gaps, Service, raw};
use servers::listen::listen;
use servers::publisher::{self, Framer, Order, Signal};
use servers::tls::{protocols, secure_with};
use servers::upward::Upward;
use servers::version::Speaks;
use servers::window::Bounds;
use servers::wire::Meter;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::{Terms, page};

/// How long clients may take to leave when the server does.
const LEAVING: Duration = Duration::from_secs(2);

/// The lanes that are served, in the order of their hubs.
const LANES: [&str; 3] = ["sse-h1", "ws-h1", "raw"];

/// The lane whose settings HTTP/2 has: the hubs above are served over either version.
const HTTP2: &str = "sse-h2";

/// Where it is served, and to whom.
#[derive(Debug)]
pub struct Place {
    /// Where to listen.
    pub bind: SocketAddr,
    /// Sites whose pages may open a WebSocket.
    pub origins: Vec<String>,
    /// Whether inside TLS.
    pub tls: bool,
}

/// Serves until SIGINT or SIGTERM.
pub fn run(name: &str, scenario: &Scenario, place: Place, terms: &Terms) -> Result<()> {
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(serve(name, scenario, place, terms))
}

/// As many connections as the system allows; what it does not allow shows as refused connections.
fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// The hub of one of the [`LANES`], on these terms.
fn hub(lane: &str, scenario: &Scenario, terms: &Terms) -> Result<Hub> {
    let lane: Lane = lane.parse().expect("a lane of ours");
    let lag = usize::try_from(scenario.lag.0).context("`lag` does not fit this machine")?;
    let on = hub::Terms {
        hint: if lane.transport == Transport::Sse { terms.retry } else { Hint::default() },
        seed: scenario.seed,
        scale: 1.0,
        most: terms.most.0,
        max_age: terms.max_age.0,
    };
    let hub = Hub::of(scenario).context("`lag` does not fit this machine")?.on(on);
    // A bare `nc` names itself to nobody, so the raw lane takes nothing here.
    if lane.transport == Transport::Raw {
        return Ok(hub);
    }
    let events = terms.window.map_or(Ok(lag), |window| usize::try_from(window.0));
    let events = events.context("`--window` does not fit this machine")?;
    let bounds = Bounds { age: terms.window_age.0, ..Bounds::of(events) };
    Ok(hub.resuming_within(Gaps::of(lane, scenario), bounds).taking(Upward::new(lane, scenario, lag)))
}

async fn serve(name: &str, scenario: &Scenario, place: Place, terms: &Terms) -> Result<()> {
    let Place { bind, origins, tls } = place;
    let [sse, ws, raw] = LANES.map(|lane| hub(lane, scenario, terms));
    let (sse, ws, raw) = (sse?, ws?, raw?);
    for hub in [&sse, &ws, &raw] {
        tokio::spawn(hub.clone().end_at_age());
    }
    let keeps = terms.window.is_none_or(|window| window.0 > 0) && terms.window_age.0.is_zero();
    let timetable = Timetable::new(scenario);
    let meter = Arc::new(Meter::default());
    let http = listen(bind, scenario, HEAD_BYTES)?;
    let tcp = listen(SocketAddr::new(bind.ip(), 0), scenario, raw::READ_BUFFER_BYTES)?;
    let secured = |offered| tls.then(|| secure_with(offered, bind.ip())).transpose();
    let both = [Carrier::H2, Carrier::H1].map(protocols).concat();
    let (secured_http, secured_tcp) = (secured(both)?, secured(protocols(Carrier::Tcp))?);
    announce(name, scenario, http.address, tcp.address, tls);
    let opened = Arc::new(Tally::default());
    let site = Site {
        sse: Some(sse.clone()),
        ws: Some(ws.clone()),
        // What SSE pushes can also be polled for: the events are framed alike. Who polls gets what everybody gets.
        poll: (sse.topics() == 1 && keeps).then(|| Polled { hub: sse.clone(), hold: scenario.hold.0 }),
        pages: Some(page::pages(&timetable, scenario, Arc::clone(&opened))),
        origins,
        coding: Coding::Plain,
        echo: false,
        limits: Limits::default(),
        speaks: Speaks::Both(Http2::of(HTTP2.parse().expect("a lane of ours"), scenario)),
        opened,
    };
    let listeners = [
        tokio::spawn(http.serve(Arc::clone(&meter), Service::Site(Arc::new(site)), secured_http)),
        tokio::spawn(tcp.serve(Arc::clone(&meter), Service::Raw(raw.clone()), secured_tcp)),
    ];
    let hubs = [sse, ws, raw];
    let asked = tokio::select! {
        ended = publish(scenario, timetable, &hubs) => ended.map(|()| Asked::ToLeave),
        asked = asked_to_end() => asked,
    };
    match asked {
        Ok(Asked::ToDrain) => {
            let cut = drain(&hubs, &meter, Ending::All(listeners.into()), PATIENCE).await;
            if cut > 0 {
                say(&format!("{cut} connections had to be cut off after {PATIENCE:?}"));
            }
        }
        Ok(Asked::ToLeave) | Err(_) => {
            listeners.iter().for_each(tokio::task::JoinHandle::abort);
            hubs.iter().for_each(Hub::close);
            if tokio::time::timeout(LEAVING, meter.idle()).await.is_err() {
                say(&format!("{} connections did not end in {LEAVING:?}", meter.open()));
            }
        }
    }
    asked.map(drop)
}

/// How it is to end.
enum Asked {
    /// Clients are told that the server goes away.
    ToLeave,
    /// Clients are told that they may come back at once.
    ToDrain,
}

async fn asked_to_end() -> Result<Asked> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    tokio::select! {
        asked = tokio::signal::ctrl_c() => asked.context("cannot wait for Ctrl-C").map(|()| Asked::ToLeave),
        _ = terminate.recv() => Ok(Asked::ToDrain),
    }
}

/// When event `seq` is meant to leave, for ever: equal blocks, one behind the other.
#[derive(Clone, Copy, Debug)]
pub struct Timetable {
    /// Time zero.
    pub start: Moment,
    /// Events in a block.
    pub events: u64,
}

impl Timetable {
    /// Length of a block.
    pub const BLOCK: Duration = Duration::from_secs(100);
    const SPAN_NS: u64 = 100_000_000_000;

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the scenario bounds the rate"
    )]
    fn new(scenario: &Scenario) -> Self {
        let events = (scenario.rate * Self::BLOCK.as_secs_f64()).round().max(1.0) as u64;
        Self { start: Moment::now(), events }
    }

    fn block(&self, scenario: &Scenario, round: u64) -> Order {
        let first_seq = round * self.events;
        let start_ns = round * Self::SPAN_NS;
        let block =
            Block { lane: 0, round, start_ns, span_ns: Self::SPAN_NS, first_seq, events: self.events };
        Order::Run(self.start, Schedule::new(scenario.arrivals, scenario.seed, vec![block]), first_seq)
    }
}

async fn publish(scenario: &Scenario, timetable: Timetable, hubs: &[Hub; 3]) -> Result<()> {
    let lanes: Vec<Lane> = LANES.map(|name| name.parse().expect("a lane of ours")).to_vec();
    let framer = Framer { lanes, scenario: scenario.clone(), payload: scenario.payload.clone() };
    let (orders, told) = std::sync::mpsc::channel();
    let (signals, signalled) = unbounded_channel();
    publisher::start(framer, told, signals).context("cannot start the publisher")?;
    fan_out(scenario, timetable, hubs, &orders, signalled).await
}

async fn fan_out(
    scenario: &Scenario,
    timetable: Timetable,
    hubs: &[Hub; 3],
    orders: &Sender<Order>,
    mut signalled: UnboundedReceiver<Signal>,
) -> Result<()> {
    let mut rounds = (0..).map(|round| timetable.block(scenario, round));
    let mut next =
        || rounds.next().and_then(|order| orders.send(order).ok()).context("the publisher has ended");
    next()?;
    while let Some(signal) = signalled.recv().await {
        match signal {
            Signal::Events(together) => together.into_iter().for_each(|event| event.publish(hubs)),
            Signal::Step(event) => event.publish(hubs),
            Signal::Ended { .. } => next()?,
            Signal::Failed(text) => anyhow::bail!(text),
        }
    }
    anyhow::bail!("the publisher has ended")
}

fn announce(name: &str, scenario: &Scenario, http: SocketAddr, tcp: SocketAddr, tls: bool) {
    let (s, k, raw) = if tls { ("s", "k", "openssl s_client -quiet -connect") } else { ("", "", "nc") };
    let known = if tls { "" } else { "-prior-knowledge" };
    let between = if tls { ':' } else { ' ' };
    say(&format!(
        "{name}: {} events/s ({}) until Ctrl-C

  live page   http{s}://{http}/
  SSE         curl -N{k} http{s}://{http}/sse
  HTTP/2      curl -N{k} --http2{known} http{s}://{http}/sse
  WebSocket   websocat{} ws{s}://{http}/ws
  resuming    curl -N{k} -H 'Last-Event-ID: 7' http{s}://{http}/sse, or ws{s}://{http}/ws?after=7
  upward      curl -N{k} 'http{s}://{http}/sse?client=1' & curl -i{k} -d $'1\nhello' 'http{s}://{http}/up?client=1'
  polling     curl -i{k} 'http{s}://{http}/poll?after=7' (or longpoll)
  raw frames  {raw} {}{between}{} | xxd
",
        scenario.rate,
        scenario.payload,
        if tls { " -k" } else { "" },
        tcp.ip(),
        tcp.port(),
    ));
    if !http.ip().is_loopback() {
        let _ = writeln!(
            std::io::stderr(),
            "warning: {http} can be reached from other machines, and there is no login"
        );
    }
}

fn say(text: &str) {
    // A closed pipe is no reason to stop serving.
    let _ = writeln!(std::io::stdout(), "{text}");
}
