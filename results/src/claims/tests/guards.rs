//! Runs from which a claim must not be judged, because they measured something else.

use super::*;

/// A limit of six is not seen with six tabs, and what did not open in time is no limit.
#[test]
fn few_tabs_and_late_streams_judge_nothing_about_six() {
    let verdict = |tabs: u64, h1: u64, h2: u64| {
        let mut run = sample::tabbed();
        for one in &mut run.tabs {
            one.tabs = tabs;
            one.open = if one.lane.to_string() == "sse-h1" { h1 } else { h2 };
        }
        judge(&run).into_iter().find(|one| one.claim.number == 11).unwrap().verdict
    };
    let late = |name: &str| Verdict::Inconclusive(format!("streams of {name} that did not open in time"));
    assert_eq!([verdict(10, 6, 10), verdict(10, 10, 10)], [Verdict::Supported, Verdict::Refuted]);
    assert_eq!([verdict(6, 6, 6), verdict(4, 4, 4)], [Verdict::NotMeasured, Verdict::NotMeasured]);
    assert_eq!([verdict(10, 5, 10), verdict(10, 6, 9)], [late("sse-h1"), late("sse-h2+mux")]);
    assert_eq!(verdict(10, 6, 6), Verdict::Refuted, "HTTP/2 has the same limit");
}

/// Base64's third is no id and no event name.
#[test]
fn framing_of_bytes_is_no_identity() {
    let verdict = judge(&of_bytes()).into_iter().find(|one| one.claim.number == 7).unwrap().verdict;
    assert_eq!(verdict, Verdict::NotMeasured);
}
