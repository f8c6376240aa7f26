//! What is appended, what is read back, and what is set beside each other.

use super::*;
use crate::run::{Severity, Warning};
use crate::sample;

/// A run a day, the server slower from `from` on.
fn runs(count: usize, from: usize) -> Vec<Run> {
    let run = sample::with(&["sse-h1", "ws-h1"], 1);
    let day = |i: usize| {
        let mut run = run.clone();
        run.started = format!("2025-01-{:02}T12:00:00Z", i + 1);
        run.environment.commit = format!("c{i}");
        let wobble = 1.0 + [0.0, 0.004, -0.003, 0.002, -0.005][i % 5];
        let slower = if i >= from { 1.2 } else { 1.0 };
        for trial in run.trials.iter_mut().filter(|trial| trial.lane.to_string() == "sse-h1") {
            trial.blocks.iter_mut().for_each(|block| {
                block.server_cpu_ns = (block.server_cpu_ns as f64 * wobble * slower) as u64
            });
        }
        run
    };
    (0..count).map(day).collect()
}

fn appended(runs: &[Run]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.csv");
    runs.iter().for_each(|run| assert!(append(&file, run).unwrap() > 20));
    (folder, file)
}

#[test]
fn what_is_appended_reads_back() {
    let runs = runs(3, 9);
    let (_folder, file) = appended(&runs);
    let read = read(&file).unwrap();
    assert_eq!(read, runs.iter().flat_map(rows).collect::<Vec<Row>>());
    assert_eq!(std::fs::read_to_string(&file).unwrap().matches("fingerprint,machine").count(), 1);
    let cpu = read.iter().find(|row| row.metric == "server CPU").unwrap();
    assert_eq!((cpu.unit.as_str(), cpu.machine.contains("rustc 1.90.0")), ("us/delivery", true));
    let again = format!("{:#}", append(&file, &runs[1]).unwrap_err());
    assert!(again.contains("holds the run of 2025-01-02T12:00:00Z already"), "{again}");
}

#[test]
fn a_change_is_found_drawn_and_said() {
    let (_folder, file) = appended(&runs(24, 14));
    let histories = histories(&read(&file).unwrap());
    assert_eq!(histories.len(), 1);
    let said = trend::said(&histories[0]);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("server CPU of sse-h1 went from ")
            && said[0].contains("at run 15 (2025-01-15T12:00:00Z, commit c14)"),
        "{}",
        said[0]
    );
    let svg = trend::drawn(&histories[0]).unwrap();
    assert!(svg.contains("Has anything changed") && !svg.contains("NaN"));
    let text = trend::text(&histories[0]);
    assert!(text.contains("ticker on Example CPU at 3 GHz; 2 cores") && text.contains(&said[0]), "{text}");
}

/// METHOD M22: another machine, compiler or workload is another history.
#[test]
fn other_machines_and_workloads_are_apart() {
    let mut all = runs(6, 9);
    all[1].environment.kernel = "7.0".into();
    all[2].environment.rustc = "rustc 1.91.0".into();
    all[3].environment.profile = "release".into();
    all[4].scenario.seed += 1;
    all[5].scenario.about = "said otherwise".into();
    let (_folder, file) = appended(&all);
    let histories = histories(&read(&file).unwrap());
    let sizes: Vec<usize> = histories.iter().map(|history| history.series[0].rows.len()).collect();
    assert_eq!(sizes, [2, 1, 1, 1, 1]);
    assert_eq!(trend::draw(&histories[1]), None);
    assert!(trend::draw(&histories[0]).unwrap().finding.contains("2 runs so far"));
}

#[test]
fn what_may_not_be_used_is_no_history() {
    let mut run = runs(1, 9).remove(0);
    let text = "saturated".to_owned();
    run.warnings.push(Warning { severity: Severity::Invalid, lane: None, repetition: None, text });
    let folder = tempfile::tempdir().unwrap();
    assert!(append(&folder.path().join("h.csv"), &run).is_err());
    assert!(!folder.path().join("h.csv").exists());
}

#[test]
fn what_is_no_history_is_refused_with_its_row() {
    let (folder, file) = appended(&runs(1, 9));
    let whole = std::fs::read_to_string(&file).unwrap();
    let first = whole.lines().nth(1).unwrap();
    for (text, part) in [
        ("a,b\n1,2\n".to_owned(), "is no history: its columns are not fingerprint,machine"),
        (whole.replacen(",sse-h1,", ",pigeon,", 1), "row 1, is no row of a history: unknown lane `pigeon`"),
        (format!("{}\n1,2\n", COLUMNS.join(",")), "row 1, is no row"),
        (
            format!(
                "{}\n{}\n",
                COLUMNS.join(","),
                first.replace(",ms,", ",ms,NaN").replace(",ms,NaN", ",ms,x")
            ),
            "row 1, is no row of a history: value `x",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let said = format!("{:#}", read(&file).unwrap_err());
        assert!(said.contains(part), "no `{part}` in {said}");
        assert!(append(&file, &sample::run()).is_err());
    }
    assert!(
        format!("{:#}", read(&folder.path().join("none.csv")).unwrap_err()).contains("cannot read history")
    );
}
