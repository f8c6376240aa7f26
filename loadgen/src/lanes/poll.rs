//! The polling lanes' wire: requests for what came after the last event, and their answers on one
//! kept-alive connection.
//!
//! An answer's body is an event stream, so the decoder is that of SSE, and its events carry the same
//! identity. What is to be sent waits in an outbox, because this file does no I/O; when to ask is told
//! from outside, except that a long poll is asked again as soon as it is answered. Over HTTP/2 each poll is
//! a stream of its own: heads and ends come from outside then (`h2/polls.rs`).

use std::io::Write as _;
use std::net::SocketAddr;

use httparse::Response;
use scenarios::{Coding, Event, Transport};

use super::Bytes;
use super::handshake::{MAX_HEADERS, body, head};
use super::sse::Body;
use super::sse_event::Events;
use crate::failure::Failure;

/// Where a server answers at once.
pub const POLL_PATH: &str = "/poll";
/// Where a server holds a request until it can answer.
pub const LONG_POLL_PATH: &str = "/longpoll";

/// One client that polls.
#[derive(Debug)]
pub struct Poll {
    transport: Transport,
    /// Whom its requests name; none where a connection of streams writes their heads and reads those of
    /// the answers.
    host: Option<SocketAddr>,
    /// A head of which the end has not come.
    rest: Vec<u8>,
    /// What is left of the answer's body; none between answers.
    left: Option<u64>,
    /// The body has held an event.
    full: bool,
    /// Length of the answer's head, unless the handshake counts it.
    head: u64,
    asked: bool,
    events: Events,
    counts: Bytes,
    outbox: Vec<u8>,
}

/// What an answer's head says: the length of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer(u64);

/// Where to ask for what came after an id, or for the latest event.
#[must_use]
pub fn path(transport: Transport, after: &[u8]) -> Vec<u8> {
    let path = if transport == Transport::LongPoll { LONG_POLL_PATH } else { POLL_PATH };
    let query = if after.is_empty() { "" } else { "?after=" };
    [path.as_bytes(), query.as_bytes(), after].concat()
}

/// A request for what came after an id, or for the latest event: as small as the other lanes'.
#[must_use]
pub fn request(transport: Transport, host: SocketAddr, after: &[u8]) -> Vec<u8> {
    let mut out = [b"GET ", &path(transport, after)[..]].concat();
    write!(out, " HTTP/1.1\r\nhost: {host}\r\naccept: text/event-stream\r\n\r\n").expect("a Vec takes all");
    out
}

/// Reads the head of an answer: its length and what it says; `None` while it is incomplete.
///
/// # Errors
/// It is no answer: 204, or 200 with an event stream of known length.
pub fn answer(received: &[u8]) -> Result<Option<(usize, Answer)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = Response::new(&mut headers);
    let Some(length) = head(&mut response, received)? else { return Ok(None) };
    Ok(Some((length, said(&response)?)))
}

/// What the head of an answer says.
///
/// # Errors
/// As [`answer`].
pub fn said(response: &Response<'_, '_>) -> Result<Answer, Failure> {
    if response.code == Some(204) {
        return Ok(Answer(0));
    }
    match body(response, Coding::Plain)? {
        Body::Length(left) => Ok(Answer(left)),
        Body::Chunked(_) | Body::UntilClose => {
            Err(Failure::Protocol("the answer to a poll has no length".into()))
        }
    }
}

impl Poll {
    /// A client whose first request was answered with this head; the data of its events may be base64.
    #[must_use]
    pub fn new(transport: Transport, host: SocketAddr, answer: Answer, is_base64: bool) -> Self {
        let mut poll = Self { host: Some(host), ..Self::on_streams(transport, answer, is_base64) };
        poll.settle();
        poll
    }

    /// The same where each poll is a stream: its outbox has the paths of requests rather than requests.
    #[must_use]
    pub fn on_streams(transport: Transport, Answer(length): Answer, is_base64: bool) -> Self {
        Self {
            transport,
            host: None,
            rest: Vec::new(),
            left: Some(length),
            full: false,
            head: 0,
            asked: true,
            events: Events::default().with_base64(is_base64),
            counts: Bytes::default(),
            outbox: Vec::new(),
        }
    }

