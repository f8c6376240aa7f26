//! One read buffer a thread, and the two ways to read into it: plainly, and with the kernel's
//! receive stamp.
//!
//! Shared, because a buffer per subscriber would be the largest part of its memory. It is borrowed
//! only inside one poll, never across an await.

use std::cell::RefCell;
use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use nix::sys::time::TimeSpec;
use scenarios::Moment;
use tokio::io::{AsyncRead as _, Interest, ReadBuf};
use tokio::net::TcpStream;

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

/// Reads once and hands the bytes on; no bytes mean the end of the stream. `stamped` reads the
/// kernel's receive stamp too.
pub fn poll_read<T>(
    stream: &mut TcpStream,
    stamped: bool,
    context: &mut Context<'_>,
    take: impl FnOnce(&[u8], Stamp) -> T,
) -> Poll<io::Result<T>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let (length, kernel) = match stamped {
            false => (ready!(poll_plain(stream, &mut scratch.bytes, context))?, None),
            true => ready!(poll_stamped(stream, scratch, context))?,
        };
        Poll::Ready(Ok(take(&scratch.bytes[..length], Stamp { read: Moment::now(), kernel })))
    })
}

/// tokio's own read: a read that does not fill the buffer also clears the readiness, which saves
/// the second read that `try_read` would need to learn that the socket is empty.
fn poll_plain(
    stream: &mut TcpStream,
    bytes: &mut [u8],
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut buffer = ReadBuf::new(bytes);
    ready!(Pin::new(stream).poll_read(context, &mut buffer))?;
    Poll::Ready(Ok(buffer.filled().len()))
}

fn poll_stamped(
    stream: &TcpStream,
    scratch: &mut Scratch,
    context: &mut Context<'_>,
) -> Poll<io::Result<(usize, Option<KernelStamp>)>> {
    loop {
        ready!(stream.poll_read_ready(context))?;
        match stream.try_io(Interest::READABLE, || receive(stream, scratch)) {
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => {}
            Err(err) => return Poll::Ready(Err(err)),
            Ok(read) => {
                if 0 < read.0 && read.0 < scratch.bytes.len() {
                    // As tokio's own read does: the socket was emptied, so wait for the next edge.
                    let _cleared: io::Result<()> =
                        stream.try_io(Interest::READABLE, || Err(io::ErrorKind::WouldBlock.into()));
                }
                return Poll::Ready(Ok(read));
            }
        }
    }
}

fn receive(stream: &TcpStream, scratch: &mut Scratch) -> io::Result<(usize, Option<KernelStamp>)> {
    let mut slices = [IoSliceMut::new(&mut scratch.bytes)];
    let message =
        recvmsg::<()>(stream.as_raw_fd(), &mut slices, Some(&mut scratch.stamps), MsgFlags::empty())?;
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
