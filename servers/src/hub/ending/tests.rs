//! Who gets what when streams are to end, in which order, and what is held for whom meanwhile.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use scenarios::{Moment, Scenario, SlowPolicy};

use crate::hub::{Hub, Subscription, Terms};
use crate::lanes::Gaps;
use crate::window::Bounds;

fn event(n: u64) -> Bytes {
    Bytes::from(vec![u8::try_from(n).unwrap()])
}

fn publish(hub: &Hub, ids: std::ops::RangeInclusive<u64>) {
    ids.for_each(|id| hub.publish(id, event(id)));
}

fn resuming(most: usize) -> Hub {
    let scenario = Scenario::load("smoke", &[]).unwrap().1;
    Hub::new(256).resuming_within(Gaps::of("raw".parse().unwrap(), &scenario), Bounds::of(most))
}

/// What is there for a subscription now, and whether it has ended.
fn now(subscription: &mut Subscription) -> (Vec<u8>, bool) {
    let waker = std::task::Waker::noop();
    let mut cx = std::task::Context::from_waker(waker);
    let mut got = Vec::new();
    loop {
        match subscription.poll_event(&mut cx) {
            std::task::Poll::Ready(Some(event)) => got.push(event[event.len() - 1]),
            std::task::Poll::Ready(None) => return (got, true),
            std::task::Poll::Pending => return (got, false),
        }
    }
}

#[test]
fn a_drain_gives_everybody_what_there_was_and_who_comes_behind_it_stays() {
    let hub = resuming(10);
    publish(&hub, 1..=3);
    let (mut live, mut behind) = (hub.subscribe().unwrap(), hub.resume_as(0, b"1").unwrap());
    let mut caught_up = hub.resume_as(0, b"2").unwrap();
    assert_eq!(now(&mut caught_up), (vec![3], false));
    publish(&hub, 4..=5);
    let drains = hub.drains();
    hub.drain();
    let (mut new, mut back) = (hub.subscribe().unwrap(), hub.resume_as(0, b"3").unwrap());
    publish(&hub, 6..=7);
    assert!(live.is_drained() && behind.is_drained() && caught_up.is_drained() && !new.is_drained());
    assert_eq!(now(&mut live), (vec![3, 4, 5], true));
    assert_eq!(now(&mut behind), (vec![2, 3, 4, 5], true));
    assert_eq!(now(&mut caught_up), (vec![4, 5], true));
    assert_eq!(now(&mut new), (vec![5, 6, 7], false));
    assert_eq!(now(&mut back), (vec![4, 5, 6, 7], false));
    assert!(hub.is_over_since(drains) && !hub.is_over_since(hub.drains()));
    // Once more, and it ends those that came since, too.
    hub.drain();
    assert_eq!(
        (now(&mut new), now(&mut back), now(&mut behind)),
        ((vec![], true), (vec![], true), (vec![], true))
    );
    assert_eq!((hub.subscriptions(), hub.held_bytes(), hub.losses()), (5, 0, (0, 0)));
    drop((live, behind, caught_up, new, back));
    assert_eq!(hub.subscriptions(), 0);
}

/// What was published behind the end of somebody is neither held for it nor lost by it.
#[test]
fn nothing_is_held_for_who_is_to_end_and_it_cannot_lag() {
    for policy in [SlowPolicy::DropOldest, SlowPolicy::Disconnect] {
        let hub = Hub::new(2).treating(policy);
        let mut slow = hub.subscribe().unwrap();
        publish(&hub, 1..=2);
        hub.drain();
        publish(&hub, 3..=9);
        assert_eq!(hub.held_bytes(), 2, "what it has still to read, and nothing more: {policy:?}");
        assert_eq!(now(&mut slow), (vec![1, 2], true), "{policy:?}");
        assert_eq!((hub.held_bytes(), hub.losses()), (0, (0, 0)), "{policy:?}");
    }
    // Somebody else fills the ring: what falls out of it is lost, counted once, and no more.
    for (policy, got) in [(SlowPolicy::DropOldest, vec![]), (SlowPolicy::Disconnect, vec![])] {
        let hub = Hub::new(2).treating(policy);
        let mut slow = hub.subscribe().unwrap();
        publish(&hub, 1..=2);
        hub.drain();
        let mut other = hub.subscribe().unwrap();
        publish(&hub, 3..=4);
        now(&mut other);
        assert_eq!(now(&mut slow), (got, true), "{policy:?}");
        assert_eq!(hub.losses(), (2, 1), "{policy:?}: the two that it had not read");
        drop(slow);
        publish(&hub, 5..=6);
        assert_eq!((now(&mut other).0, hub.losses()), (vec![5, 6], (2, 1)), "{policy:?}");
    }
}

