//! One connection of HTTP/2 (RFC 9113), the client's end, incremental and without I/O: streams that each
//! have a decoder of their own, and bytes by layer.
//!
//! Own code rather than a library's, because each event's place on the wire and every byte's layer are
//! measured here. DATA is handed on as it comes, without a copy; what is to be sent waits in an outbox.

use scenarios::{Event, Http2, Transport};

use super::handshake::Handshake;
use super::{Bytes, Target};
use crate::failure::Failure;
use frame::{Broken, HEADER, Head};
use heads::Heads;
use polls::Polls;
use posts::Posts;
use stream::Stream;
use window::{Receiving, Sending};

mod control;
pub mod frame;
pub mod heads;
pub mod hpack;
pub mod huffman;
mod polls;
mod posts;
mod stream;
mod walk;
pub mod window;

/// The largest head taken, as it travels.
const MAX_BLOCK: usize = 16 * 1024;

/// What a peer that does not read may make us say.
const MAX_OUTBOX: usize = 64 * 1024;

/// What a connection tells of its streams, by their number from 0.
#[derive(Debug)]
pub enum Told<'a> {
    /// The response has begun.
    Open(usize),
    /// One event, and how many bytes of the connection there were up to its end.
    Event(usize, &'a Event<'a>, u64),
    /// The stream is over.
    Over(usize, &'a Failure),
}

/// Why a connection is over.
enum Fault {
    /// The peer broke the protocol; it is told so.
    Broken(Broken),
    /// What else ended it.
    Failed(Failure),
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// What the next byte is part of.
#[derive(Debug)]
enum At {
    Head([u8; HEADER], usize),
    Frame(Under),
}

/// A frame under way.
#[derive(Debug)]
struct Under {
    head: Head,
    left: usize,
    /// Bytes of data and of padding that are left of a DATA frame.
    data: usize,
    part: Part,
}

/// What a frame belongs to that is no DATA.
#[derive(Clone, Copy, Debug)]
enum Part {
    Handshake,
    Control,
    /// The answer to a message.
    Answer,
    /// The head of the answer to a poll.
    Poll,
}

/// A head whose last part is awaited.
#[derive(Debug)]
struct Block {
    head: Head,
    bytes: Vec<u8>,
}

/// The connection's state between reads.
#[derive(Debug)]
pub struct H2 {
    at: At,
    /// Payload of a frame that is no DATA.
    payload: Vec<u8>,
    block: Option<Block>,
    fields: hpack::Decoder,
    heads: Heads,
    streams: Vec<Stream>,
    /// Streams whose response is still to come.
    opening: usize,
    /// What its streams ask for, and how their answers are read.
    target: Target,
    handshake: Handshake,
    window: Receiving,
    settings: Http2,
    posts: Posts,
    /// The present poll, where its client polls.
    polls: Option<Polls>,
    peer: Peer,
    outbox: Vec<u8>,
    received: u64,
    counts: Bytes,
    exact: bool,
    over: Option<Failure>,
    /// Whether it lives on without streams, to be asked again.
    keeps: bool,
    /// What the last stream that said so closed with, and asked for.
    close_code: Option<u16>,
    retry: Option<u64>,
}

/// What the peer has said of itself.
#[derive(Debug)]
struct Peer {
    begun: bool,
    max_streams: u32,
    /// Whether it takes extended CONNECT (RFC 8441 3).
    connects: bool,
    first_window: u32,
    window: Sending,
}

impl H2 {
    /// The code with which a server said goodbye on a stream, where there are such.
    #[must_use]
    pub const fn close_code(&self) -> Option<u16> {
        self.close_code
    }

    /// The reconnection time that a stream asked for last, milliseconds.
    #[must_use]
    pub const fn retry(&self) -> Option<u64> {
        self.retry
    }

