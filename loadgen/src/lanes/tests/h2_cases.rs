//! HTTP/2 without I/O: what a server may say and may not, in every split, with the sentences of RFC 9113
//! beside it (<https://www.rfc-editor.org/rfc/rfc9113>).

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;
use scenarios::Scenario;

use super::Seen;
use crate::failure::Failure;
use crate::lanes::h2::frame::{ACK, END_HEADERS, END_STREAM, Kind, PADDED, write};
use crate::lanes::h2::{H2, Told};
use crate::lanes::{Bytes, Target};

/// A frame's bytes.
pub fn frame(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, kind, flags, stream, payload);
    out
}

/// `:status` 200 (index 8) and `content-type` (31) as a literal (RFC 7541 6.2.1).
const OK: &[u8] = b"\x88\x5f\x11text/event-stream";

/// What opens stream 1, written out by hand: settings, and the head of the response.
pub const HEAD: &[u8] = b"\0\0\0\x04\0\0\0\0\0\0\0\x14\x01\x04\0\0\0\x01\x88\x5f\x11text/event-stream";

/// Two events, a DATA frame each, and the end of the stream.
pub const EVENTS: &[u8] = b"\0\0\x1d\0\0\0\0\0\x01id: 7\nevent: quote\ndata: {}\n\n\
    \0\0\x1e\0\0\0\0\0\x01id: 10\nevent: quote\ndata: {}\n\n";

/// `content-encoding` (26) besides; then the same events as zlib 1.2 compresses them, and the trailer of
/// the stream.
pub const GZIP_HEAD: &[u8] =
    b"\0\0\0\x04\0\0\0\0\0\0\0\x1a\x01\x04\0\0\0\x01\x88\x5f\x11text/event-stream\x5a\x04gzip";
pub const GZIP_EVENTS: &[u8] = b"\0\0\x2d\0\0\0\0\0\x01\
    \x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcaL\xb1R0\xe7J-K\xcd+\xb1R(,\xcd/I\xe5JI,I\xb4R\xa8\xae\xe5\xe2\x02\x00\x00\x00\xff\xff\
    \0\0\x0d\0\0\0\0\0\x01\xca\x04J\x1a\x1a\xe0\x92\x05\x00\x00\x00\xff\xff\
    \0\0\x0a\0\0\0\0\0\x01\x03\x00\xdd\x08\xb8\n;\x00\x00\x00";
pub const END: &[u8] = b"\0\0\0\0\x01\0\0\0\x01";

const QUOTE: &[u8] = b"id: 7\nevent: quote\ndata: {}\n\n";

pub fn connection(lane: &str, streams: usize) -> H2 {
    let scenario = Arc::new(Scenario::load("smoke", &[("window".into(), "65535".into())]).unwrap().1);
    let lane = lane.parse().unwrap();
    let address = "127.0.0.1:8080".parse().unwrap();
    H2::new(&Target {
        lane,
        address,
        source: None,
        path: None,
        client: 7,
        scenario,
        streams,
        tls: None,
        after: Vec::new(),
    })
}

/// What came of some bytes.
#[derive(Debug, PartialEq)]
pub struct Heard {
    pub opened: Vec<usize>,
    pub events: Vec<(usize, Seen)>,
    pub over: Vec<(usize, Failure)>,
    pub end: Result<(), Failure>,
    pub counts: Bytes,
    pub said: Vec<u8>,
}

/// Feeds reads of so many bytes; `said` is what came after the first request.
fn hear(streams: usize, bytes: &[u8], split: usize) -> Heard {
    hear_on("sse-h2", streams, bytes, split)
}

pub fn hear_on(lane: &str, streams: usize, bytes: &[u8], split: usize) -> Heard {
    let mut h2 = connection(lane, streams);
    h2.pinpoint();
    h2.outbox().clear();
    let (mut opened, mut events, mut over, mut end) = (Vec::new(), Vec::new(), Vec::new(), Ok(()));
    for read in bytes.chunks(split.max(1)) {
        end = h2.feed(read, &mut |told| match told {
            Told::Open(stream) => opened.push(stream),
            Told::Event(stream, event, at) => events.push((stream, Seen::of(event, at))),
            Told::Over(stream, failure) => over.push((stream, failure.clone())),
        });
    }
    Heard { opened, events, over, end, counts: h2.counts(), said: std::mem::take(h2.outbox()) }
}

/// In one piece and in every other split there is: the same.
fn heard(bytes: &[u8]) -> Heard {
    heard_on("sse-h2", bytes)
}

