//! Polls over HTTP/2 without I/O: the bytes of their requests, what an answer may be, and what a connection
//! says to the rest (RFC 9113, <https://www.rfc-editor.org/rfc/rfc9113>).

use super::h2_cases::{connection, frame};
use crate::failure::Failure;
use crate::lanes::h2::frame::{END_HEADERS, END_STREAM, Kind, PADDED};
use crate::lanes::h2::{H2, Told, hpack};

/// The settings of a server that sets nothing.
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

const ONE: &[u8] = b"id: 7\nevent: quote\ndata: {}\n\n";
const TWO: &[u8] = b"id: 8\nevent: quote\ndata: {}\n\nid: 10\nevent: quote\ndata: {}\n\n";

/// `:status` 200 (index 8), `content-type` (31) and `content-length` (28) without the table.
fn head(kind: &str, length: usize) -> Vec<u8> {
    let length = length.to_string();
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    [b"\x88\x0f\x10".to_vec(), text(kind), b"\x0f\x0d".to_vec(), text(&length)].concat()
}

/// An answer with events: a head, and DATA that ends its stream.
fn full(stream: u32, body: &[u8]) -> Vec<u8> {
    let head = frame(Kind::Headers, END_HEADERS, stream, &head("text/event-stream", body.len()));
    [head, frame(Kind::Data, END_STREAM, stream, body)].concat()
}

/// `:status` 204 is index 9 of RFC 7541 Appendix A.
fn nothing(stream: u32) -> Vec<u8> {
    frame(Kind::Headers, END_HEADERS | END_STREAM, stream, b"\x89")
}

/// A connection whose first poll, on stream 1, was answered with nothing.
fn open(lane: &str) -> H2 {
    let mut h2 = connection(lane, 1);
    h2.outbox().clear();
    let first = [SETTINGS, &nothing(1)].concat();
    assert_eq!(h2.open(&first), Ok(Some(first.len())));
    assert_eq!(h2.counts().handshake_down, first.len() as u64);
    h2.outbox().clear();
    h2
}

/// The same, with its second poll under way on stream 3.
fn asked() -> H2 {
    let mut h2 = open("longpoll-h2");
    h2.poll();
    h2.outbox().clear();
    h2
}

/// The ids that come and their places, and how the connection is then.
fn fed(h2: &mut H2, bytes: &[u8]) -> (Vec<(u64, u64)>, Result<(), Failure>) {
    let mut events = Vec::new();
    let end = h2.feed(bytes, &mut |told| {
        if let Told::Event(0, event, at) = told {
            events.push((event.seq().unwrap(), at));
        }
    });
    (events, end)
}

/// RFC 7541 6.1 and 6.2.2: `:method` GET (index 2) and `:scheme` http (6), then `:path` (4) as a literal
/// without indexing, in the code of Appendix B; `:authority` and `accept` are literals of the first request
/// and entries 63 and 62 ever after. Flags: END_HEADERS and END_STREAM; stream ids grow by 2.
#[test]
fn golden_bytes_of_the_first_poll_and_the_next() {
    let mut h2 = connection("poll-h2", 1);
    let said = std::mem::take(h2.outbox());
    let at = said.windows(7).position(|bytes| bytes == b"\x82\x86\x04\x84\x62\xb3\xd1").unwrap();
    assert_eq!(said[at - 6..at], *b"\x01\x05\0\0\0\x01");
    assert_eq!(said[at + 4..at + 9], *b"\x62\xb3\xd1\x47\x41", "/poll, then `:authority` to be entered");
    let mut table = hpack::Decoder::default();
    table.decode(&said[at..], 1_000).unwrap();

    let begun = h2.feed(&[SETTINGS, &full(1, b"id: 17\ndata: {}\n\n")].concat(), &mut |_| {});
    h2.outbox().clear();
    h2.poll();
    assert_eq!((begun, h2.outbox().len()), (Ok(()), 0), "nobody told it to ask");
    assert!(h2.due(None));
    h2.poll();
    let next = b"\x82\x86\x04\x8b\x62\xb3\xd1\x47\xf8\x39\x52\x5b\x20\x0b\xbf\xbf\xbe";
    assert_eq!(*h2.outbox(), frame(Kind::Headers, 0x5, 3, next));
    let fields = table.decode(next, 1_000).unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect();
    let expected = [
        ":method=GET",
        ":scheme=http",
        ":path=/poll?after=17",
        ":authority=127.0.0.1:8080",
        "accept=text/event-stream",
    ];
    assert_eq!(fields, expected);
}

