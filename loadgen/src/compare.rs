//! `compare` and `history`: what files say, without measuring.

use std::path::Path;

use anyhow::{Context, Result};
use results::compare::{Options, Set, compare};
use results::history::{histories, read, trend};
use results::judged::Judged;
use results::picture::png;
use results::report::file_name;
use results::run::write_atomically;

use crate::args::{CompareArgs, HistoryArgs};
use crate::exit::BadInput;

/// Compares two runs or sets of them.
///
/// # Errors
/// One of them is no run, or they may not be compared.
pub fn run(args: &CompareArgs) -> Result<Judged> {
    let load = |path: &Path| Set::load(path).map_err(|err| BadInput(format!("{err:#}")));
    let (a, b) = (load(&args.a)?, load(&args.b)?);
    let options = Options { margin: args.margin / 100.0, lanes: args.lanes.clone() };
    Ok(compare(&a, &b, &options).map_err(BadInput)?)
}

/// Draws every history of a file and says what changed.
///
/// # Errors
/// The file is no history, or the folder cannot be written.
pub fn history(args: &HistoryArgs) -> Result<String> {
    let rows = read(&args.file).map_err(|err| BadInput(format!("{err:#}")))?;
    let beside = || args.file.parent().unwrap_or(Path::new("")).join("trend");
    let folder = args.output.clone().unwrap_or_else(beside);
    let mut told = Vec::new();
    for history in histories(&rows) {
        let mut text = trend::text(&history);
        if let Some(svg) = trend::drawn(&history) {
            let first = &history.series[0].rows[0];
            let name = file_name(&format!("{}-{}-{}", first.scenario, first.fingerprint, first.workload));
            std::fs::create_dir_all(&folder)
                .with_context(|| format!("cannot create folder {}", folder.display()))?;
            write_atomically(&folder.join(format!("{name}.svg")), svg.as_bytes())?;
            write_atomically(&folder.join(format!("{name}.png")), &png(&svg)?)?;
            text += &format!("chart: {}\n", folder.join(format!("{name}.svg")).display());
        }
        told.push(text);
    }
    Ok(if told.is_empty() { "no runs yet\n".into() } else { told.join("\n") })
}
