//! What every client lane is held to: the grammars' tables, arbitrary splits, and servers that
//! answer well, wrongly or not at all.

use scenarios::{Envelope, Event, Identity};

use super::chunked::Chunked;
use super::decoder::{Decoder, Wire};
use super::raw::Raw;
use super::sse::{Body, Sse};
use super::ws::Ws;

mod coded_cases;
mod deflate_cases;
mod h2_cases;
mod h2_polls;
mod h2_posts;
mod layers;
mod servers;
mod splits;
mod sse_cases;
mod tls_cases;
mod ws_cases;
mod ws_h2_cases;

/// An event that outlives its read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub id: Option<String>,
    pub name: Option<String>,
    pub data: String,
    pub end: u64,
}

impl Seen {
    pub fn of(event: &Event<'_>, end: u64) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { id: event.id.map(text), name: event.name.map(text), data: text(&event.data), end }
    }
}

/// A fresh wire of each kind.
pub fn wires() -> [Wire; 4] {
    let (identity, envelope) = (Identity::IdEvent, Envelope::Lines);
    [
        Wire::Sse(Sse::new(Body::UntilClose)),
        Wire::Sse(Sse::new(Body::Chunked(Chunked::default()))),
        Wire::Ws(Ws::new(identity, envelope)),
        Wire::Raw(Raw::new(identity, envelope)),
    ]
}

/// Feeds reads; returns the events, the decoder, and how it ended.
pub fn feed<'a>(
    wire: Wire,
    reads: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Seen>, Decoder, Result<(), crate::failure::Failure>) {
    let (mut decoder, mut seen, mut result) = (Decoder::new(wire, 0), Vec::new(), Ok(()));
    for read in reads {
        result = decoder.feed(read, |event, end| seen.push(Seen::of(event, end)));
    }
    (seen, decoder, result)
}

/// Cuts bytes into reads of the given sizes, over and over.
pub fn reads<'a>(mut bytes: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut sizes = sizes.iter().cycle();
    std::iter::from_fn(move || {
        let size = (*sizes.next()?).min(bytes.len());
        let (read, rest) = bytes.split_at(size);
        bytes = rest;
        (!read.is_empty()).then_some(read)
    })
}
