//! Connections that break: reset, or passing nothing any more, on real sockets.

use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::time::Duration;

use crate::outage::{STREAMS, read_events, start};
use crate::server::read;
use scenarios::Moment;
use servers::lanes::heartbeat;
use socket2::{SockFilter, SockRef};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn a_reset_is_one_at_the_client_and_leaves_nothing_at_the_server() {
    for lane in STREAMS {
        let server = start(lane, &[]);
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(server.subscribe().await.0);
        }
        // One that left is no connection to break, and its descriptor may be somebody else's.
        drop(clients.pop());
        crate::outage::until(|| server.meter.open() == 2).await;
        assert_eq!(server.meter.connections().reset(false), 2, "{lane}");
        for mut client in clients {
            let err = client.read_to_end(&mut Vec::new()).await.unwrap_err();
            assert_eq!(err.kind(), ErrorKind::ConnectionReset, "{lane}");
        }
        server.meter.idle().await;
        assert_eq!((server.hub.subscriptions(), server.meter.connections().reset(false)), (0, 0), "{lane}");
        let (mut new, _) = server.subscribe().await;
        server.publish(1);
        read_events(&mut new, 1).await;
    }
}

const SILENCE: Duration = Duration::from_millis(300);

/// The first retransmission of the kernel comes after 200 ms at least, and the last look at the bound when it is over;
/// the rest is for a busy machine.
const BOUND: Duration = Duration::from_millis(1_500);

/// METHOD M26: neither FIN nor RST nor acknowledgements pass; a heartbeat that is not acknowledged tells the server.
#[tokio::test]
async fn what_passes_nothing_any_more_is_given_up_within_its_silence() {
    for lane in STREAMS {
        let silence = [("outage.heartbeat", "50ms"), ("outage.silence", "300ms")];
        let server = start(lane, &silence);
        let (client, _) = server.subscribe().await;
        assert_eq!(server.meter.connections().blackhole(), 1, "{lane}");
        SockRef::from(&client).attach_filter(&[SockFilter::new(0x06, 0, 0, 0)]).unwrap();
        let (mut new, _) = server.subscribe().await;
        let began = Moment::now();
        server.hub.beat(&heartbeat(server.lane));
        server.publish(1);
        read_events(&mut new, 1).await;
        crate::outage::until(|| server.meter.open() == 1).await;
        let lasted = Moment::now().since(began);
        assert!(lasted >= SILENCE && lasted < SILENCE + BOUND, "{lane}: {lasted:?}");
        assert_eq!(server.hub.subscriptions(), 1, "{lane}: the one that came later is not affected");
        let nothing = SockRef::from(&client).peek(&mut [MaybeUninit::uninit(); 1]).unwrap_err();
        assert_eq!(
            nothing.kind(),
            ErrorKind::WouldBlock,
            "{lane}: the client has heard nothing, not even an end"
        );
        // A client that acknowledges is not given up, however little it has to say.
        server.publish(2);
        read_events(&mut new, 1).await;
    }
}

/// RFC 6455 5.5.3: a ping is answered, if it is heard.
#[tokio::test]
async fn what_a_client_says_into_a_blackhole_is_not_heard() {
    let server = start("ws-h1", &[]);
    let (mut old, _) = server.subscribe().await;
    assert_eq!(server.meter.connections().blackhole(), 1);
    let (mut new, _) = server.subscribe().await;
    let before = server.meter.totals((0, 0)).bytes_received;
    let ping = b"\x89\x82\0\0\0\0hi";
    old.write_all(ping).await.unwrap();
    // Over loopback what was written before is there before.
    new.write_all(ping).await.unwrap();
    assert_eq!(read(&mut new, 4).await, b"\x8a\x02hi");
    assert_eq!(server.meter.totals((0, 0)).bytes_received - before, ping.len() as u64);
}
