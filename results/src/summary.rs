//! A run condensed: what every lane reached, what each is against the references, how far to trust it.
//!
//! Tables and report are two ways of writing this one value.

use scenarios::{Lane, Transport};

use crate::metric::{self, Metric, Rank, Source};
use crate::run::{Run, STRESS, Severity, Trial};
use crate::stats::{Effect, Interval, Judgement, Pool, Steps, holm, median, median_interval, paired_effect};
use crate::value::Value;

/// How far a run may be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing speaks against it.
    Valid,
    /// Valid, with doubts to read.
    Doubtful,
    /// Repetitions are missing.
    Partial,
    /// The measurement is invalid.
    Invalid,
}

/// A value over all repetitions, with its interval where there are several.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Median over repetitions, the pooled quantile, or the sum of counts.
    pub value: Value,
    /// 95 % interval.
    pub interval: Option<Interval>,
}

/// One metric over all lanes.
pub struct Row {
    /// The metric.
    pub metric: &'static Metric,
    /// One entry a lane.
    pub cells: Vec<Estimate>,
}

/// Every other lane against one reference.
pub struct Comparison {
    /// The lane divided by.
    pub reference: Lane,
    /// The lanes compared with it.
    pub lanes: Vec<Lane>,
    /// Headline metrics, with one entry a compared lane.
    pub rows: Vec<(&'static Metric, Vec<Option<Effect>>)>,
}

/// A run condensed.
pub struct Summary<'a> {
    /// The run.
    pub run: &'a Run,
    /// Its lanes, in the order they are shown.
    pub lanes: Vec<Lane>,
    /// Every metric that at least one lane has.
    pub rows: Vec<Row>,
    /// Ratios to the references that are present.
    pub comparisons: Vec<Comparison>,
}

/// The lanes of a run: as the scenario lists them, then any other with data; none without data.
#[must_use]
pub fn lanes(run: &Run) -> Vec<Lane> {
    let mut measured: Vec<Lane> = run.trials.iter().map(|trial| trial.lane).collect();
    measured.extend(run.memory.iter().map(|memory| memory.lane));
    measured.extend(run.sweep.iter().map(|point| point.lane));
    measured.extend(run.outages.iter().map(|outage| outage.lane));
    let listed = run.scenario.lanes.iter().filter(|lane| measured.contains(lane)).copied();
    let mut lanes: Vec<Lane> = listed.collect();
    for lane in measured {
        if !lanes.contains(&lane) {
            lanes.push(lane);
        }
    }
    lanes
}

/// The repetitions of a run that have at least one trial, or one outage.
#[must_use]
pub fn repetitions(run: &Run) -> u64 {
    let trials = run.trials.iter().map(|trial| trial.repetition);
    let outages = run.outages.iter().map(|outage| outage.repetition);
    trials.chain(outages).max().map_or(0, |last| last + 1)
}

/// How far the run may be trusted.
#[must_use]
pub fn standing(run: &Run) -> Standing {
    match run.worst() {
        Some(Severity::Invalid) => Standing::Invalid,
        _ if run.partial || (run.trials.is_empty() && run.outages.is_empty()) => Standing::Partial,
        Some(Severity::Doubt) => Standing::Doubtful,
        Some(Severity::Note) | None => Standing::Valid,
    }
}

/// One metric of one lane over all repetitions.
#[must_use]
pub fn estimate(run: &Run, metric: &Metric, lane: Lane) -> Estimate {
    let trials: Vec<&Trial> = run.trials_of(lane).collect();
    match metric.source {
        Source::Quantile(histogram, q, per, _) => {
            let value = metric.pooled(&trials);
            let pool = || Pool::new(trials.iter().map(|trial| histogram(trial)));
            let interval = value.known().and_then(|_| pool().interval(q));
            let scaled = |i: Interval| Interval { low: i.low / per, high: i.high / per };
            Estimate { value, interval: interval.map(scaled) }
        }
        Source::Trial(extract) => {
            let values: Vec<f64> = trials.iter().filter_map(|trial| extract(run, trial)).collect();
            Estimate { value: median(&values).into(), interval: median_interval(&values) }
        }
        Source::Count(extract) => {
            let counts: Option<Vec<f64>> = trials.iter().map(|trial| extract(run, trial)).collect();
            let counts = counts.filter(|counts| !counts.is_empty());
            Estimate { value: counts.map(|counts| counts.iter().sum()).into(), interval: None }
        }
        Source::Memory(field) => {
            let levels = metric::extract::levels(run, lane, field);
            let value = metric::extract::memory(run, lane, field);
            Estimate { value: value.into(), interval: value.and(Steps::new(&levels).interval()) }
        }
    }
}

