//! Polls over HTTP/2: each is a stream of its own, one after the other on its client's connection, and one
//! decoder reads all their answers (RFC 9113 8.1).
//!
//! The head of a request says in full where it asks, because that changes with every event: entered into the
//! peer's table it would push out what does come again. A stream's number is used once, so a connection has
//! 2^30 polls in it (RFC 9113 5.1.1).

use super::frame::{self, Broken, Kind};
use super::hpack::Field;
use super::stream::{self, State};
use super::window::Receiving;
use super::{H2, Told};
use crate::failure::Failure;
use crate::lanes::handshake::Handshake;
use crate::lanes::poll::{self, Poll};

/// The number of the last stream there is, whose id is 2^31-1.
pub const LAST: usize = (1 << 30) - 1;

/// The present poll of a connection.
#[derive(Debug, Default)]
pub struct Polls {
    /// The number of its stream.
    number: usize,
    phase: Phase,
    /// Bytes of the head of its answer.
    head: u64,
    /// The peer takes no further request.
    leaving: bool,
}

/// Where the present poll stands.
#[derive(Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Its answer's head is awaited.
    #[default]
    Asked,
    /// Its answer has begun.
    Answered,
    /// Its answer is complete.
    Over,
}

impl Polls {
    fn id(&self) -> u32 {
        stream::id(self.number)
    }

    /// Whether its answer is awaited, or under way.
    #[must_use]
    pub fn is_asking(&self) -> bool {
        self.phase != Phase::Over
    }

    /// Bytes of the head of its answer have come.
    pub const fn hear(&mut self, bytes: usize) {
        self.head += bytes as u64;
    }
}

impl H2 {
    /// Its time has come; whether it must be told again.
    pub fn due(&mut self, unless: Option<u64>) -> bool {
        self.polled(|poll| poll.due(unless)).unwrap_or(false)
    }

    /// Opens a stream for the poll that waits to be sent, if one does.
    pub fn poll(&mut self) {
        // One waits only behind the end of the one before.
        let Some(polls) = &mut self.polls else { return };
        let stream = &mut self.streams[0];
        let Some(path) = stream.outbox().filter(|path| !path.is_empty()).map(std::mem::take) else { return };
        *polls = Polls { number: polls.number + 1, ..Polls::default() };
        stream.window = Receiving::new(self.settings.stream_window_bytes);
        let head = self.heads.encode(&Handshake::poll_fields(&self.target, &path));
        let flags = frame::END_HEADERS | frame::END_STREAM;
        frame::write(&mut self.outbox, Kind::Headers, flags, polls.id(), &head);
    }

    /// The id of a stream of ours.
    pub(super) fn id(&self, number: usize) -> u32 {
        self.polls.as_ref().map_or_else(|| stream::id(number), Polls::id)
    }

    /// The number of a stream of ours; what is polled for is the first, while it is asked for.
    pub(super) fn number(&self, id: u32) -> Option<usize> {
        match &self.polls {
            Some(polls) => (polls.is_asking() && polls.id() == id).then_some(0),
            None => stream::number(id).filter(|number| *number < self.streams.len()),
        }
    }

    /// Whether it is the stream of a poll whose answer was complete: frames that crossed it say nothing any
    /// more (RFC 9113 5.1, "closed").
    pub(super) fn is_past(&self, id: u32) -> bool {
        let polls = self.polls.as_ref().filter(|_| id % 2 == 1);
        polls.is_some_and(|polls| id < polls.id() || id == polls.id() && !polls.is_asking())
    }

    /// Why a head, or data, may not come on a stream that is none of those asked for.
    pub(super) fn stray(&self, id: u32, reason: &'static str) -> Broken {
        match self.is_past(id) {
            true => (frame::STREAM_CLOSED, "an answer to a poll goes on behind its end"),
            false => (frame::PROTOCOL_ERROR, reason),
        }
    }

    /// Whether the head of a poll's answer is awaited on a stream that polled before.
    pub(super) fn awaits_answer(&self) -> bool {
        self.streams[0].is_open() && self.polls.as_ref().is_some_and(|polls| polls.phase == Phase::Asked)
    }

    /// The head of the first answer has come, which its decoder knows.
    pub(super) fn begin_answer(&mut self) {
        if let Some(polls) = &mut self.polls {
            polls.phase = Phase::Answered;
        }
    }

