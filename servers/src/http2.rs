//! HTTP/2 under the lanes (RFC 9113): the same site as over HTTP/1.1, one task a connection and one a
//! stream, as hyper has it.
//!
//! Apart from `http.rs`, because nothing leaves HTTP here: every stream stays with hyper to its end.
//! Windows and numbers of streams are the scenario's, and none is a default.

use std::error::Error as _;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Poll;

use futures_util::FutureExt as _;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use scenarios::Http2;
use scenarios::http2::HEAD_BYTES;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::http::{Site, Upgrading, count_refusal};
use crate::wire::Meter;

/// Bytes of a stream that hyper may hold behind what the window and the socket take. An event goes in
/// whole; the hub counts what a slow reader loses, so the rest of the queue is there.
pub const SEND_BYTES: usize = 16 * 1024;

/// hyper's read buffer of a connection: it reads frames into what `h2` begins with, and grows to the
/// largest frame.
pub const READ_BUFFER_BYTES: usize = 8 * 1024;

/// Serves an HTTP/2 connection of this project's own lanes to its end.
pub async fn serve_site<S>(stream: S, meter: Arc<Meter>, site: Arc<Site>, settings: Http2)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let asked = AtomicBool::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        asked.store(true, Relaxed);
        let meter = Arc::clone(&meter);
        let answer = site.respond(request, &Upgrading::default());
        answer.inspect(move |answer| {
            answer.iter().for_each(|response| count_refusal(&meter, response.status()))
        })
    });
    let mut connection = builder(settings).serve_connection(TokioIo::new(stream), service);
    let mut turn = |cx: &mut std::task::Context<'_>| {
        if site.is_closing() {
            Pin::new(&mut connection).graceful_shutdown();
        }
        Pin::new(&mut connection).poll(cx)
    };
    let first = std::future::poll_fn(|cx| match turn(cx) {
        Poll::Pending if asked.load(Relaxed) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
        Poll::Ready(ended) => Poll::Ready(Some(ended)),
    });
    let ended = match tokio::time::timeout(site.limits.head, first).await {
        Err(_) => return meter.refuse("slow request head"),
        Ok(Some(ended)) => ended,
        Ok(None) => std::future::poll_fn(turn).await,
    };
    if ended.is_err_and(|err| is_malformed(&err)) {
        meter.refuse("malformed request");
    }
}

fn builder(settings: Http2) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .max_concurrent_streams(settings.max_concurrent_streams)
        .initial_stream_window_size(settings.stream_window_bytes)
        .initial_connection_window_size(settings.connection_window_bytes)
        .max_frame_size(settings.max_frame_bytes)
        .max_header_list_size(HEAD_BYTES)
        .max_send_buf_size(SEND_BYTES);
    builder
}

/// Whether the client broke the protocol, rather than left.
fn is_malformed(err: &hyper::Error) -> bool {
    let cause = err.source().and_then(|cause| cause.downcast_ref::<h2::Error>());
    cause.is_some_and(|cause| cause.is_library() && !cause.is_io())
}
