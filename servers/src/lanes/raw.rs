//! The yardstick: length-prefixed frames over bare TCP, the least a server can do.
//!
//! A frame is `u32` big-endian length and message. A client names itself with a frame that
//! holds its number, a `u32`; the server says with an empty frame that it is subscribed. Where all get the same and
//! nobody sends, the server waits for no name, and expects nothing from the client; where clients may
//! send, each further frame is a message.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::ready;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::hub::{Hub, Subscription, Together};
use crate::upward::MESSAGE_BYTES;
use crate::wire::Meter;

/// What a read takes at most; the buffer lives on the stack of the read.
pub const READ_BUFFER_BYTES: usize = 1024;

/// A client that sends more than this is closed: there is nothing to say on this lane.
pub const TALK_BYTES: usize = 4096;

/// How long a client may take to name itself.
const NAME_PATIENCE: Duration = Duration::from_secs(10);

/// The frame that says "subscribed".
pub const HELLO: [u8; 4] = [0; 4];

/// Frames a message.
#[must_use]
pub fn frame(message: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(4 + message.len());
    out.put_u32(u32::try_from(message.len()).expect("the scenario bounds a body at 1 MiB"));
    out.put_slice(message);
    out.freeze()
}

/// Serves a connection until either side ends.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, meter: Arc<Meter>, hub: Hub) {
    let client = if hub.wants_names() { name(&mut stream).await } else { Ok(0) };
    let Ok(client) = client else { return meter.refuse("raw client without a name") };
    if let Some(barred) = hub.barred() {
        return meter.refuse(&barred.reason());
    }
    let Some(mut subscription) = hub.subscribe_as(client) else { return };
    if write(&mut stream, &HELLO).await.is_err() {
        return;
    }
    let mut ear = Ear { talks: hub.upward().is_some(), ..Ear::default() };
    loop {
        tokio::select! {
            biased;
            read = read(&mut stream, &mut ear.unread) => match read {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    if let Err(reason) = ear.listen(&subscription) {
                        return meter.refuse(reason);
                    }
                }
            },
            event = subscription.next() => {
                let Some(event) = event else { break };
                let written = match subscription.together(event).await {
                    Together::One(event) => write(&mut stream, &event).await,
                    Together::Several(events) => super::write_together(&mut stream, &events).await,
                };
                if written.is_err() {
                    return;
                }
            }
        }
    }
    // An error says that the client left first.
    let _ = stream.shutdown().await;
}

/// The number that a client names itself by.
async fn name<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<u64> {
    let frame = tokio::time::timeout(NAME_PATIENCE, stream.read_u64()).await??;
    let (length, number) = (frame >> 32, frame & u64::from(u32::MAX));
    if length == 4 { Ok(number) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// Writes a whole frame, to the socket: a TLS stream may hold back what the socket did not take.
async fn write<S: AsyncWrite + Unpin>(stream: &mut S, frame: &[u8]) -> io::Result<()> {
    stream.write_all(frame).await?;
    stream.flush().await
}

/// What a client sends.
#[derive(Default)]
struct Ear {
    talks: bool,
    talked: usize,
    /// What came and is no whole frame yet. A client that says nothing has no memory here.
    unread: Vec<u8>,
}

impl Ear {
    /// Takes the whole frames that came.
    fn listen(&mut self, subscription: &Subscription) -> Result<(), &'static str> {
        if !self.talks {
            self.talked += std::mem::take(&mut self.unread).len();
            return if self.talked > TALK_BYTES { Err("raw client that talks") } else { Ok(()) };
        }
        let mut at = 0;
        while let Some((prefix, rest)) = self.unread[at..].split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_be_bytes(*prefix)).unwrap_or(usize::MAX);
            if length > MESSAGE_BYTES {
                return Err("raw message too large");
            }
            let Some(message) = rest.get(..length) else { break };
            at += 4 + length;
            subscription.hear(message).map_err(|_| "malformed raw message")?;
        }
        self.unread.drain(..at);
        if self.unread.is_empty() {
            self.unread = Vec::new();
        }
        Ok(())
    }
}

/// Reads once, behind what is there; the number of bytes, 0 at the end of the stream.
async fn read<S: AsyncRead + Unpin>(stream: &mut S, into: &mut Vec<u8>) -> io::Result<usize> {
    std::future::poll_fn(|cx| {
        let mut space = [const { MaybeUninit::uninit() }; READ_BUFFER_BYTES];
        let mut buffer = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
        into.extend_from_slice(buffer.filled());
        std::task::Poll::Ready(Ok(buffer.filled().len()))
    })
    .await
}

#[cfg(test)]
mod tests {
    #[test]
    fn golden_bytes() {
        assert_eq!(super::frame(b"7\nquote\n{}").as_ref(), b"\0\0\0\x0a7\nquote\n{}");
        assert_eq!(super::frame(b"").as_ref(), super::HELLO);
    }
}