pub fn heard_on(lane: &str, bytes: &[u8]) -> Heard {
    let whole = hear_on(lane, 1, bytes, bytes.len());
    for split in 1..bytes.len().min(60) {
        assert_eq!(hear_on(lane, 1, bytes, split), whole, "split into {split}");
    }
    assert_eq!(whole.counts.received(), bytes.len() as u64);
    whole
}

/// The settings and the first head are handshake, the nine bytes of a DATA frame transport framing.
#[test]
fn golden_bytes_of_a_stream() {
    let heard = heard(&[HEAD, EVENTS, END].concat());
    let ends: Vec<u64> = heard.events.iter().map(|(_, seen)| seen.end).collect();
    let head = HEAD.len() as u64;
    assert_eq!(ends, [head + 38, head + 77]);
    assert_eq!((heard.opened, heard.over), (vec![0], vec![(0, Failure::Ended)]));
    assert_eq!(heard.end, Err(Failure::Ended));
    let counts = heard.counts;
    assert_eq!((counts.payload, counts.event_framing, counts.transport_framing), (4, 55, 27));
    assert_eq!((counts.handshake_down, counts.control), (head, 0));
    assert_eq!(heard.said, frame(Kind::Settings, ACK, 0, b""));
}

/// What is compressed is a layer of its own, and its events' places are exact: the flush behind an event
/// (five bytes, of which the last four are 00 00 ff ff) completes none.
#[test]
fn golden_bytes_of_a_compressed_stream() {
    let heard = heard_on("sse-h2+gzip", &[GZIP_HEAD, GZIP_EVENTS, END].concat());
    assert_eq!((heard.over, heard.end), (vec![(0, Failure::Ended)], Err(Failure::Ended)));
    let head = GZIP_HEAD.len() as u64;
    let ends: Vec<u64> = heard.events.iter().map(|(_, seen)| seen.end - head).collect();
    assert!(ends[0] <= 9 + 45 - 4 && (9 + 45 + 9..=9 + 45 + 9 + 13 - 4).contains(&ends[1]), "{ends:?}");
    let counts = heard.counts;
    assert_eq!((counts.coded, counts.transport_framing), (45 + 13 + 10, 4 * 9));
    assert_eq!((counts.payload, counts.event_framing, counts.handshake_down), (0, 0, head));
    // Without the trailer it was cut off, however well HTTP ended.
    let cut = [GZIP_HEAD, &GZIP_EVENTS[..9 + 45 + 9 + 13], END].concat();
    let failure = heard_on("sse-h2+gzip", &cut).over.remove(0).1;
    assert!(failure.to_string().contains("gzip: the stream is cut off"), "{failure}");
}

/// RFC 9113 3.4: the preface, "followed by a SETTINGS frame"; 6.5.2: ENABLE_PUSH (2) 0,
/// INITIAL_WINDOW_SIZE (4), MAX_FRAME_SIZE (5), MAX_HEADER_LIST_SIZE (6). Then the request: `:method` GET
/// (index 2) and `:scheme` http (6), then `:path` (4), `:authority` (1),
/// `accept` (19) and `cache-control` (24) as literals for the table, in the code of RFC 7541 Appendix B.
#[test]
fn golden_bytes_of_the_first_words() {
    let mut h2 = connection("sse-h2", 1);
    let settings = b"\0\x02\0\0\0\0\0\x04\0\0\xff\xff\0\x05\0\0\x40\0\0\x06\0\0\x40\0";
    let request = b"\x82\x86\x44\x8a\x61\x08\x2f\xf8\x4a\x0c\x5a\x93\x03\xbf\x41\x8a\x08\x9d\x5c\x0b\x81\x70\xdc\x78\x0f\x03\x53\x8c\x49\x7c\xa5\x82\xf7\x2d\x49\x59\x09\xb0\xa3\xa7\x58\x86\xa8\xeb\x21\x27\xb0\xbf";
    let expected = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(Kind::Settings, 0, 0, settings),
        frame(Kind::Headers, END_HEADERS | END_STREAM, 1, request),
    ];
    assert_eq!(h2.outbox().as_slice(), expected.concat());
    // `accept-encoding` (16) is entered between the two.
    let mut h2 = connection("sse-h2+gzip", 1);
    assert!(h2.outbox().ends_with(b"\x50\x83\x9b\xd9\xab\x58\x86\xa8\xeb\x21\x27\xb0\xbf"));
}

