//! WebSocket, tuned: events are written pre-framed, what the client says is read by our own codec.
//!
//! An event's frame is the same for all subscribers (a server does not mask), so it is encoded once
//! and its bytes are shared. With permessage-deflate and context takeover each connection compresses for
//! itself; without takeover the compressed frame is shared like a plain one. Crates that offer the
//! extension (sockudo-ws, yawc) own the whole path, so that a lane on them would show the crate and
//! not what compression costs; tungstenite has none and rejects RSV1. So flate2 compresses on this same path,
//! and `websocket/` reads what a client sends, compressed or not; Autobahn holds both to the RFCs.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{
    CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use hyper::{Request, StatusCode, Version};
use scenarios::Coding;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::hub::{Hub, Subscription, Together};
use crate::websocket::deflate::{self, Agreed, Context, Deflater, WINDOW_BITS};
use crate::websocket::frame::{
    GOING_AWAY, Header, INVALID_DATA, NORMAL, Opcode, Role, SERVICE_RESTART, TRY_AGAIN_LATER, write,
};
use crate::websocket::peer::{Message, Peer};

/// What a connection reads into, bytes.
pub const READ_BUFFER_BYTES: usize = 1024;

/// The largest message and frame a client may send.
pub const MESSAGE_BYTES: usize = 64 * 1024;

/// A ping without application data (RFC 6455 5.5.2), which the client answers with a pong.
pub const PING: &[u8] = b"\x89\x00";

/// How long a client may take to answer a close.
pub const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// Frames a message of text or of bytes: FIN, not masked; compressed where that is the same for all.
///
/// # Errors
/// Text that is not UTF-8.
pub fn frame(coding: Coding, message: &[u8], is_binary: bool) -> Result<Bytes, String> {
    if !is_binary {
        super::text(message)?;
    }
    let opcode = if is_binary { Opcode::Binary } else { Opcode::Text };
    let shared = (coding == Coding::DeflateStateless)
        .then(|| Deflater::new(Context { takeover: false, window_bits: WINDOW_BITS }).message(message));
    let mut out = Vec::with_capacity(10 + message.len());
    write(&mut out, Role::Server, opcode, shared.is_some(), shared.as_deref().unwrap_or(message));
    Ok(out.into())
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

/// What an open WebSocket is for.
#[derive(Debug)]
pub enum Purpose {
    /// It gets the events of a hub, which may take what its client says.
    Events(Subscription),
    /// It gets back what it says: for conformance tests, on the very path that serves events.
    Echo,
    /// It is to end.
    Farewell,
}

/// A WebSocket that a handshake opened.
#[derive(Debug)]
pub struct Opened {
    /// What it is for.
    pub purpose: Purpose,
    /// How its client compresses, if it may.
    pub up: Option<Context>,
    /// How this end compresses for it alone, if it does: a frame of the hub may be compressed for all.
    pub down: Option<Context>,
}

/// Opens what a client asked for, the events of `hub` or an echo, and answers the compression that it
/// offers (RFC 7692 5.1).
///
/// # Errors
/// The status to refuse it with: the hub is closed, or its frames are compressed for all and this client
/// cannot read them.
pub fn open<B>(
    coding: Coding,
    request: &Request<B>,
    hub: Option<&Hub>,
) -> Result<(Opened, Option<HeaderValue>), StatusCode> {
    let fields = request.headers().get_all(SEC_WEBSOCKET_EXTENSIONS);
    let offers = fields.iter().filter_map(|value| value.to_str().ok());
    let (agreed, answer) = coding.takeover().and_then(|takeover| deflate::answer(offers, takeover)).unzip();
    let up = agreed.map(|agreed: Agreed| agreed.up);
    let down = agreed.map(|agreed| agreed.down);
    let answer = answer.and_then(|answer: String| HeaderValue::from_str(&answer).ok());
    let Some(hub) = hub else { return Ok((Opened { purpose: Purpose::Echo, up, down }, answer)) };
    let is_shared = coding == Coding::DeflateStateless;
    if is_shared && down.is_none_or(|down| down.window_bits < WINDOW_BITS) {
        return Err(StatusCode::BAD_REQUEST);
    }
    let subscription = super::join(hub, request).ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    let opened = Opened { purpose: Purpose::Events(subscription), up, down: down.filter(|_| !is_shared) };
    Ok((opened, answer))
}

impl Purpose {
    /// The code to close with: all is said, or the server ends what is open or leaves, or has no patience with this
    /// client.
    fn farewell(&self) -> u16 {
        match self {
            Self::Events(subscription) if subscription.is_out() => TRY_AGAIN_LATER,
            Self::Events(subscription) if subscription.is_complete() => NORMAL,
            Self::Events(subscription) if subscription.is_drained() => SERVICE_RESTART,
            Self::Events(_) | Self::Echo | Self::Farewell => GOING_AWAY,
        }
    }

    /// The next event; `None` when there will be none. Nothing is lost when the future is dropped.
    async fn next(&mut self) -> Option<Bytes> {
        match self {
            Self::Events(subscription) => subscription.next().await,
            Self::Echo | Self::Farewell => std::future::pending().await,
        }
    }

    /// An event with those that are there already.
    async fn together(&mut self, first: Bytes) -> Together {
        match self {
            Self::Events(subscription) => subscription.together(first).await,
            Self::Echo | Self::Farewell => Together::One(first),
        }
    }
}

/// Serves an upgraded connection until its close handshake ends; `read` are the bytes that
/// followed the request.
pub async fn serve<S>(stream: S, read: Vec<u8>, opened: Opened)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Opened { purpose, up, down } = opened;
    let deflater = down.map(|context| Box::new(Deflater::new(context)));
    let peer = Peer::new(Role::Server, MESSAGE_BYTES, up);
    let mut connection = Connection { stream, read, peer, purpose, deflater };
    if connection.converse().await.is_ok() {
        connection.purpose = Purpose::Farewell;
        // Elapsed patience ends the connection like its end does.
        let _ = tokio::time::timeout(CLOSE_PATIENCE, connection.leave()).await;
    }
}

