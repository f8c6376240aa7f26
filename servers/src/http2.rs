//! HTTP/2 under the lanes (RFC 9113): the same site as over HTTP/1.1, one task a connection and one a
//! stream, on the `h2` crate.
//!
//! Not on hyper, which hands a WebSocket's stream (RFC 8441) to a second task over a channel: event streams
//! and WebSockets are to be served alike. Windows and numbers of streams are the scenario's, and none is a
//! default.

use std::cell::RefCell;
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::future::OptionFuture;
use h2::ext::Protocol;
use h2::server::{Builder, Connection, SendResponse};
use h2::{RecvStream, SendStream};
use http_body::Body as _;
use hyper::header::{CONTENT_LENGTH, DATE, HeaderMap, HeaderValue, SEC_WEBSOCKET_VERSION};
use hyper::{Request, Response, StatusCode};
use scenarios::Http2;
use scenarios::http2::HEAD_BYTES;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::http::{Body, Site, Upgrading, count_refusal};
use crate::lanes::{up, ws};
use crate::wire::Meter;
use received::Received;
use tunnel::Tunnel;

mod received;
mod tunnel;

/// Bytes of a stream that may wait for the socket behind what the window takes. An event goes in whole; the
/// hub counts what a slow reader loses, so the rest of the queue is there.
pub const SEND_BYTES: usize = 16 * 1024;

/// `h2`'s read buffer of a connection, to begin with: it grows to the largest frame.
pub const READ_BUFFER_BYTES: usize = 8 * 1024;

/// Serves an HTTP/2 connection of this project's own lanes to its end.
pub async fn serve_site<S>(stream: S, meter: Arc<Meter>, site: Arc<Site>, settings: Http2)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let drains = site.drains();
    let mut closed = pin!(OptionFuture::from(site.closed()));
    let begun = async {
        let mut connection = builder(settings, &site).handshake(stream).await?;
        let first = connection.accept().await.transpose()?;
        Ok((connection, first))
    };
    let begun = tokio::select! {
        biased;
        begun = tokio::time::timeout(site.limits.head, begun) => begun,
        // It has asked for nothing, so that nothing is cut off.
        Some(()) = closed.as_mut(), if !site.is_ending(drains) => return,
    };
    let ended = match begun {
        Err(_) => return meter.refuse("slow request head"),
        Ok(Err(err)) => Err(err),
        Ok(Ok((_, None))) => Ok(()),
        Ok(Ok((mut connection, Some(first)))) => {
            let spawn = |asked| drop(tokio::spawn(answer(asked, Arc::clone(&site), Arc::clone(&meter))));
            spawn(first);
            // Its wake-up is asked for once more, because to ask again takes a lock in every delivery.
            poll_fn(|cx| Poll::Ready(closed.as_mut().poll(cx).is_ready())).await;
            poll_fn(|cx| accept(&mut connection, cx, || site.is_ending(drains), spawn)).await
        }
    };
    // Whoever broke the protocol is counted, and who only left is not.
    if ended.is_err_and(|err| err.is_library() && !err.is_io()) {
        meter.refuse("malformed request");
    }
}

fn builder(settings: Http2, site: &Site) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(settings.max_concurrent_streams)
        .initial_window_size(settings.stream_window_bytes)
        .initial_connection_window_size(settings.connection_window_bytes)
        .max_frame_size(settings.max_frame_bytes)
        .max_header_list_size(HEAD_BYTES)
        .max_send_buffer_size(SEND_BYTES);
    if site.takes_websockets() {
        builder.enable_connect_protocol();
    }
    builder
}

type Asked = (Request<RecvStream>, SendResponse<Bytes>);

/// Takes requests until the connection ends.
fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    connection: &mut Connection<S, Bytes>,
    cx: &mut Context<'_>,
    is_ending: impl Fn() -> bool,
    spawn: impl Fn(Asked),
) -> Poll<Result<(), h2::Error>> {
    loop {
        if is_ending() {
            connection.graceful_shutdown();
        }
        match ready!(connection.poll_accept(cx)) {
            Some(Ok(asked)) => spawn(asked),
            Some(Err(err)) => return Poll::Ready(Err(err)),
            None => return Poll::Ready(Ok(())),
        }
    }
}

