//! A walk in injected time: what is slept for, what is published, and what is hashed.

use super::*;
use scenarios::{Arrivals, Block};

fn framer(payload: Payload) -> Framer {
    let scenario = Scenario::load("smoke", &[]).unwrap().1;
    Framer { lanes: vec!["raw".parse().unwrap(), "sse-h1".parse().unwrap()], scenario, payload }
}

fn schedule() -> Schedule {
    let block = |round, start_ns, first_seq| Block {
        lane: 0,
        round,
        start_ns,
        span_ns: 600_000_000,
        first_seq,
        events: 3,
    };
    Schedule::new(Arrivals::Constant, 1, vec![block(0, 0, 5), block(1, 700_000_000, 8)])
}

/// Walks in injected time: what was slept for, what was published, how it ended.
fn walked(stop_before_block: usize, from: u64) -> (Vec<u64>, Vec<u64>, (u64, String)) {
    let (mut pauses, mut slept, mut seqs) = (0, Vec::new(), Vec::new());
    let pause = |_| {
        pauses += 1;
        pauses > stop_before_block
    };
    let start = Moment::from_nanos(1_000_000_000);
    let ended = walk(
        &framer(Payload::Ticker),
        start,
        &schedule(),
        from,
        pause,
        |until| slept.push(until.nanos_since(start)),
        &mut |signal| match signal {
            Signal::Events(framed) => seqs.extend(framed.iter().map(|one| one.seq)),
            Signal::Step(_) | Signal::Ended { .. } | Signal::Failed(_) => panic!("{signal:?}"),
        },
    );
    let Ok(Signal::Ended { blocks_done, bodies_sha256, addressed_sha256 }) = ended else {
        panic!("{ended:?}")
    };
    assert_eq!(addressed_sha256, bodies_sha256, "everybody gets everything");
    (slept, seqs, (blocks_done, bodies_sha256))
}

fn hash(seqs: std::ops::Range<u64>) -> String {
    let bodies: Vec<u8> = seqs.flat_map(|seq| Payload::Ticker.body(1, seq)).collect();
    Sha256::digest(bodies).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_event_is_slept_for_at_its_own_deadline() {
    let (slept, seqs, ended) = walked(2, 0);
    assert_eq!(slept, [0, 200_000_000, 400_000_000, 700_000_000, 900_000_000, 1_100_000_000]);
    assert_eq!(seqs, [5, 6, 7, 8, 9, 10]);
    assert_eq!(ended, (2, hash(5..11)));
}

#[test]
fn events_of_one_instant_are_handed_over_together() {
    let block = Block { lane: 0, round: 0, start_ns: 0, span_ns: 600_000_000, first_seq: 1, events: 7 };
    let bursts = Schedule::new(Arrivals::Bursts(3), 1, vec![block]);
    let mut together = Vec::new();
    let mut emit = |signal| match signal {
        Signal::Events(framed) => together.push(framed.iter().map(|one| one.seq).collect::<Vec<_>>()),
        Signal::Step(_) | Signal::Ended { .. } | Signal::Failed(_) => panic!("{signal:?}"),
    };
    let start = Moment::from_nanos(1);
    walk(&framer(Payload::Ticker), start, &bursts, 0, |_| false, |_| {}, &mut emit).unwrap();
    assert_eq!(together, [vec![1, 2, 3], vec![4, 5, 6], vec![7]]);
}

#[test]
fn a_stop_ends_the_run_after_a_whole_block() {
    let (_, seqs, ended) = walked(1, 0);
    assert_eq!((seqs, ended), (vec![5, 6, 7], (1, hash(5..8))));
}

/// A server that takes another's place has what was due from the log, publishes the rest once, and its hashes are
/// those of the whole.
#[test]
fn what_was_due_is_recalled_once_and_the_rest_is_published_once() {
    let start = Moment::from_nanos(1_000_000_000);
    let last = Moment::from_nanos(9_000_000_000);
    for (due_ns, recalled, rest) in [
        (0, 5..5, vec![5, 6, 7, 8, 9, 10]),
        (200_000_000, 5..6, vec![6, 7, 8, 9, 10]),
        (200_000_001, 5..7, vec![7, 8, 9, 10]),
        (700_000_001, 5..9, vec![9, 10]),
        (2_000_000_000, 5..11, vec![]),
    ] {
        let now = start.plus_nanos(due_ns);
        let mut seqs = Vec::new();
        let from = recall(&framer(Payload::Ticker), start, &schedule(), now, |framed| {
            assert_eq!(framed.intended, start.plus_nanos(schedule().intended(framed.seq).unwrap()));
            seqs.push(framed.seq);
        });
        assert_eq!((from.clone(), &seqs), (Ok(recalled.end), &recalled.collect::<Vec<_>>()));
        let (slept, published, ended) = walked(2, from.unwrap());
        assert_eq!((slept.len(), published, ended), (rest.len(), rest, (2, hash(5..11))));
    }
    assert_eq!(recall(&framer(Payload::Ticker), start, &schedule(), last, drop), Ok(11));
}

#[test]
fn a_late_publisher_publishes_all_at_once_and_nothing_is_rebased() {
    let mut intended = Vec::new();
    let start = Moment::from_nanos(1);
    let mut emit = |signal| match signal {
        Signal::Events(framed) => {
            intended.extend(framed.iter().map(|one| one.intended.nanos_since(start)));
        }
        Signal::Step(_) | Signal::Ended { .. } | Signal::Failed(_) => panic!("{signal:?}"),
    };
    walk(&framer(Payload::Ticker), start, &schedule(), 0, |_| false, sleep_until, &mut emit).unwrap();
    assert_eq!(intended, [0, 200_000_000, 400_000_000, 700_000_000, 900_000_000, 1_100_000_000]);
}

#[test]
fn a_step_is_framed_for_every_lane_and_a_stop_between_runs_is_nothing() {
    let (tell, orders) = std::sync::mpsc::channel();
    [Order::Stop, Order::Step(3)].into_iter().for_each(|order| tell.send(order).unwrap());
    drop(tell);
    let mut steps = Vec::new();
    work(&framer(Payload::Text(3)), &orders, |signal| match signal {
        Signal::Step(framed) => steps.push((framed.seq, framed.frames)),
        Signal::Events(_) | Signal::Ended { .. } | Signal::Failed(_) => panic!("{signal:?}"),
    });
    let body = Payload::Text(3).body(1, 3);
    let [(3, frames)] = &steps[..] else { panic!("{steps:?}") };
    assert!(frames[0].ends_with(&body) && frames[1].starts_with(b"id: 3\nevent: quote\ndata: "));
}
