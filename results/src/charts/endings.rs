//! What happens when the server completes a stream: events that came once and again, by lane and by how clients
//! were told.

use scenarios::{Lane, Told};

use super::axis::Axis;
use super::figure::{Bar, Bars, Figure, Key, Plot, Shape};
use super::{grouped, loud, reach};
use crate::claims::counted;
use crate::conclude::basis;
use crate::run::{Ending, Run};
use crate::summary::lanes;
use crate::value::number;

const ONCE: usize = 0;
const AGAIN: usize = 1;

/// How clients are told, in words.
const WAYS: [(Told, &str); 3] =
    [(Told::Nothing, "told nothing"), (Told::NoContent, "204 on return"), (Told::Done, "event `done`")];

/// The chart.
pub fn draw(run: &Run) -> Option<Figure> {
    let session = run.scenario.session.as_ref()?;
    let bars = |lane: Lane| {
        let bar = |(told, label): &(Told, &str)| Some(bar(&counted(run, &lane.to_string(), *told)?, label));
        grouped(lane, WAYS.iter().filter_map(bar).collect())
    };
    let rows: Vec<Bar> = lanes(run).into_iter().flat_map(bars).collect();
    let said: Vec<String> = lanes(run).into_iter().filter_map(|lane| said(run, lane)).collect();
    (!rows.is_empty()).then(|| Figure {
        name: "endings",
        question: "What do clients do when the server completes the stream?",
        finding: loud(run, &format!("Streams of those told nothing: {}.", said.join("; "))),
        how: "Events that arrived at a subscriber while it was watched, those of its first stream and the same again. By \
              the standard an EventSource asks again after its reconnection time at the end of a body, and this server \
              begins anew; a 204, or closing at an agreed last event, ends that. A WebSocket client and bare TCP do \
              nothing by themselves.",
        caption: format!(
            "{} events a stream, reconnection time {} (Chromium 3 s, Firefox 5 s), each subscriber watched for {}. {}",
            session.events, session.retry, run.scenario.duration, basis(run)
        ),
        legend: vec![Key::new("first stream", ONCE, Shape::Box), Key::new("again", AGAIN, Shape::Box)],
        plot: Plot::Bars(Bars { axis: Axis::from_zero("events received per subscriber", reach(&rows)), rows }),
    })
}

fn each(count: u64, ending: &Ending) -> f64 {
    count as f64 / ending.subscribers.max(1) as f64
}

fn bar(ending: &Ending, label: &str) -> Bar {
    let (once, again) = (each(ending.first_events, ending), each(ending.repeated_events, ending));
    let seen: Vec<&str> = ending.seen.keys().map(String::as_str).collect();
    Bar {
        label: label.to_owned(),
        parts: vec![(ONCE, once), (AGAIN, again)],
        text: format!("{} + {}: {}", number(once), number(again), seen.join(", ")),
        ..Bar::default()
    }
}

/// What the clients of a lane did that were told nothing.
fn said(run: &Run, lane: Lane) -> Option<String> {
    let ending = counted(run, &lane.to_string(), Told::Nothing)?;
    let streams = number(each(ending.streams, &ending));
    let again = number(each(ending.repeated_events, &ending));
    Some(format!("{lane} began {streams} per subscriber, {again} events again"))
}
