//! Where does the time go: the stages of a delivery on the sampled connections.
//!
//! Means, because only means of stages add up to the mean of the whole.

use scenarios::Lane;

use super::axis::Axis;
use super::figure::{Bar, Bars, Figure, Key, Plot, Shape};
use super::{grouped, loud, reach};
use crate::conclude::basis;
use crate::latency::LatencyHistogram;
use crate::run::{Run, Stages};
use crate::summary::lanes;
use crate::value::number;

/// Name, hue, histogram.
type Stage = (&'static str, usize, fn(&Stages) -> &LatencyHistogram);

const STAGES: [Stage; 5] = [
    ("late publisher", 2, |stages| &stages.publish),
    ("fan-out queue", 0, |stages| &stages.fanout),
    ("network", 3, |stages| &stages.network),
    ("waiting to be read (generator)", 4, |stages| &stages.pickup),
    ("decoding", 5, |stages| &stages.decode),
];

/// The chart.
pub fn draw(run: &Run) -> Option<Figure> {
    let means: Vec<(Lane, Vec<f64>)> =
        lanes(run).into_iter().filter_map(|lane| Some((lane, means(run, lane)?))).collect();
    let rows: Vec<Bar> = means.iter().flat_map(|(lane, means)| grouped(*lane, vec![bar(means)])).collect();
    let connections = run.trials.iter().map(|trial| trial.stages.connections).max().unwrap_or(0);
    (!rows.is_empty()).then(|| Figure {
        name: "stages",
        question: "Where does the time of a delivery go?",
        finding: loud(run, &said(&means)),
        how: "Mean time in each stage, from the intended send to the decoded event. The publisher's lateness and \
              the wait to be read belong to this harness, not to the transport.",
        caption: format!("{connections} sampled connections per lane. {}", basis(run)),
        legend: STAGES.map(|(name, hue, _)| Key::new(name, hue, Shape::Box)).to_vec(),
        plot: Plot::Bars(Bars { axis: Axis::from_zero("mean time per delivery, ms", reach(&rows)), rows }),
    })
}

/// Mean of each stage over all repetitions, ms; nothing when no connection was sampled.
fn means(run: &Run, lane: Lane) -> Option<Vec<f64>> {
    let of = |stage: &Stage| {
        let mut all = LatencyHistogram::default();
        run.trials_of(lane).for_each(|trial| all.merge(stage.2(&trial.stages)));
        all.mean().map(|nanos| nanos / 1e6)
    };
    let means: Vec<Option<f64>> = STAGES.iter().map(of).collect();
    means.iter().any(Option::is_some).then(|| means.into_iter().map(Option::unwrap_or_default).collect())
}

fn bar(means: &[f64]) -> Bar {
    Bar {
        parts: STAGES.iter().map(|stage| stage.1).zip(means.iter().copied()).collect(),
        text: format!("{} ms", number(means.iter().sum())),
        ..Bar::default()
    }
}

fn said(means: &[(Lane, Vec<f64>)]) -> String {
    let one = |(lane, means): &(Lane, Vec<f64>)| {
        let whole: f64 = means.iter().sum();
        let largest = STAGES.iter().zip(means).max_by(|a, b| a.1.total_cmp(b.1));
        let share = |part: f64| format!("{:.0} %", if whole > 0.0 { 100.0 * part / whole } else { 0.0 });
        largest
            .map(|(stage, part)| format!("{lane}: {} of {} ms is {}", share(*part), number(whole), stage.0))
    };
    format!("{}.", means.iter().filter_map(one).collect::<Vec<_>>().join("; "))
}
