//! What a scenario and a lane must have for a metric to have a number: known before anything is measured.

use scenarios::{Coding, Lane, Scenario};

use crate::metric::{Metric, Source};

/// What is needed, of which metrics, and what is said of a scenario or lane without it.
struct Need {
    is_of: fn(&str) -> bool,
    met: fn(&Scenario, Lane) -> bool,
    said: &'static str,
}

const OF_SESSIONS: [&str; 12] = [
    "streams begun",
    "connections opened",
    "events repeated",
    "bytes repeated",
    "completion p50",
    "release p50",
    "release max",
    "produced in vain",
    "left behind",
    "memory kept",
    "end known p50",
    "event gap",
];

static NEEDS: [Need; 11] = [
    Need {
        is_of: |name| {
            ["round trip", "upward", "message", "send lag", "answer"]
                .iter()
                .any(|word| name.starts_with(word))
                && name != "round trips"
        },
        met: |scenario, _| scenario.upstream > 0.0,
        said: "nobody sends messages in this scenario (`upstream`)",
    },
    Need {
        is_of: |name| name.starts_with("slow: "),
        met: |scenario, _| scenario.slow > 0.0,
        said: "nobody reads slowly in this scenario (`slow`)",
    },
    Need {
        is_of: |name| {
            ["server CPU", "client CPU", "server CPU in kernel", "client CPU in kernel"].contains(&name)
        },
        met: |scenario, _| scenario.slow == 0.0,
        said: "CPU a delivery has no number where some read slowly (`slow`)",
    },
    Need {
        is_of: |name| name == "knee",
        met: |scenario, _| !scenario.rates.is_empty(),
        said: "this scenario goes up no rates (`rates`)",
    },
    Need {
        is_of: |name| name.starts_with("heartbeat "),
        met: |scenario, _| scenario.heartbeats.0 > 0,
        said: "this scenario has no heartbeats (`heartbeats`)",
    },
    Need {
        is_of: |name| ["poll heads", "polls", "empty polls", "skipped polls"].contains(&name),
        met: |_, lane| lane.transport.polls(),
        said: "this lane does not poll",
    },
    Need {
        is_of: |name| OF_SESSIONS.iter().any(|word| name.starts_with(word)),
        met: |scenario, _| scenario.session.is_some(),
        said: "nobody has a stream of their own in this scenario (`session`)",
    },
    Need {
        is_of: |name| name.starts_with("release ") || name == "produced in vain",
        met: |scenario, _| scenario.session.as_ref().is_some_and(|session| session.leavers.0 > 0),
        said: "nobody leaves in this scenario (`session.leavers`)",
    },
    Need {
        is_of: |name| name.starts_with("TLS "),
        met: |_, lane| lane.tls,
        said: "this lane is not inside TLS",
    },
    Need {
        is_of: |name| name == "compressed",
        met: |_, lane| lane.coding != Coding::Plain,
        said: "this lane does not compress",
    },
    Need {
        is_of: |name| ["payload", "event framing"].contains(&name),
        met: |_, lane| lane.coding == Coding::Plain,
        said: "payload and event framing are one inside what this lane compresses; it has `compressed`",
    },
];

/// Whether a metric can have a number of a lane in a scenario.
pub(super) fn check(metric: &Metric, scenario: &Scenario, lane: Lane) -> Result<(), String> {
    if matches!(metric.source, Source::Memory(_)) && scenario.memory.len() < 2 {
        return Err("this scenario reads no memory (`memory`)".into());
    }
    let unmet = NEEDS.iter().find(|need| (need.is_of)(metric.name) && !(need.met)(scenario, lane));
    unmet.map_or(Ok(()), |need| Err(format!("on lane `{lane}` {}", need.said)))
}
