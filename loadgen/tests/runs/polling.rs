//! What is polled for, over HTTP/1.1 and HTTP/2, in clear and inside TLS.

use results::run::Trial;
use scenarios::{Carrier, Transport};

use super::{machine, measured};

/// What is polled for arrives once and whole, and each request and answer is counted as the kernel does.
#[test]
fn every_event_that_is_polled_for_arrives_once_and_every_byte_is_counted() {
    let _machine = machine();
    for payload in ["text:0", "text:200", "text:65536"] {
        let lanes = ["poll-h1", "longpoll-h1", "poll-h2", "longpoll-h2"];
        let lanes = lanes.map(|lane| format!("{lane},{lane}+tls")).join(",");
        let times = "--set poll=60ms --set hold=700ms -r 8 -d 1s --set block=500ms";
        let run = measured(&format!("-c 10 --lanes {lanes} {times} --set payload={payload}"));
        for trial in &run.trials {
            let (at, bytes) = (format!("{} with {payload}", trial.lane), trial.bytes);
            assert_eq!(bytes.up, trial.kernel.unwrap().up_bytes, "{at}");
            assert!(bytes.empty_polls > 0 && bytes.polls > bytes.empty_polls, "{at}: {bytes:?}");
            heads_are_whole(trial, payload, &at);
            if trial.lane.transport == Transport::Poll {
                // Two blocks of 500 ms, each polled until an interval after it: 8 or 9 and once more.
                let polls = bytes.polls + bytes.skipped_polls;
                assert!((2 * 9 * 10..=2 * 10 * 10).contains(&polls), "{at}: {bytes:?}");
            }
        }
    }
}

/// What frames an answer: nothing over HTTP/1.1, whose 204 of hyper with its date is 25 + 25 + 37 + 2 bytes;
/// over HTTP/2 nine bytes before each DATA frame, and a head that HPACK shortens to four indices, or to the
/// date in full once its second has passed.
fn heads_are_whole(trial: &Trial, payload: &str, at: &str) {
    let (bytes, full) = (trial.bytes, trial.bytes.polls - trial.bytes.empty_polls);
    match trial.lane.carrier {
        Carrier::H2 => {
            let frames = bytes.transport_framing / 9;
            assert!(bytes.transport_framing.is_multiple_of(9), "{at}: {bytes:?}");
            let is_one = payload != "text:65536";
            assert!(if is_one { frames == full } else { frames > full }, "{at}: {bytes:?}");
            let heads = 12 * bytes.empty_polls..=(9 + 3 + 24) * bytes.empty_polls;
            assert!(heads.contains(&bytes.empty_poll_heads), "{at}: {bytes:?}");
        }
        Carrier::H1 | Carrier::Tcp => {
            assert_eq!(bytes.transport_framing, 0, "{at}");
            if !trial.lane.tls {
                assert_eq!(bytes.empty_poll_heads, 89 * bytes.empty_polls, "{at}");
            }
        }
    }
}
