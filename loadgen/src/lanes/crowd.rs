//! The lean subscribers of one thread: one epoll of their own, read by one task.
//!
//! A runtime's task per subscriber costs a fifth of the CPU of a delivery (`benches/reader.rs`), and
//! that would be reported as the transport's. So the sockets of lean subscribers leave the runtime
//! once their handshake is complete. The task blocks the thread on their epoll, as a bare epoll
//! reader does; while the [`Bell`] rings it gives the thread back to the runtime after each look.
//!
//! Subscribers that do something at instants of their own are told by one timer in the same epoll,
//! set to the earliest of them: absolute, because the runtime's timers are late by a millisecond.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::sync::Arc;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use scenarios::Moment;
use slab::Slab;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::Sink;
use super::lean::Lean;
use member::Member;

mod member;

/// Sockets served before the runtime gets its turn.
const TURN: usize = 256;

/// The key of the bell, which no slab reaches.
const BELL: u64 = u64::MAX;

/// The key of the timer, likewise.
const TIMER: u64 = u64::MAX - 1;

/// Nothing will follow what the socket has, so no further edge will tell of its end.
const OVER: EpollFlags = EpollFlags::EPOLLRDHUP.union(EpollFlags::EPOLLHUP).union(EpollFlags::EPOLLERR);

/// Rings while the thread is also needed for something else than the crowd.
#[derive(Clone)]
pub struct Bell(Arc<EventFd>);

impl Bell {
    /// From now on the runtime gets the thread, also when no subscriber has something to read.
    pub fn ring(&self) {
        self.0.write(1).expect("a counter of 64 bits has room");
    }

    /// From now on the thread is the crowd's, until the next ring.
    pub fn hush(&self) {
        // Nothing to read: it does not ring.
        let _was_silent = self.0.read();
    }
}

/// An instant at which a subscriber is due, and what it is told then: what it has not to ask for
/// ([`Lean::due`]), or which message to send ([`Lean::say`]).
pub type Due = (Moment, Option<u64>);

/// When who is due, a connection and one of its clients, and what it is told.
type Turn = (Moment, (usize, u64), Option<u64>);

/// When a subscriber is next due, by its number as a client and when it was due last.
pub type Timetable = Box<dyn Fn(u64, Option<Due>) -> Option<Due> + Send>;

/// Where lean subscribers go once they are open.
pub struct Crowd<S> {
    told: UnboundedSender<Told<S>>,
    bell: Bell,
}

enum Told<S> {
    Join(Box<Member<S>>),
    Arm(Timetable, oneshot::Sender<()>),
    Until(Moment),
    Rest(oneshot::Sender<()>),
    Slow(Option<Pace>, oneshot::Sender<()>),
}

/// How slow readers read.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// Not at all.
    Still,
    /// One read in so many nanoseconds.
    Every(u64),
}

struct Hall<S> {
    epoll: Epoll,
    members: Slab<Box<Member<S>>>,
    ready: Vec<EpollEvent>,
    timer: TimerFd,
    timetable: Option<Timetable>,
    /// How slow readers read at present; `None` while they read like all others.
    pace: Option<Pace>,
    /// From when on nobody is due.
    until: Moment,
    /// The earliest turn first.
    due: BinaryHeap<Reverse<Turn>>,
    /// Who waits until no answer is awaited.
    resting: Option<oneshot::Sender<()>>,
    /// Held, for a closed bell would be silent.
    _bell: Bell,
}

impl<S> AsRawFd for Hall<S> {
    fn as_raw_fd(&self) -> RawFd {
        self.epoll.0.as_raw_fd()
    }
}

