//! Rows, tables, sentences and doubts of made-up outages; with `SAMPLE_OUTAGES=folder` their reports are left there.

use super::*;
use crate::run::outage::Parts;
use crate::run::{Severity, Warning};
use crate::sample;
use crate::table::{Format, outage_curves, render};
use crate::{claims, report};

#[test]
fn rows_stand_by_case_and_lane_and_hold_all_repetitions() {
    let mut run = sample::dropped();
    run.outages.reverse();
    let rows = rows(&run);
    let names: Vec<String> =
        rows.iter().map(|row| format!("{} {} {}", row.fault, row.policy, row.lane)).collect();
    assert_eq!(names[..3], ["drain native sse-h1", "drain native ws-h1", "drain full-jitter sse-h1"]);
    assert_eq!(rows.len(), 12);
    for row in &rows {
        assert_eq!(row.outages.iter().map(|one| one.repetition).collect::<Vec<_>>(), [0, 1]);
        let unavailable = row.unavailable();
        if let Some(mean) = row.mean_ms() {
            let apart = (unavailable.mean().unwrap() / 1e6 - mean).abs() / mean;
            assert!(apart < 2e-3, "the parts make up the whole: {apart}");
            assert_eq!(unavailable.count(), row.sum(|one| one.recovered));
        }
    }
}

#[test]
fn a_run_of_outages_as_it_looks() {
    let run = sample::dropped();
    let text = render(&run, Format::Text, false);
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{widest:?}");
    insta::assert_snapshot!("text", text);
    insta::assert_snapshot!("markdown", render(&run, Format::Markdown, false));
    let csv = render(&run, Format::Csv, false);
    assert_eq!(csv.lines().count(), 1 + run.outages.len());
    insta::assert_snapshot!("csv", csv.lines().take(3).collect::<Vec<_>>().join("\n"));
    let curves = outage_curves(&run);
    insta::assert_snapshot!("curves", curves.lines().take(5).collect::<Vec<_>>().join("\n"));
}

/// One table is empty, and says so.
#[test]
fn both_tables_are_always_there() {
    let run = sample::hinted(&["none", "1s..5s"]);
    let text = render(&run, Format::Text, false);
    assert!(text.contains("native policy, what each client does"), "{text}");
    assert!(text.contains("same policy, what is left to the protocol (no case of this run)"), "{text}");
    assert!(text.contains("hint 1s..5s, sse-h1") && !text.contains("hint none, ws-h1"), "{text}");
    assert!(
        tables(&sample::run()).is_empty() && !render(&sample::run(), Format::Text, false).contains("drop")
    );
}

/// A run without trials is whole, says what it did, and has none of the tables that trials fill.
#[test]
fn a_run_of_outages_is_reported_without_trials() {
    let folder = tempfile::tempdir().unwrap();
    for (name, run) in [
        ("dropped", sample::dropped()),
        ("windowed", sample::windowed()),
        ("hinted", sample::hinted(&["none", "2s", "1s..5s"])),
    ] {
        let kept = std::env::var_os("SAMPLE_OUTAGES").map(|kept| std::path::PathBuf::from(kept).join(name));
        let folder = kept.unwrap_or_else(|| folder.path().join(name));
        std::fs::create_dir_all(&folder).unwrap();
        run.save(&folder).unwrap();
        let run = crate::Run::load(&folder).unwrap();
        report::write(&run, &folder).unwrap();
        let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
        assert!(page.contains("When connections drop") && page.contains(">VALID<"));
        assert!(!page.contains("Headline numbers") && !page.contains("All metrics"));
        assert!(!page.contains("Nothing was measured yet") && !page.contains("0 blocks"));
        assert!(folder.join("outages.csv").is_file() && folder.join("outage-curves.csv").is_file());
        assert!(!folder.join("trials.csv").exists() && !folder.join("histograms").exists());
        let judged = claims::judge(&run).into_iter().filter(claims::Judged::is_measured);
        assert!(judged.map(|one| one.claim.number).all(|number| [13, 14, 15].contains(&number)));
    }
}

fn sound() -> Outage {
    let mut run = sample::dropped();
    run.outages.remove(0)
}

fn texts(outage: &Outage, resume: bool) -> Vec<String> {
    let found: Vec<Warning> = doubts(outage, resume);
    assert!(found.iter().all(|one| one.severity == Severity::Invalid && one.lane == Some(outage.lane)));
    found.into_iter().map(|one| one.text).collect()
}

#[test]
fn what_does_not_add_up_is_invalid_and_named() {
    assert_eq!(texts(&sound(), true), [""; 0]);
    type Edit = fn(&mut Outage);
    let cases: [(Edit, &str); 9] = [
        (|one| one.ledger.delivered -= 1, "the ledger does not close"),
        (
            |one| {
                one.ledger.lost += 1;
                one.ledger.expected += 1;
            },
            "the causes add up to 0",
        ),
        (
            |one| {
                (one.ledger.lost, one.lost.unexplained, one.ledger.expected) = (2, 2, one.ledger.expected + 2)
            },
            "nothing explains 2",
        ),
        (|one| one.parts_differ_by_ns = 1_000_001, "differ by 1.00 ms"),
        (|one| one.bodies_sha256[1] = "cd".repeat(32), "the bodies received are not"),
        (|one| one.ledger.duplicated = 3, "3 deliveries came twice"),
        (|one| one.ledger.reordered = 2, "2 deliveries came behind later ones"),
        (|one| one.leaked = 4, "still holds 4 connections"),
        (|one| one.still_away = 401, "401 clients never had all events again, of 400"),
    ];
    for (edit, said) in cases {
        let mut outage = sound();
        edit(&mut outage);
        let found = texts(&outage, true);
        assert!(found.len() == 1 && found[0].contains(said), "{said}: {found:?}");
        assert!(found[0].starts_with("drain, eventsource, window 1024: "), "{found:?}");
    }
    let mut outage = sound();
    (outage.ledger.duplicated, outage.parts_differ_by_ns) = (3, 1_000_000);
    outage.bodies_sha256[1] = String::new();
    assert_eq!(texts(&outage, false), [""; 0]);
}

/// A run that says nothing of an outage's parts has no row of them, and no chart.
#[test]
fn an_outage_from_which_nobody_came_back_is_told() {
    let mut run = sample::dropped();
    for one in &mut run.outages {
        (one.parts, one.unavailable, one.recovered) = (Parts::default(), LatencyHistogram::default(), 0);
        (one.opened, one.caught_up, one.timeline, one.server) = Default::default();
        one.still_away = one.clients;
    }
    let text = render(&run, Format::Text, false);
    assert!(text.contains("nobody was without events and had them again") && !text.contains("NaN"), "{text}");
    let drawn: Vec<&str> = crate::charts::ALL.iter().filter_map(|c| (c.draw)(&run)).map(|f| f.name).collect();
    assert_eq!(drawn, ["survival"]);
}

/// The first reading of a server holds what it used before time zero.
#[test]
fn cpu_is_counted_from_the_first_reading_on() {
    let mut run = sample::dropped();
    let told = |run: &Run| {
        let drawn = crate::charts::ALL.iter().filter_map(|chart| (chart.draw)(run));
        let finding =
            drawn.filter(|figure| figure.name == "server-around-faults").map(|figure| figure.finding);
        (rows(run)[0].server_cpu_ms(), finding.collect::<Vec<_>>())
    };
    let before = told(&run);
    run.outages.iter_mut().for_each(|one| one.server[0].cpu_ns = 10_000_000_000);
    assert_eq!(told(&run), before);
}
