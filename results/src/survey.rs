//! A survey: several runs that together say what to choose for a workload, kept as one folder with a
//! folder for each run below it.
//!
//! Everything is computed from `survey.json` and the runs alone, so that another workload can be asked
//! about, and the decision drawn again, without measuring again.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::run::{Run, write_atomically};

mod advice;
mod claims;
mod matrix;
mod needs;
mod page;
mod share;
mod workload;

pub use advice::{Advice, advise};
pub use claims::judge;
pub use page::{text, write};
pub use workload::{Readers, Workload};

/// The version of `survey.json`.
pub const SCHEMA: u32 = 1;

/// The file that makes a folder a survey.
pub const FILE: &str = "survey.json";

/// What was planned, and what it was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Written {
    /// [`SCHEMA`] of the writer.
    pub schema: u32,
    /// When it started, RFC 3339 in UTC.
    pub started: String,
    /// The command line.
    pub command: Vec<String>,
    /// How much was to be measured: `quick`, `default` or `full`.
    pub depth: String,
    /// The planned runs in their order; each has, or will have, a folder of this name.
    pub cells: Vec<String>,
    /// The workload that a choice is wanted for.
    pub workload: Workload,
}

/// A planned run.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Its name and folder.
    pub name: String,
    /// What it measured; none while it was not run.
    pub run: Option<Run>,
}

/// A survey as it stands.
#[derive(Clone, Debug)]
pub struct Survey {
    /// What was planned.
    pub written: Written,
    /// The planned runs.
    pub cells: Vec<Cell>,
}

impl Survey {
    /// Reads `survey.json` of a folder and the runs that are there.
    ///
    /// # Errors
    /// No survey, another schema, or a run that cannot be read.
    pub fn load(folder: &Path) -> Result<Self> {
        let file = folder.join(FILE);
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read survey {}", file.display()))?;
        let written: Written = serde_json::from_str(&text)
            .with_context(|| format!("{} is not a survey file", file.display()))?;
        if written.schema != SCHEMA {
            bail!(
                "{} has schema {}, this program reads schema {SCHEMA}; redo the survey or use the program that wrote it",
                file.display(),
                written.schema
            );
        }
        let cells = written.cells.iter().map(|name| Cell::load(folder, name)).collect::<Result<_>>()?;
        Ok(Self { written, cells })
    }

    /// Whether a folder holds a survey.
    #[must_use]
    pub fn is_at(folder: &Path) -> bool {
        folder.join(FILE).is_file()
    }

    /// The runs there are, with their names.
    pub fn runs(&self) -> impl Iterator<Item = (&str, &Run)> {
        self.cells.iter().filter_map(|cell| Some((cell.name.as_str(), cell.run.as_ref()?)))
    }

    /// Whether it holds only what bytes and connections decide.
    #[must_use]
    pub fn is_quick(&self) -> bool {
        self.written.depth == "quick"
    }

    /// Whether every planned run was measured to its end.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.cells.iter().all(|cell| cell.is_complete())
    }
}

impl Cell {
    fn load(folder: &Path, name: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            bail!("`{name}` is no name of a run in a survey: letters, digits, - and _ are");
        }
        let path = folder.join(name);
        let run = path.join("run.json").is_file().then(|| Run::load(&path)).transpose()?;
        Ok(Self { name: name.to_owned(), run })
    }

    /// Whether it was measured to its end.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.run.as_ref().is_some_and(|run| !run.partial)
    }
}

impl Written {
    /// Writes `survey.json`, atomically.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).context("cannot write the survey as JSON")?;
        write_atomically(&folder.join(FILE), &json)
    }
}

#[cfg(test)]
mod tests;
