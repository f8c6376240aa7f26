//! What the words of a budget stand for: every metric by its own name, short words for the usual ones, and what is
//! counted where something breaks.

use scenarios::budget::{Aggregate, Dimension, Measure, Unit};
use scenarios::{Lane, Scenario};

use super::{needs, spelt};
use crate::latency::LatencyHistogram;
use crate::metric::extract::arrived;
use crate::metric::{ALL, Better, Metric, Rank, Source, Tier};
use crate::run::{Outage, Run, Trial};

/// Short words for metrics.
const SHORT: [(&str, &str); 7] = [
    ("cpu", "server CPU"),
    ("memory", "server memory"),
    ("duplicates", "duplicated"),
    ("wire_bytes", "wire bytes down"),
    ("one_way_p50", "upward one way p50"),
    ("one_way_p99", "upward one way p99"),
    ("segments", "segments down"),
];

/// All that came down an event, TCP/IP headers left out; a sum of layers that have rows of their own.
static BYTES_PER_EVENT: Metric = Metric {
    name: "bytes per event",
    unit: "B/event",
    better: Better::Lower,
    tier: Tier::Exact,
    rank: Rank::Detail,
    read: "All bytes received while connected, as the decoder counted them; without TCP/IP headers.",
    source: Source::Trial(bytes_per_event),
    block: None,
};

fn bytes_per_event(_: &Run, trial: &Trial) -> Option<f64> {
    let (down, events) = (trial.bytes.down(), arrived(trial));
    (down > 0 && events > 0).then(|| down as f64 / events as f64)
}

/// What is counted of an outage, and of how many, where that means something.
pub(super) struct Tally {
    word: &'static str,
    unit: &'static str,
    pub of: fn(&Outage) -> u64,
    pub whole: Option<fn(&Outage) -> u64>,
}

const fn tally(
    word: &'static str,
    unit: &'static str,
    of: fn(&Outage) -> u64,
    whole: Option<fn(&Outage) -> u64>,
) -> Tally {
    Tally { word, unit, of, whole }
}

const DUE: Option<fn(&Outage) -> u64> = Some(|outage| outage.ledger.expected);

static TALLIES: [Tally; 10] = [
    tally("expected", "deliveries", |outage| outage.ledger.expected, None),
    tally("delivered", "deliveries", |outage| outage.ledger.delivered, DUE),
    tally("lost", "deliveries", |outage| outage.ledger.lost, DUE),
    tally("duplicates", "deliveries", |outage| outage.ledger.duplicated, DUE),
    tally("duplicated", "deliveries", |outage| outage.ledger.duplicated, DUE),
    tally("reordered", "deliveries", |outage| outage.ledger.reordered, DUE),
    tally("corrupted", "deliveries", |outage| outage.ledger.corrupted, DUE),
    tally("away", "clients", away, Some(|outage| outage.clients)),
    tally("recovered", "streams", |outage| outage.recovered, Some(|outage| outage.disconnections)),
    tally("attempts", "attempts", |outage| outage.attempts, None),
];

/// Clients that never had all events again.
pub(super) fn away(outage: &Outage) -> u64 {
    outage.still_away + outage.gave_up.values().sum::<u64>()
}

/// The word for the times without events of those who came back.
const UNAVAILABLE: &str = "unavailable";

/// What a budget's words stand for.
pub(super) enum Number {
    /// A metric, perhaps with another quantile.
    Row(Metric),
    /// Another number of the distribution that a metric's quantiles are of.
    Of(Metric, Aggregate),
    /// One count over another.
    Rate(Metric, Metric),
    /// Counted where something breaks, perhaps as a rate.
    Tally(&'static Tally, bool),
    /// Times without events.
    Unavailable(Aggregate),
}

/// Lower case, and `_` for whatever is neither letter nor digit.
fn plain(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("_")
}

/// The same metric again: it is made of names and functions.
const fn copy(metric: &Metric) -> Metric {
    Metric { ..*metric }
}

/// The distribution that a metric is a quantile of, by name.
fn distribution(metric: &Metric) -> Option<String> {
    matches!(metric.source, Source::Quantile(..))
        .then(|| metric.name.rsplit_once(" p").map(|name| plain(name.0)))?
}

/// Every word there is: distributions, metrics, and what is counted where something breaks.
#[must_use]
pub fn words(breaks: bool) -> Vec<String> {
    if breaks {
        let tallies = TALLIES.iter().map(|tally| tally.word.to_owned());
        return std::iter::once(UNAVAILABLE.to_owned()).chain(tallies).collect();
    }
    let mut words: Vec<String> = ALL.iter().filter_map(distribution).collect();
    words.dedup();
    words.push(plain(BYTES_PER_EVENT.name));
    words.extend(SHORT.iter().map(|(word, _)| (*word).to_owned()));
    words.extend(ALL.iter().map(|metric| plain(metric.name)));
    words
}

impl Number {
    /// What a measure stands for, where something breaks or nothing does.
    pub fn of(measure: &Measure, breaks: bool) -> Result<Self, String> {
        let word = plain(&measure.word);
        let found = if breaks { Self::of_outages(&word, measure) } else { Self::of_trials(&word, measure) };
        found.unwrap_or_else(|| Err(Self::unknown(&word, measure, breaks)))
    }

