//! Conformance seen from outside: the Autobahn test suite drives the tuned WebSocket server's echo, and
//! an echo client on the lean client's own decoder.
//!
//! `scripts/test.sh` installs it under `target/tools/autobahn` (it needs Python 2.7). Without it this test
//! fails: what was not run is not passed.
#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use loadgen::lanes::Target;
use loadgen::lanes::decoder::Wire;
use loadgen::lanes::handshake::Handshake;
use scenarios::{Coding, Lane, Moment, Scenario};
use serde_json::{Value, json};
use servers::http::{Limits, Site};
use servers::lanes::Service;
use servers::listen::listen;
use servers::websocket::deflate::{Context, Deflater, WINDOW_BITS};
use servers::websocket::frame::{Role, write};
use servers::wire::Meter;

/// Framing, pings, reserved bits, opcodes, fragmentation, UTF-8, close handshake, and a message in many
/// fragments. 8 is not defined, 9 measures mass.
const PLAIN: &[&str] = &["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"];

/// Messages of 16 B to 8 KiB, also in fragments of 256 B, of text, bytes and JSON (12), and under every
/// offer of windows and takeover (13). The sizes of 128 KiB are above what our servers take.
const DEFLATE: &[&str] = &[
    "12.1.1", "12.1.3", "12.1.5", "12.1.11", "12.2.3", "12.2.5", "12.2.11", "12.3.3", "12.3.5", "12.3.11",
    "12.4.1", "12.4.3", "12.4.5", "12.4.11", "12.5.1", "12.5.3", "12.5.5", "12.5.11", "13.1.1", "13.1.3",
    "13.1.11", "13.2.1", "13.2.3", "13.2.11", "13.3.1", "13.3.3", "13.3.11", "13.4.3", "13.4.11", "13.5.1",
    "13.5.3", "13.5.11", "13.6.3", "13.6.11", "13.7.1", "13.7.3", "13.7.5", "13.7.11",
];

/// A client of the stateless lane offers both directions without takeover: the answers of 13.2 agree.
const STATELESS: &[&str] = &["13.2.1", "13.2.3", "13.2.5", "13.2.11"];

/// What is no failure. `OK` and `INFORMATIONAL` (7.1.6, 7.13: the RFC leaves it open) need no reason.
///
/// 6.4.3 and 6.4.4 send one text frame in pieces, the first of which is no UTF-8. RFC 6455 8.1 asks to fail
/// the connection then, and 5.4 that a frame may be taken whole; both ends here read frame by frame, so the
/// answer comes with the frame's end.
const NON_STRICT: &[&str] = &["6.4.3", "6.4.4"];

/// How long one run may take.
const PATIENCE: Duration = Duration::from_secs(120);

fn wstest() -> PathBuf {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/autobahn/bin/wstest");
    assert!(tool.exists(), "{} is missing: scripts/test.sh installs it", tool.display());
    tool
}

/// A run of the suite, ended with the test.
struct Suite {
    child: Child,
    folder: tempfile::TempDir,
}