impl<'a> Summary<'a> {
    /// Condenses a run.
    #[must_use]
    pub fn new(run: &'a Run) -> Self {
        let lanes = lanes(run);
        let row = |metric| Row { metric, cells: lanes.iter().map(|l| estimate(run, metric, *l)).collect() };
        let rows = metric::ALL.iter().map(row).filter(Row::is_measured).collect();
        let references = lanes.iter().filter(|lane| is_reference(**lane));
        let comparisons = references.map(|reference| compare(run, &lanes, *reference));
        let comparisons = comparisons.filter(|comparison| !comparison.rows.is_empty()).collect();
        Self { run, lanes, rows, comparisons }
    }

    /// The rows shown in a summary.
    pub fn shown(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.metric.rank <= Rank::Summary)
    }
}

impl Row {
    fn is_measured(&self) -> bool {
        self.cells.iter().any(|cell| cell.value != Value::Absent)
    }
}

/// WebSocket and the bare yardstick on this project's own server and client; WebSocket with options
/// too, so that lanes inside TLS have their own to be compared with.
fn is_reference(lane: Lane) -> bool {
    match lane.transport {
        Transport::Ws => Lane { tls: false, ..lane } == lane.base(),
        Transport::Raw => lane == lane.base(),
        Transport::Sse | Transport::LongPoll | Transport::Poll => false,
    }
}

/// Latencies and CPU do; bytes, and the memory of idle connections, do not.
fn depends_on_load(metric: &Metric) -> bool {
    metric.block.is_some() || matches!(metric.source, Source::Quantile(..))
}

/// Whether a side of this lane was so busy that no equivalence may be claimed (METHOD M20).
fn is_stressed(run: &Run, lane: Lane) -> bool {
    run.trials_of(lane).any(|trial| trial.load().iter().any(|share| *share > STRESS))
}

/// A metric, and how one lane stands to another in it.
pub type Entry = (&'static Metric, Option<Effect>);

fn headline() -> impl Iterator<Item = &'static Metric> {
    metric::ALL.iter().filter(|metric| metric.rank == Rank::Headline)
}

/// Holm's correction, and the rule that under stress nothing that depends on the load is called the same.
fn settle(run: &Run, lane: Lane, reference: Lane, column: &mut [Entry]) {
    holm(&mut column.iter_mut().filter_map(|(_, effect)| effect.as_mut()).collect::<Vec<_>>());
    if is_stressed(run, lane) || is_stressed(run, reference) {
        let loaded = column.iter_mut().filter(|(metric, _)| depends_on_load(metric));
        let effects = loaded.filter_map(|(_, effect)| effect.as_mut());
        effects
            .filter(|effect| effect.judgement == Judgement::Same)
            .for_each(|effect| effect.judgement = Judgement::Inconclusive);
    }
}

/// What charts and claims judge beside the headline metrics: one family, whoever asks, so that they
/// cannot contradict each other.
const FURTHER: [&str; 21] = [
    "event gap p90",
    "connect p50",
    "connect p99",
    "first event p50",
    "handshake down",
    "handshake up",
    "connect server CPU",
    "connect client CPU",
    "event framing",
    "transport framing",
    "heartbeat wire down",
    "heartbeat wire up",
    "heartbeat server CPU",
    "heartbeat client CPU",
    "round trip p50",
    "round trip p99",
    "round trip mean",
    "message bytes",
    "message on the wire",
    "message server CPU",
    "message client CPU",
];

/// The headline metrics of a lane against another, judged.
#[must_use]
pub fn judged(run: &Run, lane: Lane, reference: Lane) -> Vec<Entry> {
    let mut column: Vec<Entry> =
        headline().map(|metric| (metric, paired_effect(run, metric, lane, reference))).collect();
    settle(run, lane, reference, &mut column);
    column
}

/// The same, and [`FURTHER`] metrics. Those are corrected as members of the larger family: asking more
/// makes them harder to prove, and leaves the headline as every table has it.
#[must_use]
pub fn judged_further(run: &Run, lane: Lane, reference: Lane) -> Vec<Entry> {
    let further = FURTHER.iter().filter_map(|name| Metric::named(name));
    let metrics = headline().chain(further);
    let mut all: Vec<Entry> =
        metrics.map(|metric| (metric, paired_effect(run, metric, lane, reference))).collect();
    let mut column: Vec<Entry> = all[..headline().count()].to_vec();
    settle(run, lane, reference, &mut column);
    settle(run, lane, reference, &mut all);
    column.extend(all.drain(headline().count()..));
    column
}

