//! A connection of HTTP/1.1 from its first request to its end, or to where it leaves HTTP.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::{FutureExt as _, OptionFuture};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{HEAD_BYTES, Limits, Site, Upgrading};
use crate::hub::Barred;
use crate::lanes::ws::{self, Opened};
use crate::wire::Meter;

/// Serves an HTTP/1.1 connection of this project's own lanes to its end.
pub async fn serve_site<S>(stream: S, meter: Arc<Meter>, site: Arc<Site>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    if let Some((stream, read, opened)) = answer_requests(stream, &meter, site).await {
        tokio::spawn(ws::serve(stream, read, opened));
    }
}

/// Answers requests until the connection ends, or leaves HTTP.
async fn answer_requests<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    meter: &Meter,
    site: Arc<Site>,
) -> Option<(S, Vec<u8>, Opened)> {
    let upgrading = Upgrading::default();
    let service = service_fn(|request: Request<Incoming>| {
        site.respond(request, &upgrading)
            .inspect(|answer| answer.iter().for_each(|response| count_refusal(meter, response)))
    });
    let drains = site.drains();
    // A connection that waits for no event must be woken by the hub to end. The wake-up is asked for once, because to
    // ask again takes a lock in every delivery.
    let mut closed = pin!(OptionFuture::from(site.closed()));
    poll_fn(|cx| Poll::Ready(closed.as_mut().poll(cx).is_ready())).await;
    let mut connection = builder(site.limits).serve_connection(TokioIo::new(stream), service);
    let ended = poll_fn(|cx| {
        if site.is_ending(drains) {
            Pin::new(&mut connection).graceful_shutdown();
        }
        connection.poll_without_shutdown(cx)
    })
    .await;
    if let Err(err) = ended {
        count_error(meter, &err);
        return None;
    }
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
    let opened = upgrading.lock().expect("no holder of this lock panics").take();
    if opened.is_none() {
        // An error says that the client left first.
        let _ = tokio::io::AsyncWriteExt::shutdown(&mut stream).await;
    }
    Some((stream, parts.read_buf.to_vec(), opened?))
}

/// Serves a connection of a stock lane to its end.
pub async fn serve_router<S>(stream: S, meter: Arc<Meter>, router: axum::Router, limits: Limits)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = TowerToHyperService::new(router);
    let connection = builder(limits).serve_connection(TokioIo::new(stream), service).with_upgrades();
    if let Err(err) = connection.await {
        count_error(&meter, &err);
    }
}

fn builder(limits: Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(true);
    builder
}

/// Counts an answer that is none.
pub(crate) fn count_refusal<B>(meter: &Meter, response: &Response<B>) {
    let status = response.status();
    if let Some(barred) = response.extensions().get::<Barred>() {
        meter.refuse(&barred.reason());
    } else if status.is_client_error() || status.is_server_error() {
        meter.refuse(&format!("status {}", status.as_u16()));
    }
}

fn count_error(meter: &Meter, err: &hyper::Error) {
    let reason = match (err.is_timeout(), err.is_parse_too_large(), err.is_parse()) {
        (true, ..) => "slow request head",
        (_, true, _) => "request head too large",
        (_, _, true) => "malformed request",
        (false, false, false) => return,
    };
    meter.refuse(reason);
}
