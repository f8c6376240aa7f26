//! WebSocket frames, a case a rule of RFC 6455 (<https://www.rfc-editor.org/rfc/rfc6455>), each
//! beside the sentence it comes from, in every split.

use scenarios::{Envelope, Identity};

use super::super::decoder::{Decoder, Wire};
use super::super::ws::Ws;
use super::feed;
use servers::websocket::frame::{Opcode, Role, write};

/// Rule, bytes, messages that arrive before the failure.
type Case = (&'static str, &'static [u8], &'static [&'static str]);

/// 5.7 and 5.4: what a server may send.
const GOOD: &[Case] = &[
    ("5.7: A single-frame unmasked text message", b"\x81\x05\x48\x65\x6c\x6c\x6f", &["Hello"]),
    (
        "5.7: A fragmented unmasked text message",
        b"\x01\x03\x48\x65\x6c\x80\x02\x6c\x6f\x81\x01!",
        &["Hello", "!"],
    ),
    (
        "5.4: Control frames MAY be injected in the middle of a fragmented message",
        b"\x01\x03Hel\x89\x01p\x00\x00\x8a\x00\x80\x02lo",
        &["Hello"],
    ),
    ("5.6: binary data is arbitrary", b"\x82\x02\xC3\xA9\x82\x00", &["\u{E9}", ""]),
    ("5.6: a fragment may cut a character", b"\x01\x01\xC3\x80\x01\xA9", &["\u{E9}"]),
    (
        "1.4: after a close, a peer discards any further data received",
        b"\x81\x01a\x88\x02\x03\xE8\x81\x01b",
        &["a"],
    ),
];

/// What fails the connection.
const BROKEN: &[Case] = &[
    ("5.2: RSV1, RSV2, RSV3 MUST be 0 unless an extension is negotiated", b"\x81\x01a\xC1\x01b", &["a"]),
    ("5.2: RSV2", b"\xA1\x01a", &[]),
    ("5.2: RSV3", b"\x91\x01a", &[]),
    ("5.2: %x3-7 are reserved for further non-control frames", b"\x83\x00", &[]),
    ("5.2: %xB-F are reserved for further control frames", b"\x8B\x00", &[]),
    ("5.1: A client MUST close a connection if it detects a masked frame", b"\x81\x81\x00\x00\x00\x00a", &[]),
    ("5.2: the minimal number of bytes MUST be used to encode the length (126)", b"\x81\x7E\x00\x7Dx", &[]),
    (
        "5.2: the minimal number of bytes MUST be used to encode the length (127)",
        b"\x81\x7F\x00\x00\x00\x00\x00\x00\xFF\xFFx",
        &[],
    ),
    ("5.2: the most significant bit MUST be 0", b"\x81\x7F\x80\x00\x00\x00\x00\x01\x00\x00x", &[]),
    ("5.5: All control frames MUST have a payload length of 125 bytes or less", b"\x89\x7E\x00\x7E", &[]),
    ("5.5: All control frames MUST NOT be fragmented", b"\x09\x00", &[]),
    ("5.4: fragments of one message MUST NOT be interleaved with another's", b"\x01\x01a\x81\x01b", &[]),
    ("5.4: a continuation continues a message", b"\x80\x01a", &[]),
    ("8.1: text that is not valid UTF-8 MUST fail the connection", b"\x81\x01\xFF", &[]),
    ("5.5.1: a close body starts with a 2-byte unsigned integer", b"\x88\x01\x03", &[]),
    ("7.4.1: 1005 MUST NOT be set as a status code in a Close frame", b"\x88\x02\x03\xED", &[]),
    ("7.4.2: 0-999 are not used", b"\x88\x02\x03\xE7", &[]),
    ("5.5.1: the close reason is UTF-8", b"\x88\x03\x03\xE8\xFF", &[]),
    ("10.4: a message above our limit", b"\x82\x7F\x00\x00\x00\x00\x01\x00\x00\x01", &[]),
];

fn ws() -> Wire {
    Wire::Ws(Ws::new(Identity::None, Envelope::Lines))
}

fn messages(bytes: &[u8], split: usize) -> (Vec<String>, Decoder, Option<String>) {
    let (seen, decoder, result) = feed(ws(), bytes.chunks(split));
    let failure = result.err().map(|failure| failure.to_string());
    (seen.into_iter().map(|event| event.data).collect(), decoder, failure)
}

