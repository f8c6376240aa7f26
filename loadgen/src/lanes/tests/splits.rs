//! Arbitrary bytes in arbitrary splits: the same events and the same counts as in one piece, every
//! byte counted once, and never a panic; and an independent decoder that must agree.

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use proptest::prelude::*;
use proptest::sample::select;

use super::super::sse_event::Events;
use super::{Seen, feed, reads, wires};

/// Pieces of the grammars, so that generated streams are often nearly valid.
const PIECES: [&[u8]; 38] = [
    b"data: a\n",
    b"data:b\r\n",
    b"data\r",
    b"id: 7\n",
    b"id\n",
    b"id: \x00\n",
    b"event: quote\n",
    b"\n",
    b"\r",
    b"\r\n",
    b": x\n",
    b"retry: 5\n",
    b"\xEF\xBB\xBF",
    b"\xE2\x82\xAC",
    b"\xE2\x82",
    b"\xFF",
    b"foo: bar\n",
    b"data: ",
    b"3\r\nabc\r\n",
    b"9\r\ndata: a\n\n\r\n",
    b"a;ext\r\ndata: ab\n\n\r\n",
    b"0\r\n\r\n",
    b"0\r\nx: y\r\n\r\n",
    b"1\r\n",
    b"\x81\x0A7\nquote\n{}",
    b"\x82\x03abc",
    b"\x01\x01a",
    b"\x00\x01b",
    b"\x80\x01c",
    b"\x89\x01p",
    b"\x8A\x00",
    b"\x88\x00",
    b"\x81\x7E\x00\x7E",
    b"\x81\x01\xC3",
    b"\x00\x00\x00\x0A7\nquote\n{}",
    b"\x00\x00\x00\x00",
    b"\x00\x00\x00\x03abc",
    b"\x00\x00\x01",
];

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![8 => select(&PIECES[..]).prop_map(<[u8]>::to_vec), 1 => any::<[u8; 2]>().prop_map(Vec::from)];
    prop_oneof![
        4 => proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat()),
        1 => any::<Vec<u8>>(),
    ]
}

/// Lines of valid UTF-8 with every end of line.
fn event_stream() -> impl Strategy<Value = String> {
    let field = select(&["data", "id", "event", "retry", "", "foo", "dat", "data "][..]);
    let value = prop_oneof!["[a-z :\u{E9}\u{1F600}\u{0}]{0,6}", "[0-9]{0,4}"];
    let end = select(&["\n", "\r", "\r\n"][..]);
    let line = (field, select(&["", ":", ": "][..]), value, end.clone())
        .prop_map(|(field, colon, value, end)| format!("{field}{colon}{value}{end}"));
    let any_line = prop_oneof![3 => line, 2 => end.prop_map(String::from)];
    (any::<bool>(), proptest::collection::vec(any_line, 0..40))
        .prop_map(|(bom, lines)| if bom { format!("\u{FEFF}{}", lines.concat()) } else { lines.concat() })
}

/// What sse-stream makes of it; blocks without data are no events.
fn oracle(stream: &str) -> Vec<(Option<String>, Option<String>, String)> {
    let bytes =
        futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::copy_from_slice(stream.as_bytes()))]);
    let blocks: Vec<_> = sse_stream::SseByteStream::new(bytes).collect().now_or_never().unwrap();
    let blocks = blocks.into_iter().map(Result::unwrap);
    blocks
        .filter_map(|block| Some((block.id, block.event.filter(|name| !name.is_empty()), block.data?)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_split_changes_nothing_and_every_byte_is_counted(
        bytes in stream(), sizes in proptest::collection::vec(1usize..20, 1..8),
    ) {
        for (whole, split) in wires().into_iter().zip(wires()) {
            let (seen, mut decoder, result) = feed(whole, std::iter::once(bytes.as_slice()));
            let (seen_split, mut decoder_split, result_split) = feed(split, reads(&bytes, &sizes));
            prop_assert_eq!(&seen, &seen_split);
            prop_assert_eq!(decoder.counts(), decoder_split.counts());
            prop_assert_eq!(decoder.counts().received(), bytes.len() as u64);
            prop_assert_eq!(decoder.outbox().map(|out| out.len()), decoder_split.outbox().map(|out| out.len()));
            if !bytes.is_empty() {
                prop_assert_eq!(result, result_split);
            }
            let ends: Vec<u64> = seen.iter().map(|event| event.end).collect();
            prop_assert!(ends.is_sorted() && ends.iter().all(|end| *end <= bytes.len() as u64));
        }
    }

    #[test]
    fn an_independent_decoder_agrees(
        stream in event_stream(), sizes in proptest::collection::vec(1usize..20, 1..8),
    ) {
        let (mut events, mut seen) = (Events::default(), Vec::new());
        for read in reads(stream.as_bytes(), &sizes) {
            events.feed(read, &mut |event, _| {
                let Seen { id, name, data, .. } = Seen::of(event, 0);
                seen.push((id, name, data));
            }).unwrap();
        }
        prop_assert_eq!(seen, oracle(&stream));
    }
}