    /// A connection of as many streams as the target says; its first words, and the first request if it
    /// may be sent at once, are in the outbox.
    #[must_use]
    pub fn new(target: &Target) -> Self {
        let (settings, streams) = (Http2::of(target.lane, &target.scenario), target.streams);
        let first = scenarios::http2::FIRST_WINDOW;
        let peer = Peer {
            begun: false,
            max_streams: u32::MAX,
            connects: false,
            first_window: first,
            window: Sending::new(first),
        };
        let mut connection = Self {
            at: At::Head([0; HEADER], 0),
            payload: Vec::new(),
            block: None,
            fields: hpack::Decoder::default(),
            heads: Heads::default(),
            streams: (0..streams).map(|_| Stream::new(settings.stream_window_bytes)).collect(),
            opening: streams,
            target: target.clone(),
            handshake: Handshake::new(target.lane),
            window: Receiving::new(settings.connection_window_bytes.max(first)),
            settings,
            posts: Posts::default(),
            polls: target.lane.transport.polls().then(Polls::default),
            peer,
            outbox: Vec::new(),
            received: 0,
            counts: Bytes::default(),
            exact: false,
            over: None,
            keeps: false,
            close_code: None,
            retry: None,
        };
        if connection.polls.is_some() {
            connection.heads.pass(":path");
        }
        connection.begin_connection();
        if !connection.is_two_way() {
            connection.ask(0);
        }
        connection
    }

    /// Whether its streams carry WebSockets: each is asked for by an extended CONNECT, not before the peer
    /// has said that it takes such (RFC 8441 3), and stays open from this side.
    fn is_two_way(&self) -> bool {
        self.target.lane.transport == Transport::Ws
    }

    /// Takes what was received up to the head of the first stream's response; how many bytes that
    /// are, and `None` while it is incomplete (then all of them are taken).
    ///
    /// # Errors
    /// The connection, or its first stream, does not open.
    pub fn open(&mut self, received: &[u8]) -> Result<Option<usize>, Failure> {
        let (mut at, mut refused) = (0, None);
        while at < received.len() {
            let stepped = self.step(&received[at..], &mut |told| {
                if let Told::Over(_, failure) = told {
                    refused = Some(failure.clone());
                }
            });
            if let Some(failure) = refused {
                return Err(failure);
            }
            at += stepped?;
            if self.streams[0].is_open() {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// From now on the connection lives on when its last stream is over.
    pub const fn keep(&mut self) {
        self.keeps = true;
    }

    /// Asks once more for the first stream, behind this event; false if the connection is over.
    pub fn again(&mut self, after: &[u8]) -> bool {
        if self.over.is_some() {
            return false;
        }
        self.target.after = after.to_vec();
        self.streams.push(Stream::new(self.settings.stream_window_bytes));
        self.opening += 1;
        self.ask(self.streams.len() - 1);
        true
    }

    /// Resets the streams that are not over (RFC 9113 5.4.2, CANCEL: "the stream is no longer needed").
    pub fn cancel(&mut self) {
        for number in self.live().collect::<Vec<_>>() {
            self.leave(number, &Failure::Ended, &mut |_| {});
        }
    }

    /// Takes one read.
    ///
    /// # Errors
    /// The connection is over: broken, or none of its streams is left. It stays so, and later bytes
    /// are only counted.
    pub fn feed(&mut self, input: &[u8], hear: &mut impl FnMut(Told<'_>)) -> Result<(), Failure> {
        let end = self.received + input.len() as u64;
        let mut at = 0;
        while at < input.len() {
            match self.step(&input[at..], hear) {
                Ok(taken) => at += taken,
                Err(failure) => {
                    self.received = end;
                    return Err(failure);
                }
            }
        }
        Ok(())
    }

    /// Bytes received by layer; what was sent is not known here.
    #[must_use]
    pub fn counts(&self) -> Bytes {
        // What frames the events of a stream is transport framing like the rest that nobody counts.
        let told = self.counts.received() - self.counts.transport_framing;
        Bytes { transport_framing: self.received - told, ..self.counts }
    }

    /// From now on events have their exact place also where that costs something, on the streams that are
    /// open and those to come.
    pub fn pinpoint(&mut self) {
        self.exact = true;
        self.streams.iter_mut().for_each(Stream::pinpoint);
    }

    /// Streams that have not been told to be over.
    pub fn live(&self) -> impl Iterator<Item = usize> {
        let streams = self.streams.iter().enumerate();
        streams.filter(|(_, stream)| !stream.is_over()).map(|(number, _)| number)
    }

    /// Whether the answer to a request is still awaited.
    #[must_use]
    pub const fn is_opening(&self) -> bool {
        self.opening > 0
    }

    /// Frames that wait to be sent; the caller removes what it has sent.
    pub const fn outbox(&mut self) -> &mut Vec<u8> {
        &mut self.outbox
    }

    /// What this end has told the other.
    #[must_use]
    pub const fn settings(&self) -> Http2 {
        self.settings
    }
}
