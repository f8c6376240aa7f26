//! What every run came to, one row a number, in a file that grows with the project: `results/history.csv`.
//!
//! A number is only set beside numbers of the same machine and workload: the columns `fingerprint` and `workload` are
//! hashes of what decides that. It is there to be looked at. No gate rests on it (METHOD M22).

pub mod changes;
pub mod trend;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use scenarios::Lane;
use sha2::{Digest as _, Sha256};

use crate::compare::workload;
use crate::metric::{self, Metric, Rank, Source, Tier};
use crate::run::{Environment, Run};
use crate::summary::{Standing, estimate, lanes, standing};

/// The columns; a file that has others is of another program.
pub const COLUMNS: [&str; 11] = [
    "fingerprint",
    "machine",
    "started",
    "scenario",
    "workload",
    "commit",
    "lane",
    "metric",
    "unit",
    "value",
    "standing",
];

/// Bytes of a history that are read: a million rows or so.
const LARGEST: u64 = 256 << 20;

/// One number of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Hash over what decides whether numbers of two machines may stand beside each other.
    pub fingerprint: String,
    /// The same in words.
    pub machine: String,
    /// When the run started, RFC 3339 in UTC.
    pub started: String,
    /// The scenario's short name.
    pub scenario: String,
    /// Hash over what of the scenario moves numbers.
    pub workload: String,
    /// Commit of the program.
    pub commit: String,
    /// The lane.
    pub lane: Lane,
    /// The metric's name.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// Its value over all repetitions.
    pub value: f64,
    /// `valid` or `doubtful`.
    pub standing: String,
}

/// The machine in words: CPU model, cores, kernel release, compiler, profile.
#[must_use]
pub fn machine(environment: &Environment) -> String {
    let Environment { cpu, cores, kernel, rustc, profile, .. } = environment;
    format!("{cpu}; {cores} cores; {kernel}; {rustc}; {profile}")
}

/// Eight bytes of SHA-256, hex.
fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The rows of a run: headline metrics and exact ones, of every lane.
#[must_use]
pub fn rows(run: &Run) -> Vec<Row> {
    let machine = machine(&run.environment);
    let standing = if standing(run) == Standing::Valid { "valid" } else { "doubtful" };
    let kept = |metric: &&Metric| {
        let is_exact = metric.tier == Tier::Exact && metric.rank <= Rank::Summary;
        metric.rank == Rank::Headline || is_exact && matches!(metric.source, Source::Trial(_))
    };
    let row = |lane: Lane, metric: &Metric| {
        Some(Row {
            fingerprint: hash(&machine),
            machine: machine.clone(),
            started: run.started.clone(),
            scenario: run.name.clone(),
            workload: hash(&workload(run).to_string()),
            commit: run.environment.commit.clone(),
            lane,
            metric: metric.name.to_owned(),
            unit: metric.unit.to_owned(),
            value: estimate(run, metric, lane).value.known()?,
            standing: standing.to_owned(),
        })
    };
    let lanes = lanes(run).into_iter();
    lanes
        .flat_map(|lane| {
            metric::ALL.iter().filter(kept).filter_map(move |metric| row(lane, metric)).collect::<Vec<_>>()
        })
        .collect()
}

