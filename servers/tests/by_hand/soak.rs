//! Ten thousand clients that come and go: the server ends at the descriptors and the memory it began with.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::Server;

/// Clients before memory is looked at first: what an allocator keeps for later is kept then.
const WARM_UP: usize = 2_000;

const CYCLES: usize = 10_000;

/// What the server may hold more behind them, KiB: 16 bytes a client that came and went would be found.
const BOUND_KIB: u64 = 160;

const UPGRADE: &str = "GET /ws?after=1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// RFC 9113 3.4 and 4.1: the preface, SETTINGS, and HEADERS of `GET /sse` on stream 1 that end it.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\
    \0\0\x0f\x01\x05\0\0\0\x01\x86\x02\x03GET\x04\x04/sse\x01\x01a";

/// Comes, is served some bytes, and goes: every other one in order, the rest with a reset.
fn visit(authority: &str, number: usize) {
    let mut client = TcpStream::connect(authority).unwrap();
    let asked: &[u8] = match number % 4 {
        0 => b"GET /sse HTTP/1.1\r\nHost: a\r\n\r\n",
        1 => b"GET /sse HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 1\r\n\r\n",
        2 => UPGRADE.as_bytes(),
        _ => HTTP2,
    };
    client.write_all(asked).unwrap();
    client.read_exact(&mut [0; 150]).unwrap();
    if number % 8 < 4 {
        socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

impl Server {
    fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// Memory that is its own, KiB: its share of the program's pages depends on who else runs the same program.
    fn anonymous_kib(&self) -> u64 {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid())).unwrap();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }

    /// Waits until nothing but what it began with is open.
    fn wait_for_the_last_to_go(&self, descriptors: usize) {
        let began = scenarios::Moment::now();
        while self.descriptors() > descriptors {
            assert!(scenarios::Moment::now().since(began) < Duration::from_secs(20), "connections stay");
            std::thread::yield_now();
        }
    }
}

#[test]
fn ten_thousand_clients_that_come_and_go_leave_nothing_behind() {
    let mut server = Server::start(&["--rate", "100", "--window", "64", "--max-age", "1h"]);
    let authority = server.authority.clone();
    let descriptors = server.descriptors();
    (0..WARM_UP).for_each(|number| visit(&authority, number));
    server.wait_for_the_last_to_go(descriptors);
    let before = server.anonymous_kib();
    (0..CYCLES).for_each(|number| visit(&authority, number));
    server.wait_for_the_last_to_go(descriptors);
    let after = server.anonymous_kib();
    assert!(after < before + BOUND_KIB, "{before} KiB before, {after} KiB after");
    server.ask_to_end();
    assert_eq!(server.ended(), Some(0));
}
