//! The grammar: what is read, and what is said of what is not.

use std::time::Duration;

use super::*;

fn read(text: &str) -> Budget {
    text.parse().unwrap_or_else(|err| panic!("{err}"))
}

fn lane(name: &str) -> Lane {
    name.parse().unwrap()
}

#[test]
fn budgets_read_as_k6_writes_them() {
    let each = |word: &str, aggregate, lane| Subject::Each(Measure { word: word.into(), aggregate }, lane);
    let unit = |name| Some(Unit::named(name).unwrap());
    let (p99, sse) = (Some(Aggregate::Percentile(99.0)), Some(lane("sse-h1")));
    let cpu = Measure { word: "cpu".into(), aggregate: None };
    let ratio = Subject::Ratio(cpu, lane("sse-h1"), lane("ws-h1"));
    let slow = Measure { word: "latency".into(), aggregate: Some(Aggregate::Percentile(99.9)) };
    let slow = Subject::Ratio(slow, lane("sse-h1%axum@reqwest"), lane("ws-h1+deflate"));
    use Comparison as C;
    let cases = [
        (
            "latency{lane:sse-h1}: p(99)<50ms",
            each("latency", p99, sse),
            C::Below,
            Bound::Number(50.0, unit("ms")),
        ),
        ("latency:p(99)<50", each("latency", p99, None), C::Below, Bound::Number(50.0, None)),
        ("lost==0", each("lost", None, None), C::Equal, Bound::Number(0.0, None)),
        ("lost === 0", each("lost", None, None), C::Equal, Bound::Number(0.0, None)),
        (
            "lost{lane:*}: rate < 0.1%",
            each("lost", Some(Aggregate::Rate), None),
            C::Below,
            Bound::Number(0.1, unit("%")),
        ),
        (
            "bytes_per_event<=1.01x baseline",
            each("bytes_per_event", None, None),
            C::AtMost,
            Bound::Baseline(1.01),
        ),
        ("cpu{ lane: sse-h1 } >= baseline", each("cpu", None, sse), C::AtLeast, Bound::Baseline(1.0)),
        ("ratio(sse-h1/ws-h1,cpu)<1.2", ratio, C::Below, Bound::Number(1.2, None)),
        (
            "ratio(sse-h1%axum@reqwest / ws-h1+deflate, latency: p(99.9)) != 2",
            slow,
            C::Unequal,
            Bound::Number(2.0, None),
        ),
        ("server CPU < 9us", each("server CPU", None, None), C::Below, Bound::Number(9.0, unit("us"))),
        (
            "\"slow: delivered\" > 99%",
            each("slow: delivered", None, None),
            C::Above,
            Bound::Number(99.0, unit("%")),
        ),
        ("delivered >= 10_000", each("delivered", None, None), C::AtLeast, Bound::Number(10_000.0, None)),
        (
            "latency: med<=1.5µs",
            each("latency", Some(Aggregate::Med), None),
            C::AtMost,
            Bound::Number(1.5, unit("µs")),
        ),
    ];
    for (text, subject, comparison, bound) in cases {
        let expected = Budget { text: text.into(), subject, comparison, bound, abort: None };
        assert_eq!(read(text), expected);
        assert_eq!(read(&read(text).to_string()), expected);
    }
}

#[test]
fn aborting_is_said_behind_a_budget() {
    let delay = |seconds| Some(Abort { delay: Span(Duration::from_secs(seconds)) });
    assert_eq!(read("lost==0 abortOnFail").abort, delay(0));
    assert_eq!(read("lost==0 abortOnFail after 10s").abort, delay(10));
    assert_eq!(read("cpu<1x baseline abortOnFail").text, "cpu<1x baseline");
    let budget = read("lost==0 abortOnFail after 10s");
    assert_eq!(read(&budget.to_string()), budget);
}

#[test]
fn what_is_wrong_is_shown_with_a_caret() {
    let cases = [
        "",
        "<5",
        "latency",
        "latency p99 50ms",
        "latency: p(99<50ms",
        "latency: p(100)<50ms",
        "latency: p99<50ms",
        "latency: average<50ms",
        "latency{sse-h1}: avg<50ms",
        "latency{lane:ssh-h1}: avg<50ms",
        "latency{lane:sse-h1: avg<50ms",
        "latency{lane:*: avg<50ms",
        "latency: avg=<50ms",
        "latency: avg=50ms",
        "latency: avg<",
        "latency: avg<fast",
        "latency: avg<50 parsecs",
        "latency: avg<5e3ms",
        "bytes_per_event<=1.01x",
        "bytes_per_event<=0x baseline",
        "ratio(sse-h1,cpu)<1.2",
        "ratio(sse-h1/ws-h1)<1.2",
        "ratio(sse-h1/ws-h1,cpu<1.2",
        "ratios(sse-h1/ws-h1,cpu)<1.2",
        "\"latency<5ms",
        "lost==0 and more",
        "lost==0 abortOnFail after soon",
        "µs{lane:raw}: p(99)<50 §",
    ];
    let said: Vec<String> =
        cases.iter().map(|text| text.parse::<Budget>().unwrap_err().to_string()).collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn comparisons_are_those_of_arithmetic() {
    use Comparison as C;
    for (comparison, of) in [
        (C::Below, [true, false, false]),
        (C::AtMost, [true, true, false]),
        (C::Above, [false, false, true]),
        (C::AtLeast, [false, true, true]),
        (C::Equal, [false, true, false]),
        (C::Unequal, [true, false, true]),
    ] {
        assert_eq!([1.0, 2.0, 3.0].map(|value| comparison.holds(value, 2.0)), of);
        // What is no number keeps to no bound but "another one".
        assert!(!comparison.holds(f64::NAN, 2.0) || comparison == C::Unequal);
    }
}

#[test]
fn a_scenario_has_them_as_text_or_as_tables() {
    #[derive(Debug, Deserialize)]
    struct Of {
        budgets: Vec<Budget>,
    }
    let text =
        r#"budgets = ["lost==0", { threshold = "cpu<9us", abort_on_fail = true, delay_abort_eval = "5s" }]"#;
    let read: Of = toml::from_str(text).unwrap();
    let written: Vec<String> = read.budgets.iter().map(ToString::to_string).collect();
    assert_eq!(written, ["lost==0", "cpu<9us abortOnFail after 5s"]);
    for wrong in [
        r#"budgets = ["lost=0"]"#,
        "budgets = [5]",
        r#"budgets = [{ threshold = "lost==0", delay_abort_eval = "5s" }]"#,
        r#"budgets = [{ threshold = "lost==0", abortOnFail = true }]"#,
    ] {
        assert!(toml::from_str::<Of>(wrong).is_err(), "{wrong}");
    }
    let said = toml::from_str::<Of>(r#"budgets = ["lost=0"]"#).unwrap_err().to_string();
    assert!(said.contains("lost=0\n      ^"), "{said}");
}
