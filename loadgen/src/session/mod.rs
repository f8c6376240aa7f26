//! The client of streams of one's own: asks at its instant, listens to the end, and does what its transport's
//! rules make it do then.
//!
//! A task of the runtime a subscriber, not the crowd: what a client does next depends on how its stream
//! ended, and a stream per request is not a fan-out whose every microsecond is compared.

use std::sync::Arc;
use std::time::Duration;

use scenarios::moment::realtime_ahead_nanos;
use scenarios::session::{End, Leaving, asks_again};
use scenarios::{Event, Moment, Session};
use servers::alarm::Alarm;
use servers::websocket::frame::{GOING_AWAY, NORMAL};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::contract::Visited;
use crate::failure::Failure;
use crate::kernel;
use crate::lanes::lean::Lean;
use crate::lanes::{Arrival, Bytes, Deaf, Sink, Target};

/// How long the end of a connection may take that was said goodbye to.
const PATIENCE: Duration = Duration::from_secs(5);

mod account;
pub mod run;

/// The clients of one fleet.
pub struct Clients {
    /// As what they connect; each with its own number.
    pub target: Target,
    /// Their streams.
    pub session: Session,
    /// Number of the first.
    pub first: u64,
    /// Number behind the last.
    pub end: u64,
    /// Every so many of them one is stamped by the kernel; 0 for none.
    pub sample_every: usize,
}

/// Lets all clients come, from `start` on, and waits until the last is done.
///
/// # Errors
/// The kernel gives no timer.
pub async fn visit(clients: Clients, start: Moment) -> std::io::Result<Visited> {
    let Clients { target, session, first, end, sample_every } = clients;
    let scenario = Arc::clone(&target.scenario);
    account::begin(&scenario, &session, first..end);
    let (alarm, asks) = (Alarm::start()?, scenario.first_asks(&session));
    let mut tasks = JoinSet::new();
    for (client, ask_ns) in (0..).zip(asks).filter(|(client, _)| (first..end).contains(client)) {
        let index = usize::try_from(client - first).expect("an index of this fleet");
        let visitor = Visitor {
            target: Target { client, streams: 1, ..target.clone() },
            session: session.clone(),
            alarm: alarm.clone(),
            sampled: sample_every > 0 && index.is_multiple_of(sample_every),
            returns: false,
        };
        tasks.spawn(visitor.attend(start.plus_nanos(ask_ns)));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("a panic ends the process");
    }
    Ok(account::end().expect("it was begun above"))
}

/// One client.
struct Visitor {
    target: Target,
    session: Session,
    alarm: Alarm,
    sampled: bool,
    /// Whether it has had a stream.
    returns: bool,
}

/// An open connection, and its readiness: a second descriptor of the same socket, since the lean client
/// reads its own.
struct Line {
    lean: Lean,
    ready: TcpStream,
    /// Its bytes when its client was about to ask again; `None` as long as it was not.
    first: Option<Bytes>,
}

/// What a stream tells while it is listened to.
struct Ears {
    client: u64,
    told_done: bool,
    is_open: bool,
    /// Events still to come before the client leaves, if it does.
    stays_for: Option<u64>,
    over: Option<Failure>,
    last_id: Vec<u8>,
    /// Of the sampled: the ids of the events of each read.
    stamped: Vec<(u64, Arrival)>,
}

impl Visitor {
    /// From its first request to the end of its time.
    async fn attend(mut self, first: Moment) {
        let watched_ns = u64::try_from(self.target.scenario.duration.0.as_nanos()).expect("it was checked");
        let retry_ns = u64::try_from(self.session.retry.0.as_nanos()).expect("it was checked");
        let (mut line, mut due) = (None, first);
        loop {
            self.alarm.until(due).await;
            account::at(|account| account.asks(self.target.client, due, Moment::now()));
            let mut ears = Ears::of(self.target.client, self.session.leaves_after(self.target.client));
            let end = match self.ask(&mut line, &mut ears).await {
                Ok(end) => end,
                Err(failure) => {
                    account::at(|account| account.failed(failure.kind(), failure.to_string()));
                    End::Broken
                }
            };
            let now = Moment::now();
            account::at(|account| account.over(self.target.client, now, end, ears.told_done));
            self.returns = true;
            self.target.after = std::mem::take(&mut ears.last_id);
            due = now.plus_nanos(retry_ns);
            let again = asks_again(self.target.lane.transport, end, ears.told_done);
            if !again || due.nanos_since(first) >= watched_ns {
                break;
            }
        }
        if let Some(line) = line {
            line.part(self.target.client, self.goodbye()).await;
        }
    }

    /// The code with which this client says goodbye, if it says any.
    fn goodbye(&self) -> Option<u16> {
        let leaves = self.session.leaves_after(self.target.client).is_some();
        match (leaves, self.session.leaving) {
            (true, Leaving::Close) => Some(GOING_AWAY),
            (true, Leaving::Drop) => None,
            (false, _) => Some(NORMAL),
        }
    }

