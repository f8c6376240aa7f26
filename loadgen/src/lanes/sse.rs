//! The SSE lane's wire: an HTTP body (chunked, of known length, or until close) that is an event
//! stream (WHATWG HTML 9.2).
//!
//! The grammar of the events themselves is in `sse_event.rs`; here chunk data is handed on to it,
//! through `gunzip.rs` if it is compressed, and offsets in the read are kept, so that the framing of
//! HTTP is a layer of its own.

use scenarios::{Coding, Event};

use super::Bytes;
use super::chunked::Chunked;
use super::gunzip::Gunzip;
use super::sse_event::Events;
use crate::failure::Failure;

/// How the body's end is told (RFC 9112 6.3).
#[derive(Clone, Debug)]
pub enum Body {
    /// `transfer-encoding: chunked`.
    Chunked(Chunked),
    /// `content-length`: so many bytes are left.
    Length(u64),
    /// By closing the connection.
    UntilClose,
}

/// The decoder's state between reads.
#[derive(Debug)]
pub struct Sse {
    body: Body,
    gunzip: Option<Box<Gunzip>>,
    events: Events,
}

impl Sse {
    /// An event stream in such a body.
    #[must_use]
    pub fn new(body: Body) -> Self {
        Self { body, gunzip: None, events: Events::default() }
    }

    /// The same in a body of this content coding.
    #[must_use]
    pub fn coded(self, coding: Coding) -> Self {
        Self { gunzip: coding.is_gzip().then(Box::default), ..self }
    }

    /// From now on events inside a compressed body have their exact place.
    pub fn pinpoint(&mut self) {
        if let Some(gunzip) = &mut self.gunzip {
            gunzip.pinpoint();
        }
    }

    /// The same, the data of its events being base64.
    #[must_use]
    pub fn with_base64(self, is_base64: bool) -> Self {
        Self { events: self.events.with_base64(is_base64), ..self }
    }

    /// Takes one read; `emit` gets the index behind the event's last byte.
    ///
    /// # Errors
    /// [`Failure::Ended`] at the body's end; broken framing or coding; an event above the bound.
    pub fn feed(&mut self, input: &[u8], emit: &mut impl FnMut(&Event<'_>, usize)) -> Result<(), Failure> {
        let mut at = 0;
        while at < input.len() {
            let (framing, data) = self.body.next(&input[at..])?;
            at += framing;
            let events = &mut self.events;
            match &mut self.gunzip {
                None => events.feed(data, &mut |event, end| emit(event, at + end))?,
                Some(gunzip) => gunzip
                    .feed(data, |plain, end| events.feed(plain, &mut |event, _| emit(event, at + end)))?,
            }
            at += data.len();
        }
        if self.body.is_done() { Err(self.at_end()) } else { Ok(()) }
    }

    /// What the end of the body is: that of the stream, unless its coding has not come to its own.
    #[must_use]
    pub fn at_end(&self) -> Failure {
        match &self.gunzip {
            Some(gunzip) if !gunzip.is_over() => Failure::Protocol("gzip: the stream is cut off".into()),
            Some(_) | None => Failure::Ended,
        }
    }

    /// Whether its body has ended as it said that it would; one that ends with its connection cannot say so, and
    /// then any end is good (RFC 9112 6.3).
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.body.is_done() || matches!(self.body, Body::UntilClose)
    }

    /// Bytes of the body by layer.
    #[must_use]
    pub fn counts(&self) -> Bytes {
        match &self.gunzip {
            None => self.events.counts(),
            Some(gunzip) => Bytes { coded: gunzip.coded(), ..Bytes::default() },
        }
    }

    /// The event stream, for its last event id and reconnection time.
    #[must_use]
    pub const fn events(&self) -> &Events {
        &self.events
    }
}

impl Body {
    fn next<'a>(&mut self, input: &'a [u8]) -> Result<(usize, &'a [u8]), Failure> {
        match self {
            Self::Chunked(chunked) => chunked.next(input),
            Self::Length(0) => Ok((input.len(), &[])),
            Self::Length(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= length as u64;
                Ok((0, &input[..length]))
            }
            Self::UntilClose => Ok((0, input)),
        }
    }

    fn is_done(&self) -> bool {
        match self {
            Self::Chunked(chunked) => chunked.is_done(),
            Self::Length(left) => *left == 0,
            Self::UntilClose => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(body: Body, wire: &[u8]) -> (Vec<usize>, Result<(), Failure>, Bytes) {
        let (mut sse, mut ends) = (Sse::new(body), Vec::new());
        let result = sse.feed(wire, &mut |_, end| ends.push(end));
        (ends, result, sse.counts())
    }

    #[test]
    fn golden_bytes_of_a_chunked_stream() {
        let wire = b"1d\r\nid: 7\nevent: quote\ndata: {}\n\n\r\n\
            1e\r\nid: 10\nevent: quote\ndata: {}\n\n\r\n";
        let (ends, result, counts) = feed(Body::Chunked(Chunked::default()), wire);
        assert_eq!((ends, result), (vec![33, 69], Ok(())));
        assert_eq!((counts.payload, counts.event_framing), (4, 29 + 30 - 4));
    }

    /// RFC 4648, section 10: `Zm9vYg==` is `foob`. What is longer is framing, what is none arrives as it is.
    #[test]
    fn base64_arrives_as_the_bytes_it_stands_for() {
        let (mut sse, mut seen) = (Sse::new(Body::UntilClose).with_base64(true), Vec::new());
        let wire = b"id: 7\ndata: Zm9vYg==\n\ndata: ?\n\n";
        for read in wire.chunks(5) {
            sse.feed(read, &mut |event, _| seen.push(event.data.to_vec())).unwrap();
        }
        assert_eq!(seen, [&b"foob"[..], b"?"]);
        let counts = sse.counts();
        assert_eq!((counts.payload, counts.event_framing), (5, wire.len() as u64 - 5));
    }

    #[test]
    fn the_end_of_the_body_is_the_end_of_the_stream() {
        let one = b"data: a\n\n";
        assert_eq!(feed(Body::UntilClose, one).1, Ok(()));
        assert_eq!(feed(Body::Length(9), one).1, Err(Failure::Ended));
        assert_eq!(feed(Body::Length(10), one).1, Ok(()));
        let (ends, result, _) = feed(Body::Chunked(Chunked::default()), b"9\r\ndata: a\n\n\r\n0\r\n\r\n");
        assert_eq!((ends, result), (vec![12], Err(Failure::Ended)));
    }
}
