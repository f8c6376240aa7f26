//! Workload by lane: one table a metric, each cell the ratio to `ws-h1` in that very run.

use scenarios::Lane;

use super::Survey;
use crate::conclude::times;
use crate::metric::Metric;
use crate::run::Run;
use crate::stats::{Effect, Judgement};
use crate::summary::{Standing, judged_further, lanes, standing};

/// What every other lane is divided by.
pub const REFERENCE: &str = "ws-h1";

/// The metrics that are shown, each with its question.
const METRICS: [(&str, &str); 8] = [
    ("latency p99", "Who is late?"),
    ("server CPU", "Who costs the server more CPU per delivery?"),
    ("client CPU", "Who costs the reader more CPU per delivery?"),
    ("wire bytes down", "Who sends more bytes per event?"),
    ("server memory", "Who holds more memory per connection?"),
    ("round trip mean", "Whose messages are longer on their way there and back?"),
    ("message server CPU", "Who costs the server more CPU per message upward?"),
    ("message bytes", "Whose messages upward weigh more, with what answers them?"),
];

/// One metric over all workloads and lanes.
pub struct Matrix {
    /// The metric.
    pub metric: &'static str,
    /// The question it answers.
    pub question: &'static str,
    /// The compared lanes.
    pub lanes: Vec<Lane>,
    /// A workload and one cell a lane.
    pub rows: Vec<(String, Vec<Mark>)>,
}

/// One cell: what is written, and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The ratio with its interval, or that it was not measured.
    pub text: String,
    /// `better`, `worse`, `same`, `unclear` or `none`, with the size of a clear difference: `worse-2`.
    pub tone: String,
}

/// The tables that have a number at all.
#[must_use]
pub fn matrices(survey: &Survey) -> Vec<Matrix> {
    let columns = columns(survey);
    let one = |(metric, question): (&'static str, &'static str)| {
        let rows = told(survey).map(|(name, run)| {
            let reference = lanes(run).into_iter().find(|lane| lane.to_string() == REFERENCE);
            let cell = |lane: &Lane| {
                let effect = reference.filter(|_| lanes(run).contains(lane)).and_then(|reference| {
                    let column = judged_further(run, *lane, reference);
                    column.into_iter().find(|(held, _)| held.name == metric).and_then(|(_, effect)| effect)
                });
                mark(effect.as_ref())
            };
            (name.to_owned(), columns.iter().map(cell).collect::<Vec<_>>())
        });
        let rows: Vec<_> = rows.filter(|(_, cells)| cells.iter().any(|cell| cell.tone != "none")).collect();
        (!rows.is_empty()).then(|| Matrix { metric, question, lanes: columns.clone(), rows })
    };
    let timed = |name: &str| Metric::named(name).is_some_and(Metric::is_timed);
    METRICS.into_iter().filter(|(name, _)| !(survey.is_quick() && timed(name))).filter_map(one).collect()
}

/// The runs whose numbers may be compared: an invalid one says nothing, and in one of streams of one's own the
/// openings are among the costs; where connections were broken nothing else was measured.
fn told(survey: &Survey) -> impl Iterator<Item = (&str, &Run)> {
    survey.runs().filter(|(_, run)| {
        standing(run) != Standing::Invalid && run.scenario.session.is_none() && run.scenario.outage.is_none()
    })
}

/// Every lane of any run but the reference, in the order of their first run.
fn columns(survey: &Survey) -> Vec<Lane> {
    let mut all = Vec::new();
    for lane in told(survey).flat_map(|(_, run)| lanes(run)) {
        if lane.to_string() != REFERENCE && !all.contains(&lane) {
            all.push(lane);
        }
    }
    all
}

fn mark(effect: Option<&Effect>) -> Mark {
    let Some(effect) = effect else { return Mark { text: "not measured".into(), tone: "none".into() } };
    // A difference up to a quarter, up to two times, beyond.
    let size = [1.25, 2.0].iter().filter(|step| effect.log.abs() > f64::ln(**step)).count() + 1;
    let tone = match effect.judgement {
        Judgement::Better | Judgement::Worse => format!("{}-{size}", effect.judgement.word()),
        Judgement::Same | Judgement::Inconclusive => effect.judgement.word().to_owned(),
    };
    Mark { text: times(effect), tone }
}
