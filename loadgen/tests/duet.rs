//! Duets for real, short and small: what is made worse on purpose is found as exactly what it is, and what is recorded can be
//! evaluated. Times are not looked at: a busy machine may make them invalid or unclear.
#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod common;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use common::{Ended, loadgen};
use results::duet::Duet;
use results::judged::{Finding, Judged, Verdict};
use servers::inject::Inject;

static MACHINE: Mutex<()> = Mutex::new(());

const SUBSCRIBERS: u64 = 20;
const EVENTS_IN_A_BLOCK: u64 = 10;

/// 24 pairs a lane; the first look is after 12.
fn duet(folder: &Path, arguments: &[&str]) -> Ended {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let small = ["--pairs", "24", "--set", "subscribers=20", "--set", "warmup=0"];
    loadgen(folder, &[&["duet"], arguments, &small].concat())
}

fn findings(folder: &Path) -> Vec<Finding> {
    let text = std::fs::read_to_string(folder.join("judged.json")).unwrap();
    serde_json::from_str::<Judged>(&text).unwrap().findings
}

fn finding(findings: &[Finding], name: &str, lane: &str) -> Finding {
    let is_it = |one: &&Finding| one.name == name && one.lane.as_deref() == Some(lane);
    findings.iter().find(is_it).unwrap().clone()
}

#[test]
fn deliveries_dropped_on_purpose_are_found_to_the_last_one() {
    let folder = tempfile::tempdir().unwrap();
    let ended = duet(folder.path(), &["--inject", "drop=1%", "--lanes", "sse-h1,ws-h1", "-o", "d"]);
    // A machine that is too busy makes it invalid, which is said first; the findings are there all the same.
    assert!([97, 98].contains(&ended.code), "{}", ended.stderr);
    let drops = "drop=1%".parse::<Inject>().unwrap().drops(1).unwrap();
    let dropped = |reader| (1..=12 * EVENTS_IN_A_BLOCK).filter(|seq| drops.takes(reader, *seq)).count();
    let all = (0..usize::try_from(SUBSCRIBERS).unwrap()).map(dropped).sum::<usize>() as f64;
    assert!(all > 0.0);
    let findings = findings(&folder.path().join("d"));
    for lane in ["sse-h1", "ws-h1"] {
        let lost = finding(&findings, "lost", lane);
        assert_eq!(
            (lost.reference, lost.value, lost.verdict),
            (Some(0.0), Some(all), Verdict::Worse),
            "{lane}"
        );
    }
    let held = Duet::load(&folder.path().join("d")).unwrap();
    assert_eq!(
        (held.sessions.len(), held.sessions[0].lanes[1].pairs.len()),
        (1, 12),
        "found at the first look"
    );
}

#[test]
fn bytes_added_on_purpose_are_found_to_the_byte_and_spoil_no_event() {
    let folder = tempfile::tempdir().unwrap();
    let lanes = [("sse-h1", 1), ("ws-h2", 1), ("raw", 4)];
    let ended = duet(folder.path(), &["--inject", "bytes=5%", "--lanes", "sse-h1,ws-h2,raw", "-o", "d"]);
    assert!([97, 98].contains(&ended.code), "{}", ended.stderr);
    let findings = findings(&folder.path().join("d"));
    assert!(findings.iter().all(|one| one.name != "corrupted"));
    let held = Duet::load(&folder.path().join("d")).unwrap();
    for (part, (lane, unit)) in held.sessions[0].lanes.iter().zip(lanes) {
        assert_eq!(finding(&findings, "bytes per event", lane).verdict, Verdict::Worse, "{lane}");
        assert_eq!(finding(&findings, "lost", lane).verdict, Verdict::Same, "{lane}");
        let [a, b] = part.counts;
        let more = b.bytes - a.bytes;
        assert_eq!(more % (SUBSCRIBERS * unit), 0, "{lane}: the same for every subscriber");
        let share = more as f64 / a.bytes as f64;
        // 5 % of the frame as it leaves the hub; what HTTP adds to it is not padded, and grows a little with it.
        assert!((0.040..=0.055).contains(&share), "{lane}: {share}");
    }
}

#[test]
fn a_build_against_itself_is_recorded_and_evaluated() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["s/one", "s/two"] {
        let seed = if name == "s/one" { "1" } else { "2" };
        let ended = duet(folder.path(), &["--aa", "--record", "-o", name, "--seed", seed]);
        assert!([0, 97].contains(&ended.code), "{}", ended.stderr);
        let place = folder.path().join(name);
        let mut held = Duet::load(&place).unwrap();
        assert_eq!(held.sessions.len(), 1);
        for part in &held.sessions[0].lanes {
            assert_eq!((part.pairs.len(), part.counts[0]), (24, part.counts[1]), "both sides count the same");
            assert_eq!(part.counts[0].ledger.delivered, 24 * EVENTS_IN_A_BLOCK * SUBSCRIBERS);
            assert_eq!(part.pairs.iter().filter(|pair| pair.b_first).count(), 12);
        }
        let rows = std::fs::read_to_string(place.join("pairs.csv")).unwrap().lines().count();
        assert_eq!(rows, 1 + 24);
        assert!(std::fs::read(place.join("charts/duet.png")).unwrap().starts_with(b"\x89PNG"));
        held.sessions[0].invalid.clear();
        held.save(&place).unwrap();
        let again = duet(folder.path(), &["--aa", "-o", name]);
        assert_eq!(again.code, 104);
        assert!(again.stderr.contains("holds a duet already"), "{}", again.stderr);
    }
    let said = loadgen(folder.path(), &["duet", "--evaluate", "s", "--evaluations", "20"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert!(said.stdout.starts_with("A against itself: 2 real sessions"), "{}", said.stdout);
    assert!(said.stdout.contains("20 resampled evaluations"), "{}", said.stdout);
}

#[test]
fn what_does_not_speak_the_contract_is_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    for program in ["true", "echo nonsense"] {
        let ended = duet(folder.path(), &["--a", program, "-o", "x"]);
        assert_eq!(ended.code, 104, "{}", ended.stderr);
        assert!(ended.stderr.contains(&format!("A ({program}) cannot be measured")), "{}", ended.stderr);
    }
}
