//! Lean clients against bare epoll readers of the same bytes: CPU per delivery, as ratios.
//!
//! Two bare readers: one that only reads, and one that also decodes and records with the fleet's own
//! decoders, so that what the bytes cost and what the runtime costs stand apart.
//! One thread writes each event to every connection of one reader, readers in turn within one run;
//! each reader has a thread of its own on the other core, and its CPU is what the scheduler says it
//! ran (`/proc/self/task/TID/schedstat`). `cargo bench -p loadgen --bench reader`.

use std::fs::read_to_string;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use loadgen::desk::{self, Station};
use loadgen::expect::{Expected, name_on_wire};
use loadgen::failure::Failure;
use loadgen::lanes::chunked::Chunked;
use loadgen::lanes::crowd::Crowd;
use loadgen::lanes::decoder::{Decoder, Wire};
use loadgen::lanes::raw::Raw;
use loadgen::lanes::sse::{Body, Sse};
use loadgen::lanes::ws::Ws;
use loadgen::lanes::{Arrival, Bytes, READ_BUFFER, Sink, Subscriber, Target};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::unistd::gettid;
use scenarios::{Arrivals, Block, Event, Lane, Moment, Payload, Scenario, Schedule, Transport};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

const CONNECTIONS: usize = 1_000;
const EVENTS: u64 = 20;
const ROUNDS: u64 = 30;

/// What a reader does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Reads,
    Decodes,
    Lean,
}

const KINDS: [Kind; 3] = [Kind::Reads, Kind::Decodes, Kind::Lean];

/// A reader's thread, and the server's ends of its connections.
struct Reader {
    lane: Lane,
    thread: u64,
    received: Arc<AtomicU64>,
    streams: Vec<TcpStream>,
    cpu_ns: Vec<u64>,
}

fn main() {
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    servers::host::pin(0).expect("core 0 exists");
    let scenario = Arc::new(Scenario::load("ticker", &[]).expect("the ticker is sound").1);
    let mut readers = Vec::new();
    for lane in ["sse-h1", "ws-h1", "raw"] {
        let lane: Lane = lane.parse().expect("a lane");
        readers.extend(KINDS.map(|kind| Reader::start(lane, kind, &scenario)));
    }
    for round in 0..ROUNDS {
        for reader in &mut readers {
            reader.round(round * EVENTS + 1, &scenario);
        }
    }
    println!("CPU per delivery, {CONNECTIONS} connections, {EVENTS} events a block, {ROUNDS} blocks each:");
    for lane in readers.chunks_mut(KINDS.len()) {
        let [reads, decodes, lean] = [lane[0].median(), lane[1].median(), lane[2].median()];
        println!(
            "{:<7} reads {reads:>5.0} ns · decodes and records {decodes:>5.0} ns · lean client {lean:>5.0} ns: {:.2} x and {:.2} x",
            lane[0].lane.to_string(),
            lean / reads,
            lean / decodes
        );
    }
}

impl Reader {
    fn start(lane: Lane, kind: Kind, scenario: &Arc<Scenario>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let received = Arc::new(AtomicU64::new(0));
        let (send, receive) = std::sync::mpsc::channel();
        let (counter, scenario) = (Arc::clone(&received), Arc::clone(scenario));
        thread::spawn(move || {
            send.send(u64::try_from(gettid().as_raw()).expect("a thread id")).expect("main waits");
            servers::host::pin(1).expect("core 1 exists");
            match kind {
                Kind::Lean => read_lean(address, lane, &scenario, &counter),
                Kind::Reads => read_bare(address, lane, &scenario, &counter, false),
                Kind::Decodes => read_bare(address, lane, &scenario, &counter, true),
            }
        });
        let thread = receive.recv().expect("the reader says its id");
        let streams = (0..CONNECTIONS).map(|_| accept(&listener, lane)).collect();
        Self { lane, thread, received, streams, cpu_ns: Vec::new() }
    }

