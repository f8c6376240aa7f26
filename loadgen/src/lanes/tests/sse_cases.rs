//! The grammar of event streams, a case a rule, each beside the sentence it comes from.
//!
//! Sentences: WHATWG HTML 9.2.5 (parsing) and 9.2.6 (interpreting),
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>.

use super::super::sse_event::Events;
use super::Seen;

/// Stream, and its events as `id|name|data`, `-` for what is absent.
type Case = (&'static str, &'static [u8], &'static [&'static str]);

const CASES: &[Case] = &[
    (
        "Lines must be separated by either a U+000D CARRIAGE RETURN U+000A LINE FEED (CRLF) character pair, a single U+000A LINE FEED (LF) character, or a single U+000D CARRIAGE RETURN (CR) character.",
        b"data: a\r\n\r\ndata: b\n\ndata: c\r\rdata: d\r\n\ndata: e\n\rdata: f\r\r\n",
        &["-|-|a", "-|-|b", "-|-|c", "-|-|d", "-|-|e", "-|-|f"],
    ),
    (
        "CR LF is one end of line: the LF behind a CR does not make a blank line.",
        b"data: a\r\ndata: b\r\n\r\n",
        &["-|-|a\nb"],
    ),
    (
        "The UTF-8 decode algorithm strips one leading UTF-8 Byte Order Mark (BOM), if any.",
        b"\xEF\xBB\xBFdata: a\n\n",
        &["-|-|a"],
    ),
    (
        "One BOM only: a second one is part of a field name, which is unknown.",
        b"\xEF\xBB\xBF\xEF\xBB\xBFdata: a\n\ndata: b\n\n",
        &["-|-|b"],
    ),
    (
        "A BOM that does not lead is part of the field name.",
        b"data: a\n\n\xEF\xBB\xBFdata: b\n\n",
        &["-|-|a"],
    ),
    (
        "Streams must be decoded using the UTF-8 decode algorithm.",
        "data: h\u{E9}llo \u{20AC} \u{1F600}\n\n".as_bytes(),
        &["-|-|h\u{E9}llo \u{20AC} \u{1F600}"],
    ),
    (
        "UTF-8 decode replaces each maximal part of a broken sequence by U+FFFD (Encoding 4.1, \"replacement\").",
        b"data: a\xFFb\xE2\x82\nid: \xC0\nevent: \xF0\x9F\x98x\n\n",
        &["\u{FFFD}|\u{FFFD}x|a\u{FFFD}b\u{FFFD}"],
    ),
    (
        "If the line starts with a U+003A COLON character (:): Ignore the line.",
        b": comment\ndata: a\n:\n:data: b\n\n",
        &["-|-|a"],
    ),
    (
        "If the line contains a U+003A COLON character (:): Collect the characters on the line before the first U+003A COLON character (:), and let field be that string.",
        b"data:a:b:c\n\n",
        &["-|-|a:b:c"],
    ),
    (
        "If value starts with a U+0020 SPACE character, remove it from value.",
        b"data:a\n\ndata: a\n\ndata:  a\n\ndata:\ta\n\ndata: \n\n",
        &["-|-|a", "-|-|a", "-|-| a", "-|-|\ta", "-|-|"],
    ),
    (
        "Otherwise (no colon): Process the field using the whole line as the field name, and the empty string as the field value.",
        b"data\n\ndata\ndata\n\n",
        &["-|-|", "-|-|\n"],
    ),
    (
        "Field names must be compared literally, with no case folding performed.",
        b"Data: a\nDATA: b\n data: c\ndata : d\n\n",
        &[],
    ),
    ("Otherwise: The field is ignored.", b"foo: bar\ndata: a\nevents: x\n\n", &["-|-|a"]),
    (
        "If the field name is \"data\": Append the field value to the data buffer, then append a single U+000A LINE FEED (LF) character to the data buffer.",
        b"data: a\ndata:\ndata: b\n\n",
        &["-|-|a\n\nb"],
    ),
    (
        "If the field name is \"event\": Set the event type buffer to the field value.",
        b"event: x\nevent: quote\ndata: a\n\ndata: b\n\nevent:\ndata: c\n\n",
        &["-|quote|a", "-|-|b", "-|-|c"],
    ),
    (
        "If the data buffer is an empty string, set the data buffer and the event type buffer to the empty string and return.",
        b"event: quote\n\ndata: a\n\n",
        &["-|-|a"],
    ),
    (
        "If the field value does not contain U+0000 NULL, then set the last event ID buffer to the field value. Otherwise, ignore the field.",
        b"id: 1\nid: 2\x003\ndata: a\n\n",
        &["1|-|a"],
    ),
    (
        "Once the end of the file is reached, any pending data must be discarded.",
        b"data: a\n\ndata: b\n",
        &["-|-|a"],
    ),
    ("Order of the fields does not matter.", b"data: a\nevent: e\nid: 7\n\n", &["7|e|a"]),
];

