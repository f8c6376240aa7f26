//! What an operator sets: when clients are to come back, how many there may be, what is kept, and how all ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use super::{Server, get, text};

fn lines(client: TcpStream) -> impl Iterator<Item = String> {
    BufReader::new(client).split(b'\n').map(|line| String::from_utf8_lossy(&line.unwrap()).into_owned())
}

#[test]
fn streams_are_told_when_to_come_back_bounded_in_number_and_kept_for_as_told() {
    let mut server = Server::start(&["--rate", "200", "--retry", "2s", "--most", "2", "--window", "0"]);
    let authority = server.authority.clone();
    let mut first = lines(get(&authority, "/sse"));
    assert_eq!(
        first.find(|line| line.starts_with("retry") || line.starts_with("id")).unwrap(),
        "retry: 2000"
    );
    first.find(|line| line.strip_prefix("id: ").is_some_and(|id| id.parse::<u64>().unwrap() > 1));
    let mut behind = lines(get(&authority, "/sse?after=0"));
    assert_eq!(behind.find(|line| line.starts_with("event")).unwrap(), "event: gap", "nothing is kept");
    let refused = text(get(&authority, "/sse"));
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("retry-after: 1\r\n"), "{refused}");
    assert!(text(get(&authority, "/poll")).starts_with("HTTP/1.1 404 "), "nobody can poll without a window");
    server.ask_to_end();
    assert_eq!(server.ended(), Some(0));
}

#[test]
fn a_stream_ends_at_its_age_and_a_websocket_is_told_that_it_may_come_back() {
    let mut server = Server::start(&["--rate", "200", "--max-age", "100ms"]);
    let authority = server.authority.clone();
    assert!(text(get(&authority, "/sse")).ends_with("0\r\n\r\n"));
    server.ask_to_end();
    assert_eq!(server.ended(), Some(0));
    // SIGTERM drains: RFC 6455 11.7, 1012.
    let mut server = Server::start(&["--rate", "200"]);
    let mut client = TcpStream::connect(&server.authority).unwrap();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    write!(client, "GET /ws HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n").unwrap();
    let mut said = vec![0; 300];
    client.read_exact(&mut said).unwrap();
    server.ask_to_end();
    while !said.ends_with(b"\x88\x02\x03\xf4") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        said.push(byte[0]);
    }
    client.write_all(b"\x88\x82\0\0\0\0\x03\xf4").unwrap();
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    assert_eq!(server.ended(), Some(0));
}
