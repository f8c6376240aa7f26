//! The forms in which judged numbers are written, and the folder that holds all of them.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result};

use super::{Judged, github, json, junit, markdown, text, words};
use crate::run::write_atomically;

/// How judged numbers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JudgedFormat {
    /// For a terminal: what fails first, the summary last.
    #[default]
    Text,
    /// One document, of the published schema.
    Json,
    /// For a comment on a pull request, and for `$GITHUB_STEP_SUMMARY`.
    Markdown,
    /// JUnit XML, which every CI system reads.
    Junit,
    /// Workflow commands that GitHub shows beside a change.
    Github,
    /// One line.
    Line,
}

type Write = fn(&Judged) -> String;

/// `(format, name, its file in a folder of all, how it is written)`.
const FORMATS: [(JudgedFormat, &str, &str, Write); 6] = [
    (JudgedFormat::Text, "text", "judged.txt", text::write),
    (JudgedFormat::Json, "json", "judged.json", json::write),
    (JudgedFormat::Markdown, "markdown", "judged.md", markdown::write),
    (JudgedFormat::Junit, "junit", "junit.xml", junit::write),
    (JudgedFormat::Github, "github", "annotations.txt", github::write),
    (JudgedFormat::Line, "line", "line.txt", |judged| words::line(judged) + "\n"),
];

impl fmt::Display for JudgedFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = FORMATS.iter().find(|row| row.0 == *self);
        f.pad(row.expect("every format has its row").1)
    }
}

impl FromStr for JudgedFormat {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        FORMATS
            .iter()
            .find(|row| row.1 == text)
            .map(|row| row.0)
            .ok_or_else(|| format!("unknown format `{text}`; write {}", FORMATS.map(|row| row.1).join(", ")))
    }
}

/// Writes it in a format; every form ends with a line end.
#[must_use]
pub fn render(judged: &Judged, format: JudgedFormat) -> String {
    let row = FORMATS.iter().find(|row| row.0 == format);
    row.expect("every format has its row").3(judged)
}

/// Writes all forms into a folder, which is made: `judged.{txt,json,md}`, `junit.xml`, `annotations.txt`,
/// `line.txt`.
///
/// # Errors
/// The folder cannot be written.
pub fn write(judged: &Judged, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create folder {}", folder.display()))?;
    FORMATS
        .iter()
        .try_for_each(|(_, _, file, form)| write_atomically(&folder.join(file), form(judged).as_bytes()))
}
