//! What makes one outage's measurement invalid: books that do not close, parts that do not add up, bodies that
//! differ, events that came twice or out of order although clients said where they had been, and connections that the
//! server does not let go of.
//!
//! Pure, so that the runner saves them with the run and the report checks them again.

use crate::run::{Outage, Severity, Warning};

/// By how much a time without events may differ from the sum of its five parts.
pub const PARTS_WITHIN_NS: u64 = 1_000_000;

/// What is wrong with an outage; `resume` as the scenario has it: whether clients say which event they got last.
#[must_use]
pub fn doubts(outage: &Outage, resume: bool) -> Vec<Warning> {
    let lost = outage.lost;
    let caused = lost.out_of_window + lost.began_anew + lost.gave_up + lost.still_away + lost.unexplained;
    let away = outage.still_away + outage.gave_up.values().sum::<u64>();
    let [expected, received] = &outage.bodies_sha256;
    let ledger = outage.ledger;
    let checks = [
        (!ledger.closes(), format!("the ledger does not close: {ledger:?}")),
        (ledger.corrupted > 0, format!("{} deliveries arrived corrupted", ledger.corrupted)),
        (
            caused != ledger.lost,
            format!("{} deliveries were lost, the causes add up to {caused}: {lost:?}", ledger.lost),
        ),
        (lost.unexplained > 0, format!("nothing explains {} lost deliveries", lost.unexplained)),
        (
            outage.parts_differ_by_ns > PARTS_WITHIN_NS,
            format!(
                "a time without events and the sum of its five parts differ by {:.2} ms, more than 1 ms",
                outage.parts_differ_by_ns as f64 / 1e6
            ),
        ),
        (
            !expected.is_empty() && !received.is_empty() && expected != received,
            "the bodies received are not the bodies published".to_owned(),
        ),
        (away > outage.clients, format!("{away} clients never had all events again, of {}", outage.clients)),
        (
            resume && ledger.duplicated > 0,
            format!("{} deliveries came twice although clients resumed", ledger.duplicated),
        ),
        (
            resume && ledger.reordered > 0,
            format!("{} deliveries came behind later ones although clients resumed", ledger.reordered),
        ),
        (
            outage.leaked > 0,
            format!("the server still holds {} connections of clients that left", outage.leaked),
        ),
    ];
    let place = format!("{}, {}, window {}", outage.fault, outage.own_policy, outage.window);
    let found = checks.into_iter().filter(|(violated, _)| *violated);
    found
        .map(|(_, text)| Warning {
            severity: Severity::Invalid,
            lane: Some(outage.lane),
            repetition: Some(outage.repetition),
            text: format!("{place}: {text}"),
        })
        .collect()
}
