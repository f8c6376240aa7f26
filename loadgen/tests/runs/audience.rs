//! Who gets what: rooms, single subscribers, and those that read slowly.

use results::Run;
use results::run::Trial;
use scenarios::Audience;

use crate::{machine, measured, ran};

/// Deliveries by the plain definition: every event to every subscriber that hears it. Without a warm-up
/// the measured events begin at 1.
pub fn addressed(run: &Run, trial: &Trial) -> u64 {
    let (addressing, subscribers) = (run.scenario.addressing(), run.scenario.subscribers.0);
    let events: u64 = trial.blocks.iter().map(|block| block.events).sum();
    if run.scenario.audience == Audience::All {
        return events * subscribers;
    }
    assert_eq!(run.scenario.warmup.0, 0);
    let hears = |seq, client| addressing.topic_of(seq) == Some(addressing.heard_by(client));
    (1..=events).map(|seq| (0..subscribers).filter(|client| hears(seq, *client)).count() as u64).sum()
}

#[test]
fn rooms_and_single_subscribers_get_what_is_addressed_to_them_and_nothing_else() {
    let _machine = machine();
    let lanes = "--lanes sse-h1,ws-h1,raw,sse-h1%axum,ws-h1%axum,sse-h1@reqwest,ws-h1@tungstenite";
    for (audience, deliveries) in [("rooms:7", 40 * 3), ("rooms:23", 40), ("each", 40)] {
        for identity in ["id", "none"] {
            let fields = format!("--set audience={audience} --set identity={identity}");
            let run = measured(&format!("-c 23 -r 80 -d 500ms {fields} {lanes}"));
            let expected: Vec<u64> = run.trials.iter().map(|trial| trial.ledger.expected).collect();
            // Seven rooms of 23 hold three or four.
            let most = if audience == "rooms:7" { deliveries + 40 } else { deliveries };
            assert!(expected.iter().all(|one| (deliveries..=most).contains(one)), "{audience}: {expected:?}");
            assert!(run.trials.iter().all(|trial| trial.latency.count() == trial.ledger.delivered));
        }
    }
}

/// Twenty of forty do not read, and the server ends them: what they miss from then on is counted like what it
/// dropped, and the others lose nothing.
#[test]
fn slow_readers_that_are_ended_miss_what_the_server_counted() {
    let _machine = machine();
    let fields = "--set slow=0.5 --set slow_policy=disconnect --set lag=4 --set payload=text:8k --set send_buffer=4096 --set receive_buffer=4096";
    let lanes = "--lanes sse-h1,sse-h2,ws-h1,raw,ws-h1+tls,sse-h1%axum,ws-h1%axum";
    let run = ran(&format!("-c 40 -r 100 -d 1s {fields} {lanes}"));
    for trial in &run.trials {
        let (at, slow) = (trial.lane, trial.slow.as_ref().unwrap());
        assert_eq!((slow.subscribers, slow.disconnected), (20, 20), "{at}");
        assert!(trial.ledger.closes() && slow.ledger.closes() && slow.ledger.lost > 0, "{at}: {slow:?}");
        assert_eq!(
            (trial.ledger.lost, slow.ledger.lost),
            (trial.ledger.dropped_by_server, trial.ledger.lost),
            "{at}"
        );
        assert_eq!(trial.failures.values().sum::<u64>(), 20, "{at}: {:?}", trial.failures);
        assert!(slow.hub_peak_bytes <= 4 * (8_192 + 64), "{at}: {}", slow.hub_peak_bytes);
    }
}

/// Twenty of forty do not read, or little: what they lose is what the server dropped, to the event; what
/// is held for them is bounded by `lag` in the server and by the buffers in the kernel; the others lose
/// nothing.
#[test]
fn slow_readers_lose_what_the_server_dropped_and_hold_no_more_than_they_may() {
    let _machine = machine();
    let fields =
        "--set slow=0.5 --set lag=4 --set payload=text:8k --set send_buffer=4096 --set receive_buffer=4096";
    let lanes = "--lanes sse-h1,ws-h1,raw,ws-h1+tls,sse-h1%axum,sse-h2,ws-h2";
    let mut delivered = Vec::new();
    for read in ["0", "32k"] {
        let run = ran(&format!("-c 40 -r 100 -d 1s {fields} --set slow_read={read} {lanes}"));
        for trial in &run.trials {
            let (at, slow) = (format!("{} reading {read}", trial.lane), trial.slow.as_ref().unwrap());
            assert_eq!((slow.subscribers, slow.ledger.expected * 2), (20, trial.ledger.expected), "{at}");
            assert!(trial.ledger.closes() && slow.ledger.closes(), "{at}: {slow:?}");
            assert_eq!(trial.ledger.lost, trial.ledger.dropped_by_server, "{at}");
            assert_eq!(trial.ledger.lost, slow.ledger.lost, "{at}: the others lost some");
            assert!(slow.ledger.lost > 0 && slow.ledger.delivered > 0, "{at}: {slow:?}");
            assert_eq!(trial.latency.count(), trial.ledger.delivered - slow.ledger.delivered, "{at}");
            assert!(slow.hub_peak_bytes <= 4 * (8_192 + 64), "{at}: {}", slow.hub_peak_bytes);
            let of = |side: &str| run.sockets[&format!("{} {side}", trial.lane)].clone();
            let buffers = of("server").send_buffer_bytes + of("client").receive_buffer_bytes;
            let queued = slow.send_queue_bytes + slow.receive_queue_bytes;
            assert!(queued > 0 && queued <= 40 * buffers, "{at}: {queued} of {buffers} each");
            delivered.push(slow.ledger.delivered);
        }
    }
    let (still, slowly) = delivered.split_at(delivered.len() / 2);
    assert!(still.iter().zip(slowly).all(|(still, slowly)| still < slowly), "{delivered:?}");
}
