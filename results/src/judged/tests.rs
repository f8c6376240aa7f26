//! Every form is what its readers expect, and harmless whatever the names in it are.

use super::*;

/// What somebody may have called a lane, a budget or a scenario.
const HOSTILE: [&str; 12] = [
    "<script>alert(1)</script>",
    "]]></failure><x>",
    "::error title=x::gone",
    "  ::stop-commands::x",
    "##[error]gone",
    "two\nlines\r\n::warning::three",
    "a | b || c",
    "`code` **bold** [link](http://evil.example) ![](http://evil.example/x) @everyone #1 www.evil.example",
    "bell\u{7} escape\u{1b}[2J nul\u{0} nothing\u{fffe}\u{ffff}",
    "100 % of \"all\" & 'more', a:b",
    "\u{202e}reversed\u{2066} hidden\u{200b}",
    "</summary></details>",
];

fn finding(name: &str, firmness: Firmness, verdict: Verdict, numbers: Option<(f64, f64)>) -> Finding {
    Finding {
        name: name.into(),
        lane: Some("sse-h1".into()),
        firmness,
        unit: "B/event".into(),
        reference: numbers.map(|pair| pair.0),
        value: numbers.map(|pair| pair.1),
        ratio: numbers.map(|pair| pair.1 / pair.0),
        interval: numbers.map(|pair| [pair.1 / pair.0 * 0.99, pair.1 / pair.0 * 1.01]),
        verdict,
        text: format!("{name} says why"),
    }
}

fn judged(findings: Vec<Finding>) -> Judged {
    let (command, subject) = ("compare".into(), "results/a against results/b".into());
    Judged { schema: JUDGED_SCHEMA, command, subject, findings, notes: vec!["one thing to know".into()] }
}

fn each() -> Judged {
    use Firmness::{Budget, Exact, Noisy};
    judged(vec![
        finding("payload", Exact, Verdict::Same, Some((139.0, 139.0))),
        finding("transport framing", Exact, Verdict::Worse, Some((5.0, 6.0))),
        finding("lost", Exact, Verdict::Worse, Some((0.0, 1.0))),
        finding("event framing", Exact, Verdict::Better, Some((28.004, 28.003))),
        finding("server CPU", Noisy, Verdict::Inconclusive, Some((7.4, 7.9))),
        finding("latency p99", Noisy, Verdict::NotComparable, Some((16.0, 19.0))),
        finding("latency p50", Noisy, Verdict::NotComparable, None),
        finding("measurement", Exact, Verdict::Invalid, None),
        finding("latency{lane:sse-h1}: p(99)<50ms", Budget, Verdict::Crossed, Some((50.0, 61.0))),
        finding("lost==0", Budget, Verdict::Kept, Some((0.0, 0.0))),
    ])
}

/// All names, lanes, units and texts hostile, in every verdict.
fn hostile() -> Judged {
    let mut all = Vec::new();
    for text in HOSTILE {
        for mut one in each().findings {
            (one.name, one.lane, one.unit, one.text) =
                (text.to_owned(), Some(text.to_owned()), text.to_owned(), text.to_owned());
            all.push(one);
        }
    }
    let notes = HOSTILE.map(String::from).to_vec();
    Judged { command: HOSTILE[2].into(), subject: HOSTILE[5].into(), notes, ..judged(all) }
}

fn many(count: usize) -> Judged {
    let name = |i| format!("metric {i} {}", "|@".repeat(200));
    let verdict = |i| if i % 2 == 0 { Verdict::Worse } else { Verdict::Same };
    judged((0..count).map(|i| finding(&name(i), Firmness::Exact, verdict(i), Some((1.0, 2.0)))).collect())
}

const ALL: [JudgedFormat; 6] = [
    JudgedFormat::Text,
    JudgedFormat::Json,
    JudgedFormat::Markdown,
    JudgedFormat::Junit,
    JudgedFormat::Github,
    JudgedFormat::Line,
];

