//! The lean subscribers of one thread: one epoll of their own, read by one task.
//!
//! A runtime's task per subscriber costs a fifth of the CPU of a delivery (`benches/reader.rs`), and
//! that would be reported as the transport's. So the sockets of lean subscribers leave the runtime
//! once their handshake is complete. The task blocks the thread on their epoll, as a bare epoll
//! reader does; while the [`Bell`] rings it gives the thread back to the runtime after each look.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::sync::Arc;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use slab::Slab;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Sink;
use super::lean::Lean;
use crate::failure::Failure;

/// Sockets served before the runtime gets its turn.
const TURN: usize = 256;

/// The key of the bell, which no slab reaches.
const BELL: u64 = u64::MAX;

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

/// Where lean subscribers go once they are open.
pub struct Crowd<S> {
    joining: UnboundedSender<Member<S>>,
    bell: Bell,
}

struct Member<S> {
    lean: Lean,
    sink: S,
}

struct Hall<S> {
    epoll: Epoll,
    members: Slab<Box<Member<S>>>,
    ready: Vec<EpollEvent>,
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
        let ready = vec![EpollEvent::empty(); TURN];
        let hall = Hall { epoll, members: Slab::new(), ready, _bell: bell.clone() };
        #[expect(unsafe_code, reason = "tokio offers no safe way to wait for an epoll")]
        // SAFETY: the hall owns its epoll, never replaces it, and closes it only when it is dropped.
        let hall = unsafe { AsyncFd::register_with_interest(hall, Interest::READABLE) }?;
        let (joining, joined) = unbounded_channel();
        tokio::spawn(attend(hall, joined));
        Ok(Self { joining, bell })
    }

    /// What keeps the crowd from blocking the thread.
    #[must_use]
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Gives `sink` the events of an open stream until it ends.
    pub fn join(&self, lean: Lean, sink: S) {
        // The other end lives as long as the runtime does.
        let _ended_with_the_runtime = self.joining.send(Member { lean, sink });
    }
}

async fn attend<S: Sink>(mut hall: AsyncFd<Hall<S>>, mut joining: UnboundedReceiver<Member<S>>) {
    loop {
        tokio::select! {
            Some(member) = joining.recv() => hall.get_mut().enter(member),
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
    fn enter(&mut self, mut member: Member<S>) {
        let edges = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
        let entry = self.members.vacant_entry();
        match self.epoll.add(member.lean.stream(), EpollEvent::new(edges, entry.key() as u64)) {
            Ok(()) => drop(entry.insert(Box::new(member))),
            Err(errno) => member.sink.over(&io::Error::from(errno).into()),
        }
    }

    /// Serves subscribers until the bell rings or none is left; returns how many sockets the last
    /// look found.
    fn attend(&mut self) -> usize {
        loop {
            let patience = if self.members.is_empty() { EpollTimeout::ZERO } else { EpollTimeout::NONE };
            let count = self.epoll.wait(&mut self.ready, patience).unwrap_or(0);
            let mut rings = false;
            for event in &self.ready[..count] {
                match usize::try_from(event.data()).ok().filter(|_| event.data() != BELL) {
                    None => rings = true,
                    Some(key) => {
                        if self.members[key].serve(event.events().intersects(OVER)).is_err() {
                            self.members.remove(key);
                        }
                    }
                }
            }
            if rings || self.members.is_empty() {
                return count;
            }
        }
    }
}

impl<S: Sink> Member<S> {
    fn serve(&mut self, over: bool) -> Result<(), Failure> {
        let served = self.lean.serve(&mut self.sink, over);
        self.sink.counted(Some(self.lean.counts()));
        served.inspect_err(|failure| self.sink.over(failure))
    }
}
