//! Options of `gate`.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use scenarios::Lane;
use servers::inject::Inject;

use super::OutputArgs;

/// Options of `gate`.
#[derive(Clone, Debug, ClapArgs)]
pub struct GateArgs {
    /// The baseline: a file, or the folder of `exact.toml`
    #[arg(long, default_value = "results/baselines", value_name = "FILE|DIR")]
    pub baseline: PathBuf,
    /// Write what is counted now as the baseline, and say what changed
    #[arg(long, conflicts_with_all = ["inject", "tolerance"])]
    pub update_baseline: bool,
    /// Only these lanes, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "LANES")]
    pub lanes: Vec<Lane>,
    /// Bear so much more than the baseline, of all counts or of one: 1%, writes=1%; may be repeated
    #[arg(long, value_name = "PERCENT")]
    pub tolerance: Vec<String>,
    /// Prove that it finds a fault: the servers send one more byte an event, lose an event, or split their writes
    #[arg(long, value_name = "bytes=1|drop=1|segment=1", value_parser = Inject::read_counted)]
    pub inject: Option<Inject>,
    /// How what was found is written.
    #[command(flatten)]
    pub output: OutputArgs,
    /// No talk on stderr but errors
    #[arg(short, long)]
    pub quiet: bool,
}