/// RFC 9113 6.1: "Padding octets [...] MUST be ignored"; 6.7: a PING "without the ACK flag" is answered
/// "with the ACK flag set in response, with an identical frame payload"; 6.9: WINDOW_UPDATE; 5.5: unknown
/// types are discarded; 8.1: a response may have trailers.
#[test]
fn what_is_neither_event_nor_head_is_framing_or_control() {
    let padded = [&[3][..], QUOTE, b"\0\0\0"].concat();
    let parts = [
        (frame(Kind::Ping, 0, 0, b"12345678"), 17),
        (frame(Kind::Data, PADDED, 1, &padded), 0),
        (frame(Kind::WindowUpdate, 0, 1, &5u32.to_be_bytes()), 13),
        (frame(Kind::Settings, ACK, 0, b""), 9),
        (frame(Kind::Priority, 0, 7, b"\0\0\0\0\0"), 14),
        (b"\0\0\x02\xfe\0\0\0\0\0hi".to_vec(), 11),
        (frame(Kind::Headers, END_HEADERS | END_STREAM, 1, b"\0\x01x\x01y"), 14),
    ];
    let bytes = [HEAD.to_vec(), parts.iter().flat_map(|part| part.0.clone()).collect()].concat();
    let heard = heard(&bytes);
    assert_eq!((heard.events.len(), heard.end), (1, Err(Failure::Ended)));
    let control: u64 = parts.iter().map(|part| part.1).sum();
    assert_eq!((heard.counts.control, heard.counts.transport_framing), (control, 9 + 4));
    let pong = frame(Kind::Ping, ACK, 0, b"12345678");
    assert_eq!(heard.said, [frame(Kind::Settings, ACK, 0, b""), pong].concat());
}

/// RFC 9113 6.9.1: the padding counts too. Half of a window is given back, to the stream and to the
/// connection; once more than it is sent, the connection is over.
#[test]
fn windows_are_kept_and_given_back_by_halves() {
    let comment = frame(Kind::Data, 0, 1, &[b":".as_slice(), &[b'x'; 16_382], b"\n"].concat());
    let one = heard(&[HEAD, &comment].concat());
    assert_eq!(one.said, frame(Kind::Settings, ACK, 0, b""), "a frame is less than half of 65,535");
    let two = hear(1, &[HEAD, &comment.repeat(2)].concat(), 5_000);
    let update = |stream| frame(Kind::WindowUpdate, 0, stream, &(2 * 16_384u32).to_be_bytes());
    assert_eq!(two.said, [frame(Kind::Settings, ACK, 0, b""), update(0), update(1)].concat());
    let many = hear(1, &[HEAD, &comment.repeat(300)].concat(), 16_384);
    assert_eq!((many.end, many.counts.control), (Ok(()), 300 * 16_384), "the windows never run out");
}