/// Answers one request, and goes on to the end of its stream.
async fn answer((request, mut respond): Asked, site: Arc<Site>, meter: Arc<Meter>) {
    let upgrading = Upgrading::default();
    let (answering, request) = match site.upward(request.uri()) {
        Some(upward) => (up::answer(upward, Received::of(request), &site.origins), None),
        None => (site.answer(&request, &upgrading), Some(request)),
    };
    let response = tokio::select! {
        biased;
        answered = answering => answered.unwrap_or_else(|never| match never {}),
        _gone = poll_fn(|cx| respond.poll_reset(cx)) => return,
    };
    count_refusal(&meter, &response);
    let opened = upgrading.lock().expect("no holder of this lock panics").take();
    let (mut head, body) = response.into_parts();
    head.headers.entry(DATE).or_insert_with(date);
    let is_empty = body.is_end_stream();
    if let Some(length) = body.size_hint().exact().filter(|_| !is_empty) {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let ends = is_empty && opened.is_none();
    // An error says that the client left first.
    let Ok(stream) = respond.send_response(Response::from_parts(head, ()), ends) else { return };
    match opened.zip(request) {
        Some((opened, request)) => {
            ws::serve(Tunnel::new(stream, request.into_body()), Vec::new(), opened).await;
        }
        None if ends => {}
        None => pour(body, stream).await,
    }
}

/// Sends a body to its end, or until the client leaves the stream.
async fn pour(mut body: Body, mut stream: SendStream<Bytes>) {
    let mut body = std::pin::Pin::new(&mut body);
    loop {
        let next = poll_fn(|cx| match stream.poll_reset(cx) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => body.as_mut().poll_frame(cx).map(|frame| {
                let data = frame.map(|frame| frame.map(http_body::Frame::into_data));
                Some(data.and_then(|data| data.ok()?.ok()))
            }),
        });
        let Some(data) = next.await else { return };
        let ends = data.is_none() || body.is_end_stream();
        let data = data.unwrap_or_default();
        if !data.is_empty() && poll_fn(|cx| has_room(&mut stream, data.len(), cx)).await.is_err() {
            return;
        }
        if stream.send_data(data, ends).is_err() || ends {
            return;
        }
    }
}

/// Waits until a stream may be written to. What is written then may be more than there is room for: an
/// event is handed over whole, and `h2` sends it as the windows open.
fn has_room(
    stream: &mut SendStream<Bytes>,
    wanted: usize,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Option<h2::Error>>> {
    stream.reserve_capacity(wanted);
    while stream.capacity() == 0 {
        match ready!(stream.poll_capacity(cx)) {
            Some(Ok(_)) => {}
            Some(Err(err)) => return Poll::Ready(Err(Some(err))),
            None => return Poll::Ready(Err(None)),
        }
    }
    Poll::Ready(Ok(()))
}

/// Checks the opening handshake of a WebSocket over HTTP/2, which upgrades nothing and proves nothing by a
/// key (RFC 8441 5).
///
/// # Errors
/// The status to refuse it with. RFC 9220 3: a `:protocol` "that is unknown or is not supported" is
/// answered with 501.
pub fn check_connect<B>(request: &Request<B>) -> Result<(), StatusCode> {
    match request.extensions().get::<Protocol>().map(Protocol::as_str) {
        Some("websocket") if says_13(request.headers()) => Ok(()),
        Some("websocket") | None => Err(StatusCode::BAD_REQUEST),
        Some(_) => Err(StatusCode::NOT_IMPLEMENTED),
    }
}

fn says_13(headers: &HeaderMap) -> bool {
    headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13")
}

/// The field that every response of an origin server with a clock has (RFC 9110 6.6.1), written once a
/// second.
#[expect(clippy::disallowed_methods, reason = "the date of a response is the wall clock's")]
fn date() -> HeaderValue {
    thread_local! {
        static WRITTEN: RefCell<(u64, Option<HeaderValue>)> = const { RefCell::new((0, None)) };
    }
    let now = SystemTime::now();
    let second = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    WRITTEN.with_borrow_mut(|(at, written)| {
        if *at != second {
            (*at, *written) = (second, None);
        }
        let write = || HeaderValue::try_from(httpdate::fmt_http_date(now)).expect("a date is plain text");
        written.get_or_insert_with(write).clone()
    })
}
