//! The WebSocket lane's wire: frames put together to messages (RFC 6455 5.4 to 5.6), pings
//! answered, the closing handshake kept.
//!
//! A frame that lies whole in one read is decoded where it lies. What is to be sent waits in an
//! outbox, because this file does no I/O.

use scenarios::{Envelope, Event, Identity};

use super::decoder::{Messages, carry};
use super::ws_frame::{
    Broken, Header, INVALID_DATA, Opcode, PROTOCOL_ERROR, TOO_BIG, check_close, write_control,
};
use super::{Bytes, MAX_EVENT};
use crate::failure::Failure;

/// Pongs are left out beyond so many unsent bytes: the peer does not read.
const MAX_OUTBOX: usize = 4 * 1024;

/// The decoder's state between reads.
#[derive(Debug)]
pub struct Ws {
    rest: Vec<u8>,
    state: State,
}

#[derive(Debug)]
struct State {
    messages: Messages,
    control: u64,
    outbox: Vec<u8>,
    /// The message whose last fragment is awaited: its opcode and what came so far.
    open: Option<(Opcode, Vec<u8>)>,
    closed: bool,
}

impl Ws {
    /// A stream behind its 101 response.
    #[must_use]
    pub const fn new(identity: Identity, envelope: Envelope) -> Self {
        let messages = Messages::new(identity, envelope);
        let state = State { messages, control: 0, outbox: Vec::new(), open: None, closed: false };
        Self { rest: Vec::new(), state }
    }

    /// Takes one read; `emit` gets the index behind the event's last byte.
    ///
    /// # Errors
    /// The peer broke RFC 6455; the close frame that tells it so is in the outbox.
    pub fn feed(&mut self, input: &[u8], emit: &mut impl FnMut(&Event<'_>, usize)) -> Result<(), Failure> {
        let before = self.rest.len();
        let state = &mut self.state;
        carry(&mut self.rest, input, |bytes| {
            let walked = state.walk(bytes, &mut |event: &Event<'_>, end: usize| emit(event, end - before));
            walked.map_err(|(code, reason)| {
                state.close(&code.to_be_bytes());
                Failure::Protocol(format!("WebSocket: {reason}"))
            })
        })
    }

    /// Bytes of what was decoded.
    #[must_use]
    pub fn counts(&self) -> Bytes {
        Bytes { control: self.state.control, ..self.state.messages.counts() }
    }

    /// Frames that wait to be sent.
    pub const fn outbox(&mut self) -> &mut Vec<u8> {
        &mut self.state.outbox
    }
}

impl State {
    /// Walks over whole frames; returns how many bytes they are.
    fn walk(&mut self, bytes: &[u8], emit: &mut impl FnMut(&Event<'_>, usize)) -> Result<usize, Broken> {
        let mut at = 0;
        while !self.closed {
            let Some(header) = Header::read(&bytes[at..])? else { return Ok(at) };
            let length = usize::try_from(header.length)
                .ok()
                .filter(|length| *length <= MAX_EVENT)
                .ok_or((TOO_BIG, "a frame is larger than 16 MiB"))?;
            let start = at + header.size;
            let Some(payload) = bytes.get(start..start + length) else { return Ok(at) };
            at = start + length;
            self.frame(header, payload, |event| emit(event, at))?;
        }
        // RFC 6455 1.4: "after receiving a control frame indicating the connection should be
        // closed, a peer discards any further data received".
        self.control += (bytes.len() - at) as u64;
        Ok(bytes.len())
    }

    fn frame(&mut self, header: Header, payload: &[u8], emit: impl FnOnce(&Event<'_>)) -> Result<(), Broken> {
        match header.opcode {
            Opcode::Text | Opcode::Binary => self.begin(header, payload, emit),
            Opcode::Continuation => self.proceed(header, payload, emit),
            Opcode::Ping | Opcode::Pong | Opcode::Close => {
                self.control += (header.size + payload.len()) as u64;
                self.answer(header.opcode, payload)
            }
        }
    }

    fn begin(&mut self, header: Header, payload: &[u8], emit: impl FnOnce(&Event<'_>)) -> Result<(), Broken> {
        if self.open.is_some() {
            return Err((PROTOCOL_ERROR, "a message starts inside another"));
        }
        if header.fin {
            return self.message(header.opcode, payload, emit);
        }
        self.open = Some((header.opcode, payload.to_vec()));
        Ok(())
    }

    fn proceed(
        &mut self,
        header: Header,
        payload: &[u8],
        emit: impl FnOnce(&Event<'_>),
    ) -> Result<(), Broken> {
        let Some((opcode, mut message)) = self.open.take() else {
            return Err((PROTOCOL_ERROR, "a continuation without a message"));
        };
        if message.len() + payload.len() > MAX_EVENT {
            return Err((TOO_BIG, "a message is larger than 16 MiB"));
        }
        message.extend_from_slice(payload);
        if header.fin {
            return self.message(opcode, &message, emit);
        }
        self.open = Some((opcode, message));
        Ok(())
    }

    fn message(
        &mut self,
        opcode: Opcode,
        message: &[u8],
        emit: impl FnOnce(&Event<'_>),
    ) -> Result<(), Broken> {
        if opcode == Opcode::Text && std::str::from_utf8(message).is_err() {
            return Err((INVALID_DATA, "a text message is not UTF-8"));
        }
        self.messages.take(message, emit);
        Ok(())
    }

    fn answer(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Broken> {
        if opcode == Opcode::Ping && self.outbox.len() < MAX_OUTBOX {
            write_control(&mut self.outbox, Opcode::Pong, payload);
        }
        if opcode == Opcode::Close {
            check_close(payload)?;
            self.close(&payload[..payload.len().min(2)]);
        }
        Ok(())
    }

    fn close(&mut self, code: &[u8]) {
        self.closed = true;
        write_control(&mut self.outbox, Opcode::Close, code);
    }
}
