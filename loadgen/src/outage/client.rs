//! One client: connects, listens, notices that it is cut off, waits as its policy says, and goes on behind the
//! last event it got.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use results::run::Sockets;
use scenarios::{Event, Moment, Outage, Transport};
use servers::alarm::Alarm;
use servers::websocket::frame::GOING_AWAY;
use socket2::{SockFilter, SockRef};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Semaphore, watch};

use super::{Churn, Cue, account, server_of, source_of};
use crate::failure::Failure;
use crate::lanes::lean::Lean;
use crate::lanes::{Arrival, Bytes, Deaf, READ_BUFFER, Sink, Target};
use crate::reconnect::{Connection, Ended, State};

/// How long the end of a connection may take that was said goodbye to.
const PATIENCE: Duration = Duration::from_secs(1);

/// Redirections that are followed in a row, as Fetch has it.
const REDIRECTIONS: usize = 20;

/// `BPF_RET | BPF_K` with 0: keep nothing of the packet (`SO_ATTACH_FILTER`, socket(7)).
const DROP_ALL: SockFilter = SockFilter::new(0x06, 0, 0, 0);

/// One client of a herd.
pub struct Client {
    pub target: Target,
    pub servers: Vec<SocketAddr>,
    pub connection: Connection,
    pub outage: Outage,
    pub churn: Option<Churn>,
    pub alarm: Alarm,
    pub cued: watch::Receiver<Cue>,
}

/// What a stream tells while it is listened to.
struct Ears<'a> {
    client: u64,
    over: Option<Failure>,
    last_id: &'a mut Vec<u8>,
}

/// An open connection whose readiness the runtime tells.
type Line = AsyncFd<Lean>;

impl Client {
    /// Lives until it gives up, or is aborted.
    pub async fn live(mut self, turns: Arc<Semaphore>) {
        let number = self.target.client;
        // Only who comes for the first time waits for a turn: a herd does not.
        let mut turn = turns.acquire_owned().await.ok();
        let (mut attempt, mut due) = (0, Moment::now());
        loop {
            let begun = Moment::now();
            self.connection.begin(begun);
            account::at(|account| account.begins(number, due, begun));
            let (ended, word) = match self.open(attempt).await {
                Ok(mut line) => {
                    let now = Moment::now();
                    self.connection.opened(now);
                    account::at(|account| account.opened(number, now, line.get_ref().counts()));
                    account::at(|account| account.sockets(|| sockets(line.get_ref())));
                    drop(turn.take());
                    let (ended, word) = self.listen(&mut line).await;
                    account::at(|account| account.lost(number, Moment::now(), &word));
                    (ended, word)
                }
                Err(failure) => {
                    let (ended, word) = told(&failure);
                    account::at(|account| account.failed(number, Moment::now(), &word));
                    (ended, word)
                }
            };
            drop(turn.take());
            attempt += 1;
            let away_ns = self.churn.as_mut().filter(|_| ended == Ended::Left).map(Churn::away_ns);
            due = match (away_ns, self.connection.ended(ended, Moment::now())) {
                // A telephone that has a network again does not wait longer.
                (Some(away_ns), _) => Moment::now().plus_nanos(away_ns),
                (None, State::Waiting { until }) => until,
                (None, State::Closed | State::Connecting { .. } | State::Open { .. }) => {
                    return account::at(|account| account.gave_up(number, &word));
                }
            };
            self.alarm.until(due).await;
        }
    }

    /// Opens a stream, behind the last event that it got.
    async fn open(&mut self, attempt: u64) -> Result<Line, Failure> {
        self.target.address = server_of(&self.servers, self.target.client, attempt);
        self.target.source = Some(source_of(self.target.client, attempt));
        self.target.path = None;
        let attempt = connect(&mut self.target);
        let lean = match self.connection.patience() {
            Some(patience) => tokio::time::timeout(patience, attempt).await.unwrap_or(Err(Failure::TimedOut)),
            None => attempt.await,
        }?;
        #[expect(unsafe_code, reason = "tokio offers no safe way to wait for a socket that is not its own")]
        // SAFETY: the lean client owns its socket, never replaces it, and closes it only when it is dropped.
        let line = unsafe { AsyncFd::register_with_interest(lean, Interest::READABLE) };
        line.map_err(|err| Failure::Io(err.to_string()))
    }

