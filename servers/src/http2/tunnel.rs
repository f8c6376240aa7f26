//! A stream of HTTP/2 as bytes both ways: what a WebSocket runs over where nothing is upgraded (RFC 8441 5:
//! "the HTTP/2 stream for the TCP connection").
//!
//! What is written at once is handed to `h2` at once, so that a frame of a WebSocket is a DATA frame, as an
//! event of an event stream is.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use h2::{RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::has_room;

/// Both directions of one stream.
#[derive(Debug)]
pub struct Tunnel {
    send: SendStream<Bytes>,
    receive: RecvStream,
    /// What came and was not read yet.
    held: Bytes,
}

impl Tunnel {
    pub fn new(send: SendStream<Bytes>, receive: RecvStream) -> Self {
        Self { send, receive, held: Bytes::new() }
    }
}

fn broken(err: Option<h2::Error>) -> io::Error {
    err.map_or_else(|| io::ErrorKind::BrokenPipe.into(), io::Error::other)
}

impl AsyncRead for Tunnel {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.held.is_empty() {
            match ready!(this.receive.poll_data(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(Err(err)) => return Poll::Ready(Err(broken(Some(err)))),
                Some(Ok(data)) => this.held = data,
            }
        }
        let length = this.held.len().min(buf.remaining());
        buf.put_slice(&this.held[..length]);
        this.held.advance(length);
        // What has been read may come anew.
        let given = this.receive.flow_control().release_capacity(length);
        Poll::Ready(given.map_err(|err| broken(Some(err))))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let send = &mut self.get_mut().send;
        if let Poll::Ready(reset) = send.poll_reset(cx) {
            return Poll::Ready(Err(broken(reset.err())));
        }
        if !buf.is_empty() {
            ready!(has_room(send, buf.len(), cx)).map_err(broken)?;
        }
        let sent = send.send_data(Bytes::copy_from_slice(buf), false);
        Poll::Ready(sent.map(|()| buf.len()).map_err(|err| broken(Some(err))))
    }

    /// The connection's own task writes.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// RFC 8441 5: "The orderly TCP-level closures are represented as END_STREAM flags".
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = self.get_mut().send.send_data(Bytes::new(), true);
        Poll::Ready(ended.map_err(|err| broken(Some(err))))
    }
}
