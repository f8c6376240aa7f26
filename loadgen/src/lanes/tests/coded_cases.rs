//! Compressed lanes: a lean client and the server it measures, event by event, and compressed streams
//! in every split.

use std::sync::Arc;
use std::time::Duration;

use flate2::{Compress, Compression, FlushCompress};
use proptest::prelude::*;
use scenarios::{Coding, Lane, Scenario};
use servers::http::Limits;
use servers::hub::Hub;
use servers::lanes::Service;
use servers::listen::listen;
use servers::wire::Meter;

use super::servers::{Said, listen as attend};
use super::{Seen, feed};
use crate::lanes::chunked::Chunked;
use crate::lanes::decoder::Wire;
use crate::lanes::sse::{Body, Sse};
use crate::lanes::{Target, tls};

/// Events sent one by one.
const EVENTS: u64 = 200;

/// Subscribers that each must have the last one first, on connections of their own or on one.
const SUBSCRIBERS: usize = 3;

/// A hang fails a test instead of stopping it.
const HANG: Duration = Duration::from_secs(20);

/// The next event is published only after the last one arrived at every subscriber: if a buffer had to
/// fill first, this would wait for ever.
async fn lock_step(lane: Lane) {
    let scenario = Arc::new(Scenario::load("smoke", &[]).unwrap().1);
    let (hub, meter) = (Hub::new(64), Arc::new(Meter::default()));
    let listening = listen("127.0.0.1:0".parse().unwrap(), &scenario, 1_024).unwrap();
    let address = listening.address;
    let secured = lane.tls.then(|| servers::tls::secure(lane.carrier, address.ip()).unwrap());
    let trust = secured.as_ref().map(|secured| tls::trusting(&secured.certificate, lane.carrier).unwrap());
    let service = Service::of(lane, hub.clone(), &scenario, Limits::default());
    tokio::spawn(listening.serve(Arc::clone(&meter), service, secured));
    let publish = |seq| {
        let body = scenario.payload.body(scenario.seed, seq);
        hub.publish(seq, servers::lanes::frame(lane, &scenario, seq, &body).unwrap());
        String::from_utf8(body).unwrap()
    };
    let target = Target {
        lane,
        address,
        source: None,
        path: None,
        client: 0,
        streams: if lane.mux { SUBSCRIBERS } else { 1 },
        scenario: Arc::clone(&scenario),
        tls: trust,
        after: Vec::new(),
    };
    let mut connections = Vec::new();
    for _ in 0..SUBSCRIBERS / target.streams {
        connections.push((attend(&target, true).await.unwrap(), None, Vec::new()));
    }
    for seq in 0..EVENTS {
        let body = publish(seq);
        for (said, counts, ends) in &mut connections {
            let mut missing = target.streams;
            while missing > 0 {
                let next = tokio::time::timeout(HANG, said.recv()).await;
                match next.unwrap_or_else(|_| panic!("{lane}: event {seq} was held back")) {
                    Some(Said::Event(Seen { id, data, end, .. }, _)) => {
                        assert_eq!((id, &data), (Some(seq.to_string()), &body), "{lane}");
                        ends.push(end);
                        missing -= 1;
                    }
                    Some(Said::Counted(now)) => *counts = now,
                    Some(Said::Opened(stream)) => assert!(stream < target.streams, "{lane}"),
                    Some(Said::Over(failure)) => panic!("{lane}: {failure}"),
                    None => panic!("{lane}: the stream is gone"),
                }
            }
        }
    }
    for (_, counts, ends) in connections {
        // One record of TLS may hold the events of several streams, and then is the place of all of them.
        let shared = lane.mux && lane.tls;
        assert!(ends.is_sorted_by(|a, b| a < b || shared && a == b), "{lane}: every event has its own place");
        let counts = counts.unwrap();
        let mixed = lane.coding != Coding::Plain;
        let layers = (counts.coded > 0, counts.payload == 0, counts.event_framing == 0);
        assert_eq!(layers, (mixed, mixed, mixed), "{lane}");
    }
}

#[tokio::test]
async fn an_event_is_delivered_when_it_is_sent_not_when_a_buffer_fills() {
    for lane in Lane::all() {
        let lean = lane.client == scenarios::ClientStack::Lean;
        if lean && lane.coding != Coding::Plain && !lane.holds_back() {
            lock_step(lane).await;
        }
    }
}

fn gzip(pieces: &[Vec<u8>], end: bool) -> Vec<u8> {
    let mut compress = Compress::new_gzip(Compression::new(6), 15);
    let mut out = Vec::with_capacity(1 << 16);
    for piece in pieces {
        compress.compress_vec(piece, &mut out, FlushCompress::Sync).unwrap();
    }
    if end {
        compress.compress_vec(&[], &mut out, FlushCompress::Finish).unwrap();
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Against the same stream in the clear: the same events; and in any split the same counts and
    /// the same places on the wire.
    #[test]
    fn a_split_changes_nothing_of_a_compressed_stream(
        pieces in proptest::collection::vec("(data: [a-z]{0,9}\n|id: [0-9]\n|: x\n|\n){1,6}", 0..8),
        end: bool, sizes in proptest::collection::vec(1usize..20, 1..8),
    ) {
        let pieces: Vec<Vec<u8>> = pieces.into_iter().map(String::into_bytes).collect();
        let coded = gzip(&pieces, end);
        let mut wire = format!("{:x}\r\n", coded.len()).into_bytes();
        wire.extend_from_slice(&coded);
        wire.extend_from_slice(b"\r\n0\r\n\r\n");
        let coded_wire = || {
            let mut sse = Sse::new(Body::Chunked(Chunked::default())).coded(Coding::Gzip);
            sse.pinpoint();
            Wire::Sse(sse)
        };
        let (clear, _, _) =
            feed(Wire::Sse(Sse::new(Body::UntilClose)), std::iter::once(pieces.concat().as_slice()));
        let (seen, decoder, result) = feed(coded_wire(), std::iter::once(wire.as_slice()));
        let (split, decoder_split, result_split) = feed(coded_wire(), super::reads(&wire, &sizes));
        prop_assert_eq!(&seen, &split);
        prop_assert_eq!((decoder.counts(), &result), (decoder_split.counts(), &result_split));
        prop_assert_eq!((decoder.counts().received(), decoder.counts().coded), (wire.len() as u64, coded.len() as u64));
        let without_place = |seen: &[Seen]| seen.iter().map(|one| Seen { end: 0, ..one.clone() }).collect::<Vec<_>>();
        prop_assert_eq!(without_place(&seen), without_place(&clear));
        // A stream whose trailer is missing was cut off, however well the body ended.
        prop_assert_eq!(result.unwrap_err().kind(), if end { "ended" } else { "protocol" });
    }
}