/// Appends a run's rows, and the columns' names to a new file; says how many. Nothing is appended of a run that is
/// invalid or partial: it is no history.
///
/// # Errors
/// The run may not be used, or the file is no history or cannot be written.
pub fn append(path: &Path, run: &Run) -> Result<usize> {
    let standing = standing(run);
    ensure!(
        !matches!(standing, Standing::Invalid | Standing::Partial),
        "an invalid or partial run is no history"
    );
    let name = path.display();
    let held = if path.exists() { read(path)? } else { Vec::new() };
    let rows = rows(run);
    let is_known = |row: &Row| {
        held.iter().any(|old| {
            (&old.started, &old.fingerprint, &old.workload) == (&row.started, &row.fingerprint, &row.workload)
        })
    };
    if let Some(row) = rows.first().filter(|row| is_known(row)) {
        bail!("{name} holds the run of {} already", row.started);
    }
    let mut out = csv::Writer::from_writer(Vec::new());
    if held.is_empty() && std::fs::metadata(path).map_or(0, |file| file.len()) == 0 {
        out.write_record(COLUMNS).context("cannot write the columns")?;
    }
    for row in &rows {
        let value = row.value.to_string();
        let lane = row.lane.to_string();
        let fields: [&str; 11] = [
            &row.fingerprint,
            &row.machine,
            &row.started,
            &row.scenario,
            &row.workload,
            &row.commit,
            &lane,
            &row.metric,
            &row.unit,
            &value,
            &row.standing,
        ];
        out.write_record(fields).context("cannot write a row")?;
    }
    let bytes = out.into_inner().context("cannot write rows")?;
    // One write at the end of the file: two jobs that append at once do not mix their rows.
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(&bytes)).with_context(|| format!("cannot append to {name}"))?;
    Ok(rows.len())
}

/// Reads a history, oldest rows first.
///
/// # Errors
/// Unreadable, too large, or a row that is none (with its line).
pub fn read(path: &Path) -> Result<Vec<Row>> {
    let name = path.display();
    let size = std::fs::metadata(path).with_context(|| format!("cannot read history {name}"))?.len();
    ensure!(size <= LARGEST, "{name} is larger than {} MiB: no history", LARGEST >> 20);
    let mut file = csv::Reader::from_path(path).with_context(|| format!("cannot read history {name}"))?;
    let columns = file.headers().with_context(|| format!("{name} is no history"))?;
    ensure!(
        columns.iter().eq(COLUMNS) || size == 0,
        "{name} is no history: its columns are not {}",
        COLUMNS.join(",")
    );
    let rows = file.records().enumerate().map(|(i, record)| {
        let at = || format!("{name}, row {}, is no row of a history", i + 1);
        row(&record.with_context(at)?).with_context(at)
    });
    rows.collect()
}

fn row(record: &csv::StringRecord) -> Result<Row> {
    let field = |at: usize| record.get(at).unwrap_or_default().to_owned();
    let value: f64 = field(9).parse().with_context(|| format!("value `{}`", field(9)))?;
    ensure!(value.is_finite(), "value `{}`", field(9));
    Ok(Row {
        fingerprint: field(0),
        machine: field(1),
        started: field(2),
        scenario: field(3),
        workload: field(4),
        commit: field(5),
        lane: field(6).parse().map_err(|err| anyhow::anyhow!("{err}"))?,
        metric: field(7),
        unit: field(8),
        value,
        standing: field(10),
    })
}

/// One number over time: rows of one machine, workload, lane and metric, in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The rows.
    pub rows: Vec<Row>,
    /// Where its level changed.
    pub changes: Vec<changes::Change>,
}

/// All that was measured of one workload on one machine.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// By metric in the order of the file, then lane.
    pub series: Vec<Series>,
}

/// Runs of a series that are looked at: the newest.
const NEWEST: usize = 200;

/// Sorts rows into histories, the oldest first.
#[must_use]
pub fn histories(rows: &[Row]) -> Vec<History> {
    let mut order: Vec<(String, String)> = Vec::new();
    let mut series: BTreeMap<(String, String), Vec<Series>> = BTreeMap::new();
    for row in rows {
        let key = (row.fingerprint.clone(), row.workload.clone());
        if !series.contains_key(&key) {
            order.push(key.clone());
        }
        let held = series.entry(key).or_default();
        match held.iter_mut().find(|one| one.rows[0].lane == row.lane && one.rows[0].metric == row.metric) {
            Some(one) => one.rows.push(row.clone()),
            None => held.push(Series { rows: vec![row.clone()], changes: Vec::new() }),
        }
    }
    let finished = |key| {
        let mut series = series.remove(&key).unwrap_or_default();
        for one in &mut series {
            one.rows.drain(..one.rows.len().saturating_sub(NEWEST));
            one.changes = changes::find(&one.rows.iter().map(|row| row.value).collect::<Vec<_>>());
        }
        History { series }
    };
    order.into_iter().map(finished).collect()
}

#[cfg(test)]
mod tests;
