//! Streams that a server ends in good order, all that are open or each at an age, and connections it has to cut off.

use std::sync::Arc;
use std::time::Duration;

use crate::outage::{STREAMS, WS_RESTART, events, read_events, start, to_the_end, until};
use crate::server::{Server, rest};
use scenarios::{Moment, Transport};
use servers::drain::{Ending, PATIENCE, drain};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

fn drained(server: &Server, ending: Ending, patience: Duration) -> JoinHandle<u64> {
    let (hub, meter) = (server.hub.clone(), Arc::clone(&server.meter));
    tokio::spawn(async move { drain(&[hub], &meter, ending, patience).await })
}

/// RFC 9112 7.1: the last chunk; RFC 9113 6.8: GOAWAY, END_STREAM; RFC 6455 7.1.1: a close frame, its answer, and then
/// TCP is closed.
#[tokio::test]
async fn a_drain_ends_what_is_open_behind_what_was_published_and_new_streams_live() {
    for lane in STREAMS {
        let server = start(lane, &[]);
        server.publish(1);
        let (mut old, _) = server.subscribe().await;
        let mut idle = TcpStream::connect(server.address).await.unwrap();
        until(|| server.meter.open() == 2).await;
        server.publish(2);
        let draining = drained(&server, Ending::Open, PATIENCE);
        until(|| server.hub.drains() == 1).await;
        let (mut new, _) = server.subscribe().await;
        server.publish(3);
        let said = to_the_end(&server, &mut old, true).await;
        assert_eq!(events(&said), 2, "{lane}: what was published before, and nothing behind it");
        rest(&mut idle).await;
        assert_eq!(draining.await.unwrap(), 0, "{lane}");
        server.publish(4);
        assert_eq!(events(&read_events(&mut new, 3).await), 3, "{lane}: 2, 3 and 4");
        assert_eq!((server.hub.subscriptions(), server.meter.open()), (1, 1), "{lane}");
    }
}

#[tokio::test]
async fn a_server_that_leaves_ends_everything_and_listens_no_more() {
    for lane in STREAMS {
        let mut server = start(lane, &[]);
        server.publish(1);
        let (mut open, _) = server.subscribe().await;
        let listener = std::mem::replace(&mut server.listener, tokio::spawn(async {}));
        let draining = drained(&server, Ending::All(vec![listener]), PATIENCE);
        until(|| server.hub.is_leaving()).await;
        let refused = TcpStream::connect(server.address).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused, "{lane}");
        assert_eq!(events(&to_the_end(&server, &mut open, true).await), 1, "{lane}");
        assert_eq!(draining.await.unwrap(), 0, "{lane}");
        assert!(server.hub.subscribe().is_none(), "{lane}");
        server.meter.idle().await;
    }
}

/// Who takes nothing of what is still to be sent is cut off, and only that one.
#[tokio::test]
async fn who_takes_nothing_is_cut_off_in_time() {
    for lane in STREAMS {
        let server = start(lane, &[("payload", "text:64k"), ("send_buffer", "4096")]);
        let (stuck, _) = server.subscribe().await;
        let (mut quick, _) = server.subscribe().await;
        let reading = tokio::spawn(async move { while !read_events(&mut quick, 1).await.is_empty() {} });
        for seq in 0..200 {
            server.publish(seq);
            tokio::task::yield_now().await;
        }
        reading.abort();
        let _ = reading.await;
        until(|| server.meter.open() == 1).await;
        assert_eq!(drained(&server, Ending::Open, Duration::from_millis(50)).await.unwrap(), 1, "{lane}");
        server.meter.idle().await;
        assert_eq!((server.hub.subscriptions(), server.hub.held_bytes()), (0, 0), "{lane}");
        drop(stuck);
    }
}

/// A stream ends at its age, however silent it is, and one that is younger stays.
#[tokio::test]
async fn a_stream_ends_in_good_order_at_its_age() {
    for lane in STREAMS {
        let server = start(lane, &[("outage.max_age", "150ms")]);
        server.publish(1);
        let began = Moment::now();
        let (mut old, head) = server.subscribe().await;
        let said = to_the_end(&server, &mut old, false).await;
        let lasted = Moment::now().since(began);
        assert!(lasted >= Duration::from_millis(150), "{lane}: {lasted:?}");
        assert_eq!(events(&said), 1, "{lane}");
        if lane == "sse-h1" {
            // RFC 9112 9.6: "The "close" connection option is defined as a signal that the sender will close this
            // connection after completion of the response."
            assert!(String::from_utf8(head).unwrap().contains("connection: close\r\n"));
        }
        until(|| server.hub.subscriptions() == 0).await;
        let (mut new, _) = server.subscribe().await;
        read_events(&mut new, 1).await;
        assert_eq!(server.hub.subscriptions(), 1, "{lane}");
    }
    let server = start("ws-h1", &[("outage.max_age", "100ms")]);
    let (mut client, _) = server.subscribe().await;
    assert_eq!(server.lane.transport, Transport::Ws);
    assert_eq!(crate::server::read(&mut client, 4).await, WS_RESTART);
}
