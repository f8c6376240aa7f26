//! What arrives at whom, what is lost and counted, and what is held for nobody.

use super::*;
use crate::window::Bounds;
use proptest::prelude::*;
use scenarios::Scenario;

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

/// Of each subscriber exactly what the pure function says, and silently: no book of the server tells of it.
#[test]
fn what_is_dropped_on_purpose_is_exactly_what_was_said_and_counted_nowhere() {
    let drops = "drop=10%".parse::<crate::inject::Inject>().unwrap().drops(7).unwrap();
    let hub = Hub::new(256).dropping(drops);
    let all: Vec<Subscription> = (0..5).map(|_| hub.subscribe().unwrap()).collect();
    (1..=200).for_each(|n| hub.publish(n.into(), event(n)));
    hub.close();
    let mut dropped = 0;
    for (reader, subscription) in all.into_iter().enumerate() {
        let kept: Vec<u8> = (1..=200).filter(|n| !drops.takes(reader, (*n).into())).collect();
        dropped += 200 - kept.len();
        assert_eq!(drained(subscription), kept);
    }
    assert!(dropped > 50 && hub.losses() == (0, 0), "{dropped}");
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

/// A hub of SSE that keeps `most` events of each topic and lets clients come back.
fn resuming(topics: usize, most: usize) -> Hub {
    let scenario = Scenario::load("smoke", &[]).unwrap().1;
    Hub::with_topics(topics, most).resuming(Gaps::of("sse-h1".parse().unwrap(), &scenario))
}

/// All that a subscription gets until its closed hub ends it.
fn told(subscription: Subscription) -> Vec<Bytes> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(futures_util::StreamExt::collect(subscription.into_stream()))
}

#[test]
fn who_comes_back_is_told_what_cannot_be_given_and_then_gets_the_rest() {
    let hub = resuming(2, 3);
    (1..=9).for_each(|n| hub.publish_to(Some(usize::from(n) % 2), n.into(), event(n)));
    let gap = |through: u8, after: &str| {
        let body = format!("{{\"after\":{after},\"through\":{through}}}");
        Bytes::from(format!("id: {through}\nevent: gap\ndata: {body}\n\n"))
    };
    let cases = [
        (1, &b"5"[..], vec![event(7), event(9), event(11)]),
        (1, b"9", vec![event(11)]),
        (1, b"1", vec![gap(3, "1"), event(5), event(7), event(9), event(11)]),
        (0, b"0", vec![gap(2, "0"), event(4), event(6), event(8), event(10)]),
        (1, b"77", vec![gap(9, "77"), event(11)]),
        (1, b"seven", vec![gap(9, "null"), event(11)]),
        (1, b"", vec![gap(9, "null"), event(11)]),
    ];
    // They have caught up with what there was before the rest is published, so that the window has not slid on.
    let joined = cases.map(|(client, id, expected)| {
        let mut joined = hub.resume_as(client, id).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let before: Vec<Bytes> =
            (1..expected.len()).map(|_| runtime.block_on(joined.next()).unwrap()).collect();
        (joined, before, expected, id)
    });
    hub.publish_to(Some(0), 10, event(10));
    hub.publish_to(Some(1), 11, event(11));
    hub.close();
    for (joined, before, expected, id) in joined {
        assert_eq!([before, told(joined)].concat(), expected, "{id:?}");
    }
    assert_eq!(
        Hub::new(3).resume_as(0, b"5").map(|new| new.greeting.clone()),
        Some(None),
        "it does not resume"
    );
}

proptest! {
    /// Clients that leave and come back at any moment, also in the middle of catching up, get every event once
    /// and in order, or are told of it.
    #[test]
    fn leaving_and_coming_back_leaves_nothing_unexplained(steps in prop::collection::vec(0u8..4, 0..240), most in 1usize..6) {
        let hub = resuming(1, 256);
        hub.0.topic(0).kept = Some(Window::new(Bounds::of(most)));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut subscription = Some(hub.subscribe().unwrap());
        let (mut published, mut last, mut expected) = (0u8, 0u64, 0u64);
        let mut hear = |heard: Bytes| {
            let gap = std::str::from_utf8(&heard).ok().and_then(|text| text.split_once("event: gap"));
            match gap {
                None => {
                    assert_eq!(u64::from(heard[0]), expected + 1, "neither twice nor left out");
                    expected += 1;
                }
                Some((id, _)) => {
                    let through = id.trim().strip_prefix("id: ").unwrap().parse().unwrap();
                    assert!(through > expected, "it tells of what is missing");
                    expected = through;
                }
            }
            expected
        };
        for step in steps {
            match (step, &mut subscription) {
                (0 | 1, _) => {
                    // Below the first letter of a `gap` event.
                    if published < 90 {
                        published += 1;
                        hub.publish(published.into(), event(published));
                    }
                }
                (2, Some(joined)) => {
                    if let Some(heard) = runtime.block_on(async {
                        tokio::select! { biased; heard = joined.next() => heard, () = std::future::ready(()) => None }
                    }) {
                        last = hear(heard);
                    }
                }
                (_, joined) => {
                    *joined = match joined {
                        Some(_) => None,
                        None => hub.resume_as(0, last.to_string().as_bytes()),
                    };
                }
            }
        }
        drop(subscription.take());
        let joined = hub.resume_as(0, last.to_string().as_bytes()).unwrap();
        hub.close();
        for heard in told(joined) {
            last = hear(heard);
        }
        prop_assert_eq!(last, u64::from(published));
    }

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
