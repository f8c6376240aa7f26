//! The gate from the command line to the exit code: real servers that are fatter, lossier or chattier are found every
//! time, and the same program never.
#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod common;

use std::path::Path;

use common::{Ended, loadgen};
use results::exact::Exact;
use results::judged::{Finding, Judged, Verdict};

/// One lane of each kind: bare, chunked, compressed, inside TLS, over HTTP/2, and a stock server.
const LANES: &str =
    "raw,sse-h1,sse-h1+gzip,sse-h1+tls,ws-h1,ws-h1+deflate,ws-h2,sse-h2,ws-h1%axum,longpoll-h1";

fn gate(folder: &Path, more: &[&str]) -> Ended {
    loadgen(
        folder,
        &[&["gate", "--quiet", "--format", "json", "--lanes", LANES, "--baseline", "base"], more].concat(),
    )
}

/// What it found, as it says it to programs.
fn found(answer: &Ended) -> Judged {
    serde_json::from_str(&answer.stdout).expect(&answer.stdout)
}

/// A lane's counts that are worse.
fn worse<'a>(judged: &'a Judged, lane: &str) -> Vec<&'a Finding> {
    judged.with(Verdict::Worse).filter(|finding| finding.lane.as_deref() == Some(lane)).collect()
}

fn baseline(folder: &Path) -> Exact {
    assert_eq!(gate(folder, &["--update-baseline"]).code, 0);
    Exact::parse(&std::fs::read_to_string(folder.join("base/exact.toml")).unwrap()).unwrap()
}

/// METHOD M22: zero noise.
#[test]
fn counts_are_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    baseline(folder.path());
    for _ in 0..5 {
        let again = gate(folder.path(), &[]);
        assert_eq!(again.code, 0, "{}", again.stdout);
        let judged = found(&again);
        assert!(judged.findings.len() > 100, "{}", again.stdout);
        assert_eq!(judged.with(Verdict::Same).count(), judged.findings.len(), "{}", again.stdout);
    }
    let update = gate(folder.path(), &["--update-baseline"]);
    assert_eq!(update.stdout, "base/exact.toml: nothing changed\n");
}

/// In lock-step, with Nagle off, an event within a segment is one write and one segment: the server's own count of its
/// system calls is the kernel's of the segments that came. TLS puts an event of stock servers into one record too.
#[test]
fn writes_are_what_the_kernel_counts_as_segments() {
    let folder = tempfile::tempdir().unwrap();
    let exact = baseline(folder.path());
    for (lane, counts) in &exact.lanes {
        for size in [32, 120, 1_000] {
            let of = |name: &str| counts.by_size[&(name.to_owned(), size)];
            assert_eq!((of("writes"), of("segments")), (60, 60), "{lane} at {size} B");
        }
    }
}

#[test]
fn one_more_byte_a_lost_event_and_one_more_segment_are_found_on_every_lane() {
    let folder = tempfile::tempdir().unwrap();
    baseline(folder.path());
    // On one lane exactly so many: one byte an event, one event of three subscribers, one segment a write.
    for (inject, names, of_ws) in [
        // A compressor may make one more byte of nothing, and then only the bytes themselves tell.
        ("bytes=1", &["event_framing, 32 B", "bytes of a fixed sequence"][..], (9.0, 10.0)),
        ("drop=1", &["lost"], (0.0, 3.0)),
        ("segment=1", &["segments, 32 B"], (1.0, 2.0)),
    ] {
        let answer = gate(folder.path(), &["--inject", inject]);
        assert_eq!(answer.code, 98, "{}", answer.stdout);
        let judged = found(&answer);
        for lane in LANES.split(',') {
            let all: Vec<&str> = worse(&judged, lane).iter().map(|finding| finding.name.as_str()).collect();
            assert!(names.iter().any(|name| all.contains(name)), "{inject} on {lane}: {all:#?}");
        }
        let one = worse(&judged, "ws-h1").into_iter().find(|finding| finding.name == names[0]).unwrap();
        assert_eq!((one.reference, one.value), (Some(of_ws.0), Some(of_ws.1)), "{inject}");
    }
}

#[test]
fn what_cannot_be_compared_is_an_error_and_what_is_better_passes() {
    let folder = tempfile::tempdir().unwrap();
    let only = |more: &[&str]| {
        loadgen(
            folder.path(),
            &[&["gate", "-q", "--format", "json", "--lanes", "raw", "--baseline", "base.toml"], more]
                .concat(),
        )
    };
    let missing = only(&[]);
    assert_eq!(missing.code, 104, "{}", missing.stdout);
    assert!(
        missing.stderr.contains("base.toml: cannot read it") && missing.stderr.contains("--update-baseline")
    );
    assert_eq!(only(&["--update-baseline"]).code, 0);
    let file = folder.path().join("base.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let edited = |from: &str, to: &str, more: &[&str]| {
        assert!(text.contains(from), "{text}");
        std::fs::write(&file, text.replace(from, to)).unwrap();
        only(more)
    };
    for (from, to, said) in [
        ("[lanes.\"raw\"]", "[lanes.\"row\"]", "no lane raw"),
        ("events = \"20\"", "events = \"10\"", "events: 10, now 20"),
        ("payload.32 = ", "payload.32 = -", "not below 0"),
        ("payload.32 = ", "payload.32 = x", "TOML parse error"),
    ] {
        let answer = edited(from, to, &[]);
        assert_eq!((answer.code, answer.stdout.as_str()), (104, ""), "{}", answer.stderr);
        assert!(answer.stderr.contains(said), "{}", answer.stderr);
    }
    let better = edited("writes.32 = 60", "writes.32 = 61", &[]);
    assert!(
        better.code == 0 && better.stdout.contains("keep that with --update-baseline"),
        "{}",
        better.stdout
    );
    let worse = edited("writes.32 = 60", "writes.32 = 59", &[]);
    assert_eq!((self::worse(&found(&worse), "raw").len(), worse.code), (1, 98), "{}", worse.stdout);
    let borne = edited("writes.32 = 60", "writes.32 = 59", &["--tolerance", "writes=2%"]);
    assert!(borne.code == 0 && borne.stdout.contains("2 % more writes"), "{}", borne.stdout);
    let update = only(&["--update-baseline"]);
    assert!(update.stdout.contains("raw writes.32: 59, now 60"), "{}", update.stdout);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}