    /// The head of a further answer.
    pub(super) fn answer(&mut self, fields: &[Field], ends: bool, hear: &mut impl FnMut(Told<'_>)) {
        let head = self.polls.as_ref().map_or(0, |polls| polls.head);
        match stream::response(fields, ends, poll::said) {
            Ok(None) => {}
            Ok(Some(answer)) => {
                self.begin_answer();
                self.polled(|poll| poll.answered(answer, head));
                if ends {
                    self.ended(0, hear);
                }
            }
            Err(failure) if ends => self.over(0, State::Ended, &failure, hear),
            Err(failure) => self.leave(0, &failure, hear),
        }
    }

    /// The stream of a poll has ended: its client stays, unless this cannot go on; false where nothing is
    /// polled for.
    pub(super) fn poll_ended(&mut self, hear: &mut impl FnMut(Told<'_>)) -> bool {
        let Some(polls) = &mut self.polls else { return false };
        polls.phase = Phase::Over;
        let (is_last, leaving) = (polls.number == LAST, polls.leaving);
        let failure = match self.polled(Poll::ended) {
            Some(Err(failure)) => failure,
            _ if leaving => Failure::Ended,
            _ if is_last => {
                Failure::Protocol("HTTP/2: this connection has no stream ids left: 2^30 polls".into())
            }
            _ => return true,
        };
        self.over(0, State::Ended, &failure, hear);
        true
    }

    /// RFC 9113 6.8: "Receivers of a GOAWAY frame MUST NOT open additional streams on the connection".
    pub(super) fn stop_polling(&mut self, hear: &mut impl FnMut(Told<'_>)) {
        let Some(polls) = &mut self.polls else { return };
        polls.leaving = true;
        if !polls.is_asking() {
            self.over(0, State::Ended, &Failure::Ended, hear);
        }
    }

    /// Does something with the client's polls, and counts what that changes.
    fn polled<R>(&mut self, act: impl FnOnce(&mut Poll) -> R) -> Option<R> {
        let State::Open(decoder) = &mut self.streams.first_mut()?.state else { return None };
        let before = decoder.counts();
        let done = act(decoder.polls()?);
        self.counts = self.counts + decoder.counts() - before;
        Some(done)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use scenarios::Scenario;

    use super::*;
    use crate::lanes::Target;
    use crate::lanes::h2::frame::{END_HEADERS, END_STREAM};

    /// RFC 9113 5.1.1: "Stream identifiers cannot be reused"; "A client that is unable to establish a new
    /// stream identifier can establish a new connection": what was asked last is answered, and then it is over.
    #[test]
    fn a_connection_without_further_stream_ids_is_over_and_says_so() {
        let target = Target {
            lane: "longpoll-h2".parse().unwrap(),
            address: "127.0.0.1:8080".parse().unwrap(),
            source: None,
            path: None,
            client: 0,
            scenario: Arc::new(Scenario::load("smoke", &[]).unwrap().1),
            streams: 1,
            tls: None,
            after: Vec::new(),
        };
        // `:status` 204 is index 9 of RFC 7541 Appendix A.
        let nothing = |id| {
            let mut out = Vec::new();
            frame::write(&mut out, Kind::Headers, END_HEADERS | END_STREAM, id, b"\x89");
            out
        };
        let mut h2 = H2::new(&target);
        let first = [&b"\0\0\0\x04\0\0\0\0\0"[..], &nothing(1)].concat();
        assert_eq!(h2.open(&first), Ok(Some(first.len())));
        h2.polls.as_mut().unwrap().number = LAST - 1;
        h2.outbox().clear();
        h2.poll();
        assert_eq!(h2.outbox()[5..9], *b"\x7f\xff\xff\xff");
        let mut over = None;
        let end = h2.feed(&nothing(0x7fff_ffff), &mut |told| {
            if let Told::Over(0, failure) = told {
                over = Some(failure.to_string());
            }
        });
        assert!(end.is_err() && over.as_ref().unwrap().contains("no stream ids left"), "{over:?}");
        assert_eq!(h2.counts().polls, 2);
        h2.outbox().clear();
        h2.poll();
        assert!(h2.outbox().is_empty());
    }
}
