//! The command line as written; `run` is what happens without a command.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use results::Format;
use results::survey::{Readers, Workload};
use scenarios::{Count, Scenario};

mod compare;
pub use compare::{CompareArgs, HistoryArgs, OutputArgs};
pub use duet::DuetArgs;

use crate::exit::BadInput;
use crate::survey::Depth;
pub use gate::GateArgs;

mod gate;

mod duet;

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
Exit codes: 0 good · 97 the measurement is invalid · 98 worse than what it was compared with · 99 a budget is crossed · 104 bad scenario or arguments · 105 interrupted · 107 runtime error
Examples:
  loadgen --scenario ticker
  loadgen --scenario ticker -c 10k --lanes sse-h1,sse-h1@reqwest
  loadgen --scenario my.toml --set payload=text:1k --set arrivals=poisson -o /tmp/run
  loadgen survey --rate 5 --payload-bytes 400 --subscribers 20k
  loadgen duet --a rev:main
  loadgen report results/runs/20260101T000000Z-ticker
  loadgen compare before/ after/ --format markdown";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure a scenario (the default)
    Run(RunArgs),
    /// Show scenarios and lanes, one line each
    List,
    /// Say what this machine can measure, and what is in the way
    Doctor(ScenarioArgs),
    /// Run what the common claims and a decision need, and say what to choose for a workload
    Survey(SurveyArgs),
    /// Hold exact counts of all lanes (bytes, segments, writes, allocations) against a committed baseline
    Gate(GateArgs),
    /// Measure two builds of one server side by side, and fail if B is worse than A
    Duet(Box<DuetArgs>),
    /// Redraw tables, charts and report of a run, or the decision of a survey, from its files alone
    Report {
        /// The folder of a run or a survey, or a run.json
        run: PathBuf,
        /// How to print the summary
        #[arg(long, default_value_t, value_name = "text|json|csv|markdown")]
        format: Format,
    },
    /// Set two runs, or two sets of repetitions, side by side and judge what may be judged
    Compare(CompareArgs),
    /// Draw what `run --history` has kept, and say where a level changed
    History(HistoryArgs),
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
    /// A bound that the run is held to, such as 'latency{lane:sse-h1}: p(99)<50ms'; may be repeated
    #[arg(long, value_name = "BUDGET")]
    pub budget: Vec<String>,
    /// The run that budgets such as 'cpu<=1.1x baseline' are held against
    #[arg(long, value_name = "DIR|FILE")]
    pub baseline: Option<PathBuf>,
    /// How to print the summary
    #[arg(long, default_value_t, value_name = "text|json|csv|markdown")]
    pub format: Format,
    /// Append what the run came to, if it is valid, to this file (see `history`)
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// No talk on stderr but errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// Options of `survey`.
#[derive(Clone, Debug, ClapArgs)]
pub struct SurveyArgs {
    /// Two minutes: judge only what bytes and connections decide
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// Everything, without regard to time
    #[arg(long)]
    pub full: bool,
    /// Only these of its runs, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "RUNS")]
    pub only: Vec<String>,
    /// Folder for the survey; default results/runs/<utc>-survey-<depth>
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Go on with the survey in this folder; a complete one only answers for the workload
    #[arg(long, value_name = "DIR")]
    pub resume: Option<PathBuf>,
    /// Decide for the workload of a scenario: its name, or the path of a .toml file
    #[arg(long = "for", value_name = "NAME|FILE")]
    pub scenario: Option<String>,
    /// Decide for so many events per second to every subscriber
    #[arg(short, long, value_name = "PER_SECOND")]
    pub rate: Option<f64>,
    /// Decide for bodies of so many bytes
    #[arg(short, long, value_name = "BYTES")]
    pub payload_bytes: Option<f64>,
    /// Decide for so many subscribers on one server: 2000, 10k
    #[arg(short = 'c', long, visible_alias = "connections", value_name = "COUNT")]
    pub subscribers: Option<Count>,
    /// Decide for so many messages per second from every subscriber to the server; 0 for none
    #[arg(long, value_name = "PER_SECOND")]
    pub upstream: Option<f64>,
    /// Decide for these readers: browsers or programs
    #[arg(long, value_name = "browsers|programs", value_parser = readers)]
    pub readers: Option<Readers>,
    /// No talk on stderr but errors
    #[arg(short, long)]
    pub quiet: bool,
}

fn readers(text: &str) -> Result<Readers, String> {
    match text {
        "browsers" => Ok(Readers::Browsers),
        "programs" => Ok(Readers::Programs),
        other => Err(format!("unknown readers `{other}`; write `browsers` or `programs`")),
    }
}

impl SurveyArgs {
    /// How much is to be measured.
    #[must_use]
    pub const fn depth(&self) -> Depth {
        match (self.quick, self.full) {
            (true, _) => Depth::Quick,
            (false, true) => Depth::Full,
            (false, false) => Depth::Default,
        }
    }

    /// The workload that is asked about; what is not named is taken from `base`.
    ///
    /// # Errors
    /// An unknown scenario, or a number that is none of a workload.
    pub fn workload(&self, base: Workload) -> Result<Workload, BadInput> {
        let mut asked = match &self.scenario {
            Some(name) => {
                let (name, scenario) = Scenario::load(name, &[]).map_err(|err| BadInput(err.to_string()))?;
                Workload::of(&name, &scenario)
            }
            None => base,
        };
        let numbers = [self.rate.is_some(), self.payload_bytes.is_some(), self.upstream.is_some()];
        if numbers.contains(&true) || self.subscribers.is_some() {
            asked.name = "your workload".into();
        }
        asked.rate = self.rate.unwrap_or(asked.rate);
        asked.payload_bytes = self.payload_bytes.unwrap_or(asked.payload_bytes);
        asked.subscribers = self.subscribers.map_or(asked.subscribers, |count| count.0);
        asked.upstream = self.upstream.unwrap_or(asked.upstream);
        asked.readers = self.readers.unwrap_or(asked.readers);
        for (name, value, most) in [
            ("--rate", asked.rate, 1e5),
            ("--payload-bytes", asked.payload_bytes, 1e7),
            ("--subscribers", asked.subscribers as f64, 1e9),
        ] {
            if !(value > 0.0 && value <= most) {
                return Err(BadInput(format!("{name} is {value}; allowed is more than 0, up to {most}")));
            }
        }
        match asked.upstream {
            upstream if (0.0..=1e4).contains(&upstream) => Ok(asked),
            upstream => Err(BadInput(format!("--upstream is {upstream}; allowed is 0 to 10000"))),
        }
    }
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
