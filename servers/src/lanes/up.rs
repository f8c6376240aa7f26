//! `POST /up?client=N`: a message upward beside a stream that cannot carry one.
//!
//! The request names its stream as the stream's own request did; the answer is 204, and the echo
//! arrives on the stream. The same `Origin` may send as may open a WebSocket.

use std::future::ready;

use bytes::Bytes;
use futures_util::future::{Either, FutureExt as _};
use http_body::Body;
use hyper::header::ALLOW;
use hyper::{Method, Request, StatusCode};
use scenarios::Moment;

use crate::http::{Answering, origin_allowed, status, with};
use crate::upward::{MESSAGE_BYTES, Refusal, Upward};

/// Where messages are posted to.
pub const PATH: &str = "/up";

/// Answers a request at [`PATH`].
pub(crate) fn answer<B>(upward: &Upward, request: Request<B>, origins: &[String]) -> Answering
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    let at_once = |response| Either::Left(ready(Ok(response)));
    if request.method() != Method::POST {
        return at_once(with(status(StatusCode::METHOD_NOT_ALLOWED), &[(ALLOW, "POST")]));
    }
    if !origin_allowed(request.headers(), request.uri(), origins) {
        return at_once(status(StatusCode::FORBIDDEN));
    }
    Either::Right(Box::pin(post(upward.clone(), request).map(|code| Ok(status(code)))))
}

/// Takes the message of a request; the status to answer with.
async fn post<B: Body<Data = Bytes> + Unpin>(upward: Upward, request: Request<B>) -> StatusCode {
    let client = super::client(request.uri());
    let mut body = request.into_body();
    // RFC 9110 15.5.12: 411 "refuses to accept the request without a defined Content-Length".
    let Some(length) = body.size_hint().exact() else { return StatusCode::LENGTH_REQUIRED };
    let Some(length) = usize::try_from(length).ok().filter(|length| *length <= MESSAGE_BYTES) else {
        return StatusCode::PAYLOAD_TOO_LARGE;
    };
    let Some(message) = whole(&mut body, length).await else { return StatusCode::BAD_REQUEST };
    match upward.take(client, &message, Moment::now()) {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(Refusal::Unknown) => StatusCode::NOT_FOUND,
        Err(Refusal::Malformed) => StatusCode::BAD_REQUEST,
    }
}

/// All of a body; nothing when the client leaves before its end. A body that came with its head is one
/// frame, and is not copied.
async fn whole<B: Body<Data = Bytes> + Unpin>(body: &mut B, length: usize) -> Option<Bytes> {
    let mut rest = Vec::new();
    loop {
        let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *body).poll_frame(cx)).await;
        let data = match frame {
            Some(Ok(frame)) => frame.into_data().ok()?,
            Some(Err(_)) => return None,
            None => return Some(rest.into()),
        };
        if rest.is_empty() && data.len() == length {
            return Some(data);
        }
        rest.extend_from_slice(&data);
    }
}
