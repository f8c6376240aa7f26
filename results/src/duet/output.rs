//! What a duet leaves in its folder beside `duet.json`: the pairs as CSV, and the chart.

use std::path::Path;

use anyhow::{Context, Result};

use super::{Block, Duet, HEADLINE};
use crate::charts;
use crate::picture::png;
use crate::run::write_atomically;

/// Writes `duet.json`, `pairs.csv` and `charts/duet.svg` and `.png`.
///
/// # Errors
/// The folder cannot be written.
pub fn write(duet: &Duet, folder: &Path) -> Result<()> {
    duet.save(folder)?;
    write_atomically(&folder.join("pairs.csv"), pairs(duet)?.as_bytes())?;
    let Some(figure) = charts::duet(duet) else { return Ok(()) };
    let (svg, charts) = (charts::svg(&figure), folder.join("charts"));
    std::fs::create_dir_all(&charts).with_context(|| format!("cannot create folder {}", charts.display()))?;
    write_atomically(&charts.join("duet.svg"), svg.as_bytes())?;
    write_atomically(&charts.join("duet.png"), &png(&svg)?)
}

/// One row a pair: both blocks as they were read, and the ratios that are judged.
fn pairs(duet: &Duet) -> Result<String> {
    let mut out = csv::Writer::from_writer(Vec::new());
    let sides = ["a", "b"].into_iter().flat_map(|side| {
        ["deliveries", "server_cpu_ns", "client_cpu_ns", "latency_sum_ns", "undrained"]
            .map(|column| format!("{side}_{column}"))
    });
    let ratios =
        HEADLINE.iter().map(|measure| format!("log_ratio_{}", measure.name.replace(' ', "_").to_lowercase()));
    let head = ["session", "seed", "lane", "pair", "start_ns", "b_first"].map(str::to_owned);
    out.write_record(head.into_iter().chain(sides).chain(ratios)).context("cannot write the pairs")?;
    let block = |block: &Block| {
        let counts = [block.deliveries, block.server_cpu_ns, block.client_cpu_ns, block.latency_sum_ns];
        counts.map(|count| count.to_string()).into_iter().chain([block.undrained.to_string()])
    };
    for (number, session) in duet.sessions.iter().enumerate() {
        for part in &session.lanes {
            for (index, pair) in part.pairs.iter().enumerate() {
                let head = [
                    (number + 1).to_string(),
                    session.seed.to_string(),
                    part.lane.to_string(),
                    (index + 1).to_string(),
                    pair.start_ns.to_string(),
                    pair.b_first.to_string(),
                ];
                let ratio = |measure: &super::Measure| {
                    let log = (measure.of)(&pair.a).zip((measure.of)(&pair.b)).map(|(a, b)| b.ln() - a.ln());
                    log.map_or(String::new(), |log| log.to_string())
                };
                let row = head.into_iter().chain(block(&pair.a)).chain(block(&pair.b));
                out.write_record(row.chain(HEADLINE.iter().map(ratio))).context("cannot write the pairs")?;
            }
        }
    }
    let bytes = out.into_inner().map_err(|err| anyhow::anyhow!("cannot write the pairs: {err}"))?;
    String::from_utf8(bytes).context("the pairs are text")
}