/// The headline metrics of all lanes against one, after Holm. Under stress nothing that depends on the
/// load is called the same.
#[must_use]
pub fn compare(run: &Run, lanes: &[Lane], reference: Lane) -> Comparison {
    let lanes: Vec<Lane> = lanes.iter().copied().filter(|lane| *lane != reference).collect();
    let columns: Vec<Vec<Entry>> = lanes.iter().map(|lane| judged(run, *lane, reference)).collect();
    let rows = headline().enumerate().map(|(i, metric)| {
        let effects = columns.iter().map(|column| column[i].1.clone()).collect::<Vec<_>>();
        (metric, effects)
    });
    let rows = rows.filter(|(_, effects)| effects.iter().any(Option::is_some)).collect();
    Comparison { reference, lanes, rows }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Warning;
    use crate::sample;

    #[test]
    fn a_summary_compares_with_both_references() {
        let run = sample::run();
        let summary = Summary::new(&run);
        let references: Vec<String> = summary.comparisons.iter().map(|c| c.reference.to_string()).collect();
        assert_eq!(references, ["ws-h1", "raw"]);
        let (_, cpu) = summary.comparisons[0].rows.iter().find(|(m, _)| m.name == "server CPU").unwrap();
        assert_eq!(cpu[0].as_ref().unwrap().judgement, Judgement::Worse);
    }

    /// The median of five would be 0.
    #[test]
    fn a_loss_in_one_repetition_is_not_hidden() {
        let mut run = sample::run();
        let lane = run.trials[0].lane;
        run.trials[0].ledger.lost = 7;
        let lost = estimate(&run, Metric::named("lost").unwrap(), lane);
        assert_eq!(lost, Estimate { value: Value::Known(7.0), interval: None });
    }

    #[test]
    fn standing_is_the_worst_that_is_known() {
        let mut run = sample::run();
        assert_eq!(standing(&run), Standing::Valid);
        run.partial = true;
        assert_eq!(standing(&run), Standing::Partial);
        let text = "saturated".to_owned();
        run.warnings.push(Warning { severity: Severity::Invalid, lane: None, repetition: None, text });
        assert_eq!(standing(&run), Standing::Invalid);
        run.warnings.clear();
        (run.partial, run.trials) = (false, Vec::new());
        assert_eq!(standing(&run), Standing::Partial);
    }

    /// METHOD M20: a lane against its own copy is the same, until one side of it is under stress.
    #[test]
    fn under_stress_no_equivalence_is_claimed() {
        let mut run = sample::with(&["ws-h1", "raw"], 5);
        let (ws, raw) = (run.scenario.lanes[0], run.scenario.lanes[1]);
        let copies: Vec<Trial> =
            run.trials_of(ws).cloned().map(|trial| Trial { lane: raw, ..trial }).collect();
        run.trials = run.trials_of(ws).cloned().chain(copies).collect();
        let same = |run: &Run| -> Vec<&str> {
            let rows = compare(run, &[ws, raw], ws).rows;
            let same = |effects: &[Option<Effect>]| {
                effects.iter().flatten().any(|effect| effect.judgement == Judgement::Same)
            };
            rows.iter().filter(|(_, effects)| same(effects)).map(|(metric, _)| metric.name).collect()
        };
        assert!(same(&run).contains(&"server CPU") && same(&run).contains(&"wire bytes down"));
        run.trials[0].blocks.iter_mut().for_each(|block| block.client_cpu_ns = block.span_ns);
        assert!(!same(&run).contains(&"server CPU") && same(&run).contains(&"wire bytes down"));
    }

    /// A table and a claim about the same metric must say the same.
    #[test]
    fn further_metrics_leave_the_headline_as_it_is() {
        let run = sample::run();
        let (sse, ws) = (run.scenario.lanes[0], run.scenario.lanes[1]);
        let (alone, more) = (judged(&run, sse, ws), judged_further(&run, sse, ws));
        let effects = |column: &[Entry]| -> Vec<_> { column.iter().map(|row| row.1.clone()).collect() };
        assert_eq!(more.len(), alone.len() + FURTHER.len());
        assert_eq!(effects(&alone), effects(&more[..alone.len()]));
    }
}
