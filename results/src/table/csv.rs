//! Rows for a spreadsheet or a notebook: one a trial and metric, or one a block.

use scenarios::Lane;

use crate::metric::{self, Source};
use crate::run::{BlockResult, Run, Step, Trial};
use crate::summary::lanes;

/// `lane,repetition,metric,unit,value,note`; metrics of a phase of its own have no repetition.
#[must_use]
pub fn trials(run: &Run) -> String {
    let rows = lanes(run).into_iter().flat_map(|lane| {
        let trials = run.trials_of(lane).flat_map(|trial| rows_of_trial(run, trial));
        trials.chain(rows_of_lane(run, lane)).collect::<Vec<_>>()
    });
    written(["lane", "repetition", "metric", "unit", "value", "note"], rows)
}

fn rows_of_trial(run: &Run, trial: &Trial) -> Vec<[String; 6]> {
    let row = |metric: &metric::Metric| {
        let value = match metric.source {
            Source::Memory(_) => return None,
            Source::Quantile(..) | Source::Trial(_) | Source::Count(_) => metric.trial(run, trial),
        };
        let number = value.known().map_or(String::new(), |number| number.to_string());
        let repetition = (trial.repetition + 1).to_string();
        let (name, unit) = (metric.name.into(), metric.unit.into());
        Some([trial.lane.to_string(), repetition, name, unit, number, value.note().into()])
    };
    metric::ALL.iter().filter_map(row).collect()
}

fn rows_of_lane(run: &Run, lane: Lane) -> Vec<[String; 6]> {
    let row = |metric: &metric::Metric| {
        let Source::Memory(field) = metric.source else { return None };
        let number = metric::extract::memory(run, lane, field)?.to_string();
        let (name, unit) = (metric.name.into(), metric.unit.into());
        Some([lane.to_string(), String::new(), name, unit, number, String::new()])
    };
    metric::ALL.iter().filter_map(row).collect()
}

/// Column and field of a block.
type Field = (&'static str, fn(&BlockResult) -> u64);

const FIELDS: [Field; 14] = [
    ("round", |block| block.round),
    ("start_ns", |block| block.start_ns),
    ("span_ns", |block| block.span_ns),
    ("events", |block| block.events),
    ("deliveries", |block| block.deliveries),
    ("latency_sum_ns", |block| block.latency_sum_ns),
    ("server_cpu_ns", |block| block.server_cpu_ns),
    ("client_cpu_ns", |block| block.client_cpu_ns),
    ("server_kernel_ns", |block| block.server_kernel_ns),
    ("client_kernel_ns", |block| block.client_kernel_ns),
    ("server_switches", |block| block.server_switches),
    ("client_switches", |block| block.client_switches),
    ("steal_ns", |block| block.steal_ns),
    ("cpu_pressure_ns", |block| block.cpu_pressure_ns),
];

/// One row a block, as measured.
#[must_use]
pub fn blocks(run: &Run) -> String {
    let rows = run.trials.iter().flat_map(|trial| {
        trial.blocks.iter().map(|block| {
            let place = [trial.lane.to_string(), (trial.repetition + 1).to_string()];
            place.into_iter().chain(FIELDS.iter().map(|(_, field)| field(block).to_string()))
        })
    });
    written(["lane", "repetition"].into_iter().chain(FIELDS.map(|(name, _)| name)), rows)
}

/// One row a step of a sweep, as measured.
#[must_use]
pub fn steps(run: &Run) -> String {
    let quantile = |step: &Step, q| step.latency.quantile(q).map_or(String::new(), |nanos| nanos.to_string());
    let rows = run.steps.iter().map(|step| {
        let place = [step.lane.to_string(), (step.pass + 1).to_string(), step.rate.to_string()];
        let counts = [
            step.payload_bytes,
            step.events,
            step.span_ns,
            step.expected,
            step.delivered,
            step.server_cpu_ns,
            step.client_cpu_ns,
        ];
        let latency = [quantile(step, 0.5), quantile(step, 0.99)];
        place.into_iter().chain(counts.map(|count| count.to_string())).chain(latency)
    });
    let heading = [
        "lane",
        "pass",
        "rate",
        "payload_bytes",
        "events",
        "span_ns",
        "expected",
        "delivered",
        "server_cpu_ns",
        "client_cpu_ns",
        "latency_p50_ns",
        "latency_p99_ns",
    ];
    written(heading, rows)
}

pub(super) fn written<H, R>(heading: H, rows: impl Iterator<Item = R>) -> String
where
    H: IntoIterator<Item = &'static str>,
    R: IntoIterator<Item = String>,
{
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(heading).expect("a Vec takes all");
    rows.for_each(|row| writer.write_record(row).expect("all rows are as long as the heading"));
    String::from_utf8(writer.into_inner().expect("a Vec takes all")).expect("all cells were text")
}