/// `(what the server says behind its settings, what is wrong with it)`.
fn wrongs() -> Vec<(Vec<u8>, &'static str)> {
    let ok = frame(Kind::Headers, END_HEADERS, 1, OK);
    let open = |more: Vec<u8>| [ok.clone(), more].concat();
    let head = |block: &[u8]| frame(Kind::Headers, END_HEADERS, 1, block);
    let ended = [ok.clone(), frame(Kind::Data, END_STREAM, 1, b"")].concat();
    vec![
        // 4.2: "An endpoint MUST send an error code of FRAME_SIZE_ERROR if a frame exceeds the size".
        (open(b"\0\x40\x01\0\0\0\0\0\x01".to_vec()), "a frame is larger than was agreed"),
        // 5.1, idle: "Receiving any frame other than HEADERS or PRIORITY on a stream in this state MUST
        // be treated as a connection error of type PROTOCOL_ERROR."
        (open(frame(Kind::Data, 0, 3, b"x")), "data on a stream that was never opened"),
        (open(frame(Kind::RstStream, 0, 5, &[0; 4])), "on a stream that was never opened"),
        (frame(Kind::Data, 0, 1, b"x"), "data before the head of its response"),
        // 5.1.1: a server's own streams are even, and pushing is off (6.6, 8.4).
        (open(head(OK)[..].to_vec()).repeat(1), "a trailer that does not end its stream"),
        (open(frame(Kind::Headers, END_HEADERS, 2, OK)), "a response that nobody asked for"),
        (open(frame(Kind::PushPromise, END_HEADERS, 1, &[0; 4])), "a push, which was switched off"),
        // 6.1: "If the length of the padding is the length of the frame payload or greater".
        (open(frame(Kind::Data, PADDED, 1, b"\x01")), "padding is as long as its frame"),
        (open(frame(Kind::Data, PADDED, 1, b"")), "too small for what its flags promise"),
        // 6.10: "Any other frame [...] MUST be treated as a connection error of type PROTOCOL_ERROR."
        ([frame(Kind::Headers, 0, 1, OK), frame(Kind::Data, 0, 1, b"")].concat(), "a head is interrupted"),
        (open(frame(Kind::Continuation, END_HEADERS, 1, b"")), "goes on where none began"),
        // 6.5: "A SETTINGS frame with a length other than a multiple of 6 octets MUST be treated as a
        // connection error of type FRAME_SIZE_ERROR"; 6.5.2, its values.
        (open(frame(Kind::Settings, 0, 0, b"12345")), "no list of six bytes"),
        (open(frame(Kind::Settings, ACK, 0, b"123456")), "an acknowledgement of settings is not empty"),
        (open(frame(Kind::Settings, 0, 0, b"\0\x02\0\0\0\x01")), "may not enable pushing"),
        (open(frame(Kind::Settings, 0, 0, b"\0\x04\x80\0\0\0")), "larger than 2^31-1"),
        (open(frame(Kind::Settings, 0, 0, b"\0\x05\0\0\0\x01")), "the largest frame is none"),
        // 6.9: "A receiver MUST treat the receipt of a WINDOW_UPDATE frame with a flow-control window
        // increment of 0 as [an] error of type PROTOCOL_ERROR"; 6.9.1: none above 2^31-1.
        (open(frame(Kind::WindowUpdate, 0, 0, &[0; 4])), "widened by nothing"),
        (open(frame(Kind::WindowUpdate, 0, 0, b"\x7f\xff\xff\xff")), "larger than 2^31-1"),
        (open(frame(Kind::WindowUpdate, 0, 1, b"\x7f\xff\xff\xff")), "larger than 2^31-1"),
        // 4.3: "A decoding error in a field block MUST be treated as a connection error of type
        // COMPRESSION_ERROR."
        (head(b"\xff"), "a head ends inside a field"),
        // 8.3, 8.2 and 8.2.2: malformed responses.
        (head(&OK[1..]), "a response without its status"),
        (head(b"\x88\0\x01X\x01y"), "may not have the field `X`"),
        (head(b"\x88\0\x0aconnection\x01y"), "may not have the field `connection`"),
        (head(b"\x88\x88"), "may not have the field `:status`"),
        // What they would be over HTTP/1.1 too.
        (head(b"\x8d"), "status 404"),
        (head(b"\x88"), "content type `none`"),
        (head(b"\x88\x5f\x09text/html"), "content type `text/html`"),
        // 6.4 and 6.8: the error code's name is the reason.
        (open(frame(Kind::RstStream, 0, 1, &7u32.to_be_bytes())), "stream reset: REFUSED_STREAM"),
        (open(frame(Kind::GoAway, 0, 0, b"\0\0\0\x01\0\0\0\x0b")), "given up by the peer: ENHANCE_YOUR_CALM"),
        (frame(Kind::GoAway, 0, 0, &[0; 8]), "given up by the peer: NO_ERROR"),
        // 5.1, closed: frames behind END_STREAM; here the connection had ended with its only stream.
        ([ended, frame(Kind::Data, 0, 1, b"x")].concat(), "stream ended"),
    ]
}

#[test]
fn what_a_server_may_not_say_is_named() {
    let settings = frame(Kind::Settings, 0, 0, b"");
    for (said, why) in wrongs() {
        let heard = heard(&[settings.clone(), said].concat());
        let failure =
            heard.over.first().map_or_else(|| heard.end.clone().unwrap_err(), |over| over.1.clone());
        assert!(failure.to_string().contains(why), "{failure}, expected {why}");
        assert!(heard.end.is_err(), "{why}");
    }
    // 3.4: "The server connection preface consists of a potentially empty SETTINGS frame that MUST be
    // the first frame the server sends".
    for first in [frame(Kind::Headers, END_HEADERS, 1, OK), b"HTTP/1.1 400 Bad Request\r\n".to_vec()] {
        let heard = heard(&first);
        assert_eq!(heard.end.unwrap_err().kind(), "protocol");
        let goaway = heard.said.windows(2).any(|bytes| bytes == [0x07, 0x00]);
        assert!(goaway, "the peer is told: {:?}", heard.said);
    }
}

