//! What decoding one event costs on each wire: the lean client's share of a delivery beside the
//! system calls. A hundred ticker events, as a server writes them, in one read and in reads that
//! cut every event; and a hundred of 3,000 bytes, which SSE carries as base64.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use loadgen::lanes::chunked::Chunked;
use loadgen::lanes::decoder::{Decoder, Wire};
use loadgen::lanes::raw::Raw;
use loadgen::lanes::sse::{Body, Sse};
use loadgen::lanes::ws::Ws;
use scenarios::{Envelope, Identity, Payload, binary, envelope};

const EVENTS: u64 = 100;

fn sse() -> Vec<u8> {
    let event = |seq| {
        let body = Payload::Ticker.body(1, seq);
        let event = [format!("id: {seq}\nevent: quote\ndata: ").as_bytes(), &body, b"\n\n"].concat();
        [format!("{:x}\r\n", event.len()).as_bytes(), &event, b"\r\n"].concat()
    };
    (0..EVENTS).flat_map(event).collect()
}

fn message(seq: u64) -> Vec<u8> {
    envelope::encode(Identity::IdEvent, Envelope::Lines, seq, "quote", &Payload::Ticker.body(1, seq))
}

fn ws() -> Vec<u8> {
    let frame = |seq| {
        let message = message(seq);
        let length = u16::try_from(message.len()).expect("a quote is short").to_be_bytes();
        let header = if message.len() < 126 { vec![0x81, length[1]] } else { [[0x81, 126], length].concat() };
        [header, message].concat()
    };
    (0..EVENTS).flat_map(frame).collect()
}

fn raw() -> Vec<u8> {
    let frame = |seq| {
        let message = message(seq);
        [&u32::try_from(message.len()).expect("a quote is short").to_be_bytes()[..], &message].concat()
    };
    (0..EVENTS).flat_map(frame).collect()
}

/// Decodes all bytes in reads of `read` bytes; returns the number of events.
fn decode(decoder: &mut Decoder, bytes: &[u8], read: usize) -> u64 {
    let mut events = 0;
    for bytes in bytes.chunks(read) {
        let fed = decoder.feed(bytes, |event, _| events += u64::from(black_box(event).seq().is_some()));
        fed.expect("a valid stream");
    }
    events
}

/// Events of 3,000 bytes as base64, and the same bytes in frames: what decoding base64 costs.
fn large(is_base64: bool) -> Vec<u8> {
    let payload = Payload::Binary(3_000);
    let event = |seq| {
        let body = payload.body(1, seq);
        if is_base64 {
            let head = format!("id: {seq}\nevent: chunk\ndata: ");
            return [head.as_bytes(), binary::encode(&body).as_bytes(), b"\n\n"].concat();
        }
        let message = envelope::encode(Identity::IdEvent, Envelope::Lines, seq, "chunk", &body);
        let length = u16::try_from(message.len()).expect("below 64 KiB").to_be_bytes();
        [&[0x82, 126], &length[..], &message].concat()
    };
    (0..EVENTS).flat_map(event).collect()
}

fn benches(criterion: &mut Criterion) {
    let (identity, envelope) = (Identity::IdEvent, Envelope::Lines);
    let wires = [
        ("sse", sse(), Wire::Sse(Sse::new(Body::Chunked(Chunked::default())))),
        ("ws", ws(), Wire::Ws(Ws::new(identity, envelope))),
        ("raw", raw(), Wire::Raw(Raw::new(identity, envelope))),
        ("sse-base64-3k", large(true), Wire::Sse(Sse::new(Body::UntilClose).with_base64(true))),
        ("sse-undecoded-4k", large(true), Wire::Sse(Sse::new(Body::UntilClose))),
        ("ws-binary-3k", large(false), Wire::Ws(Ws::new(identity, envelope))),
    ];
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(EVENTS));
    for (name, bytes, wire) in wires {
        let mut decoder = Decoder::new(wire, 0);
        for (reads, size) in [("whole", bytes.len()), ("cut", 100)] {
            assert_eq!(decode(&mut decoder, &bytes, size), EVENTS, "{name} decodes all");
            group.bench_function(format!("{name}/{reads}"), |bencher| {
                bencher.iter(|| decode(&mut decoder, black_box(&bytes), size));
            });
        }
    }
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
