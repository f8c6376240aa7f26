//! The summary of a run for people and for programs: text, markdown, CSV and JSON.
//!
//! Each format has a file of its own; all of them walk the same [`Summary`], which walks
//! [`metric::ALL`](crate::metric::ALL).

mod csv;
mod grid;
mod json;
mod markdown;
mod outages;
mod text;

use std::fmt;
use std::str::FromStr;

pub use self::csv::{blocks, steps, trials};
pub(crate) use self::grid::Grid;
pub use self::outages::{outage_curves, outages};

use crate::conclude::trust;
use crate::run::{Run, Severity, Warning};
use crate::stats::Effect;
use crate::summary::{Estimate, Summary};
use crate::value::{number, ratio};

/// How a summary is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For a terminal, at most 100 columns.
    #[default]
    Text,
    /// One document.
    Json,
    /// One row a trial and metric; one a case, lane and repetition where something broke.
    Csv,
    /// For a pull request or a wiki.
    Markdown,
}

/// `(format, name)`.
const FORMATS: [(Format, &str); 4] =
    [(Format::Text, "text"), (Format::Json, "json"), (Format::Csv, "csv"), (Format::Markdown, "markdown")];

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = FORMATS.iter().find(|(format, _)| format == self);
        f.pad(row.expect("every format has its row").1)
    }
}

impl FromStr for Format {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        FORMATS.iter().find(|(_, name)| *name == text).map(|(format, _)| *format).ok_or_else(|| {
            format!("unknown format `{text}`; write {}", FORMATS.map(|(_, name)| name).join(", "))
        })
    }
}

/// Writes the summary; `colour` is heeded by [`Format::Text`] only.
#[must_use]
pub fn render(run: &Run, format: Format, colour: bool) -> String {
    match format {
        Format::Text => text::write(&Summary::new(run), colour),
        Format::Json => json::write(&Summary::new(run)),
        Format::Csv if run.trials.is_empty() && !run.outages.is_empty() => outages(run),
        Format::Csv => trials(run),
        Format::Markdown => markdown::write(&Summary::new(run)),
    }
}

/// `8.21 [7.9, 8.6]`.
pub(crate) fn cell(estimate: &Estimate) -> String {
    let ends = estimate.interval.map(|i| (number(i.low), number(i.high)));
    let interval = ends.filter(|(low, high)| low != high).map(|(low, high)| format!(" [{low}, {high}]"));
    estimate.value.text() + &interval.unwrap_or_default()
}

/// `1.32 [1.29, 1.36] worse`.
pub(crate) fn ratio_cell(effect: Option<&Effect>) -> String {
    let Some(effect) = effect else { return "-".into() };
    let Some(i) = effect.interval() else { return format!("{} (once)", ratio(effect.ratio())) };
    let (low, high) = (ratio(i.low), ratio(i.high));
    let interval = if low == high { String::new() } else { format!(" [{low}, {high}]") };
    format!("{}{interval} {}", ratio(effect.ratio()), effect.judgement.word())
}

/// What stands at the top, loud when the run is not whole.
fn banner(run: &Run) -> String {
    let (_, word, why) = trust(run);
    format!("{word}: {}", plain(&why))
}

/// Worst first, then as they were raised.
fn warnings(run: &Run) -> Vec<&Warning> {
    let mut sorted: Vec<&Warning> = run.warnings.iter().collect();
    sorted.sort_by_key(|warning| std::cmp::Reverse(warning.severity));
    sorted
}

/// `invalid (sse-h1, repetition 2): text`.
pub(crate) fn warning_line(warning: &Warning) -> String {
    let severity = match warning.severity {
        Severity::Note => "note",
        Severity::Doubt => "doubt",
        Severity::Invalid => "invalid",
    };
    let lane = warning.lane.map(|lane| lane.to_string());
    let repetition = warning.repetition.map(|r| format!("repetition {}", r + 1));
    let place: Vec<String> = lane.into_iter().chain(repetition).collect();
    let place = if place.is_empty() { String::new() } else { format!(" ({})", place.join(", ")) };
    format!("{severity}{place}: {}", plain(&warning.text))
}

/// Text from outside without control characters: a terminal or a table must not obey it.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
