//! What a herd costs at least: what the kernel needs to accept ten thousand connections, and the hub to replay what they
//! missed. `cargo bench -p servers --profile dev --bench herd`.
//!
//! The clients are a process of their own, this program again, because a process may hold too few descriptors for both
//! ends. They connect one after the other, and a bare loop accepts them; nothing is sent. The hub's part is in memory:
//! every subscriber reads from the window what it missed, and no socket is written to.

use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use bytes::Bytes;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use scenarios::{Lane, Moment, Scenario};
use servers::hub::Hub;
use servers::lanes::{Gaps, frame};
use servers::listen::BACKLOG;
use servers::window::Bounds;

const CLIENTS: usize = 10_000;

/// Events that each of them missed.
const MISSED: [u64; 3] = [10, 100, 1_000];

const ROUNDS: usize = 5;

/// Names the address to connect to, in the process of the clients.
const MARK: &str = "SERVERS_HERD_CLIENTS";

fn main() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("limits can be read");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("a soft limit may be raised");
    if let Ok(address) = std::env::var(MARK) {
        return connect(&address);
    }
    let accepted = Times::of(accept);
    println!("accept  {CLIENTS} connections, a bare loop         {accepted}");
    let (_, scenario) = Scenario::load("ticker", &[]).expect("an embedded scenario");
    for missed in MISSED {
        let replayed = Times::of(|| replay(&scenario, missed));
        println!("replay  {missed:>4} events to {CLIENTS} subscribers      {replayed}");
        println!("        both: {:.1} ms", accepted.median_ms() + replayed.median_ms());
    }
}

/// Connects, says so, and waits until it is told to end.
fn connect(address: &str) {
    let address: SocketAddr = address.parse().expect("an address");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("the other process is there");
    let began = Moment::now();
    let clients: Vec<TcpStream> =
        (0..CLIENTS).map(|_| TcpStream::connect(address).expect("it listens")).collect();
    println!("{}", began.as_nanos());
    // An error says that the other process has ended.
    let _ = std::io::stdin().read(&mut [0]);
    drop(clients);
}

/// From the first connect to the last accept, ns.
fn accept() -> u64 {
    let listener = listener();
    let address = listener.local_addr().expect("it listens");
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .env(MARK, address.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program can be run");
    let mut stdin = child.stdin.take().expect("it is piped");
    std::io::Write::write_all(&mut stdin, b"go\n").expect("the clients are there");
    let open: Vec<TcpStream> =
        (0..CLIENTS).map(|_| listener.accept().expect("a descriptor is left").0).collect();
    let ended = Moment::now();
    let mut line = String::new();
    let mut said = BufReader::new(child.stdout.take().expect("it is piped"));
    said.read_line(&mut line).expect("the clients say when they began");
    let began = Moment::from_nanos(line.trim().parse().expect("nanoseconds"));
    // The clients close last, so that none of their ports waits.
    drop(open);
    drop(stdin);
    child.wait().expect("the clients end");
    ended.nanos_since(began)
}

fn listener() -> TcpListener {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&any.into()).expect("a free port");
    socket.listen(i32::try_from(BACKLOG).expect("a small constant")).expect("it can listen");
    socket.into()
}

/// All subscribers come back at once and read what they missed, one event each in turn; ns.
fn replay(scenario: &Scenario, missed: u64) -> u64 {
    let lane: Lane = "sse-h1".parse().expect("a lane of ours");
    let bounds = Bounds::of(usize::try_from(missed).expect("a small number") + 1);
    let hub = Hub::new(1_024).resuming_within(Gaps::of(lane, scenario), bounds);
    for seq in 1..=missed {
        let body = scenario.payload.body(scenario.seed, seq);
        hub.publish(seq, frame(lane, scenario, seq, &body).expect("text"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let began = Moment::now();
        let mut herd: Vec<_> = (0..CLIENTS).map(|_| hub.resume_as(0, b"0").expect("an open hub")).collect();
        for _ in 0..missed {
            for subscription in &mut herd {
                let event: Option<Bytes> = subscription.next().await;
                black_box(event.expect("it is in the window"));
            }
        }
        Moment::now().nanos_since(began)
    })
}

/// How long it took, round by round, in order.
struct Times(Vec<u64>);

impl Times {
    fn of(mut round: impl FnMut() -> u64) -> Self {
        let mut times: Vec<u64> = (0..ROUNDS).map(|_| round()).collect();
        times.sort_unstable();
        Self(times)
    }

    fn median_ms(&self) -> f64 {
        self.0[ROUNDS / 2] as f64 / 1e6
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [low, high] = [self.0[0], self.0[ROUNDS - 1]].map(|ns| ns as f64 / 1e6);
        let each = self.median_ms() * 1e3 / CLIENTS as f64;
        write!(
            out,
            "{:>8.1} ms (median of {ROUNDS}, {low:.1} to {high:.1}), {each:.2} us a client",
            self.median_ms()
        )
    }
}