/// A thousandth poll costs what the second did: nothing of it fills a table.
#[test]
fn every_poll_costs_the_same() {
    let mut h2 = asked();
    for number in 1..1_000u32 {
        let (id, stream) = (1_000 + number, 2 * number + 1);
        let body = format!("id: {id}\ndata: {{}}\n\n");
        assert_eq!(fed(&mut h2, &full(stream, body.as_bytes())).1, Ok(()));
        h2.outbox().clear();
        h2.poll();
        // A frame's head, two indices, a path of 20 letters and digits in 15 bytes, two indices.
        assert_eq!(h2.outbox().len(), 9 + 2 + 2 + 15 + 2, "poll {number}");
        let head = &h2.outbox()[9..];
        assert_eq!((&head[..3], &head[head.len() - 2..]), (&b"\x82\x86\x04"[..], &b"\xbf\xbe"[..]));
    }
}

/// One decoder reads all answers; heads are *poll heads*, the nine bytes of a DATA frame framing.
#[test]
fn answers_are_event_streams_and_every_byte_has_its_layer() {
    let padded = [
        frame(Kind::Headers, END_HEADERS, 7, &head("text/event-stream", TWO.len())),
        frame(Kind::Data, PADDED, 7, &[b"\x02", &TWO[..40], b"\0\0"].concat()),
        frame(Kind::Data, 0, 7, &TWO[40..]),
        frame(Kind::Data, END_STREAM, 7, b""),
    ]
    .concat();
    let answers = [full(3, ONE), nothing(5), padded];
    let whole: usize = answers.iter().map(Vec::len).sum();
    for split in 0..answers[2].len() {
        let mut h2 = asked();
        let before = h2.counts();
        let mut events = Vec::new();
        for answer in &answers {
            let (first, rest) = answer.split_at(split.min(answer.len()));
            for part in [first, rest] {
                let (came, end) = fed(&mut h2, part);
                assert_eq!(end, Ok(()), "split at {split}");
                events.extend(came);
                h2.poll();
            }
        }
        let begun = before.received();
        let ends = [answers[0].len() as u64, 0, whole as u64 - 9].map(|end| begun + end);
        assert_eq!(events.iter().map(|one| one.0).collect::<Vec<_>>(), [7, 8, 10], "split at {split}");
        assert_eq!((events[0].1, events[2].1), (ends[0], ends[2]), "split at {split}");
        let counts = h2.counts() - before;
        assert_eq!((counts.payload, counts.event_framing), (6, (ONE.len() + TWO.len()) as u64 - 6));
        // Four frames of DATA, and three bytes of padding.
        assert_eq!((counts.transport_framing, counts.control), (4 * 9 + 3, 0), "split at {split}");
        assert_eq!(counts.down() as usize, whole, "split at {split}");
        assert_eq!((counts.polls, counts.empty_polls), (3, 1));
        assert_eq!((counts.empty_poll_heads, nothing(5).len()), (10, 10));
        assert!(h2.is_asking() && h2.live().eq([0]));
    }
}

#[test]
fn a_poll_waits_for_its_time_and_is_never_doubled() {
    let mut h2 = open("poll-h2");
    assert!(!h2.is_asking(), "nobody told it to ask");
    assert!(h2.due(None));
    h2.poll();
    assert!(h2.is_asking() && h2.due(None));
    let length = h2.outbox().len();
    h2.poll();
    assert_eq!((h2.outbox().len(), h2.counts().skipped_polls), (length, 1));
    assert_eq!(fed(&mut h2, &full(3, ONE)).1, Ok(()));
    assert!(!h2.is_asking() && !h2.due(Some(7)), "that event has come");
    assert!(h2.due(Some(8)));
}

