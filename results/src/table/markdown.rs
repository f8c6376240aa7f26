//! The summary as markdown, for a pull request or a wiki.

use super::grid::Grid;
use super::{banner, text, warning_line, warnings};
use crate::claims;
use crate::conclude::{concluded, measured};
use crate::outage;
use crate::run::Run;
use crate::summary::{Standing, Summary, standing};

/// Writes the summary.
pub fn write(summary: &Summary<'_>) -> String {
    let run = summary.run;
    let mut out = format!("**{}**\n\n{}\n", escaped(&banner(run)), escaped(&measured(run)));
    list(&mut out, "Budgets", crate::budget::lines(run).into_iter().map(|(_, line)| line).collect());
    broken(&mut out, run);
    let values = text::values(summary);
    if !values.labels.is_empty() {
        out.push_str("\nMedians over repetitions, quantiles pooled, counts summed [95 % interval]\n\n");
        grid(&mut out, &values);
    }
    for comparison in &summary.comparisons {
        out.push_str(&format!("\nRatio to {} [95 % interval], judged against 3 %\n\n", comparison.reference));
        grid(&mut out, &text::ratios(comparison));
    }
    if standing(run) != Standing::Invalid {
        let said = concluded(summary);
        list(&mut out, "Conclusions", said);
    }
    list(&mut out, "Common claims, judged from this run", claims::lines(run));
    list(&mut out, "Warnings", warnings(run).into_iter().map(warning_line).collect());
    out
}

/// What happened when something broke.
fn broken(out: &mut String, run: &Run) {
    let tables = outage::tables(run);
    if tables.is_empty() {
        return;
    }
    let mut said = if standing(run) == Standing::Invalid { Vec::new() } else { outage::said(run) };
    said.push(outage::checked(run).0);
    list(out, "When connections drop", said);
    for table in tables {
        out.push_str(&format!("\n{}\n", escaped(&table.title())));
        if !table.rows.is_empty() {
            out.push('\n');
            grid(out, &table.grid());
        }
    }
}

fn grid(out: &mut String, grid: &Grid) {
    for (i, line) in grid.lines().iter().enumerate() {
        out.push_str(&format!("| {} |\n", line.join(" | ")));
        if i == 0 {
            let rules = line.iter().enumerate().map(|(at, cell)| {
                let dashes = "-".repeat(cell.chars().count().max(3) - 1);
                if at == 0 { format!("{dashes}-") } else { format!("{dashes}:") }
            });
            out.push_str(&format!("| {} |\n", rules.collect::<Vec<_>>().join(" | ")));
        }
    }
}

fn list(out: &mut String, title: &str, items: Vec<String>) {
    if items.is_empty() {
        return;
    }
    out.push_str(&format!("\n{title}\n\n"));
    for item in items {
        out.push_str(&format!("- {}\n", escaped(&item)));
    }
}

/// Text from outside: neither markup nor HTML.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' => out.extend(['\\', c]),
            other => out.push(other),
        }
    }
    out
}
