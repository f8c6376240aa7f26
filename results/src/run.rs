//! What one invocation measured: plain data with a schema number, saved as `run.json`.
//!
//! Every figure, table and verdict is computed from these values alone, so that `loadgen report`
//! can redraw a run offline (METHOD M28). Units stand in the field names.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use scenarios::{Lane, Scenario};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judged::Judged;

mod bytes;
mod environment;
mod idle;
mod load;
pub mod outage;
mod session;
mod step;
mod tabs;
mod trial;
pub use bytes::{Bytes, KernelCounts};
pub use environment::{Environment, Sockets};
pub use idle::{Cut, Heartbeats, Idle};
pub use outage::Outage;
pub use session::{Ending, Sessions};
pub use step::Step;
pub use tabs::Tabs;
pub use trial::{BlockResult, Ledger, Opening, STRESS, Slice, Slow, Stages, Trial, Upward, UpwardLedger};

/// The version of this file format. Raised whenever an old reader would misread a new file.
pub const SCHEMA: u32 = 1;

/// All that one invocation measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// [`SCHEMA`] of the writer.
    pub schema: u32,
    /// The scenario's short name.
    pub name: String,
    /// When it started, RFC 3339 in UTC.
    pub started: String,
    /// The command line.
    pub command: Vec<String>,
    /// True while repetitions are missing (interrupted, or still running).
    pub partial: bool,
    /// The scenario as resolved.
    pub scenario: Scenario,
    /// Where it ran.
    pub environment: Environment,
    /// Socket options as read back from the kernel, by lane and side (`sse-h1 server`).
    pub sockets: BTreeMap<String, Sockets>,
    /// One entry a lane and repetition, in order of saving.
    pub trials: Vec<Trial>,
    /// Memory against idle connections, one entry a lane.
    pub memory: Vec<Memory>,
    /// Bytes against payload size, one entry a lane and size.
    pub sweep: Vec<SweepPoint>,
    /// The sweep of rates or payload sizes, one entry a lane, step and pass.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// Idle connections behind a middlebox, one entry a lane.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub idle: Vec<Idle>,
    /// Tabs of one browser, one entry a lane.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tabs: Vec<Tabs>,
    /// What happened when something broke, one entry a lane, case and repetition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outages: Vec<Outage>,
    /// Doubts about this measurement.
    pub warnings: Vec<Warning>,
    /// What came of the scenario's budgets, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budgets: Option<Judged>,
}

/// How bad a doubt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Read the numbers with care.
    Doubt,
    /// The measurement is invalid.
    Invalid,
}

/// One doubt about a measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// How bad it is.
    pub severity: Severity,
    /// The lane it concerns, if one.
    pub lane: Option<Lane>,
    /// The repetition it concerns, if one (from 0).
    pub repetition: Option<u64>,
    /// What is doubtful, and what to do.
    pub text: String,
}

/// Memory against the number of idle connections, one lane alone in fresh processes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Memory {
    /// The lane.
    pub lane: Lane,
    /// One point a level, the first at zero connections.
    pub points: Vec<MemoryPoint>,
}

/// One level of the memory phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryPoint {
    /// Connections held, each of which has received one event.
    pub connections: u64,
    /// PSS of the server's processes.
    pub server_pss_bytes: u64,
    /// PSS of the generator's processes.
    pub client_pss_bytes: u64,
    /// Kernel slab of the whole machine: both ends' sockets and what else moved.
    pub slab_bytes: u64,
}

/// Bytes per event at one payload size, one subscriber, in lock-step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SweepPoint {
    /// The lane.
    pub lane: Lane,
    /// Size of the body, bytes.
    pub payload_bytes: u64,
    /// Events counted.
    pub events: u64,
    /// The decoder's count over these events.
    pub bytes: Bytes,
    /// The kernel's count over these events.
    pub kernel: KernelCounts,
}

impl Run {
    /// Reads `run.json`, or the folder it lies in; what anybody may have written there is not trusted.
    ///
    /// # Errors
    /// Unreadable, too large, not JSON (with line and column), of another schema, or it cannot be what a run left
    /// behind (with what is wrong).
    pub fn load(path: &Path) -> Result<Self> {
        load::load(path)
    }

    /// Writes `run.json` into a folder, atomically: an interrupted save leaves the former file.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).context("cannot write the run as JSON")?;
        write_atomically(&folder.join("run.json"), &json)
    }

    /// What tells one invocation from another: wall-clock numbers of two may not be judged against each other
    /// (METHOD M22). A run holds no other mark of its session than when it started and by which command.
    #[must_use]
    pub fn session(&self) -> String {
        format!("{} {}", self.started, self.command.join(" "))
    }

    /// The worst severity among the warnings.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.warnings.iter().map(|warning| warning.severity).max()
    }

    /// The trials of a lane, by repetition.
    pub fn trials_of(&self, lane: Lane) -> impl Iterator<Item = &Trial> {
        self.trials.iter().filter(move |trial| trial.lane == lane)
    }
}

/// Writes beside the file, flushes to disk, renames over it.
///
/// # Errors
/// The folder cannot be written.
pub fn write_atomically(file: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write as _;
    let beside = file.with_extension("partial");
    let write = || -> std::io::Result<()> {
        let mut out = std::fs::File::create(&beside)?;
        out.write_all(bytes)?;
        out.sync_all()?;
        std::fs::rename(&beside, file)
    };
    write().with_context(|| format!("cannot write {}", file.display()))
}
