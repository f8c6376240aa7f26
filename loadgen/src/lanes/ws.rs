//! The WebSocket lane's wire: messages of the codec that both ends share, read as events and counted by
//! layer.
//!
//! A frame that lies whole in one read is decoded where it lies; an unfinished one is carried over. What
//! is to be sent waits in an outbox, because this file does no I/O.

use scenarios::{Envelope, Event, Identity};
use servers::websocket::deflate::Context;
use servers::websocket::frame::Role;
use servers::websocket::peer::Peer;

use super::decoder::{Messages, carry};
use super::{Bytes, MAX_EVENT};
use crate::failure::Failure;

/// The decoder's state between reads.
#[derive(Debug)]
pub struct Ws {
    rest: Vec<u8>,
    peer: Peer,
    messages: Messages,
}

impl Ws {
    /// A stream behind its 101 response.
    #[must_use]
    pub fn new(identity: Identity, envelope: Envelope) -> Self {
        let peer = Peer::new(Role::Client, MAX_EVENT, None);
        Self { rest: Vec::new(), peer, messages: Messages::new(identity, envelope) }
    }

    /// The same where the server may compress.
    #[must_use]
    pub fn inflating(self, context: Option<Context>) -> Self {
        Self { peer: Peer::new(Role::Client, MAX_EVENT, context), ..self }
    }

    /// Takes one read; `emit` gets the index behind the event's last byte.
    ///
    /// # Errors
    /// The peer broke RFC 6455; the close frame that tells it so is in the outbox.
    pub fn feed(&mut self, input: &[u8], emit: &mut impl FnMut(&Event<'_>, usize)) -> Result<(), Failure> {
        let before = self.rest.len();
        let Self { rest, peer, messages } = self;
        carry(rest, input, |bytes| {
            let walked = peer.walk(bytes, &mut |message, _| {
                let emit = |event: &Event<'_>| emit(event, message.end - before);
                match message.compressed {
                    false => messages.take(message.data, emit),
                    // Its bytes are counted as they stood on the wire, so not as payload and envelope.
                    true => {
                        let mut apart = *messages;
                        apart.take(message.data, emit);
                    }
                }
            });
            walked.map_err(|(_, reason)| Failure::Protocol(format!("WebSocket: {reason}")))
        })
    }

    /// Bytes of what was decoded.
    #[must_use]
    pub fn counts(&self) -> Bytes {
        Bytes { control: self.peer.control(), coded: self.peer.coded(), ..self.messages.counts() }
    }

    /// Frames that wait to be sent.
    pub const fn outbox(&mut self) -> &mut Vec<u8> {
        self.peer.outbox()
    }

    /// The code with which the server said goodbye.
    #[must_use]
    pub const fn close_code(&self) -> Option<u16> {
        self.peer.told()
    }

    /// The end of the connection that it reads for, to speak with its own messages.
    pub const fn peer(&mut self) -> &mut Peer {
        &mut self.peer
    }
}