#[test]
fn every_rule_in_every_split() {
    for (rule, bytes, expected) in GOOD {
        for split in 1..=bytes.len() {
            let (seen, decoder, failure) = messages(bytes, split);
            assert_eq!((seen.as_slice(), failure), (to_owned(expected).as_slice(), None), "{rule}");
            assert_eq!(decoder.counts().received(), bytes.len() as u64, "{rule}");
        }
    }
    for (rule, bytes, expected) in BROKEN {
        for split in 1..=bytes.len() {
            let (seen, mut decoder, failure) = messages(bytes, split);
            assert_eq!(seen, to_owned(expected), "{rule}");
            assert!(failure.is_some_and(|text| text.contains("WebSocket")), "{rule}");
            assert_eq!(decoder.outbox().unwrap()[0], 0x88, "{rule}: a close frame says why");
        }
    }
}

fn to_owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// 5.2: "If 0-125, that is the payload length. If 126, the following 2 bytes interpreted as a 16-bit
/// unsigned integer are the payload length. If 127, the following 8 bytes".
#[test]
fn lengths_at_their_limits() {
    let cases: [(usize, &[u8]); 5] = [
        (0, b"\x82\x00"),
        (125, b"\x82\x7D"),
        (126, b"\x82\x7E\x00\x7E"),
        (65_535, b"\x82\x7E\xFF\xFF"),
        (65_536, b"\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00"),
    ];
    for (length, header) in cases {
        let wire = [header, &vec![b'x'; length]].concat();
        for split in [1, 1_000, wire.len()] {
            let (seen, decoder, failure) = messages(&wire, split);
            assert_eq!((seen[0].len(), seen.len(), failure), (length, 1, None));
            let counts = decoder.counts();
            assert_eq!((counts.payload, counts.transport_framing), (length as u64, header.len() as u64));
        }
    }
}

/// 5.5.3: "A Pong frame sent in response to a Ping frame must have identical 'Application data'";
/// 5.5.1: "the endpoint typically echos the status code it received"; 5.3: a client's frames are
/// masked: "transformed-octet-i = original-octet-i XOR masking-key-octet-j".
#[test]
fn pings_and_closes_are_answered_masked() {
    let unmask = |frame: &[u8]| -> Vec<u8> {
        frame[6..].iter().zip(frame[2..6].iter().cycle()).map(|(byte, key)| byte ^ key).collect()
    };
    let (_, mut decoder, _) = messages(b"\x89\x05Hello", 2);
    let pong = std::mem::take(decoder.outbox().unwrap());
    assert_eq!((pong[0], pong[1], unmask(&pong)), (0x8A, 0x85, b"Hello".to_vec()));
    decoder.feed(b"\x88\x05\x03\xE9bye", |_, _| {}).unwrap();
    let close = std::mem::take(decoder.outbox().unwrap());
    assert_eq!((close[0], close[1], unmask(&close)), (0x88, 0x82, vec![0x03, 0xE9]));
    assert_eq!(decoder.counts().control, 7 + 7);
}

#[test]
fn masks_differ_and_pongs_to_a_deaf_peer_are_bounded() {
    let masks: std::collections::HashSet<Vec<u8>> = (0..100)
        .map(|_| {
            let mut out = Vec::new();
            write(&mut out, Role::Client, Opcode::Pong, false, b"");
            out[2..].to_vec()
        })
        .collect();
    assert!(masks.len() > 90);
    let (_, mut decoder, _) = messages(&b"\x89\x05Hello".repeat(100_000), 4_096);
    assert!(decoder.outbox().unwrap().len() < 5_000);
}

#[test]
fn the_envelope_is_framing_and_a_message_without_one_is_all_data() {
    let wire = b"\x81\x0A7\nquote\n{}\x81\x03odd";
    let (seen, decoder, _) = feed(Wire::Ws(Ws::new(Identity::IdEvent, Envelope::Lines)), wire.chunks(5));
    assert_eq!((seen[0].id.as_deref(), seen[0].name.as_deref()), (Some("7"), Some("quote")));
    assert_eq!((seen[0].data.as_str(), seen[0].end), ("{}", 12));
    assert_eq!((seen[1].id.as_deref(), seen[1].data.as_str(), seen[1].end), (None, "odd", 17));
    let counts = decoder.counts();
    assert_eq!((counts.payload, counts.event_framing, counts.transport_framing), (5, 8, 4));
    let json = br#"{"id":7,"event":"quote","data":"a\nb"}"#;
    let wire = [&[0x81, 0x26][..], json].concat();
    let (seen, decoder, _) = feed(Wire::Ws(Ws::new(Identity::IdEvent, Envelope::Json)), wire.chunks(9));
    assert_eq!((seen[0].data.as_str(), decoder.counts().event_framing), ("a\nb", json.len() as u64 - 3));
}
