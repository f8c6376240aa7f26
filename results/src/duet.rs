//! Two builds of one server, alive at once and measured in pairs of blocks: what was measured, and what may be said.
//!
//! Plain data that is saved (`duet.json`), so that every verdict can be drawn again, and pure functions over it. Side A is
//! what is compared with, side B what is judged; all of it treats the sides alike, so that exchanging them exchanges the
//! verdicts.

use std::path::Path;

use anyhow::{Context, Result, bail};
use scenarios::{Lane, Scenario};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::run::{Environment, Ledger, write_atomically};

pub mod evaluate;
mod exact;
mod interval;
mod output;
mod rule;
mod student;
mod verdict;

pub use exact::{Exact, exact, is_regression};
pub use interval::{BATCHES, Estimate, estimate};
pub use output::write;
pub use rule::{ALPHA, Decision, Look, Played, confirmed, decide, is_clear, is_settled, looks, play};
pub use verdict::judge;

/// The version of `duet.json`. Raised whenever an old reader would misread a new file.
pub const DUET_SCHEMA: u32 = 1;

/// All that one duet measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Duet {
    /// [`DUET_SCHEMA`] of the writer.
    pub schema: u32,
    /// When it began, RFC 3339 in UTC.
    pub started: String,
    /// The command line.
    pub command: Vec<String>,
    /// What is compared with, as the user named it.
    pub a: String,
    /// What is judged.
    pub b: String,
    /// How B was made worse on purpose, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inject: Option<String>,
    /// The scenario as resolved.
    pub scenario: Scenario,
    /// Where it ran.
    pub environment: Environment,
    /// Pairs a lane that a session is planned for.
    pub planned_pairs: usize,
    /// The first session, and the second if there was reason for one.
    pub sessions: Vec<Session>,
}

/// One start of all processes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// Of bodies, instants and orders.
    pub seed: u64,
    /// One entry a lane.
    pub lanes: Vec<Part>,
    /// Why it may not be believed, if so.
    #[serde(default)]
    pub invalid: Vec<String>,
    /// What else to know.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Both sides of one lane in one session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// The lane.
    pub lane: Lane,
    /// In the order of time.
    pub pairs: Vec<Pair>,
    /// What is the same however often it is counted, A and B.
    pub counts: [Counts; 2],
}

/// A block of A and a block of B, one directly after the other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pair {
    /// When the first of them began, ns after the session's time zero.
    pub start_ns: u64,
    /// Whether B came first.
    pub b_first: bool,
    /// A's block.
    pub a: Block,
    /// B's block.
    pub b: Block,
}

/// What one block of one side came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Block {
    /// Deliveries that arrived.
    pub deliveries: u64,
    /// CPU of the server's processes, ns.
    pub server_cpu_ns: u64,
    /// CPU of the generator's processes, ns.
    pub client_cpu_ns: u64,
    /// Sum of the latencies of the deliveries, ns.
    pub latency_sum_ns: u64,
    /// Whether deliveries were outstanding when CPU was read: then there is no figure of it.
    pub undrained: bool,
}

/// What one side of one lane counted in a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Deliveries by what became of them.
    pub ledger: Ledger,
    /// Bytes from the server to the clients while events were measured, all layers below TLS.
    pub bytes: u64,
}

/// A number that a duet judges.
pub struct Measure {
    /// The metric's name.
    pub name: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// From a block; nothing where the block has none.
    pub of: fn(&Block) -> Option<f64>,
}

/// The numbers that a duet judges. Less is better in all of them.
pub static HEADLINE: [Measure; 3] = [
    Measure { name: "server CPU", unit: "us/delivery", of: |block| cpu(block, block.server_cpu_ns) },
    Measure { name: "generator CPU", unit: "us/delivery", of: |block| cpu(block, block.client_cpu_ns) },
    Measure { name: "mean latency", unit: "ms", of: |block| each(block, block.latency_sum_ns, 1e6) },
];

fn cpu(block: &Block, nanos: u64) -> Option<f64> {
    if block.undrained { None } else { each(block, nanos, 1e3) }
}

fn each(block: &Block, nanos: u64, unit: f64) -> Option<f64> {
    (block.deliveries > 0 && nanos > 0).then(|| nanos as f64 / block.deliveries as f64 / unit)
}

impl Part {
    /// Log ratios of B to A over the first `pairs` pairs, without those that have no figure.
    #[must_use]
    pub fn logs(&self, measure: &Measure, pairs: usize) -> Vec<f64> {
        let log = |pair: &Pair| Some((measure.of)(&pair.b)?.ln() - (measure.of)(&pair.a)?.ln());
        self.pairs.iter().take(pairs).filter_map(log).collect()
    }

    /// The same with the sides exchanged.
    #[must_use]
    pub fn swapped(&self) -> Self {
        let pair = |one: &Pair| Pair { a: one.b, b: one.a, b_first: !one.b_first, ..*one };
        let [a, b] = self.counts;
        Self { lane: self.lane, pairs: self.pairs.iter().map(pair).collect(), counts: [b, a] }
    }
}

impl Session {
    /// The same with the sides exchanged.
    #[must_use]
    pub fn swapped(&self) -> Self {
        Self { lanes: self.lanes.iter().map(Part::swapped).collect(), ..self.clone() }
    }
}

impl Duet {
    /// The same with the sides exchanged.
    #[must_use]
    pub fn swapped(&self) -> Self {
        let sessions = self.sessions.iter().map(Session::swapped).collect();
        Self { a: self.b.clone(), b: self.a.clone(), sessions, ..self.clone() }
    }

    /// Reads `duet.json`, or the folder it lies in.
    ///
    /// # Errors
    /// Unreadable, not JSON, of another schema, or without a session.
    pub fn load(path: &Path) -> Result<Self> {
        let file = if path.is_dir() { path.join("duet.json") } else { path.to_owned() };
        let name = file.display();
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read duet {name}"))?;
        let duet: Self = serde_json::from_str(&text).with_context(|| format!("{name} is not a duet file"))?;
        if duet.schema != DUET_SCHEMA {
            bail!("{name} has schema {}, this program reads schema {DUET_SCHEMA}", duet.schema);
        }
        if duet.sessions.is_empty() {
            bail!("{name} holds no session");
        }
        Ok(duet)
    }

    /// Writes `duet.json` into a folder, atomically.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let json = serde_json::to_vec(self).context("cannot write the duet as JSON")?;
        write_atomically(&folder.join("duet.json"), &json)
    }
}

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