    /// Listens until the stream is over, or the client has no patience, or leaves: which of them.
    async fn listen(&mut self, line: &mut Line) -> (Ended, String) {
        let mut blackholes = self.cued.borrow().blackholes;
        let silence = Some(self.outage.silence.0).filter(|silence| !silence.is_zero());
        let (mut heard, mut received) = (Moment::now(), 0);
        let mut leaves = self.leaves(heard);
        let mut last_id = std::mem::take(&mut self.target.after);
        let ended = loop {
            let mut ears = Ears { client: self.target.client, over: None, last_id: &mut last_id };
            let served = line.get_mut().serve(&mut ears, true);
            if let Some(ended) = over(line.get_ref(), served, ears.over) {
                break self.parted(line, ended).await;
            }
            // What was read, not what the runtime tells: it says nothing of bytes that were read before it looked.
            let now_received = line.get_ref().counts().received();
            if std::mem::replace(&mut received, now_received) != now_received {
                heard = Moment::now();
            }
            if let Some(milliseconds) = line.get_ref().retry() {
                self.connection.hint(Duration::from_millis(milliseconds));
            }
            let silent = silence.map(|silence| heard.plus_nanos(super::nanos(silence)));
            // Looked at behind a read: what came while this client waited for its turn is no silence.
            if let Some(late_ns) = silent.and_then(|due| passed_ns(due, Moment::now())) {
                account::at(|account| account.silent(late_ns));
                break (Ended::Silence, "silence".to_owned());
            }
            tokio::select! {
                readable = line.readable_mut() => {
                    readable.expect("a socket can be polled").clear_ready();
                }
                () = at(&self.alarm, silent) => {}
                () = at(&self.alarm, leaves) => {
                    // What cannot be said any more need not be.
                    let _gone = line.get_mut().leave(GOING_AWAY);
                    break (Ended::Left, "left".to_owned());
                }
                changed = self.cued.changed() => {
                    if changed.is_err() {
                        pending::<()>().await;
                    }
                    leaves = leaves.or_else(|| self.leaves(Moment::now()));
                    let now = self.cued.borrow().blackholes;
                    if std::mem::replace(&mut blackholes, now) != now {
                        let filter = SockRef::from(line.get_ref().stream()).attach_filter(&[DROP_ALL]);
                        filter.expect("a program of one instruction is a valid one");
                    }
                }
            }
        };
        if self.outage.resume {
            self.target.after = last_id;
        }
        ended
    }

    /// When it leaves next, if it does: not when no more events come.
    fn leaves(&mut self, now: Moment) -> Option<Moment> {
        let (start, end) = self.cued.borrow().phase?;
        self.churn.as_mut().map(|churn| churn.leaves(now, start)).filter(|leaves| *leaves < end)
    }

    /// Of a WebSocket the server closes first (RFC 6455 7.1.1): reads on until it does.
    async fn parted(&self, line: &mut Line, ended: (Ended, String)) -> (Ended, String) {
        if !matches!(ended.0, Ended::Closed(_)) || self.target.lane.transport != Transport::Ws {
            return ended;
        }
        let end = async {
            let mut deaf = Deaf;
            while line.get_mut().serve(&mut deaf, true).is_ok() {
                line.readable_mut().await.expect("a socket can be polled").clear_ready();
            }
        };
        // A server that does not close in time is left.
        let _elapsed = tokio::time::timeout(PATIENCE, end).await;
        ended
    }
}

