//! Options of `compare` and `history`, and how what was judged is written.

use std::path::PathBuf;

use clap::Args;
use results::judged::JudgedFormat;
use scenarios::Lane;

/// How what was judged is written.
#[derive(Clone, Debug, Args)]
pub struct OutputArgs {
    /// How to print it
    #[arg(long, default_value_t, value_name = "text|json|markdown|junit|github|line")]
    pub format: JudgedFormat,
    /// Folder for all forms of it: judged.{txt,json,md}, junit.xml, annotations.txt, line.txt
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

/// Options of `compare`.
#[derive(Clone, Debug, Args)]
pub struct CompareArgs {
    /// What to compare with: a run.json, the folder of a run, or a folder of such folders
    pub a: PathBuf,
    /// What is judged, likewise
    pub b: PathBuf,
    /// By how much an exact number may differ, %
    #[arg(long, default_value_t = 0.0, allow_hyphen_values = true, value_name = "PERCENT", value_parser = percent)]
    pub margin: f64,
    /// Lanes to compare, separated by commas; without, all, and both must have the same
    #[arg(long, value_delimiter = ',', value_name = "LANES")]
    pub lanes: Vec<Lane>,
    /// How what was judged is written.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Options of `history`.
#[derive(Clone, Debug, Args)]
pub struct HistoryArgs {
    /// The file that `--history` of a run appends to
    #[arg(default_value = "results/history.csv", value_name = "FILE")]
    pub file: PathBuf,
    /// Folder for the charts; default `trend` beside the file
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

fn percent(text: &str) -> Result<f64, String> {
    let value = text.trim_end_matches('%').parse::<f64>();
    let value = value.ok().filter(|value| (0.0..=100.0).contains(value));
    value.ok_or_else(|| format!("`{text}` is no percentage from 0 to 100"))
}