    /// Asks, on the connection there is if it can be asked, and listens until the stream is over.
    async fn ask(&self, line: &mut Option<Line>, ears: &mut Ears) -> Result<End, Failure> {
        if let Some(held) = line {
            held.first.get_or_insert_with(|| held.lean.counts());
            if held.lean.again(&self.target).is_ok_and(|asked| asked) {
                let failure = held.listen(ears).await;
                // RFC 9112 9.3.1: a server may close at any time; then a request is sent anew.
                if ears.is_open || !matches!(failure, Failure::Ended | Failure::Reset) {
                    return end(&failure, held.lean.close_code());
                }
            }
            if let Some(held) = line.take() {
                held.part(self.target.client, self.goodbye()).await;
            }
        }
        let held = line.insert(Line::open(&self.target, self.sampled).await?);
        held.first = self.returns.then(Bytes::default);
        ears.opens(true);
        let failure = held.listen(ears).await;
        if ears.has_left() { Ok(End::Left) } else { end(&failure, held.lean.close_code()) }
    }
}

/// How a stream ended that ended so; an error where it did not even begin.
fn end(failure: &Failure, close_code: Option<u16>) -> Result<End, Failure> {
    match (close_code, failure) {
        (Some(code), _) => Ok(End::Closed(code)),
        (None, Failure::Ended) => Ok(End::Clean),
        (None, Failure::Status(status)) => Ok(End::Status(*status)),
        (None, _) => Err(failure.clone()),
    }
}

impl Line {
    async fn open(target: &Target, sampled: bool) -> Result<Self, Failure> {
        let mut lean = Lean::connect(target).await?;
        lean.keep();
        if sampled {
            lean.sample()?;
        }
        let facts = crate::dial::facts(lean.stream(), crate::lanes::READ_BUFFER).ok();
        let (tls, http2) = (lean.agreed(), lean.http2());
        let sockets = facts.map(|facts| results::run::Sockets { tls, http2, ..facts });
        account::at(|account| account.sockets(sockets));
        let ready = TcpStream::from_std(lean.stream().try_clone()?)?;
        Ok(Self { lean, ready, first: None })
    }

    /// Listens until the stream is over, says goodbye, or has told that nothing follows; why.
    async fn listen(&mut self, ears: &mut Ears) -> Failure {
        loop {
            let served = self.lean.serve(ears, true);
            ears.heard();
            if let Some(failure) = ears.over.take() {
                return failure;
            }
            if ears.told_done || ears.has_left() {
                return Failure::Ended;
            }
            match served {
                Err(failure) => return failure,
                Ok(()) if self.lean.close_code().is_some() => return Failure::Ended,
                Ok(()) => {}
            }
            if let Err(err) = self.wait().await {
                return err.into();
            }
        }
    }

    /// Waits until there is something to read, or the end of the connection.
    async fn wait(&self) -> std::io::Result<()> {
        // What was ready has been read to its end.
        let read = || Err::<(), _>(std::io::ErrorKind::WouldBlock.into());
        let _nothing_left = self.ready.try_io(Interest::READABLE, read);
        self.ready.readable().await
    }

    /// Ends the connection, with a goodbye if there is to be one; what it carried goes to the account. Of a
    /// WebSocket the server closes first (RFC 6455 7.1.1).
    async fn part(mut self, client: u64, goodbye: Option<u16>) {
        let awaits_the_end = goodbye.is_some_and(|code| self.lean.leave(code).is_ok_and(|awaits| awaits));
        if awaits_the_end {
            let end =
                async { while self.lean.serve(&mut Deaf, true).is_ok() && self.wait().await.is_ok() {} };
            // A server that does not close in time is left.
            let _ = tokio::time::timeout(PATIENCE, end).await;
        }
        let counts = self.lean.counts();
        let repeated = self.first.map_or_else(Bytes::default, |first| counts - first);
        match kernel::of(self.lean.stream()) {
            Ok(kernel) => account::at(|account| account.closed(client, counts, repeated, kernel)),
            Err(err) => account::at(|account| account.failed("kernel", err.to_string())),
        }
    }
}

impl Ears {
    const fn of(client: u64, stays_for: Option<u64>) -> Self {
        Self {
            client,
            told_done: false,
            is_open: false,
            stays_for,
            over: None,
            last_id: Vec::new(),
            stamped: Vec::new(),
        }
    }

    const fn has_left(&self) -> bool {
        matches!(self.stays_for, Some(0))
    }

    fn opens(&mut self, is_new: bool) {
        self.is_open = true;
        account::at(|account| account.opened(self.client, Moment::now(), is_new));
    }

    /// Enters how long the events of the last reads waited.
    fn heard(&mut self) {
        for read in std::mem::take(&mut self.stamped).chunk_by(|a, b| a.1.read == b.1.read) {
            let arrival = read[0].1;
            let Some(kernel) = arrival.kernel else { continue };
            let kernel = Moment::from_nanos(kernel.0.saturating_sub(realtime_ahead_nanos()));
            let ids: Vec<u64> = read.iter().map(|(id, _)| *id).collect();
            account::at(|account| account.waited(kernel, arrival.read, &ids));
        }
    }
}

impl Sink for Ears {
    fn opened(&mut self, _stream: usize) {
        self.opens(false);
    }

    fn event(&mut self, _stream: usize, event: &Event<'_>, arrival: Arrival) {
        if self.has_left() {
            // It came with the last that it stayed for.
            return;
        }
        self.stays_for = self.stays_for.map(|left| left - 1);
        self.last_id = event.id.unwrap_or_default().to_vec();
        self.told_done |= account::at(|account| account.arrived(self.client, event, arrival));
        if let Some(id) = event.seq().filter(|_| arrival.kernel.is_some()) {
            self.stamped.push((id, arrival));
        }
    }

    fn counted(&mut self, _counts: Option<Bytes>) {}

    fn over(&mut self, _stream: usize, failure: &Failure) {
        self.over = Some(failure.clone());
    }
}
