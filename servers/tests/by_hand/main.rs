//! `cargo run -p servers`: the page, the streams over either version of HTTP, the end on SIGTERM, and bad
//! input.
#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Output};

use server::Server;

mod browser;
mod devtools;
mod server;
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
