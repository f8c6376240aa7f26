//! The split of bytes by layer: streams of golden bytes whose every piece is labelled with its layer, in every
//! split. HTTP/2 and polls, which count their own heads too, have theirs beside their other cases.

use scenarios::{Coding, Envelope, Identity};
use servers::websocket::deflate::{Context, WINDOW_BITS};

use super::super::Bytes;
use super::super::chunked::Chunked;
use super::super::decoder::Wire;
use super::super::raw::Raw;
use super::super::sse::{Body, Sse};
use super::super::ws::Ws;
use super::feed;

/// Some bytes, and the layer that they belong to.
type Piece = (fn(&mut Bytes) -> &mut u64, &'static [u8]);

/// A lane, a fresh wire of it, what it says, and how many events that is.
type Case = (&'static str, fn() -> Wire, &'static [Piece], usize);

const PAYLOAD: fn(&mut Bytes) -> &mut u64 = |bytes| &mut bytes.payload;
const EVENT: fn(&mut Bytes) -> &mut u64 = |bytes| &mut bytes.event_framing;
const CODED: fn(&mut Bytes) -> &mut u64 = |bytes| &mut bytes.coded;
const TRANSPORT: fn(&mut Bytes) -> &mut u64 = |bytes| &mut bytes.transport_framing;
const CONTROL: fn(&mut Bytes) -> &mut u64 = |bytes| &mut bytes.control;

/// Two events, a heartbeat between them, a body of two lines, and the end.
const CHUNKED: &[Piece] = &[
    (TRANSPORT, b"1d\r\n"),
    (EVENT, b"id: 7\nevent: quote\ndata: "),
    (PAYLOAD, b"{}"),
    (EVENT, b"\n\n"),
    (TRANSPORT, b"\r\n2\r\n"),
    (CONTROL, b":\n"),
    (TRANSPORT, b"\r\n13\r\n"),
    (EVENT, b"data: "),
    (PAYLOAD, b"ab\n"),
    (EVENT, b"data: "),
    (PAYLOAD, b"cd"),
    (EVENT, b"\n\n"),
    (TRANSPORT, b"\r\n0\r\n\r\n"),
];

/// The same event as zlib 1.2 compresses it, flushed, and the end of the stream.
const GZIP: &[Piece] = &[
    (TRANSPORT, b"2d\r\n"),
    (CODED, b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcaL\xb1R0\xe7J-K\xcd+\xb1R(,\xcd/I\xe5JI,I\xb4R\xa8\xae\xe5\xe2\x02\x00\x00\x00\xff\xff"),
    (TRANSPORT, b"\r\nd\r\n"),
    (CODED, b"\xca\x04J\x1a\x1a\xe0\x92\x05\x00\x00\x00\xff\xff"),
    (TRANSPORT, b"\r\na\r\n"),
    (CODED, b"\x03\x00\xdd\x08\xb8\n;\x00\x00\x00"),
    (TRANSPORT, b"\r\n0\r\n\r\n"),
];

/// A message, a ping, one in two fragments with a ping amid, and the goodbye.
const MESSAGES: &[Piece] = &[
    (TRANSPORT, b"\x81\x0a"),
    (EVENT, b"7\nquote\n"),
    (PAYLOAD, b"{}"),
    (CONTROL, b"\x89\x02hi"),
    (TRANSPORT, b"\x01\x08"),
    (EVENT, b"8\nquote\n"),
    (CONTROL, b"\x89\x00"),
    (TRANSPORT, b"\x80\x02"),
    (PAYLOAD, b"{}"),
    (CONTROL, b"\x88\x02\x03\xE8"),
];

/// RFC 7692 7.2.3.1 and 7.2.3.2: one compressed message, and one in its context; between them one that is not.
const DEFLATED: &[Piece] = &[
    (TRANSPORT, b"\xC1\x07"),
    (CODED, b"\xF2\x48\xCD\xC9\xC9\x07\x00"),
    (TRANSPORT, b"\x81\x0a"),
    (EVENT, b"7\nquote\n"),
    (PAYLOAD, b"{}"),
    (CONTROL, b"\x89\x01p"),
    (TRANSPORT, b"\xC1\x05"),
    (CODED, b"\xF2\x00\x11\x00\x00"),
];

/// A message, a heartbeat, a message without a body.
const RAW: &[Piece] = &[
    (TRANSPORT, b"\x00\x00\x00\x0a"),
    (EVENT, b"7\nquote\n"),
    (PAYLOAD, b"{}"),
    (CONTROL, b"\x00\x00\x00\x00"),
    (TRANSPORT, b"\x00\x00\x00\x08"),
    (EVENT, b"8\nquote\n"),
];

fn chunked() -> Sse {
    Sse::new(Body::Chunked(Chunked::default()))
}

fn messages() -> Ws {
    Ws::new(Identity::IdEvent, Envelope::Lines)
}

const CASES: [Case; 5] = [
    ("sse", || Wire::Sse(chunked()), CHUNKED, 2),
    ("sse+gzip", || Wire::Sse(chunked().coded(Coding::Gzip)), GZIP, 2),
    ("ws", || Wire::Ws(messages()), MESSAGES, 2),
    (
        "ws+deflate",
        || Wire::Ws(messages().inflating(Some(Context { takeover: true, window_bits: WINDOW_BITS }))),
        DEFLATED,
        3,
    ),
    ("raw", || Wire::Raw(Raw::new(Identity::IdEvent, Envelope::Lines)), RAW, 2),
];

#[test]
fn every_byte_is_in_its_layer_in_every_split() {
    for (lane, wire, pieces, events) in CASES {
        let mut expected = Bytes::default();
        pieces.iter().for_each(|(layer, bytes)| *layer(&mut expected) += bytes.len() as u64);
        let stream: Vec<u8> = pieces.iter().flat_map(|(_, bytes)| *bytes).copied().collect();
        for split in 1..=stream.len() {
            let (seen, decoder, _) = feed(wire(), stream.chunks(split));
            assert_eq!((seen.len(), decoder.counts()), (events, expected), "{lane} in reads of {split}");
        }
    }
}
