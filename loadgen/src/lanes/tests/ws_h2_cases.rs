//! WebSocket over HTTP/2 without I/O: what is said, when it may be said, and how far the windows let it, with
//! the sentences of RFC 8441 beside it (<https://www.rfc-editor.org/rfc/rfc8441>).

use super::h2_cases::{connection, frame, hear_on, heard_on};
use crate::failure::Failure;
use crate::lanes::h2::frame::{ACK, END_HEADERS, END_STREAM, Kind};

const LANE: &str = "ws-h2";

/// What opens stream 1, written out by hand: settings with ENABLE_CONNECT_PROTOCOL (8) 1, and the head of the
/// response, `:status` 200 (index 8).
pub const HEAD: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x08\0\0\0\x01\0\0\x01\x01\x04\0\0\0\x01\x88";

/// Two messages with a ping between them, and a close with 1000, in DATA frames that keep to no boundaries;
/// then the end of the stream.
pub const EVENTS: &[u8] = b"\0\0\x0e\0\0\0\0\0\x01\x81\x0a7\nquote\n{}\x89\x02\
    \0\0\x13\0\0\0\0\0\x01hi\x81\x0b10\nquote\n{}\x88\x02\x03\xe8";
pub const END: &[u8] = b"\0\0\0\0\x01\0\0\0\x01";

/// RFC 8441 4: ":method" CONNECT (2 names it), ":protocol" (a name of its own), ":scheme" http (6), ":path"
/// (4), ":authority" (1); 5.1: `sec-websocket-version` 13, and no key. Where that is shorter, texts are in
/// the code of RFC 7541 Appendix B.
const REQUEST: &[u8] =
    b"\x42\x07CONNECT\x40\x87\xb9\x5d\x87\x49\xc8\x7a\x3f\x87\xf0\x58\xd0\x72\x75\x2a\x7f\x86\
    \x44\x89\x63\xc2\x3f\xc2\x50\x62\xd4\x98\x1d\x41\x8a\x08\x9d\x5c\x0b\x81\x70\xdc\x78\x0f\x03\
    \x40\x8f\x41\x48\xb7\x82\xc6\x83\x93\xa9\x52\xb7\x72\xd8\x83\x1e\xaf\x02\x31\x33";

fn settings(connects: u8) -> Vec<u8> {
    frame(Kind::Settings, 0, 0, &[0, 8, 0, 0, 0, connects])
}

fn data(stream: u32, payload: &[u8]) -> Vec<u8> {
    frame(Kind::Data, 0, stream, payload)
}

/// The request in what was said, which is the first HEADERS frame, and what follows it.
fn asked(said: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let ack = frame(Kind::Settings, ACK, 0, b"");
    let said = said.strip_prefix(ack.as_slice()).expect("settings are acknowledged first");
    let length = 9 + usize::from(said[2]);
    (said[..length].to_vec(), said[length..].to_vec())
}

/// What a side has said: WebSocket frames (their first byte, and their payload, its mask taken off), lengths of
/// DATA frames, and whether it has ended the stream.
type Spoken = (Vec<(u8, Vec<u8>)>, Vec<usize>, bool);

fn spoken(mut said: &[u8]) -> Spoken {
    let (mut words, mut lengths, mut ends) = (Vec::new(), Vec::new(), false);
    while let Some((head, rest)) = said.split_at_checked(9) {
        let (payload, rest) = rest.split_at(usize::from(head[1]) << 8 | usize::from(head[2]));
        if head[3] == 0 {
            words.extend_from_slice(payload);
            lengths.push(payload.len());
            ends |= head[4] == END_STREAM;
        }
        said = rest;
    }
    let (mut frames, mut words) = (Vec::new(), words.as_slice());
    while let Some((head, rest)) = words.split_first_chunk::<6>() {
        let (payload, rest) = rest.split_at(usize::from(head[1] & 0x7F).min(rest.len()));
        let plain = payload.iter().zip(head[2..].iter().cycle()).map(|(byte, key)| byte ^ key);
        frames.push((head[0], plain.collect()));
        words = rest;
    }
    (frames, lengths, ends)
}

#[test]
fn golden_bytes_of_the_request_and_of_a_stream() {
    let bytes = [HEAD, EVENTS, END].concat();
    let heard = hear_on(LANE, 1, &bytes, bytes.len());
    let (request, rest) = asked(&heard.said);
    assert_eq!(request[..9], [0, 0, request.len() as u8 - 9, 1, END_HEADERS, 0, 0, 0, 1], "it does not end");
    assert_eq!(&request[9..], REQUEST);
    // RFC 8441 5: "The orderly TCP-level closures are represented as END_STREAM flags"; RFC 6455 5.5.1 and
    // 5.5.3: a close and a ping are answered.
    let words = vec![(0x8a, b"hi".to_vec()), (0x88, b"\x03\xe8".to_vec())];
    assert_eq!(spoken(&rest), (words, vec![16, 0], true), "one read is answered at once");
    let head = HEAD.len() as u64;
    let ends: Vec<u64> = heard.events.iter().map(|(_, seen)| seen.end - head).collect();
    assert_eq!(ends, [9 + 12, 9 + 14 + 9 + 2 + 13]);
    assert_eq!((heard.opened, heard.over), (vec![0], vec![(0, Failure::Ended)]));
    let counts = heard.counts;
    assert_eq!((counts.payload, counts.event_framing, counts.control), (4, 8 + 9, 4 + 4));
    assert_eq!((counts.transport_framing, counts.handshake_down), (2 + 2 + 3 * 9, head));
    assert_eq!(counts.received(), bytes.len() as u64);
}

