//! The gate from the command line to the exit code: real servers that are fatter, lossier or chattier are found every
//! time, and the same program never.
#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod common;

use std::path::Path;

use common::{Ended, loadgen};
use results::exact::Exact;

/// One lane of each kind: bare, chunked, compressed, inside TLS, over HTTP/2, and a stock server.
const LANES: &str =
    "raw,sse-h1,sse-h1+gzip,sse-h1+tls,ws-h1,ws-h1+deflate,ws-h2,sse-h2,ws-h1%axum,longpoll-h1";

fn gate(folder: &Path, more: &[&str]) -> Ended {
    loadgen(folder, &[&["gate", "--quiet", "--lanes", LANES, "--baseline", "base"], more].concat())
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
        assert!(again.stdout.contains(" 0 are worse, 0 are better"), "{}", again.stdout);
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
    for (inject, found) in [
        // A compressor may make one more byte of nothing, and then only the bytes themselves tell.
        ("bytes=1", &["event_framing, 32 B", "bytes of a fixed sequence"][..]),
        ("drop=1", &["lost"]),
        ("segment=1", &["segments, 32 B"]),
    ] {
        let worse = gate(folder.path(), &["--inject", inject]);
        assert_eq!(worse.code, 98, "{}", worse.stdout);
        for lane in LANES.split(',') {
            let lines = worse.stdout.lines().filter(|line| line.starts_with(&format!("  WORSE {lane}: ")));
            let all: Vec<&str> = lines.collect();
            let is_named = |name: &&str| all.iter().any(|line| line.contains(&format!(" {lane}: {name}: ")));
            assert!(found.iter().any(is_named), "{inject} on {lane}: {all:#?}");
        }
    }
    // Exactly so many: one byte an event, one event of three subscribers, one segment a write.
    let alone = |inject: &str| {
        loadgen(folder.path(), &["gate", "-q", "--lanes", "ws-h1", "--baseline", "base", "--inject", inject])
    };
    let (bytes, lost, segments) = (alone("bytes=1"), alone("drop=1"), alone("segment=1"));
    assert!(
        bytes.stdout.contains("event_framing, 32 B: 10 B/event against 9 (600 against 540"),
        "{}",
        bytes.stdout
    );
    assert!(lost.stdout.contains("ws-h1: lost: 3 in all against 0 "), "{}", lost.stdout);
    assert!(
        segments.stdout.contains("segments, 32 B: 2 /event against 1 (120 against 60"),
        "{}",
        segments.stdout
    );
}

#[test]
fn what_cannot_be_compared_is_an_error_and_what_is_better_passes() {
    let folder = tempfile::tempdir().unwrap();
    let only = |more: &[&str]| {
        loadgen(folder.path(), &[&["gate", "-q", "--lanes", "raw", "--baseline", "base.toml"], more].concat())
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
    assert!(worse.code == 98 && worse.stdout.contains("WORSE raw: writes, 32 B"), "{}", worse.stdout);
    let borne = edited("writes.32 = 60", "writes.32 = 59", &["--tolerance", "writes=2%"]);
    assert!(borne.code == 0 && borne.stdout.contains("2 % more writes"), "{}", borne.stdout);
    let update = only(&["--update-baseline"]);
    assert!(update.stdout.contains("raw writes.32: 59, now 60"), "{}", update.stdout);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}
