//! Messages upward over HTTP/2 without I/O: the bytes of a request, what its answer may be, and what waits
//! for the peer's window or its number of streams (RFC 9113, <https://www.rfc-editor.org/rfc/rfc9113>).

use super::h2_cases::{HEAD, connection, frame};
use crate::failure::Failure;
use crate::lanes::h2::frame::{END_HEADERS, END_STREAM, Kind};
use crate::lanes::h2::{H2, hpack};

/// `:status` 204 is index 9 of RFC 7541 Appendix A.
const DONE: &[u8] = b"\x89";

fn feed(h2: &mut H2, bytes: &[u8]) -> Result<(), Failure> {
    h2.feed(bytes, &mut |_| {})
}

/// An open connection of one stream, whose peer has said this before.
fn open(settings: &[u8]) -> H2 {
    let mut h2 = connection("sse-h2", 1);
    feed(&mut h2, &frame(Kind::Settings, 0, 0, settings)).unwrap();
    feed(&mut h2, HEAD).unwrap();
    h2.outbox().clear();
    h2
}

fn answer(stream: u32) -> Vec<u8> {
    frame(Kind::Headers, END_HEADERS | END_STREAM, stream, DONE)
}

/// Kinds, flags, streams and payloads of what was said.
fn said(h2: &mut H2) -> Vec<(u8, u8, u32, Vec<u8>)> {
    let out = std::mem::take(h2.outbox());
    let (mut rest, mut frames) = (&out[..], Vec::new());
    while let Some((head, behind)) = rest.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        frames.push((head[3], head[4], stream, behind[..length].to_vec()));
        rest = &behind[length..];
    }
    frames
}

/// RFC 9113 8.3.1 names what a request's head must hold; 8.1: HEADERS, then DATA, the last of which ends the
/// stream; 5.1.1: streams of a client are odd and grow.
#[test]
fn golden_bytes_of_a_message_and_its_answer() {
    let mut h2 = open(b"");
    let before = h2.counts();
    assert!(h2.post(7, b"12\nhi".to_vec()) && h2.is_asking());
    let first = said(&mut h2);
    let [(1, END_HEADERS, 3, head), (0, END_STREAM, 3, data)] = &first[..] else { panic!("{first:?}") };
    assert_eq!(data, b"12\nhi");
    let fields = hpack::Decoder::default().decode(head, 1_000);
    // Its table is the one that the first request began: fields said there are indices here.
    assert!(fields.is_err() && head[..2] == *b"\x83\x86", "{head:x?}");
    let counts = h2.counts() - before;
    assert_eq!((counts.messages, counts.up_payload, counts.up_framing), (1, 2, 3));
    assert_eq!(counts.up_transport, 9 + head.len() as u64 + 9);

    assert!(h2.post(7, b"13\nho".to_vec()));
    let second = said(&mut h2);
    // POST, http, and path, authority and length as the first message had them.
    assert_eq!(second[0].3.len(), 5, "{second:x?}");
    feed(&mut h2, &[answer(5), answer(3)].concat()).unwrap();
    assert!(!h2.is_asking());
    let answers = (h2.counts() - before).answers;
    assert_eq!((answers, h2.counts().received() - before.received()), (20, 20));
}

#[test]
fn what_is_no_good_answer_ends_the_connection() {
    let ends = |bytes: &[u8]| {
        let mut h2 = open(b"");
        h2.post(7, b"1\nhi".to_vec());
        feed(&mut h2, bytes).unwrap_err()
    };
    // `:status` 404 is index 13.
    assert_eq!(ends(&frame(Kind::Headers, END_HEADERS | END_STREAM, 3, b"\x8d")), Failure::Status(404));
    let reset = frame(Kind::RstStream, 0, 3, &8u32.to_be_bytes());
    assert!(matches!(ends(&reset), Failure::StreamReset(_)));
    for (wrong, bytes) in [
        ("that goes on", frame(Kind::Headers, END_HEADERS, 3, DONE)),
        ("twice", [answer(3), answer(3)].concat()),
        ("to nothing", answer(5)),
    ] {
        assert!(matches!(ends(&bytes), Failure::Protocol(_)), "{wrong}");
    }
}

/// RFC 9113 6.9.1: no more than the connection's window of 65,535 bytes; 4.2: no frame above 16,384.
#[test]
fn a_message_waits_for_the_window() {
    let mut h2 = open(b"");
    let message = |number: u64| format!("{number}\n{}", "x".repeat(29_998)).into_bytes();
    (1..=3).for_each(|number| assert!(h2.post(7, message(number))));
    let sizes = |frames: Vec<(u8, u8, u32, Vec<u8>)>| -> Vec<(u32, u8, usize)> {
        let data = frames.into_iter().filter(|frame| frame.0 == 0);
        data.map(|(_, flags, stream, data)| (stream, flags, data.len())).collect()
    };
    let two = [(3, 0, 16_384), (3, 1, 13_616), (5, 0, 16_384), (5, 1, 13_616)];
    assert_eq!(sizes(said(&mut h2)), two);
    feed(&mut h2, &frame(Kind::WindowUpdate, 0, 0, &24_464u32.to_be_bytes())).unwrap();
    assert_eq!(sizes(said(&mut h2)), []);
    feed(&mut h2, &frame(Kind::WindowUpdate, 0, 0, &1u32.to_be_bytes())).unwrap();
    assert_eq!(sizes(said(&mut h2)), [(7, 0, 16_384), (7, 1, 13_616)]);
    // A peer that lets nothing through is not spoken to without end.
    assert_eq!((0..300).filter(|number| h2.post(7, message(*number))).count(), 256);
}

/// RFC 9113 5.1.2: "Endpoints MUST NOT exceed the limit set by their peer."
#[test]
fn a_message_waits_for_a_stream() {
    let mut h2 = open(b"\0\x03\0\0\0\x02");
    assert!(h2.post(7, b"1\na".to_vec()) && h2.post(7, b"2\nb".to_vec()));
    let streams = |h2: &mut H2| said(h2).iter().map(|frame| frame.2).collect::<Vec<_>>();
    assert_eq!(streams(&mut h2), [3, 3]);
    feed(&mut h2, &answer(3)).unwrap();
    assert_eq!(streams(&mut h2), [5, 5]);
}