/// In every split the same, but for the masks, and how what is said is cut into DATA frames.
#[test]
fn a_split_changes_nothing() {
    let bytes = [HEAD, EVENTS, END].concat();
    let masked = |split| {
        let heard = hear_on(LANE, 1, &bytes, split);
        let (words, _, ends) = spoken(&asked(&heard.said).1);
        let said = (words, ends);
        (heard.opened, heard.events, heard.over, heard.end, heard.counts, said)
    };
    let whole = masked(bytes.len());
    (1..bytes.len()).for_each(|split| assert_eq!(masked(split), whole, "split into {split}"));
}

/// RFC 8441 3: "Using a SETTINGS parameter to opt into an otherwise incompatible protocol change"; a client
/// asks only "upon receipt of SETTINGS_ENABLE_CONNECT_PROTOCOL with a value of 1"; "The value of the
/// parameter MUST be 0 or 1", and not 0 after 1.
#[test]
fn nothing_is_asked_for_before_the_server_takes_it() {
    let silent = hear_on(LANE, 1, b"", 1);
    assert_eq!(silent.said, b"");
    for (bytes, why) in [
        (frame(Kind::Settings, 0, 0, b""), "lack ENABLE_CONNECT_PROTOCOL"),
        (settings(0), "lack ENABLE_CONNECT_PROTOCOL"),
        (settings(2), "neither taken nor not"),
        ([settings(1), settings(0)].concat(), "neither taken nor not"),
        ([settings(1), frame(Kind::Headers, END_HEADERS | END_STREAM, 1, b"\x8d")].concat(), "status 404"),
        (
            [settings(1), frame(Kind::Headers, END_HEADERS, 1, b"\x88\0\x16sec-websocket-protocol\x01x")]
                .concat(),
            "wrong `sec-websocket-protocol`",
        ),
        (
            [settings(1), frame(Kind::Headers, END_HEADERS, 1, b"\x88\0\x18sec-websocket-extensions\x01x")]
                .concat(),
            "wrong `sec-websocket-extensions`",
        ),
    ] {
        let heard = heard_on(LANE, &bytes);
        let failure = heard.over.first().map_or_else(|| heard.end.unwrap_err(), |over| over.1.clone());
        assert!(failure.to_string().contains(why), "{failure}, expected {why}");
    }
}

/// A rule that was broken is told the peer in a close frame (RFC 6455 7.1.7), and the stream is cancelled.
#[test]
fn a_broken_rule_ends_the_stream_and_not_the_connection() {
    let opened = frame(Kind::Headers, END_HEADERS, 3, b"\x88");
    let bytes = [HEAD, &opened, &data(1, b"\x83\x00"), &data(3, b"\x81\x0a7\nquote\n{}")].concat();
    let heard = hear_on("ws-h2+mux", 2, &bytes, bytes.len());
    assert_eq!((heard.events.len(), heard.end), (1, Ok(())));
    assert!(heard.over[0].0 == 0 && heard.over[0].1.to_string().contains("opcode is reserved"));
    let (words, _, ends) = spoken(&asked(&heard.said).1);
    assert_eq!((words, ends), (vec![(0x88, b"\x03\xea".to_vec())], false));
    assert!(heard.said.ends_with(&frame(Kind::RstStream, 0, 1, &8u32.to_be_bytes())), "CANCEL");
}

/// RFC 9113 6.9.1: "The sender MUST NOT send a flow-controlled frame with a length that exceeds the space
/// available in either of the flow-control windows advertised by the receiver."
#[test]
fn what_the_windows_do_not_take_waits_for_them() {
    let tight = frame(Kind::Settings, 0, 0, b"\0\x08\0\0\0\x01\0\x04\0\0\0\x05");
    let ping = data(1, b"\x89\x02hi");
    let opened = frame(Kind::Headers, END_HEADERS, 1, b"\x88");
    let lengths = |bytes: &[u8]| spoken(&asked(&hear_on(LANE, 1, bytes, bytes.len()).said).1).1;
    let begun = [tight, opened, ping].concat();
    assert_eq!(lengths(&begun), [5], "a pong is two bytes, a key and two more");
    let wider = |stream| frame(Kind::WindowUpdate, 0, stream, &100u32.to_be_bytes());
    assert_eq!(lengths(&[begun.clone(), wider(0)].concat()), [5], "the stream's window is the smaller");
    assert_eq!(lengths(&[begun.clone(), wider(1)].concat()), [5, 3]);
    let larger = frame(Kind::Settings, 0, 0, b"\0\x04\0\0\0\x07");
    assert_eq!(lengths(&[begun, larger].concat()), [5, 2]);
}

/// A message upward is a WebSocket frame in a DATA frame of its stream, whose header is counted; what the window
/// does not take waits, up to a bound.
#[test]
fn golden_bytes_of_a_message_upward() {
    let mut h2 = connection(LANE, 1);
    assert!(!h2.takes_words(0), "it is not open");
    h2.feed(HEAD, &mut |_| {}).unwrap();
    h2.outbox().clear();
    let message = b"\x81\x82\0\0\0\0hi";
    assert!(h2.takes_words(0) && !h2.takes_words(1));
    h2.say(0, &mut message.to_vec());
    assert_eq!(h2.outbox().as_slice(), data(1, message));
    assert_eq!(h2.counts().up_transport, 9);
    // 65,535 bytes of the windows, 8 of which are gone: the rest of 80,000 waits.
    h2.say(0, &mut vec![0; 80_000]);
    let spoken: usize = spoken(h2.outbox()).1.iter().sum();
    assert_eq!((spoken, h2.counts().up_transport), (65_535, 9 + 4 * 9));
    assert!(h2.takes_words(0), "14,473 wait");
    h2.say(0, &mut vec![0; 20_000]);
    assert!(!h2.takes_words(0), "34,473 wait");
}