impl<S: Sink + Send + 'static> Crowd<S> {
    /// Starts to attend to subscribers, as a task of the current runtime. The bell rings.
    ///
    /// # Errors
    /// The kernel gives no epoll, or no eventfd.
    pub fn start() -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let bell = EventFd::from_value_and_flags(1, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let bell = Bell(Arc::new(bell));
        epoll.add(bell.0.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, BELL))?;
        let timer =
            TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)?;
        epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, TIMER))?;
        let ready = vec![EpollEvent::empty(); TURN];
        let (members, due) = (Slab::new(), BinaryHeap::new());
        let hall = Hall {
            epoll,
            members,
            ready,
            timer,
            timetable: None,
            pace: None,
            until: Moment::default(),
            due,
            resting: None,
            _bell: bell.clone(),
        };
        #[expect(unsafe_code, reason = "tokio offers no safe way to wait for an epoll")]
        // SAFETY: the hall owns its epoll, never replaces it, and closes it only when it is dropped.
        let hall = unsafe { AsyncFd::register_with_interest(hall, Interest::READABLE) }?;
        let (told, tells) = unbounded_channel();
        tokio::spawn(attend(hall, tells));
        Ok(Self { told, bell })
    }

    /// What keeps the crowd from blocking the thread.
    #[must_use]
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Gives `sink` the events of an open stream until it ends.
    pub fn join(&self, lean: Lean, sink: S) {
        // The other end lives as long as the runtime does.
        let slow = sink.is_slow();
        let _ended_with_the_runtime = self.told.send(Told::Join(Box::new(Member { lean, sink, slow })));
    }

    /// From now on tells the subscribers when they are due. The bell must ring.
    pub async fn arm(&self, timetable: Timetable) {
        let (done, is_done) = oneshot::channel();
        let _ended_with_the_runtime = self.told.send(Told::Arm(timetable, done));
        let _ended_with_the_runtime = is_done.await;
    }

    /// From now on the slow readers read at this pace; without one, all that waits for them and like all
    /// others. The bell must ring.
    pub async fn slow(&self, pace: Option<Pace>) {
        let (done, is_done) = oneshot::channel();
        let _ended_with_the_runtime = self.told.send(Told::Slow(pace, done));
        let _ended_with_the_runtime = is_done.await;
    }

    /// Nobody is due from this moment on, until the crowd is armed again. The bell must ring.
    pub fn until(&self, moment: Moment) {
        let _ended_with_the_runtime = self.told.send(Told::Until(moment));
    }

    /// From now on nobody is due; waits until what was asked is answered, so that nothing is under way
    /// when bytes are counted. The bell must ring.
    pub async fn rest(&self) {
        let (done, is_done) = oneshot::channel();
        let _ended_with_the_runtime = self.told.send(Told::Rest(done));
        let _ended_with_the_runtime = is_done.await;
    }
}

async fn attend<S: Sink>(mut hall: AsyncFd<Hall<S>>, mut told: UnboundedReceiver<Told<S>>) {
    loop {
        tokio::select! {
            Some(told) = told.recv() => match told {
                Told::Join(member) => hall.get_mut().enter(member),
                Told::Arm(timetable, done) => {
                    hall.get_mut().arm(timetable);
                    // Nobody waits any more when the fleet ends.
                    let _ = done.send(());
                }
                Told::Until(moment) => hall.get_mut().until = moment,
                Told::Rest(done) => hall.get_mut().rest(done),
                Told::Slow(pace, done) => {
                    hall.get_mut().slow(pace);
                    // Nobody waits any more when the fleet ends.
                    let _ = done.send(());
                }
            },
            readable = hall.readable_mut() => {
                let mut readable = readable.expect("an epoll can be polled");
                if readable.get_inner_mut().attend() < TURN {
                    readable.clear_ready();
                }
            }
        }
    }
}

impl<S: Sink> Hall<S> {
    /// Edge-triggered: an edge after the read is another event, and one before it was read.
    fn enter(&mut self, mut member: Box<Member<S>>) {
        let edges = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
        let entry = self.members.vacant_entry();
        let key = 2 * entry.key() as u64;
        let stream = self.epoll.add(member.lean.stream(), EpollEvent::new(edges, key));
        let beside = member
            .lean
            .beside()
            .map_or(Ok(()), |beside| self.epoll.add(beside, EpollEvent::new(edges, key + 1)));
        match stream.and(beside) {
            Ok(()) => drop(entry.insert(member)),
            Err(errno) => member.over(&io::Error::from(errno).into()),
        }
    }

    /// Makes everybody due anew.
    fn arm(&mut self, timetable: Timetable) {
        let all = self.members.iter();
        let who = all.flat_map(|(key, member)| member.lean.clients().map(move |client| (key, client)));
        let first = |who: (usize, u64)| timetable(who.1, None).map(|(at, what)| Reverse((at, who, what)));
        self.due = who.filter_map(first).collect();
        self.timetable = Some(timetable);
        self.until = Moment::from_nanos(u64::MAX);
        self.wind();
    }