fn decode(stream: &[u8], split: usize) -> (Vec<String>, Events) {
    let (mut events, mut seen) = (Events::default(), Vec::new());
    for read in stream.chunks(split) {
        events
            .feed(read, &mut |event, end| {
                assert!((1..=read.len()).contains(&end));
                let Seen { id, name, data, .. } = Seen::of(event, 0);
                let or = |field: Option<String>| field.unwrap_or("-".into());
                seen.push(format!("{}|{}|{data}", or(id), or(name)));
            })
            .unwrap();
    }
    (seen, events)
}

#[test]
fn every_rule_in_every_split() {
    for (rule, stream, expected) in CASES {
        for split in 1..=stream.len() {
            let (seen, events) = decode(stream, split);
            assert_eq!(&seen, expected, "{rule} (reads of {split} bytes)");
            let counts = events.counts();
            let counted = counts.payload + counts.event_framing + counts.control;
            assert_eq!(counted, stream.len() as u64);
        }
    }
}

/// "Set the last event ID string of the event source to the value of the last event ID buffer. The
/// buffer does not get reset, so the last event ID string of the event source remains set to this
/// value until the next time it is set by the server." It is the first step of dispatching, before
/// the data buffer is looked at, and happens at the blank line only.
#[test]
fn the_last_id_is_committed_at_the_blank_line() {
    let cases: [(&[u8], &str); 7] = [
        (b"id: 1\ndata: a\n\ndata: b\n\n", "1"),
        (b"id: 1\ndata: a\n\nid: 2\ndata: b\n", "1"),
        (b"id: 1\n\n", "1"),
        (b"id: 1\n\nid\ndata: a\n\n", ""),
        (b"id: 1\n\nid: \n\n", ""),
        (b"id: 1\n\nid: 2\x00\n\n", "1"),
        (b"id: 1\nid: 2\n\n", "2"),
    ];
    for (stream, id) in cases {
        for split in 1..=stream.len() {
            assert_eq!(decode(stream, split).1.last_id(), id.as_bytes(), "{stream:?}");
        }
    }
}

/// "If the field value consists of only ASCII digits, then interpret the field value as an integer
/// in base ten, and set the event stream's reconnection time to that integer. Otherwise, ignore the
/// field."
#[test]
fn the_reconnection_time_is_digits_only() {
    let cases: [(&[u8], Option<u64>); 7] = [
        (b"retry: 2500\n", Some(2_500)),
        (b"retry: 2500\nretry: +5\n", Some(2_500)),
        (b"retry: -1\n", None),
        (b"retry:\n", None),
        (b"retry: 1.5\n", None),
        (b"retry:  7\n", None),
        (b"retry: 99999999999999999999999\n", Some(u64::MAX)),
    ];
    for (stream, retry) in cases {
        assert_eq!(decode(stream, 3).1.retry(), retry, "{stream:?}");
    }
}

#[test]
fn what_carries_no_event_is_control() {
    let cases: [(&[u8], u64); 6] = [
        (b":\n\n", 3),
        (b": keep-alive\r\n\r\n", 16),
        (b"retry: 5\n\n", 10),
        (b"id: 7\n\n", 7),
        (b": x\ndata: a\n: y\n\n", 8),
        (b"data: a\nfoo\n\n", 4),
    ];
    for (stream, control) in cases {
        for split in 1..=stream.len() {
            assert_eq!(decode(stream, split).1.counts().control, control, "{stream:?}");
        }
    }
}

/// A heartbeat of comment lines that never makes a blank line must not pile up.
#[test]
fn an_event_is_bounded_and_comments_are_not_kept() {
    let mut events = Events::default();
    let heartbeat = b":\n".repeat(1 << 20);
    for _ in 0..10 {
        events.feed(&heartbeat, &mut |_, _| {}).unwrap();
    }
    let line = b"data: endless ".repeat(1 << 16);
    let failed = (0..40).find_map(|_| events.feed(&line, &mut |_, _| {}).err());
    assert_eq!(failed.unwrap().kind(), "protocol");
}