/// RFC 9113 8.1: "one or more interim responses"; 6.10: a head in parts.
#[test]
fn interim_responses_are_passed_by_and_heads_may_come_in_parts() {
    let bytes = [
        frame(Kind::Settings, 0, 0, b"\0\x01\0\0\0\0"),
        frame(Kind::Headers, END_HEADERS, 1, b"\x48\x03103"),
        frame(Kind::Headers, 0, 1, &OK[..9]),
        frame(Kind::Continuation, 0, 1, b""),
        frame(Kind::Continuation, END_HEADERS, 1, &OK[9..]),
        EVENTS.to_vec(),
    ];
    let heard = heard(&bytes.concat());
    assert_eq!((heard.opened, heard.events.len(), heard.end), (vec![0], 2, Ok(())));
    assert_eq!(heard.counts.handshake_down + 77, bytes.concat().len() as u64);
}

/// RFC 9113 5.1.2: "Endpoints MUST NOT exceed the limit set by their peer"; the other streams are asked
/// for once the first is open, and name what it said (RFC 7541 6.1).
#[test]
fn streams_of_a_connection_are_asked_for_as_far_as_the_server_takes_them() {
    let settings = frame(Kind::Settings, 0, 0, b"\0\x03\0\0\0\x02");
    let opened = |stream| frame(Kind::Headers, END_HEADERS, stream, OK);
    let data = |stream| frame(Kind::Data, 0, stream, QUOTE);
    let bytes = [settings, opened(1), data(1), opened(3), data(3), data(1)].concat();
    let heard = hear(3, &bytes, 7);
    assert_eq!((heard.opened, heard.end), (vec![0, 1], Ok(())));
    let streams: Vec<usize> = heard.events.iter().map(|event| event.0).collect();
    assert_eq!(streams, [0, 1, 0]);
    assert_eq!(heard.events[2].1.end, bytes.len() as u64);
    assert_eq!(heard.over.len(), 1);
    assert!(heard.over[0].0 == 2 && heard.over[0].1.to_string().contains("takes 2 streams"));
    let flags = END_HEADERS | END_STREAM;
    let request = frame(
        Kind::Headers,
        flags,
        3,
        b"\x82\x86\x44\x8a\x61\x08\x2f\xf8\x4a\x0c\x5a\x93\x03\xdf\xc1\xc0\xbf",
    );
    assert_eq!(heard.said, [frame(Kind::Settings, ACK, 0, b""), request].concat());
    assert_eq!(heard.counts.transport_framing, 3 * 9);
    assert_eq!(heard.counts.handshake_down, bytes.len() as u64 - 3 * (9 + QUOTE.len() as u64));
}

/// A stream ends alone; what ends the connection ends those that are left, once each.
#[test]
fn a_stream_that_is_reset_leaves_the_others() {
    let opened = |stream| frame(Kind::Headers, END_HEADERS, stream, OK);
    let reset = frame(Kind::RstStream, 0, 1, &2u32.to_be_bytes());
    let data = |stream| frame(Kind::Data, 0, stream, QUOTE);
    let bytes = [HEAD.to_vec(), opened(3), reset, data(3)].concat();
    let heard = hear(2, &bytes, bytes.len());
    assert_eq!(heard.over, [(0, Failure::StreamReset("INTERNAL_ERROR"))]);
    assert_eq!((heard.events.len(), heard.end), (1, Ok(())));
}

/// Pieces that are often nearly valid.
fn pieces() -> Vec<Vec<u8>> {
    let mut pieces: Vec<Vec<u8>> = wrongs().into_iter().map(|wrong| wrong.0).collect();
    pieces.extend([HEAD.to_vec(), EVENTS.to_vec(), END.to_vec(), QUOTE.to_vec()]);
    pieces.extend([1, 3, 5].map(|stream| frame(Kind::Data, 0, stream, QUOTE)));
    pieces.extend([3, 5].map(|stream| frame(Kind::Headers, END_HEADERS, stream, OK)));
    pieces.extend([frame(Kind::Ping, 0, 0, b"12345678"), frame(Kind::Data, PADDED, 1, b"\x02data: \0\0")]);
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_split_changes_nothing_and_no_bytes_panic(
        begun: bool, picked in proptest::collection::vec(select(pieces()), 0..12), noise: Vec<u8>,
        split in 1usize..40, streams in 1usize..4,
    ) {
        let head = if begun { HEAD } else { b"" };
        let bytes = [head, &picked.concat(), &noise].concat();
        let (whole, parts) = (hear(streams, &bytes, bytes.len()), hear(streams, &bytes, split));
        prop_assert_eq!(whole.counts.received(), bytes.len() as u64);
        prop_assert_eq!(whole, parts);
    }
}