    /// Takes one read; `emit` gets the index behind the event's last byte.
    ///
    /// # Errors
    /// What came is no answer, or nothing was asked.
    pub fn feed(&mut self, input: &[u8], emit: &mut impl FnMut(&Event<'_>, usize)) -> Result<(), Failure> {
        let mut at = 0;
        while at < input.len() {
            let Some(left) = self.left else {
                let Some(length) = self.begin(&input[at..])? else { return Ok(()) };
                at += length;
                continue;
            };
            if left == 0 {
                return Err(Failure::Protocol("the answer to a poll is longer than it says".into()));
            }
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(input.len() - at);
            let full = &mut self.full;
            self.events.feed(&input[at..at + length], &mut |event, end| {
                *full = true;
                emit(event, at + end);
            })?;
            at += length;
            self.left = Some(left - length as u64);
            if left == length as u64 && !self.events.is_between_blocks() {
                return Err(Failure::Protocol("the answer to a poll ends inside an event".into()));
            }
            if self.host.is_some() {
                self.settle();
            }
        }
        Ok(())
    }

    /// An answer has begun on its stream, with a head of so many bytes.
    pub const fn answered(&mut self, Answer(length): Answer, head: u64) {
        self.head = head;
        self.left = Some(length);
    }

    /// The stream of the answer has ended.
    ///
    /// # Errors
    /// Too early.
    pub fn ended(&mut self) -> Result<(), Failure> {
        match self.left {
            Some(0) => {
                self.settle();
                Ok(())
            }
            Some(_) | None => Err(Failure::Protocol("the answer to a poll is shorter than it says".into())),
        }
    }

    /// Its time has come: asks, unless this event has come already. Whether its time will come again.
    pub fn due(&mut self, unless: Option<u64>) -> bool {
        if unless.is_some_and(|seq| self.last_seq().is_some_and(|last| last >= seq)) {
            return false;
        }
        match self.asked {
            true => self.counts.skipped_polls += 1,
            false => self.ask(),
        }
        true
    }

    /// Whether an answer is awaited.
    #[must_use]
    pub const fn is_asking(&self) -> bool {
        self.asked
    }

    /// Bytes of what was decoded, and polls by what came of them.
    #[must_use]
    pub fn counts(&self) -> Bytes {
        let Bytes { payload, control, event_framing, .. } = self.events.counts();
        let poll_heads = self.counts.poll_heads + self.rest.len() as u64;
        Bytes { payload, control, event_framing, poll_heads, ..self.counts }
    }

    /// Requests that wait to be sent, or the path of one.
    pub const fn outbox(&mut self) -> &mut Vec<u8> {
        &mut self.outbox
    }

    /// Takes the head of an answer, or what has come of it; gives how many of these bytes it took.
    fn begin(&mut self, input: &[u8]) -> Result<Option<usize>, Failure> {
        if !self.asked {
            return Err(Failure::Protocol("the server answers what was not asked".into()));
        }
        let before = self.rest.len();
        let answered = match before {
            0 => answer(input)?,
            _ => {
                self.rest.extend_from_slice(input);
                answer(&self.rest)?
            }
        };
        let Some((length, Answer(left))) = answered else {
            if before == 0 {
                self.rest = input.to_vec();
            }
            return Ok(None);
        };
        self.rest = Vec::new();
        self.head = length as u64;
        self.counts.poll_heads += self.head;
        self.left = Some(left);
        self.settle();
        Ok(Some(length - before))
    }

    /// When an answer is complete, counts it; a long poll is asked anew.
    fn settle(&mut self) {
        if self.left != Some(0) {
            return;
        }
        self.left = None;
        self.asked = false;
        self.counts.polls += 1;
        if !std::mem::take(&mut self.full) {
            self.counts.empty_polls += 1;
            self.counts.empty_poll_heads += self.head;
        }
        if self.transport == Transport::LongPoll {
            self.ask();
        }
    }

    fn ask(&mut self) {
        self.asked = true;
        let after = self.events.last_id();
        self.outbox.append(&mut match self.host {
            Some(host) => request(self.transport, host, after),
            None => path(self.transport, after),
        });
    }

    fn last_seq(&self) -> Option<u64> {
        scenarios::envelope::decimal(self.events.last_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 29\r\n\r\nid: 7\nevent: quote\ndata: {}\n\n";
    const TWO: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 59\r\ncontent-type: text/event-stream\r\n\r\nid: 8\nevent: quote\ndata: {}\n\nid: 10\nevent: quote\ndata: {}\n\n";
    const NOTHING: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

    fn host() -> SocketAddr {
        "127.0.0.1:80".parse().unwrap()
    }

    fn client(transport: Transport) -> Poll {
        Poll::new(transport, host(), Answer(0), false)
    }

    fn fed(poll: &mut Poll, wire: &[u8]) -> Result<Vec<(Option<u64>, usize)>, Failure> {
        let mut events = Vec::new();
        poll.feed(wire, &mut |event, end| events.push((event.seq(), end)))?;
        Ok(events)
    }

    /// RFC 9112 3.2: "A client MUST send a Host header field [...] in all HTTP/1.1 request messages."
    #[test]
    fn golden_bytes_of_a_request() {
        let first = request(Transport::Poll, host(), b"");
        assert_eq!(first, b"GET /poll HTTP/1.1\r\nhost: 127.0.0.1:80\r\naccept: text/event-stream\r\n\r\n");
        let later = request(Transport::LongPoll, host(), b"17");
        assert!(later.starts_with(b"GET /longpoll?after=17 HTTP/1.1\r\nhost: "));
    }

    #[test]
    fn answers_are_event_streams_and_every_byte_has_its_layer() {
        let wire = [ONE, NOTHING, TWO].concat();
        for split in 0..=wire.len() {
            let mut poll = client(Transport::LongPoll);
            let mut ids = Vec::new();
            for (part, base) in [(&wire[..split], 0), (&wire[split..], split)] {
                ids.extend(fed(&mut poll, part).unwrap().iter().map(|(id, end)| (id.unwrap(), base + end)));
            }
            assert_eq!(ids.iter().map(|id| id.0).collect::<Vec<_>>(), [7, 8, 10], "split at {split}");
            assert_eq!(ids[2].1, wire.len());
            let counts = poll.counts();
            assert_eq!(counts.payload, 6);
            assert_eq!(counts.event_framing + counts.payload, 29 + 59);
            assert_eq!(counts.down() as usize, wire.len());
            assert_eq!((counts.polls, counts.empty_polls), (4, 2));
            assert_eq!(counts.empty_poll_heads, NOTHING.len() as u64);
            assert!(poll.outbox().ends_with(&request(Transport::LongPoll, host(), b"10")));
        }
    }

    #[test]
    fn a_poll_waits_for_its_time_and_is_never_doubled() {
        let mut poll = client(Transport::Poll);
        assert!(poll.outbox().is_empty(), "nobody told it to ask");
        assert!(poll.due(None) && poll.due(None));
        assert_eq!(std::mem::take(poll.outbox()), request(Transport::Poll, host(), b""));
        assert_eq!(poll.counts().skipped_polls, 1);
        fed(&mut poll, NOTHING).unwrap();
        assert!(poll.due(Some(7)) && !poll.outbox().is_empty());
        fed(&mut poll, ONE).unwrap();
        assert!(!poll.due(Some(7)), "that event has come");
        assert!(poll.due(Some(8)));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let cases: [(&[u8], &str); 5] = [
            (b"HTTP/1.1 500 Oh\r\n\r\n", "status 500"),
            (b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 3\r\n\r\n", "text/html"),
            (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n", "no length"),
            (
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 4\r\n\r\ndata",
                "inside an event",
            ),
            (b"garbage\r\n\r\n", "response head"),
        ];
        for (wire, expected) in cases {
            let failure = fed(&mut client(Transport::LongPoll), wire).unwrap_err().to_string();
            assert!(failure.contains(expected), "{failure}");
        }
        let unasked = fed(&mut client(Transport::Poll), NOTHING).unwrap_err().to_string();
        assert!(unasked.contains("not asked"), "{unasked}");
    }
}
