//! What arrives at whom, what is lost and counted, and what is held for nobody.

use super::*;
use proptest::prelude::*;

fn event(n: u8) -> Bytes {
    Bytes::from(vec![n])
}

fn drained(subscription: Subscription) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let events: Vec<Bytes> = runtime.block_on(futures_util::StreamExt::collect(subscription.into_stream()));
    events.iter().map(|event| event[0]).collect()
}

#[test]
fn what_a_slow_subscriber_loses_is_counted_and_the_rest_arrives() {
    let hub = Hub::new(4);
    let (slow, quick) = (hub.subscribe().unwrap(), Hub::new(4).subscribe().unwrap());
    (1..=7).for_each(|n| hub.publish(n.into(), event(n)));
    assert_eq!(hub.losses(), (3, 0), "counted when it happens");
    hub.close();
    assert_eq!(drained(slow), [4, 5, 6, 7]);
    assert_eq!(hub.losses(), (3, 1));
    assert!(hub.subscribe().is_none() && hub.is_closed());
    drop(quick);
}

/// What a subscriber that was ended has not read, and all that is published later, is counted; the others miss
/// nothing, and a heartbeat is no loss.
#[test]
fn who_lags_too_far_behind_is_ended_and_misses_what_is_counted() {
    let hub = Hub::new(3).treating(SlowPolicy::Disconnect);
    let (slow, mut quick) = (hub.subscribe().unwrap(), hub.subscribe().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for n in 1..=5 {
        hub.publish(n, event(u8::try_from(n).unwrap()));
        assert_eq!(runtime.block_on(quick.next()).unwrap().as_ref(), [u8::try_from(n).unwrap()]);
    }
    hub.beat(&event(9));
    assert_eq!(hub.losses(), (5, 1), "three unread, the one that did not fit, and one more");
    assert!(slow.is_out() && !quick.is_out());
    assert!(drained(slow).is_empty());
    hub.publish(6, event(6));
    assert_eq!(hub.losses(), (6, 1));
    hub.close();
    assert_eq!(drained(quick), [9, 6]);
    assert_eq!(hub.held_bytes(), 0);
}

#[test]
fn a_heartbeat_reaches_who_is_there_and_is_no_event() {
    let hub = Hub::with_topics(2, 4).keeping();
    hub.publish_to(Some(0), 1, event(1));
    let there = [0, 1].map(|client| hub.subscribe_as(client).unwrap());
    hub.beat(&event(9));
    let late = hub.subscribe_as(0).unwrap();
    assert_eq!(hub.after(Some(0)).unwrap().events, [event(1)]);
    hub.close();
    assert_eq!((there.map(drained), drained(late)), ([vec![1, 9], vec![9]], vec![1]));
}

#[test]
fn an_event_reaches_its_topic_and_no_other() {
    let hub = Hub::with_topics(3, 8);
    hub.publish(0, event(0));
    let clients: Vec<Subscription> = (0..7).map(|client| hub.subscribe_as(client).unwrap()).collect();
    (1..=6).for_each(|n| hub.publish_to(Some(usize::from(n) % 3), n.into(), event(n)));
    let late = hub.subscribe_as(1).unwrap();
    hub.close();
    let heard: Vec<Vec<u8>> = clients.into_iter().map(drained).collect();
    let expected = [[0, 3, 6], [0, 1, 4], [0, 2, 5]];
    assert_eq!(heard, [0, 1, 2, 0, 1, 2, 0].map(|topic: usize| expected[topic].to_vec()));
    assert_eq!(drained(late), [4]);
}

/// What everybody has read, or nobody waits for any more, is not kept.
#[test]
fn nothing_is_held_for_those_who_left() {
    let hub = Hub::new(8);
    let (gone, mut stays) = (hub.subscribe().unwrap(), hub.subscribe().unwrap());
    let held = || hub.0.topic(0).ring.len();
    (1..=3).for_each(|n| hub.publish(n.into(), event(n)));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    (1..=3).for_each(|n| assert_eq!(runtime.block_on(stays.next()), Some(event(n))));
    assert_eq!(held(), 3);
    drop(gone);
    assert_eq!(held(), 0);
    drop(stays);
    hub.publish(4, event(4));
    assert_eq!((held(), hub.losses()), (0, (0, 0)));
}

#[test]
fn events_are_kept_only_where_they_are_asked_for_and_what_fell_out_is_counted() {
    let (pushing, keeping) = (Hub::new(4), Hub::new(4).keeping());
    (1..=7).for_each(|n| [&pushing, &keeping].into_iter().for_each(|hub| hub.publish(n.into(), event(n))));
    assert_eq!(pushing.after(Some(5)), None);
    assert_eq!(keeping.after(Some(5)).unwrap().events, [event(6), event(7)]);
    assert_eq!(keeping.losses(), (0, 0));
    assert_eq!(keeping.after(Some(1)).unwrap().lost, 2);
    assert_eq!(keeping.losses(), (2, 1));
    keeping.close();
    assert_eq!(keeping.after(Some(5)), None);
}

proptest! {
    /// One byte an operation: publish the next number, or join.
    #[test]
    fn joining_at_any_moment_sees_the_latest_and_all_that_follow(joins: Vec<bool>) {
        let hub = Hub::new(256);
        let (mut published, mut joined) = (0u8, Vec::new());
        for join in joins.into_iter().take(200) {
            if join {
                joined.push((published, hub.subscribe().unwrap()));
            } else {
                published += 1;
                hub.publish(published.into(), event(published));
            }
        }
        hub.close();
        for (latest, subscription) in joined {
            let expected: Vec<u8> = (latest.max(1)..=published).collect();
            prop_assert_eq!(drained(subscription), expected);
        }
        prop_assert_eq!(hub.losses(), (0, 0));
    }
}
