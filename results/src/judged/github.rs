//! Workflow commands: GitHub shows them as annotations of a job and beside a change.
//!
//! <https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>. GitHub keeps ten errors
//! and ten warnings of a step; the last of each says how many more there are, so that none is silently dropped.

use super::words::{clean, failures, line, numbers, open, sentence, title};
use super::{Finding, Judged};

/// Annotations of one kind that GitHub keeps of a step.
const KEPT: usize = 10;

/// Writes it: errors, then what stays open, then a notice with the summary.
pub fn write(judged: &Judged) -> String {
    let failure = |finding: &&Finding| {
        let said = [numbers(finding), sentence(&finding.text)];
        let said: Vec<String> = said.into_iter().filter(|part| !part.is_empty()).collect();
        (format!("{}: {}", finding.verdict.word(), title(finding)), said.join(": "))
    };
    let mut out = String::new();
    annotate(&mut out, "error", &failures(judged).iter().map(failure).collect::<Vec<_>>());
    let open =
        open(judged).into_iter().map(|(verdict, why, times)| (format!("{} ({times})", verdict.word()), why));
    annotate(&mut out, "warning", &open.collect::<Vec<_>>());
    annotate(&mut out, "notice", &[(clean(&judged.command), line(judged))]);
    out
}

fn annotate(out: &mut String, kind: &str, told: &[(String, String)]) {
    let shown = if told.len() > KEPT { KEPT - 1 } else { told.len() };
    for (title, text) in &told[..shown] {
        out.push_str(&command(kind, title, text));
    }
    if told.len() > shown {
        let more = format!("{} more are in the step's summary and its other outputs", told.len() - shown);
        out.push_str(&command(kind, "and more", &more));
    }
}

/// `::error title=…::…`, with what would end either of them escaped.
fn command(kind: &str, title: &str, text: &str) -> String {
    format!("::{kind} title={}::{}\n", property(title), data(text))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
