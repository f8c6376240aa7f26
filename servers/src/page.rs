//! The page that shows both transports side by side, and what it needs to tell latencies.

use std::sync::Arc;

use bytes::Bytes;
use scenarios::{Arrivals, Envelope, Identity, Moment, Scenario};
use serde::Serialize;
use servers::http::{Page, Pages, Tally};

use crate::live::Timetable;

const INDEX: &str = include_str!("index.html");

/// What `/schedule` says. Times are the server's monotonic clock, ms; the page finds the offset
/// of its own by asking several times.
#[derive(Serialize)]
struct Answer {
    now_ms: f64,
    start_ms: f64,
    block_ms: f64,
    block_events: u64,
    /// Whether event `seq` leaves at an instant that the page can compute.
    constant: bool,
    rate: f64,
    event: String,
    identity: Identity,
    envelope: Envelope,
}

/// The pages beside the lanes.
pub fn pages(timetable: &Timetable, scenario: &Scenario, opened: Arc<Tally>) -> Box<Pages> {
    let Timetable { start, events } = *timetable;
    let scenario = scenario.clone();
    Box::new(move |path| match path {
        "/" => Some(("text/html; charset=utf-8", Bytes::from_static(INDEX.as_bytes()))),
        "/schedule" => {
            let answer = Answer {
                now_ms: millis(Moment::now()),
                start_ms: millis(start),
                block_ms: Timetable::BLOCK.as_secs_f64() * 1e3,
                block_events: events,
                constant: scenario.arrivals == Arrivals::Constant,
                rate: scenario.rate,
                event: scenario.event.clone(),
                identity: scenario.identity,
                envelope: scenario.envelope,
            };
            Some(json(&answer))
        }
        "/opened" => Some(json(&*opened)),
        _ => None,
    })
}

fn json(answer: &impl Serialize) -> Page {
    ("application/json", serde_json::to_vec(answer).expect("plain data").into())
}

#[expect(clippy::cast_precision_loss, reason = "an f64 holds the nanoseconds of 100 days exactly")]
fn millis(moment: Moment) -> f64 {
    moment.as_nanos() as f64 / 1e6
}