#[test]
fn the_forms_as_they_are() {
    for format in ALL {
        insta::assert_snapshot!(format!("{format}"), render(&each(), format));
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    assert!("xml".parse::<JudgedFormat>().unwrap_err().contains("text, json, markdown, junit, github, line"));
}

#[test]
fn what_fails_stands_first_and_with_its_numbers() {
    let text = render(&each(), JudgedFormat::Text);
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part} in {text}"));
    assert!(
        at("- invalid: measurement") < at("- worse: transport framing (sse-h1): 5 -> 6 B/event, ratio 1.20")
    );
    assert!(at("- worse: lost (sse-h1): 0 -> 1") < at("- crossed: latency{lane:sse-h1}: p(99)<50ms"));
    assert!(at("- crossed:") < at("no practical difference"));
    assert!(text.ends_with(&format!("{}\n", line(&each()))));
    assert!(line(&each()).starts_with("compare: FAILED: 1 invalid, 2 worse, 1 crossed, 1 inconclusive"));
    let passed = judged(vec![finding("payload", Firmness::Exact, Verdict::Same, Some((1.0, 1.0)))]);
    assert_eq!(line(&passed), "compare: passed: 1 no practical difference");
    assert_eq!(line(&judged(Vec::new())), "compare: passed: nothing was judged");
}

/// Four digits would show the same number twice.
#[test]
fn numbers_that_differ_are_written_so_that_they_do() {
    let pair = |a, b| words::pair(&finding("x", Firmness::Exact, Verdict::Worse, Some((a, b))));
    assert_eq!(pair(152.44, 152.45), ["152.44", "152.45"]);
    assert_eq!(pair(5.0, 6.0), ["5", "6"]);
    assert_ne!(pair(1.0, 1.0 + 1e-12)[0], pair(1.0, 1.0 + 1e-12)[1]);
    assert_eq!(pair(1e300, 1.0)[0], "1e300");
}

/// No form lets a name begin a line with a workflow command, hold one in a line, or steer a terminal.
#[test]
fn a_log_obeys_no_name() {
    for format in ALL {
        let text = render(&hostile(), format);
        let own = |line: &str| {
            format == JudgedFormat::Github
                && ["::error title=", "::warning title=", "::notice title="]
                    .iter()
                    .any(|own| line.starts_with(own))
        };
        for line in text.lines() {
            assert!(!line.contains("##["), "{format}: {line}");
            assert!(own(line) || !line.trim_start().starts_with("::"), "{format}: {line}");
        }
        let steers = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(format == JudgedFormat::Json || !text.chars().any(steers), "{format}");
    }
}

#[test]
fn annotations_escape_what_would_end_them() {
    let mut one = judged(vec![finding("a:b, 50 %", Firmness::Budget, Verdict::Crossed, Some((1.0, 2.0)))]);
    one.findings[0].text = "half\nof 100 %".into();
    let text = render(&one, JudgedFormat::Github);
    let first = text.lines().next().unwrap();
    assert_eq!(
        first,
        "::error title=crossed%3A a%3Ab%2C 50 %25 (sse-h1)::1 -> 2 B/event, ratio 2.00 [1.98, 2.02]: half of 100 %25"
    );
    let kept = render(&many(100), JudgedFormat::Github);
    assert_eq!(kept.lines().filter(|line| line.starts_with("::error")).count(), 10);
    assert!(kept.contains("41 more"), "{kept}");
}

