//! The body of a request over HTTP/2, as what answers it reads one: so many bytes as its head says.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Body, Frame, SizeHint};
use hyper::Request;
use hyper::header::CONTENT_LENGTH;

/// A body under way.
#[derive(Debug)]
pub struct Received {
    stream: RecvStream,
    /// What is left of the length that the head says.
    left: Option<u64>,
}

impl Received {
    /// The request with its body: `h2` checks that it is as long as it says.
    pub fn of(request: Request<RecvStream>) -> Request<Self> {
        let said =
            request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let is_empty = request.body().is_end_stream();
        request.map(|stream| Self { stream, left: if is_empty { Some(0) } else { said } })
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let Self { stream, left } = self.get_mut();
        let data = ready!(stream.poll_data(cx)).map(|data| {
            let data = data?;
            *left = left.map(|left| left.saturating_sub(data.len() as u64));
            // What has been read may come anew.
            stream.flow_control().release_capacity(data.len())?;
            Ok(Frame::data(data))
        });
        Poll::Ready(data)
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
