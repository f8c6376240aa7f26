//! The formats as they look, on whole and on broken runs.

use super::*;
use crate::sample;

#[test]
fn formats_as_they_look() {
    let run = sample::run();
    insta::assert_snapshot!("text", render(&run, Format::Text, false));
    insta::assert_snapshot!("markdown", render(&run, Format::Markdown, false));
    let mut json: serde_json::Value = serde_json::from_str(&render(&run, Format::Json, false)).unwrap();
    let claims = json.as_object_mut().unwrap().remove("claims").unwrap();
    assert_eq!(claims.as_array().map(Vec::len), Some(crate::claims::ALL.len()));
    insta::assert_snapshot!("json_claim", format!("{:#}\n{:#}", claims[0], claims[1]));
    insta::assert_snapshot!("json", format!("{json:#}").lines().take(80).collect::<Vec<_>>().join("\n"));
    let csv = render(&run, Format::Csv, false);
    insta::assert_snapshot!("csv", csv.lines().take(50).collect::<Vec<_>>().join("\n"));
    insta::assert_snapshot!("blocks", blocks(&run).lines().take(5).collect::<Vec<_>>().join("\n"));
}

#[test]
fn many_lanes_and_long_names_stay_within_100_columns() {
    let names = ["sse-h1", "ws-h1", "raw", "sse-h1%axum@reqwest", "ws-h1%axum@tungstenite", "sse-h1%axum"];
    let text = render(&sample::with(&names, 5), Format::Text, false);
    let widest = text.lines().max_by_key(|line| line.chars().count()).unwrap();
    assert!(widest.chars().count() <= 100, "{widest}");
    names.iter().for_each(|name| assert!(text.contains(name)));
}

#[test]
fn formats_read_back_from_their_names_and_colour_is_only_on_demand() {
    for (format, name) in FORMATS {
        assert_eq!((name.parse(), format.to_string()), (Ok(format), name.to_owned()));
    }
    assert!("xml".parse::<Format>().unwrap_err().contains("text, json, csv, markdown"));
    let run = sample::with(&["ws-h1"], 1);
    assert!(render(&run, Format::Text, true).contains("\u{1b}["));
    assert!(!render(&run, Format::Text, false).contains('\u{1b}'));
}

#[test]
fn a_run_that_is_not_whole_says_so_first() {
    let mut run = sample::run();
    run.partial = true;
    assert!(render(&run, Format::Text, false).starts_with("PARTIAL"));
    let text = "generator limited\u{1b}[2J | <script>".to_owned();
    run.warnings.push(Warning { severity: Severity::Invalid, lane: None, repetition: Some(0), text });
    let said = render(&run, Format::Text, false);
    assert!(said.starts_with("INVALID") && !said.contains('\u{1b}') && !said.contains("costs more"));
    let said = render(&run, Format::Markdown, false);
    assert!(said.starts_with("**INVALID") && !said.contains("<script>"));
}

#[test]
fn broken_runs_are_written_without_a_panic() {
    for run in sample::broken() {
        for (format, _) in FORMATS {
            assert!(!render(&run, format, true).is_empty());
        }
        let _ = blocks(&run);
    }
}
