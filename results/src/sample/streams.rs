//! Streams of one's own, made up: completed ones, and such as some clients leave.

use std::collections::BTreeMap;

use scenarios::seed::SplitMix;
use scenarios::{Scenario, Told, Transport};

use super::{spread, with};
use crate::latency::LatencyHistogram;
use crate::run::{Ending, Run, Sessions};

/// Streams that the server completes: clients of SSE come back unless they are told, all others stop.
pub fn completed() -> Run {
    let mut run = with(&["sse-h1", "ws-h1", "raw"], 2);
    run.scenario.session = Scenario::load("finite", &[]).unwrap().1.session;
    for trial in &mut run.trials {
        let ending = |told: Told| {
            let (is_sse, extra) = (trial.lane.transport == Transport::Sse, u64::from(told == Told::Done));
            let again = if is_sse && told == Told::Nothing { 4 } else { 0 };
            let word = match (trial.lane.transport, told) {
                (_, Told::Done) => "event `done`",
                (Transport::Ws, _) => "close 1000",
                _ => "clean end",
            };
            let mut seen = BTreeMap::from([(word.to_owned(), 100 * (1 + again))]);
            seen.extend((is_sse && told == Told::NoContent).then(|| ("status 204".to_owned(), 100)));
            Ending {
                told,
                subscribers: 100,
                connections: 100,
                streams: 100 * (1 + again),
                first_events: 100 * (10 + extra),
                repeated_events: 1_000 * again,
                repeated_down_bytes: 90_000 * again,
                repeated_up_bytes: 9_000 * again,
                seen,
                knowing: LatencyHistogram::default(),
            }
        };
        let endings = [Told::Nothing, Told::NoContent, Told::Done].map(ending).to_vec();
        trial.session = Some(Sessions { endings, ..Sessions::default() });
    }
    run
}

/// Completions of which some are left; over WebSocket servers let go of them sooner.
pub fn left() -> Run {
    let mut run = with(&["sse-h1", "ws-h1", "raw"], 2);
    run.scenario.session = Scenario::load("tokens", &[]).unwrap().1.session;
    let mut draw = SplitMix::new(7, 7);
    for trial in &mut run.trials {
        let release_ns = if trial.lane.transport == Transport::Ws { 9e4 } else { 2e5 };
        trial.session = Some(Sessions {
            gap: spread(&mut draw, 2e7, 0.01, 2_000),
            completion: spread(&mut draw, 2.4e9, 0.01, 80),
            release: spread(&mut draw, release_ns, 0.3, 20),
            left: 20,
            vain_events: 2,
            ..Sessions::default()
        });
    }
    run
}
