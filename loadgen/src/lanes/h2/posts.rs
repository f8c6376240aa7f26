//! Messages upward on the connection that carries the event streams: a `POST` on a stream of its own each,
//! and its answer (RFC 9113 8.1).
//!
//! Requests do not wait for each other, as a browser's do not over HTTP/2; what may not be sent yet, for
//! the peer's window or its number of streams, waits in order.

use std::collections::{BTreeSet, VecDeque};

use super::frame::{self, Head, Kind};
use super::hpack::Field;
use super::polls::Polls;
use super::{Fault, H2, stream};
use crate::failure::Failure;
use crate::lanes::Bytes;
use crate::lanes::handshake::Handshake;
use crate::lanes::voice::layers;

/// Messages that may wait.
const MAX_WAITING: usize = 256;

/// The requests of a connection.
#[derive(Debug, Default)]
pub struct Posts {
    /// Streams opened for messages so far.
    begun: usize,
    /// The streams whose answer is awaited.
    open: BTreeSet<u32>,
    /// Client and message.
    waiting: VecDeque<(u64, Vec<u8>)>,
}

impl H2 {
    /// Sends a client's message, or lets it wait; false when too many do.
    pub fn post(&mut self, client: u64, message: Vec<u8>) -> bool {
        let has_room = self.posts.waiting.len() < MAX_WAITING;
        if has_room {
            self.posts.waiting.push_back((client, message));
            self.send_waiting();
        }
        has_room
    }

    /// Whether an answer to a message or a poll is awaited, or a message waits.
    #[must_use]
    pub fn is_asking(&self) -> bool {
        let polls = self.polls.as_ref().is_some_and(Polls::is_asking);
        polls || !self.posts.open.is_empty() || !self.posts.waiting.is_empty()
    }

    /// Sends what may be sent now.
    pub(super) fn send_waiting(&mut self) {
        while let Some((client, message)) = self.posts.waiting.front() {
            let streams = self.live().count() + self.posts.open.len();
            let has_stream = !self.is_opening() && streams < self.peer.max_streams as usize;
            let fits = message.len() <= self.peer.first_window as usize;
            if !has_stream || !fits || !self.peer.window.send(message.len()) {
                return;
            }
            let fields = Handshake::message_fields(&self.target, *client, message.len());
            let (_, message) = self.posts.waiting.pop_front().expect("it was seen");
            self.write_post(&fields, &message);
        }
    }

    fn write_post(&mut self, fields: &[(&'static str, String)], message: &[u8]) {
        let id = stream::id(self.streams.len() + self.posts.begun);
        self.posts.begun += 1;
        self.posts.open.insert(id);
        let before = self.outbox.len();
        let head = self.heads.encode(fields);
        frame::write(&mut self.outbox, Kind::Headers, frame::END_HEADERS, id, &head);
        let mut parts = message.chunks(scenarios::http2::FRAME_BYTES as usize).peekable();
        while let Some(part) = parts.next() {
            let flags = if parts.peek().is_none() { frame::END_STREAM } else { 0 };
            frame::write(&mut self.outbox, Kind::Data, flags, id, part);
        }
        let written = (self.outbox.len() - before - message.len()) as u64;
        self.counts = self.counts + Bytes { up_transport: written, ..layers(message) };
    }

    /// Whether a stream was opened for a message.
    pub(super) fn is_post(&self, id: u32) -> bool {
        let streams = self.streams.len();
        stream::number(id).is_some_and(|number| (streams..streams + self.posts.begun).contains(&number))
    }

    /// The head of an answer, which is all of it.
    pub(super) fn answered(&mut self, head: Head, fields: &[Field]) -> Result<(), Fault> {
        let code = stream::code(fields).map_err(Fault::Failed)?;
        if code != 204 {
            return Err(Fault::Failed(Failure::Status(code)));
        }
        if !head.has(frame::END_STREAM) || !self.posts.open.remove(&head.stream) {
            return Err(
                (frame::PROTOCOL_ERROR, "an answer to a message that does not end, or comes again").into()
            );
        }
        self.send_waiting();
        Ok(())
    }
}
