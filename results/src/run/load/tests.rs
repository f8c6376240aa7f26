//! Broken, cut, older, edited and hostile run files: a clear error or a sound run, never a panic.
//!
//! What loads is compared and reported on: nothing behind the reader may panic on it either.

use std::panic::{AssertUnwindSafe, catch_unwind};

use scenarios::seed::SplitMix;

use super::*;
use crate::charts;
use crate::compare::{Options, Set, compare};
use crate::sample;
use crate::table::{Format, render};

/// One lane and two blocks, so that what loads is analysed in no time.
fn small() -> Run {
    let mut run = sample::with(&["ws-h1"], 1);
    run.scenario.repetitions.0 = 1;
    for trial in &mut run.trials {
        trial.blocks.truncate(2);
        let delivered = trial.blocks.iter().map(|block| block.deliveries).sum();
        (trial.ledger.expected, trial.ledger.delivered) = (delivered, delivered);
    }
    run
}

fn text(run: &Run) -> String {
    serde_json::to_string(run).unwrap()
}

/// Loads, and does with it what people do; says whether it loaded.
fn survives(bytes: &[u8], what: &str) -> Result<(), String> {
    let done = catch_unwind(AssertUnwindSafe(|| {
        let run = parse(bytes, "x/run.json").map_err(|err| format!("{err:#}"))?;
        let set = |run: Run| Set::of("x".into(), vec![("x".into(), run)]).expect("one run is a set");
        let judged = compare(&set(small()), &set(run.clone()), &Options::default());
        drop(judged.map(|judged| crate::judged::render(&judged, crate::judged::JudgedFormat::Text)));
        for format in [Format::Text, Format::Json, Format::Csv, Format::Markdown] {
            drop(render(&run, format, false));
        }
        charts::ALL
            .iter()
            .filter_map(|chart| (chart.draw)(&run))
            .for_each(|figure| drop(charts::svg(&figure)));
        Ok(())
    }));
    done.unwrap_or_else(|_| panic!("a panic on {what}"))
}

#[test]
fn what_a_run_left_behind_loads() {
    for run in [small(), sample::run(), sample::dropped(), sample::talking()] {
        let mut run = run;
        run.scenario.repetitions.0 = crate::summary::repetitions(&run).max(1);
        let read = parse(text(&run).as_bytes(), "x");
        assert_eq!(read.map_err(|err| format!("{err:#}")).unwrap(), run);
    }
    for name in ["ticker", "variants"] {
        Run::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("reference").join(name)).unwrap();
    }
}

#[test]
fn a_file_that_is_cut_off_is_refused_wherever() {
    let whole = text(&small());
    for at in (0..whole.len() - 1).step_by(whole.len() / 200) {
        let said = survives(&whole.as_bytes()[..at], &format!("the first {at} bytes")).unwrap_err();
        assert!(said.starts_with("x/run.json is not a run file"), "{said}");
    }
}

/// The places of all values in a document that hold no others.
fn leaves(value: &Value, place: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| leaves(value, &format!("{place}/{name}"), found))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, value)| leaves(value, &format!("{place}/{i}"), found))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => found.push(place.to_owned()),
    }
}

#[test]
fn a_file_with_any_field_edited_is_refused_or_read() {
    use serde_json::json;
    let document: Value = serde_json::from_str(&text(&small())).unwrap();
    let mut places = Vec::new();
    leaves(&document, "", &mut places);
    SplitMix::new(4, 4).shuffle(&mut places);
    let values = [
        json!(0),
        json!(1),
        json!(u64::MAX),
        json!(1_u64 << 55),
        json!(-1),
        json!(0.5),
        json!(1e308),
        json!(null),
        json!(true),
        json!(""),
        json!("ws-h1"),
        json!("\u{0}<script>"),
        json!([]),
        json!({}),
        json!([[[]]]),
    ];
    let mut loaded = 0;
    for (i, place) in places.iter().take(200).enumerate() {
        // Every place meets some values, every value some places.
        for value in values.iter().skip(i % 4).step_by(4) {
            let mut edited = document.clone();
            *edited.pointer_mut(place).unwrap() = value.clone();
            let what = format!("{place} = {value}");
            match survives(edited.to_string().as_bytes(), &what) {
                Ok(()) => loaded += 1,
                Err(said) => assert!(said.starts_with("x/run.json "), "{what}: {said}"),
            }
        }
        let mut removed = document.clone();
        let (parent, name) = place.rsplit_once('/').unwrap();
        if let Some(fields) = removed.pointer_mut(parent).unwrap().as_object_mut() {
            fields.remove(name);
            drop(survives(removed.to_string().as_bytes(), &format!("{place} removed")));
        }
    }
    assert!(loaded > 20, "only {loaded} edits loaded: nothing behind the reader was tried");
}

