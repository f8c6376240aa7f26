//! Clients that leave in the middle of a stream: the server notices by itself, and nothing of them stays.

use std::time::Duration;

use crate::server::{LANES, Server, read};
use servers::http::Limits;

/// Clients one after the other, a lane.
const CYCLES: u64 = 600;

/// A hang fails a test instead of stopping it.
const HANG: Duration = Duration::from_secs(20);

/// After the last client nothing is published any more: no failing write tells the server, only the
/// connection's end (a clean one, or a reset where a part of an event was left unread).
#[tokio::test]
async fn whoever_leaves_is_forgotten_without_a_further_event() {
    for lane in LANES {
        let server = Server::start(lane, &[], Limits::default());
        for seq in 0..CYCLES {
            let (mut client, _) = server.subscribe().await;
            server.publish(seq);
            let bytes = if seq % 2 == 0 { 1 } else { 30 };
            read(&mut client, bytes).await;
        }
        tokio::time::timeout(HANG, server.meter.idle()).await.expect(lane);
        let totals = server.meter.totals(server.hub.losses());
        assert_eq!((totals.accepted, totals.open), (CYCLES, 0), "{lane}");
        assert_eq!((server.hub.subscriptions(), server.hub.held_bytes()), (0, 0), "{lane}");
    }
}

/// What is not read any more is held as long as its subscriber is there, and no longer.
#[tokio::test]
async fn what_is_held_for_a_subscriber_goes_with_it() {
    for lane in LANES {
        let fields = [("payload", "text:64k"), ("send_buffer", "4096"), ("lag", "16")];
        let server = Server::start(lane, &fields, Limits::default());
        let (client, _) = server.subscribe().await;
        for seq in 0..256 {
            server.publish(seq);
            tokio::task::yield_now().await;
        }
        assert_eq!(server.hub.subscriptions(), 1, "{lane}");
        let held = server.hub.held_bytes();
        assert!((16 * 64_000..16 * 64_100).contains(&held), "{lane}: {held}");
        drop(client);
        tokio::time::timeout(HANG, server.meter.idle()).await.expect(lane);
        assert_eq!((server.hub.subscriptions(), server.hub.held_bytes()), (0, 0), "{lane}");
    }
}
