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
use crate::failure::Failure;

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

/// When a subscriber is next due, by its number in the crowd and when it was due last, and what it is
/// told then ([`Lean::due`]).
pub type Timetable = Box<dyn Fn(u64, Option<Moment>) -> Option<(Moment, Option<u64>)> + Send>;

/// Where lean subscribers go once they are open.
pub struct Crowd<S> {
    told: UnboundedSender<Told<S>>,
    bell: Bell,
}

enum Told<S> {
    Join(Box<Member<S>>),
    Arm(Timetable, oneshot::Sender<()>),
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

struct Member<S> {
    lean: Lean,
    sink: S,
    slow: bool,
}

struct Hall<S> {
    epoll: Epoll,
    members: Slab<Box<Member<S>>>,
    ready: Vec<EpollEvent>,
    timer: TimerFd,
    timetable: Option<Timetable>,
    /// How slow readers read at present; `None` while they read like all others.
    pace: Option<Pace>,
    /// Who is due when, the earliest first.
    due: BinaryHeap<Reverse<(Moment, usize, Option<u64>)>>,
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
        match self.epoll.add(member.lean.stream(), EpollEvent::new(edges, entry.key() as u64)) {
            Ok(()) => drop(entry.insert(member)),
            Err(errno) => member.over(&io::Error::from(errno).into()),
        }
    }

    /// Makes everybody due anew.
    fn arm(&mut self, timetable: Timetable) {
        let of = |key: usize| timetable(key as u64, None).map(|(at, what)| Reverse((at, key, what)));
        self.due = self.members.iter().filter_map(|(key, _)| of(key)).collect();
        self.timetable = Some(timetable);
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
                    .map(|(place, key)| Reverse((now.plus_nanos(nanos * place / count), key, None)));
                self.due.extend(spread);
                self.wind();
            }
            None => {
                self.due.clear();
                for key in slow {
                    self.serve(key, true);
                }
            }
        }
    }

    fn serve(&mut self, key: usize, over: bool) {
        if self.members[key].serve(over).is_err() {
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
        while let Some(Reverse((at, key, what))) = self.due.peek().copied().filter(|due| due.0.0 <= now) {
            self.due.pop();
            let Some(member) = self.members.get_mut(key) else { continue };
            if let Some(Pace::Every(nanos)) = self.pace.filter(|_| member.slow) {
                match member.sip() {
                    Ok(()) => self.due.push(Reverse((at.plus_nanos(nanos), key, None))),
                    Err(_) => drop(self.members.remove(key)),
                }
                continue;
            }
            match member.due(what) {
                Ok(true) => {
                    let next = self.timetable.as_ref().and_then(|next| next(key as u64, Some(at)));
                    self.due.extend(next.map(|(at, what)| Reverse((at, key, what))));
                }
                Ok(false) => {}
                Err(_) => drop(self.members.remove(key)),
            }
        }
        self.wind();
    }

    /// Serves subscribers until the bell rings or none is left; returns how many sockets the last
    /// look found.
    fn attend(&mut self) -> usize {
        loop {
            let patience = if self.members.is_empty() { EpollTimeout::ZERO } else { EpollTimeout::NONE };
            let count = self.epoll.wait(&mut self.ready, patience).unwrap_or(0);
            let (mut rings, mut is_due) = (false, false);
            for index in 0..count {
                let event = self.ready[index];
                match event.data() {
                    BELL => rings = true,
                    TIMER => is_due = true,
                    key => {
                        let key = usize::try_from(key).expect("a key of the slab");
                        if self.pace.is_none() || !self.members[key].slow {
                            self.serve(key, event.events().intersects(OVER));
                        }
                    }
                }
            }
            if is_due {
                self.ring_due();
            }
            self.settle();
            if rings || self.members.is_empty() {
                return count;
            }
        }
    }
}

impl<S: Sink> Member<S> {
    fn due(&mut self, what: Option<u64>) -> Result<bool, Failure> {
        let told = self.lean.due(what);
        self.sink.counted(Some(self.lean.counts()));
        told.inspect_err(|failure| self.over(failure))
    }

    /// One read, however much waits.
    fn sip(&mut self) -> Result<(), Failure> {
        let served = self.lean.sip(&mut self.sink);
        self.sink.counted(Some(self.lean.counts()));
        served.inspect_err(|failure| self.over(failure))
    }

    fn serve(&mut self, over: bool) -> Result<(), Failure> {
        let served = self.lean.serve(&mut self.sink, over);
        self.sink.counted(Some(self.lean.counts()));
        served.inspect_err(|failure| self.over(failure))
    }

    /// What ends a connection ends its streams.
    fn over(&mut self, failure: &Failure) {
        self.lean.live().into_iter().for_each(|stream| self.sink.over(stream, failure));
    }
}
