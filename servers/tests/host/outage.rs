//! A host that is told to break what it serves, and one that takes another's place.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use scenarios::{Arrivals, Block, Moment, Scenario, Schedule};
use servers::contract::{HostCommand, HostOrder, HostReply};
use sha2::{Digest as _, Sha256};

use super::{ANY, Host, sweep};

fn start(log: Option<(Moment, Schedule)>) -> (Host, SocketAddr) {
    let outage = "{ faults = [{ kind = \"drain\" }], policies = [\"native\"], heartbeat = \"20ms\" }";
    let fields = [("lanes", "[\"sse-h1\"]"), ("sweep", "[]"), ("duration", "5s"), ("outage", outage)];
    let fields = fields.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let scenario = Scenario::load("smoke", &fields).unwrap().1;
    let lane = "sse-h1".parse().unwrap();
    let case = Some(scenario.outage.as_ref().unwrap().cases(lane)[0]);
    let bind = ANY.parse().unwrap();
    let order = HostOrder {
        lane,
        scenario,
        payload: sweep(),
        core: None,
        bind,
        case,
        number: 0,
        log,
        identity: None,
        inject: None,
    };
    let mut host = Host::spawn(&serde_json::to_string(&order).unwrap());
    let (address, _) = host.ready();
    (host, address)
}

/// A client that asks for the events behind an id, or for the stream.
fn ask(address: SocketAddr, after: Option<u64>) -> BufReader<TcpStream> {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let field = after.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
    write!(client, "GET /sse HTTP/1.1\r\nHost: a\r\n{field}\r\n").unwrap();
    BufReader::new(client)
}

/// Reads up to a line of this beginning; its rest.
fn line(client: &mut BufReader<TcpStream>, beginning: &str) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        assert!(client.read_line(&mut line).unwrap() > 0, "the connection ended before `{beginning}`");
        if let Some(rest) = line.strip_prefix(beginning) {
            return rest.trim().to_owned();
        }
    }
}

impl Host {
    fn told(&mut self, command: &HostCommand) -> HostReply {
        self.say(command);
        self.hear()
    }
}

#[test]
fn it_breaks_refuses_and_ends_what_is_open_as_it_is_told() {
    let (mut host, address) = start(None);
    let mut client = ask(address, None);
    // It sends heartbeats by itself, before anything is published.
    line(&mut client, ":");
    assert!(matches!(host.told(&HostCommand::Reset), HostReply::Broke { connections: 1 }));
    let reset = client.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);

    assert!(matches!(host.told(&HostCommand::Refuse { status: Some(503) }), HostReply::Refusing));
    assert_eq!(line(&mut ask(address, None), "HTTP/1.1 "), "503 Service Unavailable");
    let HostReply::Failed { text } = host.told(&HostCommand::Refuse { status: Some(500) }) else { panic!() };
    assert_eq!(text, "cannot refuse with status 500; there are 503 and 204");
    assert!(matches!(host.told(&HostCommand::Refuse { status: None }), HostReply::Refusing));

    let mut silent = ask(address, None);
    line(&mut silent, ":");
    assert!(matches!(host.told(&HostCommand::Blackhole), HostReply::Broke { connections: 1 }));

    let mut client = ask(address, None);
    line(&mut client, ":");
    assert!(matches!(host.told(&HostCommand::Drain { listens: true }), HostReply::Drained { cut: 0 }));
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(b"0\r\n\r\n"));
    let mut client = ask(address, None);
    line(&mut client, ":");
    assert!(matches!(host.told(&HostCommand::Drain { listens: false }), HostReply::Drained { cut: 0 }));
    client.read_to_end(&mut rest).unwrap();
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let totals = host.report();
    assert_eq!((totals.open, totals.refused.get("status 503")), (0, Some(&1)));
    assert!(host.ends(Some(HostCommand::Exit)));
}

/// Two blocks: one that is over when the server begins, and one that is still to come.
fn schedule() -> Schedule {
    let block = |round, start_ns| Block {
        lane: 0,
        round,
        start_ns,
        span_ns: 30_000_000,
        first_seq: 1 + 2 * round,
        events: 2,
    };
    Schedule::new(Arrivals::Constant, 1, vec![block(0, 0), block(1, 10_500_000_000)])
}

#[test]
fn a_server_that_takes_anothers_place_has_what_was_due_and_publishes_the_rest_once() {
    let start_of_all = Moment::from_nanos(Moment::now().as_nanos() - 10_000_000_000);
    let (mut host, address) = start(Some((start_of_all, schedule())));
    let mut behind = ask(address, Some(0));
    assert_eq!([line(&mut behind, "id: "), line(&mut behind, "id: ")], ["1", "2"]);
    // The server before was ahead of this one.
    let mut ahead = ask(address, Some(3));
    line(&mut ahead, ":");
    host.say(&HostCommand::Run { start: start_of_all, schedule: schedule(), senders: None });
    assert_eq!([line(&mut behind, "id: "), line(&mut behind, "id: ")], ["3", "4"]);
    assert_eq!(line(&mut ahead, "id: "), "4");
    let mut later = ask(address, Some(1));
    assert_eq!([0; 3].map(|_| line(&mut later, "id: ")), ["2", "3", "4"]);
    let ran = host.ran();
    let bodies: Vec<u8> = (1..=4).flat_map(|seq| sweep().body(1, seq)).collect();
    let hex: String = Sha256::digest(bodies).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((ran.blocks_done, ran.bodies_sha256), (2, hex), "the hash is that of all");
    // What came from the log has no lateness; what was still to come has its own.
    assert_eq!((ran.lag_ns.len(), ran.published.len()), (2, 2));
    assert!(ran.published[0] >= start_of_all.plus_nanos(10_500_000_000));
    assert!(host.ends(Some(HostCommand::Exit)));
}