    /// Slow readers are due one after the other, so that they do not all read at once.
    fn slow(&mut self, pace: Option<Pace>) {
        self.pace = pace;
        let slow: Vec<usize> =
            self.members.iter().filter(|(_, member)| member.slow).map(|(key, _)| key).collect();
        match pace {
            Some(Pace::Still) => {}
            Some(Pace::Every(nanos)) => {
                let (now, count) = (Moment::now(), slow.len() as u64);
                let spread = (0..)
                    .zip(slow)
                    .map(|(place, key)| Reverse((now.plus_nanos(nanos * place / count), (key, 0), None)));
                self.due.extend(spread);
                self.wind();
            }
            None => {
                self.due.clear();
                for key in slow {
                    self.serve(key, false, true);
                }
            }
        }
    }

    /// Serves a subscriber's stream, or the connection beside it. It may have gone since the look.
    fn serve(&mut self, key: usize, beside: bool, over: bool) {
        let Some(member) = self.members.get_mut(key) else { return };
        if member.serve(beside, over).is_err() {
            self.members.remove(key);
        }
    }

    /// Makes nobody due.
    fn rest(&mut self, done: oneshot::Sender<()>) {
        self.due.clear();
        self.timetable = None;
        self.resting = Some(done);
        self.settle();
    }

    /// Tells who waits for it that no answer is awaited any more.
    fn settle(&mut self) {
        let is_settled = || !self.members.iter().any(|(_, member)| member.lean.is_asking());
        if let Some(done) = self.resting.take_if(|_| is_settled()) {
            let _nobody_waits_any_more = done.send(());
        }
    }

    /// Sets the timer to whoever is due first.
    fn wind(&self) {
        let Some(Reverse((at, ..))) = self.due.peek() else { return };
        let at = TimeSpec::from_duration(std::time::Duration::from_nanos(at.as_nanos().max(1)));
        let set = self.timer.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME);
        set.expect("a monotonic instant is a valid one");
    }

    /// Tells everybody whose time has come. Instants are those of the timetable, however late they are
    /// noticed.
    fn ring_due(&mut self) {
        // It has rung, or was wound anew meanwhile: either way the heap says who is due.
        let _rung = self.timer.wait();
        let now = Moment::now();
        while let Some(Reverse((at, who, what))) = self.due.peek().copied().filter(|due| due.0.0 <= now) {
            self.due.pop();
            let (key, client) = who;
            let Some(member) = self.members.get_mut(key) else { continue };
            if let Some(Pace::Every(nanos)) = self.pace.filter(|_| member.slow) {
                match member.sip() {
                    Ok(()) => self.due.push(Reverse((at.plus_nanos(nanos), who, None))),
                    Err(_) => drop(self.members.remove(key)),
                }
                continue;
            }
            if at >= self.until {
                continue;
            }
            match member.due(client, (at, what), now) {
                Ok(true) => {
                    let next = self.timetable.as_ref().and_then(|next| next(client, Some((at, what))));
                    self.due.extend(next.map(|(at, what)| Reverse((at, who, what))));
                }
                Ok(false) => {}
                Err(_) => drop(self.members.remove(key)),
            }
        }
        self.wind();
    }

    /// Whether somebody's time has come. The clock is read only where somebody is due at all.
    fn is_due(&self) -> bool {
        self.due.peek().is_some_and(|due| due.0.0 <= Moment::now())
    }

    /// Serves a socket, by its key in the epoll: odd for the connection beside a stream. Slow readers
    /// read in their own time.
    fn ready(&mut self, key: u64, over: bool) {
        let (key, beside) = (usize::try_from(key / 2).expect("a key of the slab"), key % 2 == 1);
        if self.pace.is_none() || !self.members.get(key).is_some_and(|member| member.slow) {
            self.serve(key, beside, over);
        }
    }

    /// Serves subscribers until the bell rings or none is left; returns how many sockets the last
    /// look found.
    fn attend(&mut self) -> usize {
        loop {
            let patience = if self.members.is_empty() { EpollTimeout::ZERO } else { EpollTimeout::NONE };
            let count = self.epoll.wait(&mut self.ready, patience).unwrap_or(0);
            let mut rings = false;
            for index in 0..count {
                let event = self.ready[index];
                match event.data() {
                    BELL => rings = true,
                    TIMER => self.ring_due(),
                    key => self.ready(key, event.events().intersects(OVER)),
                }
                // Not only when the timer's turn comes: many sockets may stand before it.
                if self.is_due() {
                    self.ring_due();
                }
            }
            self.settle();
            if rings || self.members.is_empty() {
                return count;
            }
        }
    }
}
