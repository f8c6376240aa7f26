//! Streams of one's own: who comes back, what comes again, and that every byte and event of it is accounted for.

use std::collections::BTreeMap;

use results::run::{Ending, Trial};
use scenarios::{Told, Transport};

use crate::{machine, ran};

const LANES: &str = "--lanes sse-h1,sse-h2,ws-h1,raw,sse-h1+tls,sse-h2+tls,ws-h1+tls,raw+tls";

/// Every byte is counted as the kernel counts it, or the run is invalid; what the servers produced arrived.
fn adds_up(trial: &Trial) {
    let (at, ledger, session) = (trial.lane, trial.ledger, trial.session.as_ref().unwrap());
    let wrong = [ledger.lost, ledger.duplicated, ledger.reordered, ledger.corrupted, ledger.unexpected];
    assert_eq!((wrong, trial.failures.len()), ([0; 5], 0), "{at}");
    assert!(ledger.closes() && trial.bodies_agree() && trial.received_sha256.len() == 64, "{at}");
    let of = |field: fn(&Ending) -> u64| session.endings.iter().map(field).sum::<u64>();
    assert_eq!(ledger.delivered, of(|ending| ending.first_events + ending.repeated_events), "{at}");
    assert_eq!((session.vain_events, session.leaked), (0, 0), "{at}");
    assert_eq!(trial.bytes.received() + session.unread_bytes, trial.kernel.unwrap().down_bytes, "{at}");
    assert_eq!(trial.bytes.up + trial.bytes.handshake_up, trial.kernel.unwrap().up_bytes, "{at}");
}

#[test]
fn an_event_source_comes_back_and_starts_again_unless_it_is_told_not_to() {
    let _machine = machine();
    let told = r#"--set session.told=["nothing","no-content","done"]"#;
    let fields =
        format!("--set session.events=10 --set session.within=100ms --set session.retry=200ms {told}");
    let run = ran(&format!("-c 12 -r 200 -d 1s {fields} {LANES}"));
    for trial in &run.trials {
        adds_up(trial);
        let (at, session) = (trial.lane, trial.session.as_ref().unwrap());
        let is_sse = trial.lane.transport == Transport::Sse;
        for ending in &session.endings {
            let events = if ending.told == Told::Done { 11 } else { 10 };
            assert_eq!((ending.subscribers, ending.connections), (4, 4), "{at}");
            assert_eq!(ending.first_events, 4 * events, "{at}");
            assert_eq!(ending.repeated_events, (ending.streams - 4) * events, "{at}");
            let asks_again = is_sse && ending.told != Told::Done;
            assert_eq!(ending.streams > 4, asks_again && ending.told == Told::Nothing, "{at}");
            let repeated = [ending.repeated_down_bytes, ending.repeated_up_bytes];
            assert_eq!(repeated.map(|bytes| bytes > 0), [asks_again; 2], "{at}: {repeated:?}");
            let seen: BTreeMap<&str, u64> = ending.seen.iter().map(|(k, n)| (k.as_str(), *n)).collect();
            let expected = match (ending.told, trial.lane.transport) {
                (Told::Done, _) => vec![("event `done`", 4)],
                (_, Transport::Ws) => vec![("close 1000", 4)],
                (Told::NoContent, Transport::Sse) => vec![("clean end", 4), ("status 204", 4)],
                (..) => vec![("clean end", ending.streams)],
            };
            assert_eq!(seen, expected.into_iter().collect(), "{at}");
        }
    }
}

/// Who leaves had what it stayed for, and the server lets go of its stream at once: half a second before the next
/// event, which is never produced; and no stream, connection or descriptor is left behind.
#[test]
fn a_server_stops_when_a_client_has_left_and_keeps_nothing() {
    let _machine = machine();
    for (leaving, leavers) in [("close", 1), ("drop", 3)] {
        let fields = format!(
            "--set session.events=5 --set session.within=100ms --set session.leave_after=2 --set session.leavers={leavers} --set session.leaving={leaving}"
        );
        let run = ran(&format!("-c 12 -r 2 -d 3s {fields} {LANES},ws-h2,ws-h2+tls"));
        for trial in &run.trials {
            adds_up(trial);
            let (at, session) = (format!("{} {leaving}", trial.lane), trial.session.as_ref().unwrap());
            let left = 12 / leavers;
            assert_eq!((session.left, session.release.count()), (left, left), "{at}");
            assert_eq!(trial.ledger.delivered, 2 * left + 5 * (12 - left), "{at}");
            assert_eq!((session.open_connections, session.completion.count()), (0, 12 - left), "{at}");
            assert_eq!(session.descriptors[0], session.descriptors[1], "{at}");
            let seen = session.endings[0].seen.get("left").copied().unwrap_or(0);
            assert_eq!(seen, left, "{at}: {:?}", session.endings);
        }
    }
}
