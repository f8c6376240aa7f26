//! The summary for a terminal: at most 100 columns, loud at the top when the run is not whole,
//! warnings last.

use super::grid::Grid;
use super::{banner, cell, ratio_cell, warning_line, warnings};
use crate::claims;
use crate::conclude::{concluded, measured};
use crate::metric::Metric;
use crate::outage;
use crate::run::Run;
use crate::summary::{Comparison, Standing, Summary, standing};

const WIDTH: usize = 100;
const BETWEEN: &str = "  ";

#[derive(Clone, Copy)]
enum Paint {
    Bold,
    Good,
    Bad,
    Doubt,
}

fn paint(text: &str, paint: Paint, colour: bool) -> String {
    let code = match paint {
        Paint::Bold => "1",
        Paint::Good => "1;32",
        Paint::Bad => "1;31",
        Paint::Doubt => "1;33",
    };
    if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Writes the summary.
pub fn write(summary: &Summary<'_>, colour: bool) -> String {
    let run = summary.run;
    let tone = match standing(run) {
        Standing::Valid => Paint::Good,
        Standing::Doubtful => Paint::Doubt,
        Standing::Partial | Standing::Invalid => Paint::Bad,
    };
    let mut out = String::new();
    wrapped(&mut out, "", &banner(run), |line| paint(line, tone, colour));
    wrapped(&mut out, "", &measured(run), str::to_owned);
    broken(&mut out, run, colour);
    budgets(&mut out, run, colour);
    for grid in values(summary).split(WIDTH, BETWEEN.len()).iter().filter(|grid| !grid.labels.is_empty()) {
        section(
            &mut out,
            "medians over repetitions, quantiles pooled, counts summed [95 % interval]",
            grid,
            colour,
        );
    }
    for comparison in &summary.comparisons {
        let title = format!("ratio to {} [95 % interval], judged against 3 %", comparison.reference);
        for grid in ratios(comparison).split(WIDTH, BETWEEN.len()) {
            section(&mut out, &title, &grid, colour);
        }
    }
    if standing(run) != Standing::Invalid {
        for (i, line) in concluded(summary).iter().enumerate() {
            out.push_str(if i == 0 { "\n" } else { "" });
            wrapped(&mut out, "- ", line, str::to_owned);
        }
    }
    let judged = claims::lines(run);
    if !judged.is_empty() {
        out.push_str(&format!("\n{}\n", paint("common claims, judged from this run", Paint::Bold, colour)));
    }
    for line in judged {
        wrapped(&mut out, "- ", &line, str::to_owned);
    }
    if !run.warnings.is_empty() {
        out.push_str(&format!("\n{}\n", paint("warnings", Paint::Bold, colour)));
    }
    for warning in warnings(run) {
        wrapped(&mut out, "- ", &warning_line(warning), str::to_owned);
    }
    out
}

/// What came of the run's budgets.
fn budgets(out: &mut String, run: &Run, colour: bool) {
    let lines = crate::budget::lines(run);
    if !lines.is_empty() {
        out.push_str(&format!("\n{}\n", paint("budgets", Paint::Bold, colour)));
    }
    for (is_kept, line) in lines {
        let tone = if is_kept { Paint::Good } else { Paint::Bad };
        wrapped(out, "- ", &line, |line| paint(line, tone, colour));
    }
}

/// What happened when something broke: what to know first, then both tables.
fn broken(out: &mut String, run: &Run, colour: bool) {
    let tables = outage::tables(run);
    if tables.is_empty() {
        return;
    }
    out.push_str(&format!("\n{}\n", paint("when connections drop", Paint::Bold, colour)));
    if standing(run) != Standing::Invalid {
        outage::said(run).iter().for_each(|line| wrapped(out, "- ", line, str::to_owned));
    }
    wrapped(out, "- ", &outage::checked(run).0, str::to_owned);
    for table in tables {
        out.push('\n');
        wrapped(out, "", &table.title(), |line| paint(line, Paint::Bold, colour));
        for (i, grid) in table.grid().split(WIDTH, BETWEEN.len()).iter().enumerate() {
            if !grid.labels.is_empty() {
                out.push_str(if i == 0 { "" } else { "\n" });
                rows(out, grid, colour);
            }
        }
    }
}

fn label(metric: &Metric) -> String {
    format!("{}, {}", metric.name, metric.unit)
}

/// Every shown metric of every lane.
pub fn values(summary: &Summary<'_>) -> Grid {
    let column = |(i, lane): (usize, &scenarios::Lane)| {
        (lane.to_string(), summary.shown().map(|row| cell(&row.cells[i])).collect())
    };
    Grid {
        corner: String::new(),
        labels: summary.shown().map(|row| label(row.metric)).collect(),
        columns: summary.lanes.iter().enumerate().map(column).collect(),
    }
}

/// Every headline metric of the lanes against a reference.
pub fn ratios(comparison: &Comparison) -> Grid {
    let column = |(i, lane): (usize, &scenarios::Lane)| {
        let cells = comparison.rows.iter().map(|(_, effects)| ratio_cell(effects[i].as_ref()));
        (lane.to_string(), cells.collect())
    };
    Grid {
        corner: String::new(),
        labels: comparison.rows.iter().map(|(metric, _)| metric.name.to_owned()).collect(),
        columns: comparison.lanes.iter().enumerate().map(column).collect(),
    }
}

fn section(out: &mut String, title: &str, grid: &Grid, colour: bool) {
    out.push_str(&format!("\n{}\n", paint(title, Paint::Bold, colour)));
    rows(out, grid, colour);
}

fn rows(out: &mut String, grid: &Grid, colour: bool) {
    for (i, line) in grid.lines().iter().enumerate() {
        let line = line.join(BETWEEN);
        let line = line.trim_end();
        out.push_str(&if i == 0 { paint(line, Paint::Bold, colour) } else { line.to_owned() });
        out.push('\n');
    }
}

/// Wraps words at the width; lines after the first are indented by the bullet's width.
fn wrapped(out: &mut String, bullet: &str, text: &str, painted: impl Fn(&str) -> String) {
    let indent = " ".repeat(bullet.len());
    let mut line = bullet.to_owned();
    for word in text.split_whitespace() {
        let is_first = line.trim_end() == bullet.trim_end();
        if !is_first && line.chars().count() + word.chars().count() >= WIDTH {
            out.push_str(&format!("{}\n", painted(line.trim_end())));
            line.clone_from(&indent);
        }
        line.push_str(word);
        line.push(' ');
    }
    out.push_str(&format!("{}\n", painted(line.trim_end())));
}
