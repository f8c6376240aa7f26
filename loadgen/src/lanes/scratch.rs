//! One read buffer a thread, and the two ways to read into it: plainly, and with the kernel's
//! receive stamp.
//!
//! Shared, because a buffer per subscriber would be the largest part of its memory. It is borrowed
//! only while the bytes of one read are taken, never across an await.

use std::cell::RefCell;
use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd;

use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recv, recvmsg};
use nix::sys::time::TimeSpec;
use scenarios::Moment;

use super::{KernelStamp, READ_BUFFER};

struct Scratch {
    bytes: Box<[u8]>,
    stamps: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        bytes: vec![0; READ_BUFFER].into(),
        stamps: cmsg_space!(TimeSpec),
    });
}

/// When a read returned.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// The clock after the read.
    pub read: Moment,
    /// The kernel's receive stamp, if asked for.
    pub kernel: Option<KernelStamp>,
}

/// Reads once and hands the bytes on, to be changed at will (TLS opens its records in place); no bytes
/// mean the end of the stream. `stamped` reads the kernel's receive stamp too.
///
/// # Errors
/// Those of the socket; [`io::ErrorKind::WouldBlock`] when it has nothing.
pub fn read<T>(
    socket: &impl AsRawFd,
    stamped: bool,
    take: impl FnOnce(&mut [u8], Stamp) -> T,
) -> io::Result<T> {
    SCRATCH.with_borrow_mut(|scratch| {
        let (length, kernel) = match stamped {
            false => (recv(socket.as_raw_fd(), &mut scratch.bytes, MsgFlags::empty())?, None),
            true => receive(socket, scratch)?,
        };
        Ok(take(&mut scratch.bytes[..length], Stamp { read: Moment::now(), kernel }))
    })
}

fn receive(socket: &impl AsRawFd, scratch: &mut Scratch) -> io::Result<(usize, Option<KernelStamp>)> {
    let mut slices = [IoSliceMut::new(&mut scratch.bytes)];
    let message =
        recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut scratch.stamps), MsgFlags::empty())?;
    let stamp = message.cmsgs()?.find_map(|control| {
        if let ControlMessageOwned::ScmTimestampns(time) = control { nanos(time) } else { None }
    });
    Ok((message.bytes, stamp))
}

fn nanos(time: TimeSpec) -> Option<KernelStamp> {
    let seconds = u64::try_from(time.tv_sec()).ok()?;
    let nanos = u64::try_from(time.tv_nsec()).ok()?;
    Some(KernelStamp(seconds * 1_000_000_000 + nanos))
}
