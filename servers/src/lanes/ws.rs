//! WebSocket, tuned: tungstenite reads and answers control frames, events are written pre-framed.
//!
//! An event's frame is the same for all subscribers (a server does not mask), so it is encoded once
//! and its bytes are shared; what tungstenite has still to write goes out before each, so that no
//! pong can land inside a half-written frame.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::header::{CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use hyper::{StatusCode, Version};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};

use crate::hub::Subscription;

/// tungstenite fills its read buffer with zeros before every read; its default of 128 KiB is most
/// of what a delivery costs there.
pub const READ_BUFFER_BYTES: usize = 1024;

/// The largest message and frame a client may send.
pub const MESSAGE_BYTES: usize = 64 * 1024;

/// How long a client may take to answer a close.
pub const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// Frames a message of text or of bytes: FIN, not masked.
///
/// # Errors
/// Text that is not UTF-8.
pub fn frame(message: &[u8], is_binary: bool) -> Result<Bytes, String> {
    if !is_binary {
        super::text(message)?;
    }
    let mut out = BytesMut::with_capacity(10 + message.len());
    out.put_u8(if is_binary { 0x82 } else { 0x81 });
    match message.len() {
        length @ ..126 => out.put_u8(length as u8),
        length @ 126..0x1_0000 => {
            out.put_u8(126);
            out.put_u16(length as u16);
        }
        length => {
            out.put_u8(127);
            out.put_u64(length as u64);
        }
    }
    out.put_slice(message);
    Ok(out.freeze())
}

/// Checks an opening handshake (RFC 6455 4.2.1); the value of `Sec-WebSocket-Accept`.
///
/// # Errors
/// The status to refuse it with.
pub fn accept_key(version: Version, headers: &HeaderMap) -> Result<HeaderValue, StatusCode> {
    let says = |name, token: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.split(',').any(|part: &str| part.trim().eq_ignore_ascii_case(token)))
    };
    if !says(CONNECTION, "upgrade") || !says(UPGRADE, "websocket") || !says(SEC_WEBSOCKET_VERSION, "13") {
        return Err(StatusCode::UPGRADE_REQUIRED);
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24 && version >= Version::HTTP_11);
    let key = key.ok_or(StatusCode::BAD_REQUEST)?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(|_| StatusCode::BAD_REQUEST)
}

/// Serves an upgraded connection until its close handshake ends; `read` are the bytes that
/// followed the request.
pub async fn serve<S>(stream: S, read: Vec<u8>, mut subscription: Subscription)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_BYTES))
        .max_frame_size(Some(MESSAGE_BYTES));
    let mut socket = WebSocketStream::from_partially_read(stream, read, Role::Server, Some(config)).await;
    let goodbye = loop {
        tokio::select! {
            biased;
            message = socket.next() => match message {
                Some(Ok(Message::Close(_))) => break None,
                Some(Ok(_)) => {}
                Some(Err(err)) => match complaint(&err) {
                    Some(code) => break Some(code),
                    None => return,
                },
                None => return,
            },
            event = subscription.next() => {
                let Some(event) = event else { break Some(CloseCode::Away) };
                if write(&mut socket, &event).await.is_err() {
                    return;
                }
            }
        }
    };
    drop(subscription);
    close(&mut socket, goodbye).await;
}

async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    frame: &[u8],
) -> Result<(), Error> {
    socket.flush().await?;
    socket.get_mut().write_all(frame).await?;
    // A TLS stream may hold back what the socket did not take.
    Ok(socket.get_mut().flush().await?)
}

/// The close code for what a client did wrong (RFC 6455 7.4.1); none when the connection is gone.
fn complaint(err: &Error) -> Option<CloseCode> {
    match err {
        Error::Capacity(_) => Some(CloseCode::Size),
        Error::Utf8(_) => Some(CloseCode::Invalid),
        Error::Protocol(_) => Some(CloseCode::Protocol),
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Io(_)
        | Error::WriteBufferFull(_)
        | Error::AttackAttempt
        | Error::Tls(_)
        | Error::Url(_)
        | Error::Http(_)
        | Error::HttpFormat(_) => None,
    }
}

/// Says goodbye, unless the client did, and reads on until the close handshake ends: leaving
/// earlier resets the connection under the client's close frame.
async fn close<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>, code: Option<CloseCode>) {
    let farewell = async {
        if let Some(code) = code {
            let reason = CloseFrame { code, reason: "".into() };
            if socket.close(Some(reason)).await.is_err() {
                return;
            }
        }
        while let Some(Ok(_)) = socket.next().await {}
    };
    // Elapsed patience ends the connection like its end does.
    let _ = tokio::time::timeout(CLOSE_PATIENCE, farewell).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455 5.2 (https://www.rfc-editor.org/rfc/rfc6455#section-5.2): "Payload length: 7 bits,
    /// 7+16 bits, or 7+64 bits. The length of the "Payload data", in bytes: if 0-125, that is the
    /// payload length. If 126, the following 2 bytes interpreted as a 16-bit unsigned integer are
    /// the payload length. If 127, the following 8 bytes [...] the minimal number of bytes MUST be
    /// used to encode the length". Opcode "%x1 denotes a text frame"; FIN is the first bit. 5.1: "A
    /// server MUST NOT mask any frames that it sends to the client."
    #[test]
    fn golden_bytes() {
        assert_eq!(frame(b"7\nquote\n{}", false).unwrap().as_ref(), b"\x81\x0a7\nquote\n{}");
        for (length, header) in [
            (0, &b"\x81\x00"[..]),
            (125, b"\x81\x7d"),
            (126, b"\x81\x7e\x00\x7e"),
            (65_535, b"\x81\x7e\xff\xff"),
            (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
        ] {
            let frame = frame(&vec![b'x'; length], false).unwrap();
            assert_eq!((&frame[..header.len()], frame.len()), (header, header.len() + length));
        }
        assert!(frame(b"\xff", false).is_err());
        // 5.2: "%x2 denotes a binary frame".
        assert_eq!(frame(b"7\nquote\n\xff", true).unwrap().as_ref(), b"\x82\x097\nquote\n\xff");
    }

    /// The example of RFC 6455 1.3: the key `dGhlIHNhbXBsZSBub25jZQ==` is answered with
    /// `s3pPLMBiTxaQ9kYGzzhZRbK+xOo=`.
    #[test]
    fn the_handshake_of_the_rfc_is_accepted_and_each_missing_part_refused() {
        let fields = [
            (CONNECTION, "keep-alive, Upgrade"),
            (UPGRADE, "WebSocket"),
            (SEC_WEBSOCKET_VERSION, "13"),
            (SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let whole: HeaderMap =
            fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        let accepted = accept_key(Version::HTTP_11, &whole).unwrap();
        assert_eq!(accepted, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for (name, _) in &fields {
            let mut part = whole.clone();
            part.remove(name);
            assert!(accept_key(Version::HTTP_11, &part).is_err(), "{name}");
        }
        assert!(accept_key(Version::HTTP_10, &whole).is_err());
    }
}
