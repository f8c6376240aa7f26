//! Polling, tuned: what came after an id, answered at once or held until there is something.
//!
//! An answer is the events as SSE frames them, one behind the other, with a `content-length`; 204
//! says that there is nothing, which is the shortest answer HTTP has. A client whose id is no longer
//! kept is told by `lost: N` how many events it has missed, and gets the rest.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use crate::http::{Body, status, with};
use crate::hub::Hub;
use crate::window::Replay;

/// Says how many events after the id that was asked for are no longer kept.
pub const LOST: HeaderName = HeaderName::from_static("lost");

/// What is polled.
#[derive(Clone, Debug)]
pub struct Polled {
    /// Keeps the events.
    pub hub: Hub,
    /// How long a request is held that nothing can be said to.
    pub hold: Duration,
}

impl Polled {
    /// The answer to `GET /poll`.
    #[must_use]
    pub fn at_once(&self, query: Option<&str>) -> Response<Body> {
        match after(query) {
            Err(refusal) => status(refusal),
            Ok(id) => self.hub.after(id).map_or_else(unavailable, answer),
        }
    }

    /// The answer to `GET /longpoll`: when there is an event, the hub closes, or patience ends.
    pub async fn held(self, query: Result<Option<u64>, StatusCode>) -> Response<Body> {
        let id = match query {
            Ok(id) => id,
            Err(refusal) => return status(refusal),
        };
        let mut patience = std::pin::pin!(tokio::time::sleep(self.hold));
        loop {
            // Before the look, so that an event between the two is not slept through.
            let mut published = std::pin::pin!(self.hub.published());
            published.as_mut().enable();
            match self.hub.after(id) {
                None => return unavailable(),
                Some(replay) if !replay.events.is_empty() => return answer(replay),
                Some(_) => {}
            }
            tokio::select! {
                biased;
                () = published => {}
                () = &mut patience => return answer(Replay::default()),
            }
        }
    }
}

/// The id that a query names: `after=ID`, or none.
///
/// # Errors
/// What it names is no id.
pub fn after(query: Option<&str>) -> Result<Option<u64>, StatusCode> {
    let named =
        query.into_iter().flat_map(|query| query.split('&')).find_map(|one| one.strip_prefix("after="));
    named.map(|id| id.parse().map_err(|_| StatusCode::BAD_REQUEST)).transpose()
}

fn unavailable() -> Response<Body> {
    status(StatusCode::SERVICE_UNAVAILABLE)
}

fn answer(replay: Replay) -> Response<Body> {
    let mut response = match replay.events.is_empty() {
        true => status(StatusCode::NO_CONTENT),
        false => {
            let response = Response::new(Body::Whole(Some(joined(replay.events))));
            with(response, &[(CONTENT_TYPE, "text/event-stream")])
        }
    };
    if replay.lost > 0 {
        response.headers_mut().insert(LOST, HeaderValue::from(replay.lost));
    }
    with(response, &[(CACHE_CONTROL, "no-store")])
}

/// A single event is shared by all who ask; several are joined, so that one write sends them.
fn joined(mut events: Vec<Bytes>) -> Bytes {
    if events.len() == 1 {
        return events.remove(0);
    }
    let mut all = BytesMut::with_capacity(events.iter().map(Bytes::len).sum());
    events.iter().for_each(|event| all.extend_from_slice(event));
    all.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_from_the_query_and_nothing_else_is_taken_for_one() {
        assert_eq!(after(None), Ok(None));
        assert_eq!(after(Some("after=7")), Ok(Some(7)));
        assert_eq!(after(Some("x=1&after=18446744073709551615")), Ok(Some(u64::MAX)));
        assert_eq!(after(Some("before=7")), Ok(None));
        for wrong in ["after=", "after=-1", "after=7x", "after=18446744073709551616"] {
            assert_eq!(after(Some(wrong)), Err(StatusCode::BAD_REQUEST), "{wrong}");
        }
    }
}