    fn cpu(&self) -> u64 {
        let path = format!("/proc/self/task/{}/schedstat", self.thread);
        let text = read_to_string(path).expect("the kernel keeps schedstat");
        text.split(' ').next().and_then(|ns| ns.parse().ok()).expect("its first field is nanoseconds")
    }

    /// Writes the events of one block and waits until all arrived.
    fn round(&mut self, first_seq: u64, scenario: &Scenario) {
        let before = (self.cpu(), self.received.load(Ordering::Acquire));
        let mut bytes = 0;
        for seq in first_seq..first_seq + EVENTS {
            let wire = wire(self.lane, scenario, seq);
            bytes += wire.len() as u64 * CONNECTIONS as u64;
            self.streams.iter_mut().for_each(|stream| stream.write_all(&wire).expect("the reader reads"));
            thread::sleep(Duration::from_millis(2));
        }
        while self.received.load(Ordering::Acquire) < before.1 + bytes {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(5));
        self.cpu_ns.push(self.cpu() - before.0);
    }

    /// Median over blocks, ns per delivery.
    fn median(&mut self) -> f64 {
        self.cpu_ns.sort_unstable();
        self.cpu_ns[self.cpu_ns.len() / 2] as f64 / (EVENTS * CONNECTIONS as u64) as f64
    }
}

/// An event as it stands on the wire, chunk line included.
fn wire(lane: Lane, scenario: &Scenario, seq: u64) -> Vec<u8> {
    let frame = servers::lanes::frame(lane, scenario, seq, &Payload::Ticker.body(scenario.seed, seq))
        .expect("a body");
    if lane.transport == Transport::Sse {
        return [format!("{:x}\r\n", frame.len()).as_bytes(), &frame, b"\r\n"].concat();
    }
    frame.to_vec()
}

/// Accepts one connection and completes its handshake.
fn accept(listener: &TcpListener, lane: Lane) -> TcpStream {
    let (mut stream, _) = listener.accept().expect("a client comes");
    stream.set_nodelay(true).expect("an option");
    let head = match lane.transport {
        Transport::Raw => "\0\0\0\0".to_owned(),
        Transport::Sse | Transport::Ws => answer(&until_blank_line(&mut stream)),
        Transport::LongPoll | Transport::Poll => unreachable!("streams are read here"),
    };
    stream.write_all(head.as_bytes()).expect("the client is there");
    stream
}

fn until_blank_line(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (String::new(), [0]);
    while !head.ends_with("\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a head");
        head.push(char::from(byte[0]));
    }
    head
}

fn answer(request: &str) -> String {
    let key = request.lines().find_map(|line| line.strip_prefix("sec-websocket-key: "));
    key.map_or_else(
        || "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
        |key| {
            let accept = derive_accept_key(key.as_bytes());
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
            )
        },
    )
}

/// Edge-triggered epoll and one buffer; decodes and records if asked to.
fn read_bare(address: SocketAddr, lane: Lane, scenario: &Scenario, received: &AtomicU64, decodes: bool) {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("an epoll");
    let mut streams: Vec<TcpStream> = (0..CONNECTIONS).map(|_| bare_stream(address, lane)).collect();
    for (index, stream) in (0..).zip(&streams) {
        let event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, index);
        epoll.add(stream.as_fd(), event).expect("a socket can be polled");
    }
    expect_events(scenario);
    let wire = || match lane.transport {
        Transport::Sse => Wire::Sse(Sse::new(Body::Chunked(Chunked::default()))),
        Transport::Ws => Wire::Ws(Ws::new(scenario.identity, scenario.envelope)),
        Transport::Raw => Wire::Raw(Raw::new(scenario.identity, scenario.envelope)),
        Transport::LongPoll | Transport::Poll => unreachable!("streams are read here"),
    };
    let mut decoders: Vec<Decoder> = streams.iter().map(|_| Decoder::new(wire(), 0)).collect();
    let (mut buffer, mut ready) = (vec![0; READ_BUFFER], vec![EpollEvent::empty(); 1_024]);
    loop {
        let count = epoll.wait(&mut ready, EpollTimeout::NONE).unwrap_or(0);
        for event in &ready[..count] {
            let index = usize::try_from(event.data()).expect("an index");
            while let Ok(length) = streams[index].read(&mut buffer) {
                let read = Moment::now();
                if decodes {
                    let mut station = Station::new(index, None);
                    let emit = |event: &Event<'_>, end_offset| {
                        station.event(0, event, Arrival { read, kernel: None, end_offset });
                    };
                    decoders[index].feed(&buffer[..length], emit).expect("sound bytes");
                }
                received.fetch_add(length as u64, Ordering::Release);
                if length < buffer.len() {
                    break;
                }
            }
        }
    }
}

