//! The report as files: the same bytes each time, self-contained, and deaf to hostile text.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::run::{Severity, Warning};
use crate::sample;

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
    found
}

/// With `SAMPLE_REPORT=folder` the sample's report is left there, to be looked at.
#[test]
fn a_report_is_the_same_bytes_each_time() {
    let kept = std::env::var_os("SAMPLE_REPORT").map(std::path::PathBuf::from);
    let temporary = tempfile::tempdir().unwrap();
    let folder = kept.as_deref().unwrap_or(temporary.path());
    let run = sample::with(&["sse-h1", "ws-h1", "raw", "sse-h1%axum@reqwest"], 5);
    write(&run, folder).unwrap();
    let first = files(folder);
    write(&run, folder).unwrap();
    assert!(first == files(folder));
    let has = |end: &str| first.keys().any(|name| name.ends_with(end));
    for chart in charts::ALL.iter().filter(|chart| (chart.draw)(&run).is_some()) {
        assert!(has(&format!("charts/{}.svg", chart.name)) && has(&format!("charts/{}.png", chart.name)));
    }
    for name in ["report.html", "trials.csv", "blocks.csv", "histograms/sse-h1-axum-reqwest-r5.hgrm"] {
        assert!(has(name), "{name}");
    }
}

fn page_of(run: &Run) -> String {
    let figures: Vec<(Figure, String)> =
        charts::ALL.iter().filter_map(|c| (c.draw)(run)).map(|f| (f.clone(), charts::svg(&f))).collect();
    page(run, &figures).unwrap()
}

#[test]
fn a_report_needs_no_network_and_no_script() {
    let page = page_of(&sample::run());
    let links =
        page.matches("http://").count() - page.matches("xmlns=\"http://www.w3.org/2000/svg\"").count();
    assert_eq!((links, page.matches("https://").count(), page.matches("<script").count()), (0, 0, 0));
    assert!(page.contains("VALID") && page.contains("What may be concluded"));
}

/// Verdicts first, each with a link to a chart of this page, and what is not measured after them.
#[test]
fn claims_are_judged_in_words_and_linked_to_the_charts() {
    let page = page_of(&sample::run());
    let links: Vec<&str> =
        page.split("href=\"#").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)).collect();
    let suited = ["latency-percentiles", "cpu", "memory", "bytes"];
    let others = ["opening", "joining", "latency-percentiles", "bytes", "break-even", "bytes"];
    assert_eq!(links, [&others[..], &suited].concat());
    links.iter().for_each(|name| assert!(page.contains(&format!("<figure id=\"{name}\"")), "{name}"));
    let judged = page.find("<strong class=\"supported\">SUPPORTED</strong>").unwrap();
    assert!(judged < page.find("Not measured in this run (11)").unwrap());
}

#[test]
fn hostile_text_stays_text() {
    let hostile = "<script>alert(1)</script>\"'&\u{0}]]>{{ name }}";
    let mut run = sample::with(&["sse-h1", "ws-h1"], 2);
    run.name = hostile.into();
    run.command = vec![hostile.into()];
    run.started = hostile.into();
    run.scenario.about = hostile.into();
    run.scenario.congestion = hostile.into();
    run.environment.cpu = hostile.into();
    run.environment.sysctls.insert(hostile.into(), hostile.into());
    let mut sockets = run.sockets.values().next().unwrap().clone();
    sockets.congestion = hostile.into();
    run.sockets.insert(" ".into(), sockets.clone());
    run.sockets.insert(hostile.into(), sockets);
    run.trials[0].failures.insert(hostile.into(), 3);
    run.warnings.push(Warning {
        severity: Severity::Doubt,
        lane: None,
        repetition: None,
        text: hostile.into(),
    });
    let page = page_of(&run);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
    write(&run, tempfile::tempdir().unwrap().path()).unwrap();
}

#[test]
fn broken_runs_are_reported_and_an_invalid_one_concludes_nothing() {
    for mut run in sample::broken() {
        run.partial = true;
        let text = "saturated".to_owned();
        run.warnings.push(Warning { severity: Severity::Invalid, lane: None, repetition: None, text });
        let page = page_of(&run);
        assert!(page.contains("<strong>INVALID</strong>") && !page.contains("What may be concluded"));
        assert!(
            page.contains("no claim is judged from it") && page.contains("Not measured in this run (16)")
        );
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("charts"), "a file in the way").unwrap();
    let error = format!("{:#}", write(&sample::with(&["raw"], 1), folder.path()).unwrap_err());
    assert!(error.starts_with("cannot create folder") && error.contains("charts"), "{error}");
}
