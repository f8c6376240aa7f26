//! Compressed messages, a case a rule of RFC 7692 (<https://www.rfc-editor.org/rfc/rfc7692>), each beside
//! the sentence it comes from, in every split.

use scenarios::{Envelope, Identity};
use servers::websocket::deflate::{Context, WINDOW_BITS};

use super::super::decoder::Wire;
use super::super::ws::Ws;
use super::feed;

/// Rule, bytes, messages that arrive before the failure, if there is one.
type Case = (&'static str, &'static [u8], &'static [&'static str], bool);

const CASES: &[Case] = &[
    (
        "7.2.3.1: a message compressed using one DEFLATE block",
        b"\xC1\x07\xF2\x48\xCD\xC9\xC9\x07\x00",
        &["Hello"],
        true,
    ),
    (
        "7.2.3.1: the message fragmented: only the first frame has the bit",
        b"\x41\x03\xF2\x48\xCD\x80\x04\xC9\xC9\x07\x00",
        &["Hello"],
        true,
    ),
    (
        "7.2.3.2: sharing the LZ77 sliding window",
        b"\xC1\x07\xF2\x48\xCD\xC9\xC9\x07\x00\xC1\x05\xF2\x00\x11\x00\x00",
        &["Hello", "Hello"],
        true,
    ),
    (
        "7.2.3.3: a DEFLATE block with no compression",
        b"\xC1\x0B\x00\x05\x00\xFA\xFF\x48\x65\x6C\x6C\x6F\x00",
        &["Hello"],
        true,
    ),
    (
        "7.2.3.4: a DEFLATE block with BFINAL set to 1",
        b"\xC1\x08\xF3\x48\xCD\xC9\xC9\x07\x00\x00",
        &["Hello"],
        true,
    ),
    (
        "7.2.3.5: two DEFLATE blocks in one message",
        b"\xC1\x0D\xF2\x48\x05\x00\x00\x00\xFF\xFF\xCA\xC9\xC9\x07\x00",
        &["Hello"],
        true,
    ),
    ("7.2.3.6: an empty message is one 0x00 octet", b"\xC1\x01\x00", &[""], true),
    (
        "6: the bit unset, the message is not compressed, and not part of the window",
        b"\x81\x02hi\xC1\x07\xF2\x48\xCD\xC9\xC9\x07\x00",
        &["hi", "Hello"],
        true,
    ),
    (
        "6.1: a control frame amid a compressed message",
        b"\x41\x03\xF2\x48\xCD\x89\x01p\x80\x04\xC9\xC9\x07\x00",
        &["Hello"],
        true,
    ),
    (
        "6.1: the bit on control frames MUST NOT be set, an endpoint receiving such a frame MUST _Fail_",
        b"\x81\x01a\xC9\x00",
        &["a"],
        false,
    ),
    (
        "6.1: nor on non-first fragments of a data message",
        b"\x41\x03\xF2\x48\xCD\xC0\x04\xC9\xC9\x07\x00",
        &[],
        false,
    ),
    ("RFC 6455 5.2: RSV2 and RSV3 stay reserved", b"\xE1\x01\x00", &[], false),
    ("7.2.2: what does not decompress", b"\xC1\x03\xFF\xFF\xFF", &[], false),
    (
        "RFC 6455 8.1: text that is not UTF-8 once inflated",
        b"\xC1\x07\x00\x01\x00\xFE\xFF\xFF\x00",
        &[],
        false,
    ),
];

fn ws() -> Wire {
    let context = Context { takeover: true, window_bits: WINDOW_BITS };
    Wire::Ws(Ws::new(Identity::None, Envelope::Lines).inflating(Some(context)))
}

#[test]
fn every_rule_in_every_split() {
    for (rule, bytes, expected, good) in CASES {
        for split in 1..=bytes.len() {
            let (seen, mut decoder, result) = feed(ws(), bytes.chunks(split));
            let texts: Vec<String> = seen.into_iter().map(|event| event.data).collect();
            assert_eq!(
                (texts.iter().map(String::as_str).collect::<Vec<_>>(), result.is_ok()),
                (expected.to_vec(), *good),
                "{rule}"
            );
            assert_eq!(decoder.counts().received(), bytes.len() as u64, "{rule}");
            if !good {
                assert_eq!(decoder.outbox().unwrap()[0], 0x88, "{rule}: a close frame says why");
            }
        }
    }
}
