//! Server-Sent Events as axum's users write them: `axum::response::Sse`, encoded per subscriber.

use std::convert::Infallible;

use axum::Router;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::StreamExt as _;
use hyper::{StatusCode, Uri};
use scenarios::{Envelope, Identity, envelope};

use crate::hub::Hub;

/// `GET /sse` over a hub of messages in the [`Envelope::Lines`].
pub fn routes(hub: Hub, identity: Identity) -> Router {
    Router::new().route("/sse", get(subscribe)).with_state((hub, identity))
}

async fn subscribe(State((hub, identity)): State<(Hub, Identity)>, uri: Uri) -> Response {
    let Some(subscription) = hub.subscribe_as(super::client(&uri)) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let events = subscription.into_stream();
    Sse::new(events.map(move |message| Ok::<_, Infallible>(event(identity, &message)))).into_response()
}

fn event(identity: Identity, message: &Bytes) -> Event {
    let parts = envelope::decode(identity, Envelope::Lines, message).expect("the publisher's own message");
    let event = parts.id.map_or_else(Event::default, |id| Event::default().id(text(id)));
    parts.name.map_or(event.clone(), |name| event.event(text(name))).data(text(&parts.data))
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the publisher refuses a body that is not UTF-8")
}
