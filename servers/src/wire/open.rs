//! The connections that are open, by their descriptors, and what breaks them: faults that a server suffers.
//!
//! Descriptors are small numbers, so a table by them is four bytes a connection; it is touched when one is accepted and
//! when it closes, and by nothing that a delivery does. An entry is taken out before its socket closes, under the
//! lock that whoever breaks connections holds, so no descriptor is used that has become somebody else's.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::{Mutex, MutexGuard};

use socket2::{SockFilter, SockRef};
use tokio::sync::Notify;

/// The connections of one listener.
#[derive(Debug, Default)]
pub struct Open {
    table: Mutex<Table>,
    gone: Notify,
}

#[derive(Debug, Default)]
struct Table {
    /// By descriptor: the generation that a connection belongs to, from 1; 0 where there is none of ours.
    connections: Vec<u32>,
    /// Generations that were closed off.
    closed: u32,
    /// Connections of those generations.
    older: usize,
}

impl Open {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("no holder of this lock panics")
    }

    /// Takes a connection in.
    pub(super) fn enter(&self, descriptor: RawFd) {
        let index = usize::try_from(descriptor).expect("an open descriptor");
        let mut table = self.table();
        if table.connections.len() <= index {
            table.connections.resize(index + 1, 0);
        }
        table.connections[index] = table.closed + 1;
    }

    /// Lets go of a connection, before its socket closes.
    pub(super) fn leave(&self, descriptor: RawFd) {
        let index = usize::try_from(descriptor).expect("an open descriptor");
        let mut table = self.table();
        let generation = std::mem::take(&mut table.connections[index]);
        if generation <= table.closed {
            table.older -= 1;
            if table.older == 0 {
                self.gone.notify_waiters();
            }
        }
    }

    /// Marks those that are open now as those that are to go.
    pub fn mark(&self) {
        let mut table = self.table();
        table.closed += 1;
        table.older = table.connections.iter().filter(|generation| **generation > 0).count();
    }

    /// Waits until none is open that was when [`Open::mark`] was last called.
    pub async fn gone(&self) {
        loop {
            let gone = self.gone.notified();
            if self.table().older == 0 {
                return;
            }
            gone.await;
        }
    }

    /// Resets all connections, or those that are marked; how many.
    pub fn reset(&self, marked: bool) -> u64 {
        self.each(marked, |socket| {
            // Linux tcp_disconnect(): a connection whose address is taken away is reset at once, and no privilege is
            // needed for it.
            rustix::net::connect_unspec(socket).map_err(io::Error::from)
        })
    }

    /// Lets the kernel drop all that comes on the connections: neither data nor acknowledgements get in, so that it
    /// acknowledges nothing either (METHOD M26); how many.
    pub fn blackhole(&self) -> u64 {
        /// `BPF_RET | BPF_K`: accept so many bytes of a packet.
        const RETURN: u16 = 0x06;
        self.each(false, |socket| SockRef::from(&socket).attach_filter(&[SockFilter::new(RETURN, 0, 0, 0)]))
    }

    /// Does something to each connection, or to those that are marked; how many it worked for: one that its client
    /// has ended already cannot be broken any more.
    fn each(&self, marked: bool, act: impl Fn(BorrowedFd<'_>) -> io::Result<()>) -> u64 {
        let table = self.table();
        let most = if marked { table.closed } else { u32::MAX };
        let there = table.connections.iter().enumerate().filter(|(_, one)| (1..=most).contains(*one));
        let done = there.filter(|(descriptor, _)| {
            let descriptor = RawFd::try_from(*descriptor).expect("it was one");
            #[expect(
                unsafe_code,
                reason = "nobody can lend the socket safely: its task owns it to write to it"
            )]
            // SAFETY: the descriptor is open as long as its entry is in the table, because the entry is taken out
            // before the socket closes, and for that the lock is needed that is held here.
            let socket = unsafe { BorrowedFd::borrow_raw(descriptor) };
            act(socket).is_ok()
        });
        done.count() as u64
    }
}
