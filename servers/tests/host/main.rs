//! The host's contract on its stdio, with a real process: this test binary, run again.
#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use scenarios::{Arrivals, Block, Moment, Payload, Scenario, Schedule};
use servers::contract::{HostCommand, HostOrder, HostReply, RanPhase, SocketFacts, Totals};
use sha2::{Digest as _, Sha256};

mod outage;

const MARK: &str = "SERVERS_TEST_HOST";

/// The process under test: it serves when its parent asks for it, and passes otherwise.
#[test]
fn host_process() {
    if std::env::var_os(MARK).is_some() {
        servers::host::run().unwrap();
        std::process::exit(0);
    }
}

struct Host {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Host {
    fn spawn(order: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "host_process", "--nocapture"])
            .env(MARK, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut host = Self { child, stdin, stdout };
        host.write(order);
        host
    }

    fn start(lane: &str, bind: SocketAddr) -> Self {
        Self::worse(lane, bind, None)
    }

    /// One that is made worse on purpose.
    fn worse(lane: &str, bind: SocketAddr, inject: Option<&str>) -> Self {
        let scenario = Scenario::load("smoke", &[]).unwrap().1;
        let payload = sweep();
        let order = HostOrder {
            lane: lane.parse().unwrap(),
            scenario,
            payload,
            core: Some(0),
            bind,
            case: None,
            number: 0,
            log: None,
            identity: None,
            inject: inject.map(|how| how.parse().unwrap()),
        };
        Self::spawn(&serde_json::to_string(&order).unwrap())
    }

    fn write(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn say(&mut self, command: &HostCommand) {
        self.write(&serde_json::to_string(command).unwrap());
    }

    /// The next reply; the test harness's own lines are no JSON.
    fn hear(&mut self) -> HostReply {
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "the host ended");
            if let Some(start) = line.find(['{', '"']) {
                return serde_json::from_str(&line[start..]).unwrap();
            }
        }
    }

    fn ready(&mut self) -> (SocketAddr, SocketFacts) {
        let HostReply::Ready { pid, address, sockets, .. } = self.hear() else { panic!("not ready") };
        assert_eq!(pid, self.child.id());
        (address, sockets)
    }

    fn failure(&mut self) -> String {
        let HostReply::Failed { text } = self.hear() else { panic!("no failure") };
        text
    }

    fn ran(&mut self) -> RanPhase {
        let HostReply::Ran(ran) = self.hear() else { panic!("not the end of a run") };
        ran
    }

    fn report(&mut self) -> Totals {
        self.say(&HostCommand::Report);
        let HostReply::Report(totals) = self.hear() else { panic!("no report") };
        totals
    }

    /// Whether it ends well, once told or once its stdin ended.
    fn ends(mut self, command: Option<HostCommand>) -> bool {
        command.iter().for_each(|command| self.say(command));
        if command.is_none() {
            self.stdin = None;
        }
        self.child.wait().unwrap().success()
    }
}

fn sweep() -> Payload {
    Payload::Sweep { sizes: vec![10, 20], each: 2, binary: false }
}

const ANY: &str = "127.0.0.1:0";

fn blocks(first_start_ns: u64) -> Schedule {
    let block = |round, start_ns, first_seq| Block {
        lane: 0,
        round,
        start_ns,
        span_ns: 30_000_000,
        first_seq,
        events: 2,
    };
    let blocks = vec![block(0, first_start_ns, 1), block(1, first_start_ns + 40_000_000, 3)];
    Schedule::new(Arrivals::Constant, 1, blocks)
}

