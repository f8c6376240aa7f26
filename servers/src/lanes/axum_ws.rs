//! WebSocket as axum's users write it: `axum::extract::ws` with its default buffers.

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use hyper::StatusCode;

use crate::http;
use crate::hub::{Hub, Subscription};

/// tungstenite's default, which axum leaves as it is.
pub const READ_BUFFER_BYTES: usize = 128 * 1024;

/// `GET /ws` over a hub of messages, of bytes or of text.
pub fn routes(hub: Hub, is_binary: bool) -> Router {
    Router::new().route("/ws", get(subscribe)).with_state((hub, is_binary))
}

async fn subscribe(
    State((hub, is_binary)): State<(Hub, bool)>,
    upgrade: WebSocketUpgrade,
    request: Request,
) -> Response {
    if !http::origin_allowed(request.headers(), request.uri(), &[]) {
        return StatusCode::FORBIDDEN.into_response();
    }
    match hub.subscribe_as(super::client(request.uri())) {
        Some(subscription) => upgrade.on_upgrade(move |socket| serve(socket, subscription, is_binary)),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn serve(mut socket: WebSocket, mut subscription: Subscription, is_binary: bool) {
    loop {
        tokio::select! {
            biased;
            message = socket.recv() => match message {
                Some(Ok(Message::Close(_))) => break,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
            event = subscription.next() => {
                let (message, last) = event.map_or_else(goodbye, |event| (said(event, is_binary), false));
                if socket.send(message).await.is_err() {
                    return;
                }
                if last {
                    break;
                }
            }
        }
    }
    drop(subscription);
    let rest = async { while let Some(Ok(_)) = socket.recv().await {} };
    // Elapsed patience ends the connection like its end does.
    let _ = tokio::time::timeout(super::ws::CLOSE_PATIENCE, rest).await;
}

fn said(event: Bytes, is_binary: bool) -> Message {
    if is_binary {
        return Message::Binary(event);
    }
    Message::Text(Utf8Bytes::try_from(event).expect("the publisher refuses what is not UTF-8"))
}

fn goodbye() -> (Message, bool) {
    (Message::Close(Some(CloseFrame { code: close_code::AWAY, reason: "".into() })), true)
}
