//! The summary as one JSON document: every metric of every lane, ratios, warnings.

use serde_json::{Map, Value as Json, json};

use crate::claims::{Judged, judge};
use crate::conclude::{conclusions, measured, trust};
use crate::metric::{Better, Tier};
use crate::outage;
use crate::stats::{Effect, Interval};
use crate::summary::{Comparison, Estimate, Row, Summary};

/// Writes the summary.
pub fn write(summary: &Summary<'_>) -> String {
    let run = summary.run;
    let (_, standing, why) = trust(run);
    let document = json!({
        "schema": run.schema,
        "name": run.name,
        "started": run.started,
        "standing": standing.to_lowercase(),
        "why": why,
        "partial": run.partial,
        "measured": measured(run),
        "lanes": summary.lanes,
        "metrics": summary.rows.iter().map(|held| row(summary, held)).collect::<Vec<_>>(),
        "outages": outage::tables(run).iter().map(outages).collect::<Vec<_>>(),
        "ratios": summary.comparisons.iter().map(comparison).collect::<Vec<_>>(),
        "conclusions": summary.comparisons.iter().flat_map(conclusions).collect::<Vec<_>>(),
        "claims": judge(run).iter().map(claim).collect::<Vec<_>>(),
        "warnings": run.warnings,
        "budgets": run.budgets,
    });
    format!("{document:#}\n")
}

/// One of the two tables, its cells as a reader sees them.
fn outages(table: &outage::Table<'_>) -> Json {
    let row = |row: &outage::Row<'_>| {
        let cells = outage::COLUMNS.iter().map(|column| (column.name.to_owned(), (column.cell)(row).into()));
        json!({
            "lane": row.lane, "fault": row.fault.to_string(), "policy": row.policy,
            "cells": cells.collect::<Map<String, Json>>(),
        })
    };
    json!({ "table": table.title(), "rows": table.rows.iter().map(row).collect::<Vec<_>>() })
}

fn row(summary: &Summary<'_>, row: &Row) -> Json {
    let metric = row.metric;
    let lanes = summary.lanes.iter().zip(&row.cells);
    let lanes: Map<String, Json> = lanes.map(|(lane, cell)| (lane.to_string(), estimate(cell))).collect();
    let better = match metric.better {
        Better::Lower => "lower",
        Better::Higher => "higher",
    };
    let tier = match metric.tier {
        Tier::Exact => "exact",
        Tier::Noisy => "noisy",
    };
    json!({ "name": metric.name, "unit": metric.unit, "better": better, "tier": tier, "lanes": lanes })
}

fn estimate(cell: &Estimate) -> Json {
    match cell.value.known() {
        Some(value) => json!({ "value": value, "interval": ends(cell.interval) }),
        None => json!({ "value": null, "note": cell.value.note() }),
    }
}

/// `[low, high]`; an unbounded end is null.
fn ends(interval: Option<Interval>) -> Json {
    interval.map_or(Json::Null, |held| json!([held.low, held.high]))
}

fn comparison(comparison: &Comparison) -> Json {
    let row = |(metric, effects): &(&crate::metric::Metric, Vec<Option<Effect>>)| {
        let lanes = comparison.lanes.iter().zip(effects);
        let lanes = lanes.filter_map(|(lane, held)| Some((lane.to_string(), effect(held.as_ref()?))));
        (metric.name.to_owned(), Json::Object(lanes.collect()))
    };
    let metrics: Map<String, Json> = comparison.rows.iter().map(row).collect();
    json!({ "reference": comparison.reference, "metrics": metrics })
}

/// Every claim; of one that was not measured, what would have to be run.
fn claim(judged: &Judged) -> Json {
    let claim = judged.claim;
    json!({
        "number": claim.number,
        "said": claim.said,
        "proposition": claim.proposition,
        "verdict": judged.verdict.word(),
        "finding": judged.reason(),
        "limits": claim.limits,
        "experiment": claim.experiment,
        "metrics": claim.metrics,
        "charts": claim.charts,
    })
}

fn effect(effect: &Effect) -> Json {
    json!({
        "ratio": effect.ratio(),
        "interval": ends(effect.interval()),
        "pairs": effect.pairs,
        "starts": effect.starts,
        "p": effect.p,
        "judgement": effect.judgement.word(),
    })
}
