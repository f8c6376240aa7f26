//! A budget: a bound of the user's own on a number of a run, in the grammar of k6's thresholds.
//!
//! Only read here. Which words have a number, and what it is, is known where runs are (`results`); this much is
//! the same for a scenario's file and the command line.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::lane::Lane;
use crate::quantity::Span;
use cursor::Cursor;

mod cursor;

/// A budget as read.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// As written, without what is said of aborting.
    pub text: String,
    /// What is held against the bound.
    pub subject: Subject,
    /// How.
    pub comparison: Comparison,
    /// Against what.
    pub bound: Bound,
    /// Whether the run ends when it is crossed.
    pub abort: Option<Abort>,
}

/// What is held against a bound.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// A number of one lane, or of each.
    Each(Measure, Option<Lane>),
    /// That of the first lane over that of the second.
    Ratio(Measure, Lane, Lane),
}

/// A number of a lane.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// A word for it, or the name of a metric.
    pub word: String,
    /// What of it, where it is a distribution.
    pub aggregate: Option<Aggregate>,
}

/// What of a distribution, or of a count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aggregate {
    /// `p(99)`: so many percent are no larger.
    Percentile(f64),
    /// The mean.
    Avg,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The median.
    Med,
    /// How many.
    Count,
    /// How many of those that could be.
    Rate,
}

/// Words of the aggregates that take no number.
const AGGREGATES: [(&str, Aggregate); 6] = [
    ("avg", Aggregate::Avg),
    ("min", Aggregate::Min),
    ("max", Aggregate::Max),
    ("med", Aggregate::Med),
    ("count", Aggregate::Count),
    ("rate", Aggregate::Rate),
];

impl Aggregate {
    /// The quantile that it is, 0 to 1, if it is one.
    #[must_use]
    pub fn quantile(self) -> Option<f64> {
        match self {
            Self::Percentile(percent) => Some(percent / 100.0),
            Self::Med => Some(0.5),
            Self::Avg | Self::Min | Self::Max | Self::Count | Self::Rate => None,
        }
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Percentile(percent) = self {
            return write!(out, "p({percent})");
        }
        let row = AGGREGATES.iter().find(|(_, aggregate)| aggregate == self);
        out.write_str(row.expect("every other aggregate has its row").0)
    }
}

/// How a number is held against a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `==`, and `===` as k6 has it too.
    Equal,
    /// `!=`
    Unequal,
}

/// The longest first, so that none is taken for the beginning of another.
const COMPARISONS: [(&str, Comparison); 7] = [
    ("===", Comparison::Equal),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("!=", Comparison::Unequal),
    ("<", Comparison::Below),
    (">", Comparison::Above),
];

impl Comparison {
    /// Whether a number keeps to a bound.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "whoever writes == of a count means the very number")]
    pub fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Below => value < bound,
            Self::AtMost => value <= bound,
            Self::Above => value > bound,
            Self::AtLeast => value >= bound,
            Self::Equal => value == bound,
            Self::Unequal => value != bound,
        }
    }
}

/// What a number is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// A number, in a unit or in the metric's own.
    Number(f64, Option<Unit>),
    /// So many times that of the baseline.
    Baseline(f64),
}

/// What a unit measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Time.
    Time,
    /// Bytes.
    Bytes,
    /// Hundredths of a whole.
    Share,
    /// How many.
    Count,
}

/// A unit of a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    /// As written.
    pub name: &'static str,
    /// What it measures.
    pub dimension: Dimension,
    /// Its size: of times in microseconds, of shares in whole ones.
    pub size: f64,
}

const fn unit(name: &'static str, dimension: Dimension, size: f64) -> Unit {
    Unit { name, dimension, size }
}

/// Every unit there is.
pub const UNITS: [Unit; 17] = [
    unit("ns", Dimension::Time, 1e-3),
    unit("us", Dimension::Time, 1.0),
    unit("µs", Dimension::Time, 1.0),
    unit("ms", Dimension::Time, 1e3),
    unit("s", Dimension::Time, 1e6),
    unit("m", Dimension::Time, 6e7),
    unit("h", Dimension::Time, 3.6e9),
    unit("B", Dimension::Bytes, 1.0),
    unit("kB", Dimension::Bytes, 1e3),
    unit("MB", Dimension::Bytes, 1e6),
    unit("GB", Dimension::Bytes, 1e9),
    unit("KiB", Dimension::Bytes, 1024.0),
    unit("MiB", Dimension::Bytes, 1_048_576.0),
    unit("GiB", Dimension::Bytes, 1_073_741_824.0),
    unit("%", Dimension::Share, 0.01),
    unit("k", Dimension::Count, 1e3),
    unit("M", Dimension::Count, 1e6),
];

impl Unit {
    /// The unit of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        UNITS.into_iter().find(|unit| unit.name == name)
    }
}

/// A crossed budget ends the run (k6's `abortOnFail`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abort {
    /// Not before so much time has passed (k6's `delayAbortEval`).
    pub delay: Span,
}

/// What is wrong with a budget, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a budget cannot be read: expected {expected}\n  {text}\n  {}^", " ".repeat(*.at))]
pub struct BudgetError {
    /// As written.
    pub text: String,
    /// Characters before the place.
    pub at: usize,
    /// What is missing there.
    pub expected: String,
}

impl Budget {
    /// Its error when it is refused for what it names.
    #[must_use]
    pub fn refused(&self, why: &str) -> String {
        format!("the budget `{}` cannot be checked: {why}", self.text)
    }
}

impl FromStr for Budget {
    type Err = BudgetError;

    fn from_str(text: &str) -> Result<Self, BudgetError> {
        Cursor::new(text).budget()
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)?;
        match self.abort {
            None => Ok(()),
            Some(Abort { delay }) if delay == Span::default() => write!(out, " abortOnFail"),
            Some(Abort { delay }) => write!(out, " abortOnFail after {delay}"),
        }
    }
}

impl Serialize for Budget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Budget {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Budget".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "A bound of the user's own, as written." })
    }
}

/// As k6's object form has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    threshold: String,
    #[serde(default)]
    abort_on_fail: bool,
    #[serde(default)]
    delay_abort_eval: Option<Span>,
}

impl TryFrom<Table> for Budget {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let read: Self = table.threshold.parse().map_err(|err: BudgetError| err.to_string())?;
        match (table.abort_on_fail, table.delay_abort_eval) {
            (false, Some(_)) => Err("`delay_abort_eval` goes with `abort_on_fail = true`".into()),
            (false, None) => Ok(read),
            (true, delay) => Ok(Self { abort: Some(Abort { delay: delay.unwrap_or_default() }), ..read }),
        }
    }
}

/// Text, or a table; not an untagged enum, which would keep the reason to itself.
struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = Budget;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a budget such as \"lost==0\", or { threshold = \"lost==0\", abort_on_fail = true }")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Budget, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Budget, A::Error> {
        let table = Table::deserialize(MapAccessDeserializer::new(map))?;
        Budget::try_from(table).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Budget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

#[cfg(test)]
mod tests;