#[test]
fn junit_is_well_formed_and_adds_up() {
    for judged in [each(), hostile(), judged(Vec::new()), many(300)] {
        let xml = render(&judged, JudgedFormat::Junit);
        let document = roxmltree::Document::parse(&xml).unwrap_or_else(|err| panic!("{err}: {xml}"));
        let root = document.root_element();
        let count = |name: &str| document.descendants().filter(|node| node.has_tag_name(name)).count();
        let told = |name: &str| root.attribute(name).unwrap().parse::<usize>().unwrap();
        assert_eq!((root.tag_name().name(), count("testcase")), ("testsuites", judged.findings.len()));
        assert_eq!((told("tests"), told("failures")), (judged.findings.len(), count("failure")));
        assert_eq!((told("errors"), told("skipped")), (count("error"), count("skipped")));
        let suites = document.descendants().filter(|node| node.has_tag_name("testsuite"));
        let sum: usize =
            suites.map(|suite| suite.attribute("tests").unwrap().parse::<usize>().unwrap()).sum();
        assert_eq!(sum, judged.findings.len());
        assert_eq!(count("script") + count("x"), 0);
    }
    let xml = render(&each(), JudgedFormat::Junit);
    let document = roxmltree::Document::parse(&xml).unwrap();
    let skipped = document.descendants().find(|node| node.has_tag_name("skipped")).unwrap();
    assert!(skipped.attribute("message").unwrap().starts_with("inconclusive: 7.40 -> 7.90 B/event"), "{xml}");
}

/// What stands in Markdown is neither markup of its own nor HTML.
#[test]
fn markdown_shows_names_as_they_are() {
    let text = render(&hostile(), JudgedFormat::Markdown);
    let tags = text.replace("<details><summary>", "").replace("</summary>", "").replace("</details>", "");
    assert!(!tags.contains('<') && !tags.contains('`') && !tags.contains("]("), "{tags}");
    assert!(!text.contains('@') && !text.contains("://") && !text.contains("www."));
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let cells: Vec<usize> = rows.map(|row| row.matches('|').count() - 1).collect();
    assert!(cells.iter().all(|cells| [6, 7].contains(cells)), "{cells:?}");
    assert!(
        render(&each(), JudgedFormat::Markdown)
            .contains("| **worse** | transport framing | sse-h1 | 5 B/event |")
    );
}

#[test]
fn markdown_fits_a_comment() {
    for judged in [hostile(), many(3), many(5_000)] {
        let text = render(&judged, JudgedFormat::Markdown);
        assert!(text.chars().count() < 65_536, "{}", text.chars().count());
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    }
    let text = render(&many(5_000), JudgedFormat::Markdown);
    assert!(text.contains("more are in the other outputs") && text.contains("2500 worse"), "{text}");
}

#[test]
fn json_reads_back_and_keeps_to_its_schema() {
    let schema: serde_json::Value = serde_json::from_str(&crate::schema::judged()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for judged in [each(), hostile()] {
        let text = render(&judged, JudgedFormat::Json);
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(validator.is_valid(&document));
        let read: Judged = serde_json::from_str(&text).unwrap();
        assert_eq!(read.findings.len(), judged.findings.len());
        let same =
            read.findings.iter().zip(&judged.findings).all(|(a, b)| (&a.name, &a.text) == (&b.name, &b.text));
        assert!(same);
    }
    assert!(!validator.is_valid(&serde_json::json!({ "schema": 1 })));
    let unbounded = judged(vec![finding("lost", Firmness::Exact, Verdict::Worse, Some((0.0, 1.0)))]);
    let read: Judged = serde_json::from_str(&render(&unbounded, JudgedFormat::Json)).unwrap();
    assert_eq!((read.findings[0].ratio, read.findings[0].value), (None, Some(1.0)));
}

#[test]
fn a_folder_holds_every_form() {
    let folder = tempfile::tempdir().unwrap();
    write(&each(), &folder.path().join("new/out")).unwrap();
    let mut names: Vec<_> =
        std::fs::read_dir(folder.path().join("new/out")).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["annotations.txt", "judged.json", "judged.md", "judged.txt", "junit.xml", "line.txt"]);
    std::fs::write(folder.path().join("file"), "").unwrap();
    assert!(
        format!("{:#}", write(&each(), &folder.path().join("file")).unwrap_err())
            .contains("cannot create folder")
    );
}