/// The options of a connection, as the kernel has them.
fn sockets(lean: &Lean) -> Option<Sockets> {
    let facts = crate::dial::facts(lean.stream(), READ_BUFFER).ok()?;
    Some(Sockets { tls: lean.agreed(), http2: lean.http2(), ..facts })
}

/// How long ago a moment was, ns, if it is over.
fn passed_ns(due: Moment, now: Moment) -> Option<u64> {
    (now >= due).then(|| now.nanos_since(due))
}

/// Ends at a moment, if there is one.
async fn at(alarm: &Alarm, moment: Option<Moment>) {
    match moment {
        Some(moment) => alarm.until(moment).await,
        None => pending().await,
    }
}

/// Connects, and follows where an event stream is redirected to (Fetch 4.4; a browser does not follow those
/// of a WebSocket).
async fn connect(target: &mut Target) -> Result<Lean, Failure> {
    for _ in 0..REDIRECTIONS {
        match Lean::connect(target).await {
            Err(Failure::Moved(status, location)) if target.lane.transport == Transport::Sse => {
                let Some((address, path)) = located(&location, target) else {
                    return Err(Failure::Status(status));
                };
                (target.address, target.path) = (address, Some(path.into()));
            }
            Err(Failure::Moved(status, _)) => return Err(Failure::Status(status)),
            connected => return connected,
        }
    }
    Err(Failure::Protocol("redirected too often".into()))
}

/// The address and path that a `Location` names, of this scheme and a numeric host.
fn located(location: &str, target: &Target) -> Option<(SocketAddr, String)> {
    if location.starts_with('/') {
        return Some((target.address, location.to_owned()));
    }
    let rest = location.strip_prefix(if target.lane.tls { "https://" } else { "http://" })?;
    let end = rest.find('/').unwrap_or(rest.len());
    let path = if end == rest.len() { "/" } else { &rest[end..] };
    Some((rest[..end].parse().ok()?, path.to_owned()))
}

/// How a stream is over, if it is.
fn over(lean: &Lean, served: Result<(), Failure>, told_over: Option<Failure>) -> Option<(Ended, String)> {
    if let Some(code) = lean.close_code() {
        return Some((Ended::Closed(code), format!("close {code}")));
    }
    match (told_over, served) {
        (Some(Failure::Ended), _) => Some((Ended::Body, "end of body".to_owned())),
        (None, Err(Failure::Ended)) if lean.is_complete() => Some((Ended::Body, "end of body".to_owned())),
        (None, Err(Failure::Ended)) => Some((Ended::Network, "cut off".to_owned())),
        (Some(failure), _) | (None, Err(failure)) => Some(told(&failure)),
        (None, Ok(())) => None,
    }
}

/// What a failure is to a client, and the words for it.
fn told(failure: &Failure) -> (Ended, String) {
    match failure {
        Failure::Status(status) | Failure::Moved(status, _) => {
            (Ended::Status(*status), format!("status {status}"))
        }
        Failure::ContentType(_) => (Ended::ContentType, failure.kind().to_owned()),
        Failure::Refused
        | Failure::Reset
        | Failure::TimedOut
        | Failure::Protocol(_)
        | Failure::StreamReset(_)
        | Failure::GoAway(_)
        | Failure::Ended
        | Failure::Io(_) => (Ended::Network, failure.kind().to_owned()),
    }
}

impl Sink for Ears<'_> {
    fn opened(&mut self, _stream: usize) {}

    fn event(&mut self, _stream: usize, event: &Event<'_>, arrival: Arrival) {
        if let Some(id) = event.id {
            self.last_id.clear();
            self.last_id.extend_from_slice(id);
        }
        account::at(|account| account.arrived(self.client, event, arrival));
    }

    fn counted(&mut self, _counts: Option<Bytes>) {}

    fn over(&mut self, _stream: usize, failure: &Failure) {
        self.over = Some(failure.clone());
    }
}
