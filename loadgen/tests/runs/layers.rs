//! The split of bytes by layer in a real run, against what the protocols' own lengths come to.

use results::Run;
use results::run::Trial;
use scenarios::{Carrier, Transport};

use super::{machine, measured};

/// Payload, event framing and transport framing of one event on one subscriber's stream.
///
/// SSE (WHATWG HTML 9.2.6): `id: N`, `event: E` and `data: ` lines and an empty one. The others: an envelope of
/// `N` LF `E` LF. HTTP/1.1 (RFC 9112 7.1): the size in hexadecimal and two CRLF around a chunk; HTTP/2 (RFC 9113 4.1):
/// nine bytes before a DATA frame; WebSocket (RFC 6455 5.2): 2, 4 or 10 bytes; raw: 4.
fn of_one(run: &Run, trial: &Trial, seq: u64) -> [u64; 3] {
    let payload = run.scenario.payload.body(run.scenario.seed, seq).len();
    let (id, name) = (seq.to_string().len(), run.scenario.event.len());
    let sse = trial.lane.transport == Transport::Sse;
    let event = if sse { "id: \nevent: \ndata: \n\n".len() + id + name } else { "\n\n".len() + id + name };
    let message = payload + event;
    let header = match message {
        0..=125 => 2,
        126..=65_535 => 4,
        _ => 10,
    };
    let transport = match (trial.lane.transport, trial.lane.carrier) {
        (Transport::Sse, Carrier::H1) => format!("{message:x}\r\n\r\n").len(),
        (Transport::Sse, _) => 9,
        (Transport::Ws, Carrier::H2) => 9 + header,
        (Transport::Ws, _) => header,
        (_, _) => 4,
    };
    [payload, event, transport].map(|bytes| bytes as u64)
}

#[test]
fn every_layer_of_a_run_is_what_its_protocol_says() {
    let _machine = machine();
    let lanes =
        "sse-h1,ws-h1,raw,sse-h2,ws-h2,sse-h2+mux,ws-h2+mux,sse-h1+tls,ws-h1+tls,sse-h1%axum,ws-h1%axum";
    // Bodies that need one, two and three hexadecimal digits, and every form of a WebSocket's length but the
    // last, which does not fit one DATA frame.
    for payload in ["text:1", "text:100", "text:300", "text:8k", "ticker"] {
        let run =
            measured(&format!("-c 6 -r 40 -d 500ms --lanes {lanes} --set streams=4 --set payload={payload}"));
        for trial in &run.trials {
            let events: u64 = trial.blocks.iter().map(|block| block.events).sum();
            let all = (1..=events).map(|seq| of_one(&run, trial, seq));
            let all = all.reduce(|all, one| [all[0] + one[0], all[1] + one[1], all[2] + one[2]]).unwrap();
            let bytes = trial.bytes;
            let counted = [bytes.payload, bytes.event_framing, bytes.transport_framing];
            assert_eq!(counted, all.map(|bytes| bytes * 6), "{} with {payload}", trial.lane);
        }
    }
}