/// Arms the thread's desk with every event there will be; all subscribers count as greeted.
fn expect_events(scenario: &Scenario) {
    let events = ROUNDS * EVENTS;
    let block = Block { lane: 0, round: 0, start_ns: 0, span_ns: 1_000_000_000, first_seq: 1, events };
    let schedule = Schedule::new(Arrivals::Constant, 1, vec![block]);
    let expected = Expected::new(scenario, &Payload::Ticker, Moment::now(), &schedule);
    desk::at(|desk| {
        desk.admit(CONNECTIONS);
        desk.arm(expected, name_on_wire(scenario), 0);
        (0..CONNECTIONS).for_each(|index| desk.opened(index, None, None));
    });
}

fn bare_stream(address: SocketAddr, lane: Lane) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    if lane.transport == Transport::Raw {
        stream.read_exact(&mut [0; 4]).expect("a hello");
    } else {
        let key = if lane.transport == Transport::Ws { "sec-websocket-key: x\r\n" } else { "" };
        stream.write_all(format!("GET / HTTP/1.1\r\n{key}\r\n").as_bytes()).expect("the server reads");
        until_blank_line(&mut stream);
    }
    stream.set_nonblocking(true).expect("an option");
    stream
}

/// The fleet's own path: crowd, decoders, desk, recorder.
fn read_lean(address: SocketAddr, lane: Lane, scenario: &Arc<Scenario>, received: &Arc<AtomicU64>) {
    expect_events(scenario);
    servers::host::runtime().expect("a runtime").block_on(async {
        let scenario = Arc::clone(scenario);
        let target = Target {
            lane,
            address,
            source: None,
            path: None,
            client: 0,
            streams: 1,
            scenario,
            tls: None,
            after: Vec::new(),
        };
        let crowd = Crowd::start().expect("an epoll");
        for index in 0..CONNECTIONS {
            let subscriber = Subscriber::connect(&target).await.expect("the server answers");
            let before = subscriber.counts().expect("a lean client counts").received();
            let station =
                Counting { station: Station::new(index, None), before, received: Arc::clone(received) };
            subscriber.attend(station, &crowd).await;
        }
        crowd.bell().hush();
        std::future::pending::<()>().await;
    });
}

/// A fleet's station that also tells the writer what has come.
struct Counting {
    station: Station,
    before: u64,
    received: Arc<AtomicU64>,
}

impl Sink for Counting {
    fn opened(&mut self, stream: usize) {
        self.station.opened(stream);
    }

    fn event(&mut self, stream: usize, event: &Event<'_>, arrival: Arrival) {
        self.station.event(stream, event, arrival);
    }

    fn counted(&mut self, counts: Option<Bytes>) {
        let now = counts.expect("a lean client counts").received();
        self.received.fetch_add(now - self.before, Ordering::Release);
        self.before = now;
        self.station.counted(counts);
    }

    fn over(&mut self, stream: usize, failure: &Failure) {
        self.station.over(stream, failure);
    }
}
