//! A survey for real: interrupted, taken up again, and asked about another workload without measuring.
//!
//! Apart from `runs`, because a survey is several runs and what ties them together.
#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod common;

use std::io::{BufRead as _, BufReader};

use common::{LOADGEN, command, loadgen};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use results::survey::Survey;

#[test]
fn a_survey_goes_on_where_it_was_left_and_then_only_answers() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["survey", "--quick", "--only", "bytes", "-o", "s"];
    let mut child = command(LOADGEN, folder.path(), &arguments).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    for line in lines {
        if line.starts_with("repetition 1 of 2") {
            kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(105));
    let survey = Survey::load(&folder.path().join("s")).unwrap();
    assert!(!survey.is_complete() && survey.runs().count() == 1);
    let page = || std::fs::read_to_string(folder.path().join("s/decision.html")).unwrap();
    assert!(page().contains("Not measured yet:</strong> bytes"));

    let again = loadgen(folder.path(), &["survey", "--resume", "s"]);
    assert!([0, 97].contains(&again.code), "{}", again.stderr);
    assert!(again.stderr.contains("survey: 1 runs") && again.stdout.contains("20 events a second"));
    let whole = Survey::load(&folder.path().join("s")).unwrap();
    assert!(whole.is_complete() && !page().contains("Not measured yet"));

    let other = loadgen(folder.path(), &["survey", "--resume", "s", "--rate", "5", "--subscribers", "30k"]);
    assert!(other.stderr.contains("nothing is measured"), "{}", other.stderr);
    assert!(other.stdout.starts_with("your workload: 5 events a second of 139 bytes to each of 30,000"));
    assert_eq!(Survey::load(&folder.path().join("s")).unwrap().runs().count(), 1);
    let drawn = loadgen(folder.path(), &["report", "s"]);
    assert_eq!((drawn.code, drawn.stdout), (0, other.stdout));
}