#[test]
fn it_publishes_what_it_is_told_and_counts_it() {
    let mut host = Host::start("raw", ANY.parse().unwrap());
    let (address, facts) = host.ready();
    assert_eq!((facts.mss, facts.read_buffer_bytes), (1460, 1024));
    let mut client = TcpStream::connect(address).unwrap();
    client.read_exact(&mut [0; 4]).unwrap();
    host.say(&HostCommand::Sample { peers: vec![client.local_addr().unwrap().port()] });
    host.say(&HostCommand::Step { seq: 0 });
    assert!(matches!(host.hear(), HostReply::Stepped { seq: 0 }));
    let start = Moment::now();
    host.say(&HostCommand::Run { start, schedule: blocks(0), senders: None });
    let ran = host.ran();
    let bodies: Vec<Vec<u8>> = (0..5).map(|seq| sweep().body(1, seq)).collect();
    let hex: String = Sha256::digest(bodies[1..].concat()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((ran.blocks_done, ran.bodies_sha256), (2, hex));
    for (i, published) in ran.published.iter().enumerate() {
        let intended = start.plus_nanos(blocks(0).intended(1 + i as u64).unwrap());
        assert_eq!(published.nanos_since(intended), ran.lag_ns[i]);
        assert!(*published >= intended);
    }
    let wire: usize = bodies.iter().map(|body| 4 + "0\nquote\n".len() + body.len()).sum();
    client.read_exact(&mut vec![0; wire]).unwrap();
    let totals = host.report();
    assert_eq!((totals.accepted, totals.bytes_sent), (1, 4 + wire as u64));
    // The hello, and the events, of which those leave together that a busy machine publishes at once.
    assert!((2..=6).contains(&totals.writes), "{totals:?}");
    assert_eq!(totals.samples[0].writes.last().unwrap().0, 4 + wire as u64);
    assert!(totals.sockets.is_some_and(|facts| facts.nodelay && facts.congestion == "cubic"));
    assert!(host.ends(Some(HostCommand::Exit)));
}

#[test]
fn it_is_as_much_worse_as_it_is_told_and_says_so() {
    let delay_ns = 20_000_000;
    let mut host = Host::worse("raw", ANY.parse().unwrap(), Some("delay=20ms"));
    let HostReply::Ready { inject, .. } = host.hear() else { panic!("not ready") };
    assert_eq!(inject, "delay=20ms".parse().ok());
    let start = Moment::now();
    host.say(&HostCommand::Run { start, schedule: blocks(0), senders: None });
    let ran = host.ran();
    for (i, published) in ran.published.iter().enumerate() {
        let late = published.nanos_since(start.plus_nanos(blocks(0).intended(1 + i as u64).unwrap()));
        assert_eq!(late, delay_ns + ran.lag_ns[i], "late, and its own books do not say so");
    }
    assert!(host.ends(Some(HostCommand::Exit)));
    let mut host = Host::worse("sse-h1%axum", ANY.parse().unwrap(), Some("bytes=5%"));
    assert!(host.failure().contains("cannot inject bytes=5% on lane `sse-h1%axum`"));
}

#[test]
fn a_stop_between_blocks_ends_the_run_and_a_run_excludes_another() {
    let mut host = Host::start("sse-h1", ANY.parse().unwrap());
    host.ready();
    let hour = 3_600_000_000_000;
    host.say(&HostCommand::Run { start: Moment::now(), schedule: blocks(hour), senders: None });
    host.say(&HostCommand::Step { seq: 0 });
    assert!(host.failure().contains("while a run goes on"));
    host.say(&HostCommand::Stop);
    assert_eq!(host.ran().blocks_done, 0);
    host.write("nonsense");
    assert!(host.failure().contains("cannot read the command `nonsense`"));
    host.say(&HostCommand::Run { start: Moment::now(), schedule: blocks(hour), senders: None });
    host.report();
    assert!(host.ends(None), "the end of stdin ends the process in the middle of a run");
}

#[test]
fn what_it_cannot_serve_it_says() {
    let holder = std::net::TcpListener::bind(ANY).unwrap();
    let mut host = Host::start("raw", holder.local_addr().unwrap());
    let text = host.failure();
    assert!(text.contains("cannot listen on 127.0.0.1:") && text.contains("the port is taken"), "{text}");
    assert!(!host.ends(None));
    let mut host = Host::spawn("nonsense");
    assert!(host.failure().contains("cannot read the order"));
    assert!(!host.ends(None));
}
