//! Options of `duet`.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use results::judged::JudgedFormat;
use servers::inject::Inject;

use super::ScenarioArgs;

/// Options of `duet`.
#[derive(Clone, Debug, ClapArgs)]
pub struct DuetArgs {
    /// What is compared with: rev:REVISION of this repository, a loadgen program, or a command line that speaks the host's
    /// contract; default this program
    #[arg(long, value_name = "BUILD")]
    pub a: Option<String>,
    /// What is judged, likewise
    #[arg(long, value_name = "BUILD")]
    pub b: Option<String>,
    /// A against itself
    #[arg(long, conflicts_with = "b")]
    pub aa: bool,
    /// Make B worse on purpose: cpu=10%, delay=2ms, bytes=5% or drop=0.1%
    #[arg(long, value_name = "KIND=AMOUNT", value_parser = Inject::read_share)]
    pub inject: Option<Inject>,
    /// Measure on this machine how often the gate errs and what it finds (at most 10 minutes)
    #[arg(long, conflicts_with_all = ["a", "b", "aa", "inject", "record", "evaluate"])]
    pub calibrate: bool,
    /// One whole session for --evaluate: no early end, no second session
    #[arg(long)]
    pub record: bool,
    /// Resample gate evaluations from the sessions in this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["a", "b", "aa", "inject", "record", "output"])]
    pub evaluate: Option<PathBuf>,
    /// Resampled evaluations of each kind
    #[arg(long, default_value_t = 300, value_name = "COUNT")]
    pub evaluations: u64,
    /// Pairs of blocks a lane; default the scenario's duration over its block, shared among the lanes
    #[arg(long, value_name = "COUNT")]
    pub pairs: Option<usize>,
    /// Name of a scenario (see `list`), or path of a .toml file
    #[arg(short, long, default_value = "duet", value_name = "NAME|FILE")]
    pub scenario: String,
    /// Lanes to measure, separated by commas; each is a duet of its own
    #[arg(long, value_delimiter = ',', value_name = "LANES")]
    pub lanes: Vec<String>,
    /// Seed of bodies, instants and orders; the second session takes the next
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub seed: Option<String>,
    /// Any other field of the scenario; may be repeated
    #[arg(long, value_name = "FIELD=VALUE")]
    pub set: Vec<String>,
    /// Folder for pairs, findings and chart; default results/runs/<utc>-duet, none with --calibrate
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// How to print what was found
    #[arg(long, default_value_t, value_name = "text|json|markdown|junit|github|line")]
    pub format: JudgedFormat,
    /// No talk on stderr but errors
    #[arg(short, long)]
    pub quiet: bool,
}

impl DuetArgs {
    /// Its scenario.
    #[must_use]
    pub fn scenario(&self) -> ScenarioArgs {
        ScenarioArgs {
            scenario: self.scenario.clone(),
            lanes: self.lanes.clone(),
            subscribers: None,
            rate: None,
            duration: None,
            repetitions: None,
            seed: self.seed.clone(),
            set: self.set.clone(),
        }
    }
}
