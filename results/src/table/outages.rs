//! Outages as rows for a spreadsheet or a notebook: one a case, lane and repetition as measured, and the curves over
//! time since the fault.

use super::csv::written;
use crate::outage::counted;
use crate::run::outage::TICK_NS;
use crate::run::{Outage, Run};

/// Column and value.
type Field = (&'static str, fn(&Outage) -> String);

fn text(value: Option<u64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// What identifies a row.
const PLACE: [Field; 7] = [
    ("lane", |one| one.lane.to_string()),
    ("repetition", |one| (one.repetition + 1).to_string()),
    ("fault", |one| one.fault.to_string()),
    ("policy", |one| one.policy.to_string()),
    ("own_policy", |one| one.own_policy.to_string()),
    ("hint", |one| one.hint.to_string()),
    ("window", |one| one.window.to_string()),
];

const FIELDS: [Field; 44] = [
    ("broke_ns", |one| one.broke_ns.to_string()),
    ("clients", |one| one.clients.to_string()),
    ("expected", |one| one.ledger.expected.to_string()),
    ("delivered", |one| one.ledger.delivered.to_string()),
    ("lost", |one| one.ledger.lost.to_string()),
    ("lost_out_of_window", |one| one.lost.out_of_window.to_string()),
    ("lost_began_anew", |one| one.lost.began_anew.to_string()),
    ("lost_gave_up", |one| one.lost.gave_up.to_string()),
    ("lost_still_away", |one| one.lost.still_away.to_string()),
    ("lost_unexplained", |one| one.lost.unexplained.to_string()),
    ("duplicated", |one| one.ledger.duplicated.to_string()),
    ("reordered", |one| one.ledger.reordered.to_string()),
    ("disconnections", |one| one.disconnections.to_string()),
    ("recovered", |one| one.recovered.to_string()),
    ("attempts", |one| one.attempts.to_string()),
    ("failed_attempts", |one| counted(&one.failed_attempts)),
    ("noticed", |one| counted(&one.noticed)),
    ("gave_up", |one| counted(&one.gave_up)),
    ("silence_late_max_ns", |one| text(one.silence_late.max())),
    ("unavailable_p50_ns", |one| text(one.unavailable.quantile(0.5))),
    ("unavailable_p95_ns", |one| text(one.unavailable.quantile(0.95))),
    ("unavailable_max_ns", |one| text(one.unavailable.max())),
    ("detect_sum_ns", |one| one.parts.sums_ns[0].to_string()),
    ("back_off_sum_ns", |one| one.parts.sums_ns[1].to_string()),
    ("connect_sum_ns", |one| one.parts.sums_ns[2].to_string()),
    ("first_event_sum_ns", |one| one.parts.sums_ns[3].to_string()),
    ("catch_up_sum_ns", |one| one.parts.sums_ns[4].to_string()),
    ("to_first_event_p99_ns", |one| text(one.to_first_event.quantile(0.99))),
    ("parts_differ_by_ns", |one| one.parts_differ_by_ns.to_string()),
    ("replayed_events", |one| one.replayed_events.to_string()),
    ("replayed_bytes", |one| one.replayed_bytes.to_string()),
    ("handshake_bytes", |one| one.handshake_bytes.to_string()),
    ("still_away", |one| one.still_away.to_string()),
    ("scheduled_spread_ns", |one| text(one.scheduled_spread_ns)),
    ("actual_spread_ns", |one| text(one.actual_spread_ns)),
    ("peak_opened", |one| text(one.opened.iter().max().copied())),
    ("backlog", |one| one.backlog.to_string()),
    ("listen_overflows", |one| one.listen_overflows.to_string()),
    ("refused", |one| counted(&one.refused)),
    ("leaked", |one| one.leaked.to_string()),
    ("server_cpu_ns", |one| one.server.iter().skip(1).map(|tick| tick.cpu_ns).sum::<u64>().to_string()),
    ("server_peak_rss_bytes", |one| text(one.server.iter().map(|tick| tick.rss_bytes).max())),
    ("accept_queue_peak", |one| text(one.server.iter().map(|tick| tick.accept_queue).max())),
    ("marks", |one| one.marks.iter().map(|(word, at)| format!("{word} {at}")).collect::<Vec<_>>().join(", ")),
];

/// One row a case, lane and repetition, as measured.
#[must_use]
pub fn outages(run: &Run) -> String {
    let fields = || PLACE.iter().chain(&FIELDS);
    let rows = run.outages.iter().map(|one| fields().map(|(_, field)| field(one)).collect::<Vec<_>>());
    written(fields().map(|(name, _)| *name), rows)
}

/// Column and curve.
type Curve = (&'static str, fn(&Outage) -> &Vec<u64>);

const CURVES: [Curve; 4] = [
    ("scheduled", |one| &one.scheduled),
    ("begun", |one| &one.begun),
    ("opened", |one| &one.opened),
    ("caught_up", |one| &one.caught_up),
];

/// One row a slice of time since the fault in which anything happened.
#[must_use]
pub fn outage_curves(run: &Run) -> String {
    let rows = run.outages.iter().flat_map(|one| {
        let longest = CURVES.iter().map(|(_, curve)| curve(one).len()).max().unwrap_or(0);
        let at = |tick: usize| CURVES.map(|(_, curve)| curve(one).get(tick).copied().unwrap_or(0));
        let held = (0..longest).map(move |tick| (tick, at(tick))).filter(|(_, counts)| *counts != [0; 4]);
        held.map(|(tick, counts)| {
            let place = PLACE.iter().map(|(_, field)| field(one));
            let time = [(tick as u64 * TICK_NS).to_string()];
            place.chain(time).chain(counts.map(|count| count.to_string())).collect::<Vec<_>>()
        })
    });
    let heading = PLACE.iter().map(|(name, _)| *name).chain(["since_fault_ns"]);
    written(heading.chain(CURVES.map(|(name, _)| name)), rows)
}
