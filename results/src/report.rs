//! The report folder: one self-contained HTML page, charts as SVG and PNG, CSV, histograms.
//!
//! Everything comes from the run alone and nothing from clock or machine, so that drawing it again
//! gives the same bytes (METHOD M28).

use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::{AutoEscape, Environment, Value as Slot, context};

use crate::charts::{self, Figure};
use crate::conclude::{basis, concluded, measured, trust};
use crate::histograms::hgrm;
use crate::metric::{Metric, Rank};
use crate::picture::{FONT, png};
use crate::run::{Run, write_atomically};
use crate::stats::Judgement;
use crate::summary::{Comparison, Standing, Summary};
use crate::table::{blocks, cell, outage_curves, outages, ratio_cell, steps, trials, warning_line};

mod claims;
mod details;
mod outages;

const TEMPLATE: &str = include_str!("report/template.html");

/// What every page looks like.
const STYLE: &str = include_str!("report/style.css");

/// Writes all files of the report beside `run.json`.
///
/// # Errors
/// The folder cannot be written.
pub fn write(run: &Run, folder: &Path) -> Result<()> {
    let figures: Vec<(Figure, String)> = charts::ALL
        .iter()
        .filter_map(|chart| (chart.draw)(run))
        .map(|figure| {
            let svg = charts::svg(&figure);
            (figure, svg)
        })
        .collect();
    let place = |name: &str| -> Result<std::path::PathBuf> {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)
            .with_context(|| format!("cannot create folder {}", parent.display()))?;
        Ok(path)
    };
    for (figure, svg) in &figures {
        write_atomically(&place(&format!("charts/{}.svg", figure.name))?, svg.as_bytes())?;
        write_atomically(&place(&format!("charts/{}.png", figure.name))?, &png(svg)?)?;
    }
    if run.outages.is_empty() || !run.trials.is_empty() {
        write_atomically(&place("trials.csv")?, trials(run).as_bytes())?;
        write_atomically(&place("blocks.csv")?, blocks(run).as_bytes())?;
    }
    if !run.outages.is_empty() {
        write_atomically(&place("outages.csv")?, outages(run).as_bytes())?;
        write_atomically(&place("outage-curves.csv")?, outage_curves(run).as_bytes())?;
    }
    if !run.steps.is_empty() {
        write_atomically(&place("steps.csv")?, steps(run).as_bytes())?;
    }
    for trial in &run.trials {
        let name =
            format!("histograms/{}-r{}.hgrm", file_name(&trial.lane.to_string()), trial.repetition + 1);
        write_atomically(&place(&name)?, hgrm(&trial.latency).as_bytes())?;
    }
    write_atomically(&place("report.html")?, page(run, &figures)?.as_bytes())
}

/// A lane's name with nothing that a shell or a URL would read as syntax: `%` and `@` become `-`.
#[must_use]
pub fn file_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect()
}

/// Renders a page that escapes whatever is put into it.
///
/// # Errors
/// The template is broken.
pub(crate) fn rendered(template: &str, context: Slot) -> Result<String> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("style", STYLE).context("cannot read the pages' style")?;
    environment.add_template("page", template).context("cannot read the page's template")?;
    let page = environment.get_template("page")?.render(context);
    page.context("cannot write the page")
}

/// A figure as the pages show it.
pub(crate) fn shown(figure: &Figure, svg: &str) -> Slot {
    context! { name => figure.name, question => figure.question, finding => &figure.finding, how => figure.how,
    svg => Slot::from_safe_string(svg.to_owned()) }
}

/// The pages' font, to be embedded.
pub(crate) fn font() -> String {
    STANDARD.encode(FONT)
}

fn page(run: &Run, figures: &[(Figure, String)]) -> Result<String> {
    let summary = Summary::new(run);
    let (standing, word, why) = trust(run);
    let tone = match standing {
        Standing::Valid => "good",
        Standing::Doubtful => "doubt",
        Standing::Partial | Standing::Invalid => "bad",
    };
    let said = match standing {
        Standing::Invalid => Vec::new(),
        Standing::Valid | Standing::Doubtful | Standing::Partial => concluded(&summary),
    };
    let page = context! {
        name => &run.name, about => &run.scenario.about, started => &run.started,
        measured => measured(run), basis => basis(run),
        word, why, tone,
        font => font(),
        lanes => summary.lanes.iter().map(|l| context! { name => l.to_string(), about => l.about() }).collect::<Vec<_>>(),
        headline => values(&summary, |rank| rank == Rank::Headline),
        all => values(&summary, |_| true),
        comparisons => summary.comparisons.iter().map(comparison).collect::<Vec<_>>(),
        conclusions => said,
        budgets => crate::budget::lines(run).iter().map(|(is_kept, line)| context! { tone => if *is_kept { "good" } else { "bad" }, line }).collect::<Vec<_>>(),
        claims => claims::of(run, figures),
        outages => outages::of(run, standing, figures),
        figures => figures.iter().filter(|(figure, _)| !outages::has(figure)).map(|(figure, svg)| shown(figure, svg)).collect::<Vec<_>>(),
        warnings => run.warnings.iter().map(warning_line).collect::<Vec<_>>(),
        details => details::of(run, &summary.lanes),
        command => run.command.join(" "),
    };
    rendered(TEMPLATE, page)
}

fn unit_row(metric: &Metric, cells: Vec<Slot>) -> Slot {
    context! { name => metric.name, unit => metric.unit, read => metric.read, cells }
}

fn values(summary: &Summary<'_>, shown: fn(Rank) -> bool) -> Vec<Slot> {
    let rows = summary.rows.iter().filter(|row| shown(row.metric.rank));
    rows.map(|row| unit_row(row.metric, row.cells.iter().map(|c| Slot::from(cell(c))).collect())).collect()
}

fn comparison(comparison: &Comparison) -> Slot {
    let tone = |judgement| match judgement {
        Judgement::Better => "good",
        Judgement::Worse => "bad",
        Judgement::Same | Judgement::Inconclusive => "",
    };
    let row = |(metric, effects): &(&Metric, Vec<_>)| {
        let cell = |effect: &Option<crate::stats::Effect>| {
            context! { text => ratio_cell(effect.as_ref()),
            tone => effect.as_ref().map_or("", |effect| tone(effect.judgement)) }
        };
        unit_row(metric, effects.iter().map(cell).collect())
    };
    context! {
        reference => comparison.reference.to_string(),
        lanes => comparison.lanes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        rows => comparison.rows.iter().map(row).collect::<Vec<_>>(),
    }
}

#[cfg(test)]
mod tests;