    fn unknown(word: &str, measure: &Measure, breaks: bool) -> String {
        let (own, other) = (words(breaks), words(!breaks));
        if other.iter().any(|one| one == word) {
            let kind = if breaks { "something breaks" } else { "nothing breaks" };
            return format!(
                "`{}` has no number in a scenario where {kind}; `loadgen list` shows the words that have",
                measure.word
            );
        }
        let hint = scenarios::lane::nearest(word, own.iter().map(String::as_str));
        format!("there is no metric `{}`{hint}; `loadgen list` shows all words", measure.word)
    }

    fn of_trials(word: &str, measure: &Measure) -> Option<Result<Self, String>> {
        if let Some(metric) = ALL.iter().find(|metric| distribution(metric).as_deref() == Some(word)) {
            let Source::Quantile(histogram, _, per, independent) = metric.source else { return None };
            return Some(match (measure.aggregate, measure.aggregate.and_then(Aggregate::quantile)) {
                (_, Some(q)) => {
                    let source = Source::Quantile(histogram, q, per, independent);
                    Ok(Self::Row(Metric { source, ..copy(metric) }))
                }
                (Some(aggregate @ (Aggregate::Avg | Aggregate::Min | Aggregate::Max)), None) => {
                    Ok(Self::Of(copy(metric), aggregate))
                }
                _ => Err(whole(measure)),
            });
        }
        let long = SHORT.iter().find(|(short, _)| *short == word).map_or(word, |(_, long)| *long);
        let named = |metric: &&Metric| plain(metric.name) == plain(long);
        let metric = ALL.iter().chain([&BYTES_PER_EVENT]).find(named)?;
        let is_count = matches!(metric.source, Source::Count(_));
        Some(match measure.aggregate {
            None => Ok(Self::Row(copy(metric))),
            Some(Aggregate::Count) if is_count => Ok(Self::Row(copy(metric))),
            Some(Aggregate::Rate) if is_count => rate(metric, measure),
            Some(_) => Err(single(measure, is_count)),
        })
    }

    fn of_outages(word: &str, measure: &Measure) -> Option<Result<Self, String>> {
        if word == UNAVAILABLE {
            return Some(match measure.aggregate {
                None | Some(Aggregate::Count | Aggregate::Rate) => Err(whole(measure)),
                Some(aggregate) => Ok(Self::Unavailable(aggregate)),
            });
        }
        let tally = TALLIES.iter().find(|tally| tally.word == word)?;
        Some(match measure.aggregate {
            None | Some(Aggregate::Count) => Ok(Self::Tally(tally, false)),
            Some(Aggregate::Rate) if tally.whole.is_some() => Ok(Self::Tally(tally, true)),
            Some(_) => Err(single(measure, tally.whole.is_some())),
        })
    }

    /// Whether a scenario has it on a lane, as far as that is known before.
    pub fn needs(&self, scenario: &Scenario, lane: Lane) -> Result<(), String> {
        match self {
            Self::Row(metric) | Self::Of(metric, _) | Self::Rate(metric, _) => {
                needs::check(metric, scenario, lane)
            }
            Self::Tally(..) | Self::Unavailable(_) => Ok(()),
        }
    }

    /// Its unit.
    pub const fn unit(&self) -> &'static str {
        match self {
            Self::Row(metric) | Self::Of(metric, _) => metric.unit,
            Self::Rate(..) | Self::Tally(_, true) => "%",
            Self::Tally(tally, false) => tally.unit,
            Self::Unavailable(_) => "ms",
        }
    }

    /// What its unit measures, and its size.
    pub fn scale(&self) -> (Dimension, f64) {
        let first = self.unit().split('/').next().unwrap_or_default();
        Unit::named(first).map_or((Dimension::Count, 1.0), |unit| (unit.dimension, unit.size))
    }

    /// Whether it is a rate, which k6 writes as a part of 1.
    pub const fn is_rate(&self) -> bool {
        matches!(self, Self::Rate(..) | Self::Tally(_, true))
    }
}

fn rate(metric: &Metric, measure: &Measure) -> Result<Number, String> {
    let whole = match metric.unit {
        "deliveries" => "expected",
        "messages" => "messages",
        _ => return Err(single(measure, false)),
    };
    let whole = Metric::named(whole).expect("it has a row");
    Ok(Number::Rate(copy(metric), copy(whole)))
}

fn whole(measure: &Measure) -> String {
    format!("`{}` is a distribution; say what of it: p(99), med, avg, min or max", measure.word)
}

fn single(measure: &Measure, is_count: bool) -> String {
    let also = if is_count { ", or `count` or `rate`" } else { "" };
    format!("`{}` is one number and has no `{}`; leave it out{also}", measure.word, spelt(measure))
}

/// Where a trial has a histogram.
type Held = fn(&Trial) -> &LatencyHistogram;

/// The histogram that a metric's quantiles are of, and what its nanoseconds are divided by.
pub(super) fn histogram(metric: &Metric) -> Option<(Held, f64)> {
    match metric.source {
        Source::Quantile(histogram, _, per, _) => Some((histogram, per)),
        Source::Trial(_) | Source::Count(_) | Source::Memory(_) => None,
    }
}