/// An edit, and what must be said of it.
type Case = (fn(&mut Value), &'static str);

#[test]
fn what_is_wrong_is_said() {
    use serde_json::json;
    let cases: [Case; 20] = [
        (|run| run["schema"] = json!(0), "has schema 0, this program reads schema 1"),
        (|run| run["schema"] = json!(2), "has schema 2, this program reads schema 1"),
        (|run| run["schema"] = json!(-1), "invalid value"),
        (|run| run["trials"][0]["lane"] = json!("pigeon"), "unknown lane `pigeon`"),
        (
            |run| run["trials"][0]["lane"] = json!("raw"),
            "it measured lane `raw`, which its scenario does not have",
        ),
        (|run| run["trials"][0]["repetition"] = json!(7), "repetition 7 of ws-h1 is none of the 1"),
        (|run| run["trials"] = json!([]), "trials are missing: 0 of 1"),
        (
            |run| {
                let twin = run["trials"][0].clone();
                run["trials"].as_array_mut().unwrap().push(twin)
            },
            "repetition 0 of ws-h1 is there twice",
        ),
        (|run| run["trials"][0]["ledger"]["lost"] = json!(1), "the ledger does not close"),
        (|run| run["trials"][0]["ledger"]["unexpected"] = json!(1), "the ledger does not close"),
        (|run| run["trials"][0]["blocks"][0]["deliveries"] = json!(1), "in the blocks"),
        (
            |run| run["trials"][0]["upward"]["ledger"]["sent"] = json!(1),
            "the ledger of messages does not close",
        ),
        (|run| run["trials"][0]["ledger"]["lost"] = json!(-1), "invalid value"),
        (
            |run| run["trials"][0]["bytes"]["payload"] = json!(u64::MAX),
            "its counts are larger than any run's",
        ),
        (|run| run["trials"][0]["latency"]["v2"] = json!("HISTFAAAA"), "histogram"),
        (|run| run["trials"][0]["latency"]["v2"] = json!("not base64!"), "histogram is not base64"),
        (|run| run["scenario"]["rate"] = json!(-5), "its scenario is refused: `rate` is -5"),
        (|run| run["scenario"]["lanes"] = json!([]), "`lanes` is empty"),
        (|run| run["scenario"]["subscribers"] = json!(0), "`subscribers` is 0"),
        (|run| run["environment"] = json!("here"), "invalid type"),
    ];
    for (edit, part) in cases {
        let mut document: Value = serde_json::from_str(&text(&small())).unwrap();
        edit(&mut document);
        let said = survives(document.to_string().as_bytes(), part).unwrap_err();
        assert!(said.starts_with("x/run.json ") && said.contains(part), "no `{part}` in {said}");
    }
}

/// A run that says that it is invalid is shown with what makes it so.
#[test]
fn an_invalid_run_loads_as_it_is() {
    let mut document: Value = serde_json::from_str(&text(&small())).unwrap();
    document["trials"][0]["ledger"]["lost"] = serde_json::json!(1);
    let warning =
        serde_json::json!({ "severity": "invalid", "lane": null, "repetition": null, "text": "lost" });
    document["warnings"].as_array_mut().unwrap().push(warning);
    survives(document.to_string().as_bytes(), "an invalid run").unwrap();
}

/// All that `report` writes, pictures included, of what no measurement leaves behind and the reader lets through.
#[test]
fn a_report_is_written_of_whatever_loads() {
    fn emptied(value: &mut Value) {
        match value {
            Value::Number(_) => *value = 0.into(),
            Value::Array(items) => items.iter_mut().for_each(emptied),
            Value::Object(fields) => fields.values_mut().for_each(emptied),
            Value::Null | Value::Bool(_) | Value::String(_) => {}
        }
    }
    let folder = tempfile::tempdir().unwrap();
    for name in ["trials", "memory", "sweep"] {
        let mut document: Value = serde_json::from_str(&text(&small())).unwrap();
        document["name"] = "</script><script>alert(1)</script>\u{0}".into();
        emptied(&mut document[name]);
        let run = parse(document.to_string().as_bytes(), "x").unwrap();
        crate::report::write(&run, folder.path()).unwrap();
        let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
        assert!(!page.contains("<script>alert"), "{name}");
    }
}

#[test]
fn hostile_files_cost_neither_memory_nor_stack() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (bytes, part) in [
        (deep.clone().into_bytes(), "is not a run file"),
        (
            text(&small()).replace("\"partial\":", &format!("\"x\":{deep},\"partial\":")).into_bytes(),
            "recursion limit",
        ),
        (text(&small()).replace("\"warnings\":", "\"warnings\":NaN,\"x\":").into_bytes(), "expected"),
        (
            text(&small()).replace("\"partial\":false", "\"partial\":false,\"partial\":true").into_bytes(),
            "duplicate field",
        ),
        (b"\xff\xfe{}".to_vec(), "expected value"),
        (vec![0; 4096], "expected value"),
    ] {
        let said = survives(&bytes, part).unwrap_err();
        assert!(said.contains(part), "no `{part}` in {said}");
    }
    let folder = tempfile::tempdir().unwrap();
    // Sparse: it takes no room, and is refused without being read whole.
    let file = std::fs::File::create(folder.path().join("run.json")).unwrap();
    file.set_len(1 << 30).unwrap();
    let said = format!("{:#}", Run::load(folder.path()).unwrap_err());
    assert!(said.contains("run.json is larger than 64 MiB"), "{said}");
    let said = format!("{:#}", Run::load(&folder.path().join("none.json")).unwrap_err());
    assert!(said.contains("cannot read run") && said.contains("none.json"), "{said}");
}
