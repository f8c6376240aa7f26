//! `cargo run -p servers`: the page, the streams over either version of HTTP, the end on SIGTERM, and bad
//! input.
#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Output};

use server::Server;

mod browser;
mod devtools;
mod operator;
mod server;
mod soak;
mod versions;

fn output(args: &[&str]) -> (Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_servers")).args(args).output().unwrap();
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    (output, stderr)
}

fn get(authority: &str, path: &str) -> TcpStream {
    let mut client = TcpStream::connect(authority).unwrap();
    write!(client, "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n").unwrap();
    client
}

fn text(mut client: TcpStream) -> String {
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn it_serves_until_it_is_told_to_end_and_then_ends_every_stream() {
    let mut server = Server::start(&["--rate", "200"]);
    let authority = server.authority.clone();
    let page = text(get(&authority, "/"));
    assert!(page.contains("new EventSource(\"/sse\")") && page.contains("new WebSocket("));
    for external in ["src=\"http", "href=\"http", "@import", "url("] {
        assert!(!page.contains(external), "the page loads nothing from elsewhere: {external}");
    }
    assert!(text(get(&authority, "/schedule")).contains("\"rate\":200.0"));
    let mut stream = BufReader::new(get(&authority, "/sse")).lines().map(Result::unwrap);
    let ids: Vec<u64> = stream
        .by_ref()
        .filter_map(|line| line.strip_prefix("id: ").map(|id| id.parse().unwrap()))
        .take(5)
        .collect();
    assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "{ids:?}");
    server.ask_to_end();
    let rest: Vec<String> = stream.collect();
    assert_eq!(rest[rest.len() - 2..], ["0", ""], "the body ends by its own rules");
    assert_eq!(server.ended(), Some(0));
}

/// WHATWG HTML 9.2.4: a client that comes back names the last id it got, in `Last-Event-ID`; a WebSocket says it in
/// its address.
#[test]
fn who_comes_back_goes_on_behind_the_last_event_it_got() {
    let mut server = Server::start(&["--rate", "500"]);
    let authority = server.authority.clone();
    let events = |path: &str, field: &str| {
        let mut client = TcpStream::connect(&authority).unwrap();
        write!(client, "GET {path} HTTP/1.1\r\nHost: {authority}\r\n{field}\r\n").unwrap();
        BufReader::new(client).split(b'\n').map(|line| String::from_utf8_lossy(&line.unwrap()).into_owned())
    };
    let ids = |path: &str, field: &str| -> Vec<u64> {
        let ids =
            events(path, field).filter_map(|line| line.strip_prefix("id: ").map(|id| id.parse().unwrap()));
        ids.take(4).collect()
    };
    let seen = ids("/sse", "")[3];
    // It may have been published on meanwhile, by fewer events than are kept.
    assert_eq!(ids("/sse", &format!("Last-Event-ID: {seen}\r\n")), [1, 2, 3, 4].map(|more| seen + more));
    assert_eq!(ids(&format!("/sse?after={seen}"), "")[0], seen + 1);
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let mut frames = events(&format!("/ws?after={seen}"), upgrade).skip_while(|line| line != "\r").skip(1);
    assert!(frames.next().unwrap().ends_with(&(seen + 1).to_string()));
    let mut missed = events("/sse", "Last-Event-ID: 999999\r\n").skip_while(|line| line != "event: gap");
    assert!(missed.nth(1).unwrap().starts_with("data: {\"after\":999999,\"through\":"));
    server.ask_to_end();
    assert_eq!(server.ended(), Some(0));
}

#[test]
fn bad_input_is_answered_with_what_to_do() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    for (args, code, says) in [
        (&["--bind", taken.as_str()][..], 107, "the port is taken"),
        (&["--scenario", "tickr"], 104, "did you mean `ticker`?"),
        (&["--set", "rte=5"], 104, "did you mean `rate`?"),
        (&["--set", "rate"], 104, "write FIELD=VALUE"),
        (&["--rate", "0"], 104, "`rate` is 0"),
        (&["--bind", "nowhere"], 104, "invalid socket address"),
        (&["--bnd"], 104, "unexpected argument"),
        (&["--retry", "5s..1s"], 104, "write `none`, `2s`, or `1s..5s`"),
        (&["--max-age", "soon"], 104, "--max-age"),
    ] {
        let (output, stderr) = output(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(says), "{args:?}: {stderr}");
    }
    assert_eq!(output(&["--help"]).0.status.code(), Some(0));
}

#[test]
fn it_survives_running_out_of_descriptors() {
    let shell = "ulimit -n 24; exec \"$0\" --bind 127.0.0.1:0";
    let mut server = Server::of(Command::new("sh").args(["-c", shell, env!("CARGO_BIN_EXE_servers")]));
    let authority = server.authority.clone();
    let crowd: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(&authority).unwrap()).collect();
    drop(crowd);
    assert!(text(get(&authority, "/schedule")).starts_with("HTTP/1.1 200 OK"));
    server.ask_to_end();
    assert_eq!(server.ended(), Some(0));
}
