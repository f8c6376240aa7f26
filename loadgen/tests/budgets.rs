//! Budgets from the command line to the exit code: real runs of `smoke`, judged by bounds that count.
//!
//! Times are left to the made-up runs of `results`: here nothing depends on the machine, but for a run that is
//! invalid for its instants alone, whose code is 97 before all others.
#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod common;

use std::path::Path;

use common::{Ended, loadgen};
use results::Run;
use results::judged::Verdict;
use results::run::Severity;

fn smoke(folder: &Path, more: &[&str]) -> (Ended, Run) {
    let fixed = ["-s", "smoke", "--lanes", "ws-h1,raw", "--set", "sweep=[]", "-o", "run", "--quiet"];
    let answer = loadgen(folder, &[&fixed, more].concat());
    let run = Run::load(&folder.join("run")).unwrap();
    (answer, run)
}

/// The code that the budgets give, unless the run is invalid.
fn code(run: &Run, budgets: i32) -> i32 {
    if run.worst() == Some(Severity::Invalid) { 97 } else { budgets }
}

#[test]
fn budgets_decide_the_exit_code_and_stand_in_every_output() {
    let kept = tempfile::tempdir().unwrap();
    let (answer, run) =
        smoke(kept.path(), &["--budget", "lost==0", "--budget", "bytes_per_event{lane:raw}<1KiB"]);
    assert_eq!(answer.code, code(&run, 0), "{}", answer.stderr);
    let verdicts = |run: &Run| -> Vec<Verdict> {
        run.budgets.as_ref().unwrap().findings.iter().map(|finding| finding.verdict).collect()
    };
    assert_eq!(verdicts(&run), [Verdict::Kept; 3]);
    assert!(
        answer.stdout.contains("\nbudgets\n- lost==0: kept, ws-h1: it is 0 deliveries"),
        "{}",
        answer.stdout
    );

    let crossed = tempfile::tempdir().unwrap();
    let baseline = kept.path().join("run");
    let budgets = ["--budget", "bytes_per_event<=0.99x baseline", "--baseline", baseline.to_str().unwrap()];
    let (answer, run) = smoke(crossed.path(), &budgets);
    assert_eq!(answer.code, code(&run, 99), "{}", answer.stderr);
    assert_eq!(verdicts(&run), [Verdict::Crossed; 2]);
    let said = "budget `bytes_per_event<=0.99x baseline`: raw: it is ";
    assert!(answer.code == 97 || answer.stderr.contains(said), "{}", answer.stderr);
    let page = std::fs::read_to_string(crossed.path().join("run/report.html")).unwrap();
    assert!(page.contains("bytes_per_event&lt;=0.99x baseline: CROSSED"));
    // Drawn again from the files alone, with the same code.
    let again = loadgen(crossed.path(), &["report", "run", "--format", "markdown"]);
    assert_eq!(again.code, answer.code);
    assert!(again.stdout.contains("CROSSED"), "{}", again.stdout);
}

#[test]
fn a_crossed_budget_ends_the_run_and_keeps_what_was_measured() {
    let folder = tempfile::tempdir().unwrap();
    let more =
        ["--repetitions", "3", "--budget", "delivered==0 abortOnFail", "--budget", "latency: p(80)<1h"];
    let (answer, run) = smoke(folder.path(), &more);
    assert_eq!(answer.code, code(&run, 99), "{}", answer.stderr);
    assert!(run.partial && run.trials.len() == 2, "{} trials", run.trials.len());
    let delayed = tempfile::tempdir().unwrap();
    let more = ["--repetitions", "2", "--budget", "delivered==0 abortOnFail after 1h"];
    let (answer, run) = smoke(delayed.path(), &more);
    assert_eq!(answer.code, code(&run, 99), "{}", answer.stderr);
    assert!(!run.partial && run.trials.len() == 4, "{} trials", run.trials.len());
}