/// RFC 9113 8.1.1: a message whose `content-length` "does not equal the sum of the DATA frame payload
/// lengths" is malformed; 5.1: "An endpoint that receives any frames other than PRIORITY after receiving a
/// frame with the END_STREAM flag set MUST treat that as a connection error [...] of type STREAM_CLOSED".
#[test]
fn what_is_no_answer_is_an_error() {
    let headed = |length| frame(Kind::Headers, END_HEADERS, 3, &head("text/event-stream", length));
    let data = |flags, body: &[u8]| frame(Kind::Data, flags, 3, body);
    let cases: [(Vec<u8>, &str); 10] = [
        (frame(Kind::Headers, END_HEADERS | END_STREAM, 3, b"\x8e"), "status 500"),
        (frame(Kind::Headers, END_HEADERS, 3, &head("text/html", 3)), "text/html"),
        (frame(Kind::Headers, END_HEADERS, 3, b"\x88\x0f\x10\x11text/event-stream"), "no length"),
        ([headed(99), data(END_STREAM, ONE)].concat(), "shorter than it says"),
        ([headed(29), data(0, ONE), data(END_STREAM, b":\n\n")].concat(), "longer than it says"),
        ([headed(4), data(END_STREAM, b"data")].concat(), "inside an event"),
        (data(END_STREAM, ONE), "data before the head"),
        ([full(3, ONE), data(END_STREAM, ONE)].concat(), "behind its end"),
        (nothing(1), "behind its end"),
        (nothing(5), "nobody asked for"),
    ];
    for (wire, expected) in cases {
        let (mut h2, mut over) = (asked(), None);
        let end = h2.feed(&wire, &mut |told| {
            if let Told::Over(0, failure) = told {
                over = Some(failure.clone());
            }
        });
        let failure = over.unwrap_or_else(|| end.clone().unwrap_err()).to_string();
        assert!(end.is_err() && failure.contains(expected), "{expected}: {failure}");
        assert_eq!(h2.counts().received() as usize, SETTINGS.len() + 10 + wire.len());
    }
}

/// RFC 9113 5.1: frames that a peer sent before it saw the end of a stream are no error; 8.1: it may ask with
/// RST_STREAM and NO_ERROR that the rest of a request be left out.
#[test]
fn what_crosses_the_end_of_an_answer_is_passed_by() {
    let mut h2 = asked();
    let late =
        [full(3, ONE), frame(Kind::RstStream, 0, 3, &[0; 4]), frame(Kind::WindowUpdate, 0, 1, &[0, 0, 0, 9])];
    assert_eq!(fed(&mut h2, &late.concat()).1, Ok(()));
    h2.poll();
    let mut reset = None;
    let end = h2.feed(&frame(Kind::RstStream, 0, 5, &8u32.to_be_bytes()), &mut |told| {
        if let Told::Over(0, failure) = told {
            reset = Some(failure.clone());
        }
    });
    assert!(end.is_err() && matches!(reset, Some(Failure::StreamReset(_))), "{reset:?}");
}

/// RFC 9113 6.8: a GOAWAY lets what was asked be answered, and nothing be asked behind it.
#[test]
fn a_server_that_leaves_is_asked_no_more() {
    let leaves = frame(Kind::GoAway, 0, 0, b"\x7f\xff\xff\xff\0\0\0\0");
    let mut resting = open("poll-h2");
    assert_eq!(fed(&mut resting, &leaves).1, Err(Failure::Ended));
    assert!(!resting.due(None));
    let mut h2 = asked();
    assert_eq!(fed(&mut h2, &leaves).1, Ok(()));
    let (events, end) = fed(&mut h2, &full(3, ONE));
    assert_eq!((events.len(), end), (1, Err(Failure::Ended)));
    h2.outbox().clear();
    h2.poll();
    assert!(h2.outbox().is_empty());
}

/// Who leaves resets the poll under way, and between two polls there is none.
#[test]
fn who_leaves_resets_what_was_asked() {
    let mut h2 = asked();
    h2.cancel();
    assert_eq!(*h2.outbox(), frame(Kind::RstStream, 0, 3, &8u32.to_be_bytes()));
    let mut resting = open("poll-h2");
    resting.cancel();
    assert!(resting.outbox().is_empty());
}