/// Streams are ended in the order in which they came, when their time has come, and not before.
#[test]
fn streams_end_at_their_age_in_injected_time() {
    const AGE: Duration = Duration::from_secs(3_600);
    let hub = Hub::new(8).on(Terms { max_age: AGE, ..Terms::default() });
    let age_ns = u64::try_from(AGE.as_nanos()).unwrap();
    let before = Moment::now();
    let (mut first, gone) = (hub.subscribe().unwrap(), hub.subscribe().unwrap());
    let between = Moment::now();
    let mut second = hub.subscribe().unwrap();
    let after = Moment::now();
    publish(&hub, 1..=1);
    // Its place is taken by another, which is not to end for it.
    drop(gone);
    let mut third = hub.subscribe().unwrap();
    assert_eq!(now(&mut third), (vec![1], false));
    let due = hub.end_older(before.plus_nanos(age_ns - 1)).unwrap();
    assert!(due >= before.plus_nanos(age_ns) && due <= between.plus_nanos(age_ns));
    assert_eq!(now(&mut first), (vec![1], false));
    let due = hub.end_older(between.plus_nanos(age_ns)).unwrap();
    assert!(due >= between.plus_nanos(age_ns) && due <= after.plus_nanos(age_ns));
    publish(&hub, 2..=2);
    assert_eq!((now(&mut first), first.is_drained()), ((vec![], true), true));
    assert_eq!(now(&mut second), (vec![1, 2], false));
    assert!(hub.end_older(after.plus_nanos(age_ns)).is_some_and(|due| due > after.plus_nanos(age_ns)));
    assert_eq!((now(&mut second).1, now(&mut third)), (true, (vec![2], false)));
    assert_eq!(hub.end_older(Moment::now().plus_nanos(age_ns)), None);
    assert!(now(&mut third).1);
}

#[test]
fn who_left_early_is_not_noted_for_ever() {
    let hub = Hub::new(8).on(Terms { max_age: Duration::from_secs(3_600), ..Terms::default() });
    let stays: Vec<Subscription> = (0..10).map(|_| hub.subscribe().unwrap()).collect();
    (0..10_000).for_each(|_| drop(hub.subscribe().unwrap()));
    assert!(hub.0.topic(0).joined.len() <= 2 * 11 + 65);
    hub.end_older(Moment::now().plus_nanos(3_600_000_000_000));
    assert!(stays.iter().all(Subscription::is_drained));
}

/// Of two servers of one log the other may have been a little ahead.
#[test]
fn who_is_ahead_of_its_new_server_waits_and_gets_nothing_twice() {
    let (hub, alone) = (resuming(10).following(), resuming(10));
    [&hub, &alone].into_iter().for_each(|hub| publish(hub, 1..=3));
    let mut ahead = hub.resume_as(0, b"5").unwrap();
    assert_eq!(now(&mut ahead), (vec![], false));
    publish(&hub, 4..=4);
    hub.beat(&event(99));
    assert_eq!(now(&mut ahead), (vec![99], false), "a heartbeat is for everybody");
    publish(&hub, 5..=7);
    assert_eq!(now(&mut ahead), (vec![6, 7], false));
    let mut drained = hub.resume_as(0, b"9").unwrap();
    hub.drain();
    assert_eq!((now(&mut drained), drained.is_drained()), ((vec![], true), true));
    // Without a log it is an id of another life: all begins anew.
    let mut other = alone.resume_as(0, b"5").unwrap();
    assert_eq!(now(&mut other).0, [b'}'], "it is told");
    publish(&alone, 4..=5);
    assert_eq!(now(&mut other).0, [4, 5]);
    drop((ahead, drained));
    assert_eq!((hub.held_bytes(), hub.subscriptions()), (0, 0));
}

proptest! {
    /// Whoever comes, goes on, ends or leaves when: each stream is a run of consecutive events, ended streams are never
    /// given more, and nothing is held in the end.
    #[test]
    fn streams_that_end_at_any_moment_are_runs_of_events(steps in prop::collection::vec((0u8..7, any::<u8>()), 0..300)) {
        let hub = resuming(256);
        let mut published = 0u64;
        // Each with the last that it got, and the last that it may get.
        let mut open: Vec<(Subscription, Option<u64>, u64)> = Vec::new();
        for (step, which) in steps {
            let place = usize::from(which) % open.len().max(1);
            match step {
                0 | 1 if published < 200 => {
                    published += 1;
                    publish(&hub, published..=published);
                }
                2 => open.push((hub.subscribe().unwrap(), None, u64::MAX)),
                3 if published > 0 => {
                    let id = u64::from(which) % published;
                    open.push((hub.resume_as(0, id.to_string().as_bytes()).unwrap(), Some(id), u64::MAX));
                }
                4 => {
                    hub.drain();
                    open.iter_mut().for_each(|(_, _, end)| *end = published.min(*end));
                }
                5 if !open.is_empty() => {
                    let (subscription, last, end) = &mut open[place];
                    let (got, is_over) = now(subscription);
                    for one in got.into_iter().map(u64::from) {
                        prop_assert!(last.is_none_or(|last| one == last + 1) && one <= *end);
                        *last = Some(one);
                    }
                    prop_assert_eq!(is_over, *end != u64::MAX);
                }
                6 if !open.is_empty() => drop(open.swap_remove(place)),
                _ => {}
            }
        }
        prop_assert_eq!(hub.losses(), (0, 0));
        open.clear();
        let topic = hub.0.topic(0);
        prop_assert_eq!((topic.ring.len(), topic.leaving, topic.readers.len()), (0, 0, 0));
        prop_assert_eq!((hub.held_bytes(), hub.subscriptions()), (0, 0));
    }
}
