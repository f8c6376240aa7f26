//! Which version of HTTP a connection speaks, where a port serves both.
//!
//! Inside TLS the handshake agreed on one by ALPN (RFC 7301). In the clear the first bytes tell: who knows
//! that HTTP/2 is served begins with its preface (RFC 9113 3.4), which is no request of HTTP/1.1.

use std::future::pending;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use scenarios::Http2;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use crate::http::{self, Site};
use crate::http2;
use crate::wire::Meter;

/// RFC 9113 3.4: what an HTTP/2 client says first.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a site speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP/1.1 alone.
    #[default]
    Http1,
    /// HTTP/2 alone, with these settings.
    Http2(Http2),
    /// What the client wants of both.
    Both(Http2),
}

impl Speaks {
    /// The same for a connection whose ends agreed on a protocol inside TLS.
    #[must_use]
    pub fn agreed(self, protocol: Option<&[u8]>) -> Self {
        match (self, protocol) {
            (Self::Both(settings), Some(b"h2")) => Self::Http2(settings),
            (Self::Both(_), Some(b"http/1.1")) => Self::Http1,
            (speaks, _) => speaks,
        }
    }
}

/// Serves a connection of this project's own lanes, in tasks of its own.
pub fn spawn<S>(stream: S, meter: Arc<Meter>, site: Arc<Site>, speaks: Speaks)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    match speaks {
        Speaks::Http1 => drop(tokio::spawn(http::serve_site(stream, meter, site))),
        Speaks::Http2(settings) => drop(tokio::spawn(http2::serve_site(stream, meter, site, settings))),
        Speaks::Both(settings) => drop(tokio::spawn(listen_and_serve(stream, meter, site, settings))),
    }
}

/// Waits for the first bytes; the connection goes on in a task of the size of its version.
async fn listen_and_serve<S>(mut stream: S, meter: Arc<Meter>, site: Arc<Site>, settings: Http2)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let drains = site.drains();
    let closed = async {
        // It tells only what happens from here on.
        let closed = site.closed();
        match closed {
            _ if site.is_ending(drains) => {}
            Some(closed) => closed.await,
            None => pending().await,
        }
    };
    let told = tokio::select! {
        told = tokio::time::timeout(site.limits.head, first_bytes(&mut stream)) => told,
        () = closed => return,
    };
    match told {
        Err(_) => meter.refuse("slow request head"),
        // The client is gone.
        Ok(Err(_)) => {}
        Ok(Ok(read)) if read.is_empty() => {}
        Ok(Ok(read)) => {
            let is_http2 = *read == PREFACE[..];
            let begun = Begun { read, stream };
            match is_http2 {
                true => drop(tokio::spawn(http2::serve_site(begun, meter, site, settings))),
                false => drop(tokio::spawn(http::serve_site(begun, meter, site))),
            }
        }
    }
}

/// Reads until it is clear whether they are the preface: all of it, or up to the first other byte.
async fn first_bytes<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Bytes> {
    let mut read = [0; PREFACE.len()];
    let mut length = 0;
    while length < PREFACE.len() && read[..length] == PREFACE[..length] {
        match stream.read(&mut read[length..]).await? {
            0 => break,
            more => length += more,
        }
    }
    Ok(Bytes::copy_from_slice(&read[..length]))
}

/// A connection whose first bytes were read already.
#[derive(Debug)]
struct Begun<S> {
    read: Bytes,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Begun<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { read, stream } = self.get_mut();
        if read.is_empty() {
            return Pin::new(stream).poll_read(cx, buf);
        }
        let length = read.len().min(buf.remaining());
        buf.put_slice(&read[..length]);
        read.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Begun<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Limits;
    use crate::hub::Hub;
    use scenarios::Scenario;
    use std::time::Duration;
    use tokio::io::{AsyncWriteExt as _, duplex};

    /// What is taken as the first bytes of a client that says `said` in pieces cut at `cut`, and what is
    /// read in all.
    async fn heard(said: &[u8], cut: usize) -> (Bytes, Vec<u8>) {
        let (mut client, mut server) = duplex(64);
        let said = said.to_vec();
        let says = async move {
            client.write_all(&said[..cut]).await.unwrap();
            tokio::task::yield_now().await;
            client.write_all(&said[cut..]).await.unwrap();
        };
        let hears = async {
            let read = first_bytes(&mut server).await.unwrap();
            let mut all = Vec::new();
            let mut begun = Begun { read: read.clone(), stream: server };
            begun.read_to_end(&mut all).await.unwrap();
            (read, all)
        };
        tokio::join!(says, hears).1
    }

    #[tokio::test]
    async fn the_preface_is_told_from_a_request_at_every_split_and_no_byte_is_lost() {
        let http2 = [&PREFACE[..], b"\0\0\0\x04\0\0\0\0\0"].concat();
        for cut in 0..=http2.len() {
            let (read, all) = heard(&http2, cut).await;
            assert_eq!((&*read, all), (&PREFACE[..], http2.clone()), "cut at {cut}");
        }
        for other in
            ["GET / HTTP/1.1\r\n\r\n", "POST /up HTTP/1.1\r\n\r\n", "PRI * HTTP/1.1\r\n\r\n", "PRI", ""]
        {
            for cut in 0..=other.len() {
                let (read, all) = heard(other.as_bytes(), cut).await;
                assert!(*read != PREFACE[..] && all == other.as_bytes(), "{other:?} cut at {cut}");
            }
        }
    }

    /// What the server says, and refuses, while a client has said no more than the beginning of the preface.
    async fn undecided(site: Site, then: impl FnOnce()) -> (Vec<u8>, Vec<String>) {
        let (mut client, server) = duplex(64);
        let meter = Arc::new(Meter::default());
        spawn(server, Arc::clone(&meter), Arc::new(site), Speaks::Both(Http2::default()));
        client.write_all(&PREFACE[..9]).await.unwrap();
        tokio::task::yield_now().await;
        then();
        let mut said = Vec::new();
        client.read_to_end(&mut said).await.unwrap();
        (said, meter.totals((0, 0)).refused.into_keys().collect())
    }

    #[tokio::test]
    async fn who_does_not_say_which_is_refused_in_time_and_told_of_the_end() {
        let hasty = Site { limits: Limits { head: Duration::from_millis(30) }, ..Site::default() };
        assert_eq!(undecided(hasty, || ()).await, (vec![], vec!["slow request head".to_owned()]));
        for closes_before in [true, false] {
            let hub = Hub::of(&Scenario::load("smoke", &[]).unwrap().1).unwrap();
            let close = || hub.close();
            if closes_before {
                close();
            }
            let closing = Site { sse: Some(hub.clone()), ..Site::default() };
            assert_eq!(undecided(closing, close).await, (vec![], vec![]));
        }
    }

    #[test]
    fn what_tls_agreed_on_is_spoken_and_the_first_bytes_tell_only_without_it() {
        let settings = Http2::default();
        let (http2, both) = (Speaks::Http2(settings), Speaks::Both(settings));
        assert_eq!(both.agreed(Some(b"h2")), http2);
        assert_eq!(both.agreed(Some(b"http/1.1")), Speaks::Http1);
        for speaks in [both, http2, Speaks::Http1] {
            assert_eq!(speaks.agreed(None), speaks);
        }
        assert_eq!(http2.agreed(Some(b"http/1.1")), http2, "a lane speaks one version, whatever comes");
    }
}