struct Connection<S> {
    stream: S,
    /// What was read and is no whole frame yet.
    read: Vec<u8>,
    peer: Peer,
    purpose: Purpose,
    deflater: Option<Box<Deflater>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Reads and writes until one end says goodbye; an error says that the connection is gone.
    async fn converse(&mut self) -> std::io::Result<()> {
        let mut buffer = [0; READ_BUFFER_BYTES];
        loop {
            self.answer().await?;
            if self.peer.is_over() || self.peer.says_goodbye() {
                return Ok(());
            }
            tokio::select! {
                biased;
                length = self.stream.read(&mut buffer) => self.take(&buffer[..length?])?,
                event = self.purpose.next() => match event {
                    Some(event) => self.push(event).await?,
                    None => {
                        self.peer.close(&self.purpose.farewell().to_be_bytes());
                        return Ok(());
                    }
                },
            }
        }
    }

    /// Reads on until the close handshake ends, and ends the connection behind it: leaving earlier
    /// resets it under the client's close frame (RFC 6455 7.1.1).
    async fn leave(&mut self) -> std::io::Result<()> {
        let mut buffer = [0; READ_BUFFER_BYTES];
        self.answer().await?;
        while !self.peer.is_over() {
            let length = self.stream.read(&mut buffer).await?;
            self.take(&buffer[..length])?;
            self.answer().await?;
        }
        self.stream.shutdown().await?;
        while self.stream.read(&mut buffer).await? > 0 {}
        Ok(())
    }

    /// Takes what was read; nothing is the end of the connection.
    fn take(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if bytes.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        self.read.extend_from_slice(bytes);
        Ok(())
    }

    /// Goes over what was read, and sends what is to be said to it.
    async fn answer(&mut self) -> std::io::Result<()> {
        if !self.read.is_empty() {
            let Self { purpose, deflater, .. } = self;
            let mut is_none = false;
            let mut reply = |message: Message<'_>, outbox: &mut Vec<u8>| match purpose {
                Purpose::Echo => push(outbox, deflater.as_deref_mut(), message.opcode, message.data),
                Purpose::Events(subscription) => is_none |= subscription.hear(message.data).is_err(),
                Purpose::Farewell => {}
            };
            // A rule that was broken is told in the outbox, and nothing behind it is read.
            let walked = self.peer.walk(&self.read, &mut reply).unwrap_or(self.read.len());
            if is_none {
                self.peer.close(&INVALID_DATA.to_be_bytes());
            }
            self.read.drain(..walked);
            if self.read.is_empty() {
                self.read = Vec::new();
            }
        }
        if !self.peer.outbox().is_empty() {
            let said = std::mem::take(self.peer.outbox());
            self.send(&said).await?;
        }
        Ok(())
    }

    /// Sends an event, and with it those that are there already.
    async fn push(&mut self, event: Bytes) -> std::io::Result<()> {
        match self.purpose.together(event).await {
            Together::One(event) => {
                let frame = self.coded(event);
                self.send(&frame).await
            }
            Together::Several(events) => {
                let frames: Vec<Bytes> = events.into_iter().map(|event| self.coded(event)).collect();
                super::write_together(&mut self.stream, &frames).await
            }
        }
    }

    /// An event as this connection sends it: as the hub has it, or compressed for it alone.
    fn coded(&mut self, frame: Bytes) -> Bytes {
        let Some(deflater) = self.deflater.as_deref_mut() else { return frame };
        let header = Header::read(&frame, Role::Client, false).ok().flatten().expect("our own frame");
        if header.opcode == Opcode::Ping {
            // RFC 7692 5: an extension that compresses messages leaves control frames as they are.
            return frame;
        }
        let mut coded = Vec::new();
        push(&mut coded, Some(deflater), header.opcode, &frame[header.size..]);
        coded.into()
    }

    async fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await?;
        // A TLS stream may hold back what the socket did not take.
        self.stream.flush().await
    }
}

/// Frames a message, compressed if there is a compressor.
fn push(out: &mut Vec<u8>, deflater: Option<&mut Deflater>, opcode: Opcode, message: &[u8]) {
    match deflater {
        None => write(out, Role::Server, opcode, false, message),
        Some(deflater) => write(out, Role::Server, opcode, true, &deflater.message(message)),
    }
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
        assert_eq!(frame(Coding::Plain, b"7\nquote\n{}", false).unwrap().as_ref(), b"\x81\x0a7\nquote\n{}");
        for (length, header) in [
            (0, &b"\x81\x00"[..]),
            (125, b"\x81\x7d"),
            (126, b"\x81\x7e\x00\x7e"),
            (65_535, b"\x81\x7e\xff\xff"),
            (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
        ] {
            let frame = frame(Coding::Plain, &vec![b'x'; length], false).unwrap();
            assert_eq!((&frame[..header.len()], frame.len()), (header, header.len() + length));
        }
        assert!(frame(Coding::Plain, b"\xff", false).is_err());
        // 5.2: "%x2 denotes a binary frame".
        assert_eq!(
            frame(Coding::Plain, b"7\nquote\n\xff", true).unwrap().as_ref(),
            b"\x82\x097\nquote\n\xff"
        );
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
