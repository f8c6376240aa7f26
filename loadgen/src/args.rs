//! The command line as written; `run` is what happens without a command.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use results::Format;

/// Measures when to push with Server-Sent Events and when with WebSocket, and what each costs.
#[derive(Debug, Parser)]
#[command(name = "loadgen", version, args_conflicts_with_subcommands = true, after_help = AFTER)]
pub struct Args {
    /// What to do; without one, `run`.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of `run`.
    #[command(flatten)]
    pub run: RunArgs,
}

const AFTER: &str = "\
Exit codes: 0 good · 97 the measurement is invalid · 104 bad scenario or arguments · 105 interrupted · 107 runtime error
Examples:
  loadgen --scenario ticker
  loadgen --scenario ticker -c 10k --lanes sse-h1,sse-h1@reqwest
  loadgen --scenario my.toml --set payload=text:1k --set arrivals=poisson -o /tmp/run
  loadgen report results/runs/20260101T000000Z-ticker";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure a scenario (the default)
    Run(RunArgs),
    /// Show scenarios and lanes, one line each
    List,
    /// Say what this machine can measure, and what is in the way
    Doctor(ScenarioArgs),
    /// Redraw tables, charts and report of a run from its files alone
    Report {
        /// The run's folder, or its run.json
        run: PathBuf,
        /// How to print the summary
        #[arg(long, default_value_t, value_name = "text|json|csv|markdown")]
        format: Format,
    },
    /// The server worker
    #[command(hide = true)]
    Host,
    /// The client worker
    #[command(hide = true)]
    Fleet,
}

/// Options of `run`.
#[derive(Clone, Debug, ClapArgs)]
pub struct RunArgs {
    /// What to measure.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Folder for the run; default results/runs/<utc>-<scenario>
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// How to print the summary
    #[arg(long, default_value_t, value_name = "text|json|csv|markdown")]
    pub format: Format,
    /// No talk on stderr but errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// Which scenario, and what differs from how it is written.
#[derive(Clone, Debug, ClapArgs)]
pub struct ScenarioArgs {
    /// Name of a scenario (see `list`), or path of a .toml file
    #[arg(short, long, default_value = "ticker", value_name = "NAME|FILE")]
    pub scenario: String,
    /// Lanes to compare, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "LANES")]
    pub lanes: Vec<String>,
    /// Subscribers per lane: 2000, 10k
    #[arg(
        short = 'c',
        long,
        visible_alias = "connections",
        value_name = "COUNT",
        allow_hyphen_values = true
    )]
    pub subscribers: Option<String>,
    /// Events per second per lane
    #[arg(short, long, value_name = "PER_SECOND", allow_hyphen_values = true)]
    pub rate: Option<String>,
    /// Publishing time per lane and repetition: 9s, 1m
    #[arg(short, long, value_name = "DURATION", allow_hyphen_values = true)]
    pub duration: Option<String>,
    /// Fresh starts of all processes
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    pub repetitions: Option<String>,
    /// Seed of bodies, instants and orders
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub seed: Option<String>,
    /// Any other field of the scenario; may be repeated
    #[arg(long, value_name = "FIELD=VALUE")]
    pub set: Vec<String>,
}

impl ScenarioArgs {
    /// All overrides as `(field, value)`, `--set` last.
    ///
    /// # Errors
    /// A `--set` without `=`.
    pub fn overrides(&self) -> Result<Vec<(String, String)>, String> {
        let quoted = |text: &String| format!("\"{text}\"");
        let lanes = (!self.lanes.is_empty())
            .then(|| format!("[{}]", self.lanes.iter().map(quoted).collect::<Vec<_>>().join(", ")));
        let named = [
            ("lanes", lanes),
            ("subscribers", self.subscribers.as_ref().map(quoted)),
            ("rate", self.rate.clone()),
            ("duration", self.duration.as_ref().map(quoted)),
            ("repetitions", self.repetitions.as_ref().map(quoted)),
            ("seed", self.seed.clone()),
        ];
        let mut all: Vec<(String, String)> =
            named.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?))).collect();
        for set in &self.set {
            let (field, value) = set
                .split_once('=')
                .ok_or_else(|| format!("--set {set}: write FIELD=VALUE, for example --set rate=40"))?;
            all.push((field.trim().to_owned(), value.trim().to_owned()));
        }
        Ok(all)
    }
}