impl Suite {
    fn start(mode: &str, mut spec: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        spec["outdir"] = json!("reports");
        std::fs::write(folder.path().join("spec.json"), spec.to_string()).unwrap();
        let child = Command::new(wstest())
            .args(["--mode", mode, "--spec", "spec.json", "--webport", "0"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    /// Waits for its end, and gives its report.
    fn end(&mut self) -> Value {
        let deadline = Moment::now().plus_nanos(u64::try_from(PATIENCE.as_nanos()).unwrap());
        while self.child.try_wait().unwrap().is_none() {
            assert!(Moment::now() < deadline, "the suite did not end in {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
        self.report()
    }

    fn report(&self) -> Value {
        let text = std::fs::read_to_string(self.folder.path().join("reports/index.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Suite {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Fails with the numbers of the cases that failed.
fn judge(agent: &str, report: &Value, least: usize) {
    let cases = report[agent].as_object().unwrap_or_else(|| panic!("no report of {agent}"));
    let wrong: Vec<String> = cases
        .iter()
        .filter(|(case, result)| {
            [&result["behavior"], &result["behaviorClose"]].into_iter().any(|said| match said.as_str() {
                Some("OK" | "INFORMATIONAL") => false,
                Some("NON-STRICT") => !NON_STRICT.contains(&case.as_str()),
                Some(_) | None => true,
            })
        })
        .map(|(case, result)| format!("{case}: {}, close {}", result["behavior"], result["behaviorClose"]))
        .collect();
    assert!(wrong.is_empty(), "{agent}: {} of {} cases failed: {wrong:#?}", wrong.len(), cases.len());
    assert!(cases.len() >= least, "{agent}: only {} cases were run", cases.len());
}

fn scenario() -> Scenario {
    Scenario::load("smoke", &[]).unwrap().1
}

/// The echo of the tuned server, on a thread of its own until the process ends.
fn echo_server(coding: Coding) -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = servers::host::runtime().unwrap();
        runtime.block_on(async {
            let listening = listen("127.0.0.1:0".parse().unwrap(), &scenario(), 1_024).unwrap();
            tell.send(listening.address).unwrap();
            let site = Site { coding, echo: true, limits: Limits::default(), ..Site::default() };
            listening.serve(Arc::new(Meter::default()), Service::Site(Arc::new(site)), None).await;
        });
    });
    told.recv().unwrap()
}

fn server_passes(agent: &str, coding: Coding, cases: &[&[&str]], least: usize) {
    let url = format!("ws://{}/echo", echo_server(coding));
    let spec = json!({
        "options": { "failByDrop": false },
        "servers": [{ "agent": agent, "url": url, "options": { "version": 18 } }],
        "cases": cases.concat(),
        "exclude-cases": [],
        "exclude-agent-cases": {},
    });
    judge(agent, &Suite::start("fuzzingclient", spec).end(), least);
}

#[test]
fn the_tuned_server_passes_the_fuzzing_client() {
    server_passes("ws-h1", Coding::Plain, &[PLAIN], 245);
}

#[test]
fn the_compressing_server_passes_the_fuzzing_client() {
    server_passes("ws-h1+deflate", Coding::Deflate, &[PLAIN, DEFLATE], 245 + DEFLATE.len());
}

/// Opens `path` as the lean client of a lane does, and says back what it is told until the end; gives
/// the last message.
fn converse(address: SocketAddr, lane: Lane, path: &str) -> Vec<u8> {
    let target = Target {
        lane,
        address,
        source: None,
        path: None,
        client: 0,
        streams: 1,
        scenario: Arc::new(scenario()),
        tls: None,
        after: Vec::new(),
    };
    let handshake = Handshake::new(lane);
    let request = String::from_utf8(handshake.request(&target)).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.replace("GET /ws?client=0 ", &format!("GET {path} ")).as_bytes()).unwrap();
    let (mut received, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    let (length, wire) = loop {
        let length = stream.read(&mut buffer).unwrap();
        assert!(length > 0, "closed before it answered {path}");
        received.extend_from_slice(&buffer[..length]);
        if let Some(opened) = handshake.accept(&received, &target).unwrap() {
            break opened;
        }
    };
    received.drain(..length);
    let Wire::Ws(mut ws) = wire else { panic!("no WebSocket") };
    let takeover = lane.coding.takeover();
    let mut deflater = takeover.map(|takeover| Deflater::new(Context { takeover, window_bits: WINDOW_BITS }));
    let mut last = Vec::new();
    loop {
        // A rule that was broken is told in the outbox; the suite then closes.
        let walked = ws.peer().walk(&received, &mut |message, outbox| {
            last = message.data.to_vec();
            match &mut deflater {
                None => write(outbox, Role::Client, message.opcode, false, message.data),
                Some(deflater) => {
                    write(outbox, Role::Client, message.opcode, true, &deflater.message(message.data));
                }
            }
        });
        received.drain(..walked.unwrap_or(received.len()));
        let said = std::mem::take(ws.outbox());
        let length = match stream.write_all(&said).and_then(|()| stream.read(&mut buffer)) {
            Ok(0) | Err(_) => return last,
            Ok(length) => length,
        };
        received.extend_from_slice(&buffer[..length]);
    }
}

fn client_passes(lane: &str, cases: &[&[&str]], least: usize) {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let spec = json!({
        "url": format!("ws://{address}"),
        "options": { "failByDrop": false },
        "cases": cases.concat(),
        "exclude-cases": [],
        "exclude-agent-cases": {},
    });
    let suite = Suite::start("fuzzingserver", spec);
    let deadline = Moment::now().plus_nanos(60_000_000_000);
    while TcpStream::connect(address).is_err() {
        assert!(Moment::now() < deadline, "the fuzzing server does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    let plain: Lane = "ws-h1".parse().unwrap();
    // A plus in a query is a space.
    let agent = lane.replace('+', "%2B");
    let count = String::from_utf8(converse(address, plain, "/getCaseCount")).unwrap();
    for case in 1..=count.parse::<usize>().unwrap() {
        converse(address, lane.parse().unwrap(), &format!("/runCase?case={case}&agent={agent}"));
    }
    converse(address, plain, &format!("/updateReports?agent={agent}"));
    judge(lane, &suite.report(), least);
}

#[test]
fn the_lean_client_passes_the_fuzzing_server() {
    client_passes("ws-h1", &[PLAIN], 245);
}

#[test]
fn the_inflating_client_passes_the_fuzzing_server() {
    let with_takeover: Vec<&str> = DEFLATE.iter().copied().filter(|case| case.starts_with("12.")).collect();
    // In the other sections the fuzzing server agrees to no compression, which these lanes insist on.
    client_passes("ws-h1+deflate", &[&with_takeover], with_takeover.len());
    client_passes("ws-h1+deflate-stateless", &[STATELESS], STATELESS.len());
}
