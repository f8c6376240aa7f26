//! For a comment on a pull request and for `$GITHUB_STEP_SUMMARY`: what fails on top, the rest folded away.
//!
//! A comment holds 65,536 characters; rows are written while they fit, and what is left out is counted. What comes
//! from outside is written with references instead of punctuation, so that it is neither Markdown nor HTML.

use super::text::TIERS;
use super::words::{self, failures, line, name, open, ordered, pair, ratio, sentence};
use super::{Finding, Judged};

/// Characters that may be written, with room for a sentence of the job's own around them.
const ROOM: usize = 60_000;

/// Of them for what fails, so that something of the rest is always to be seen.
const ROOM_OF_FAILURES: usize = 30_000;

/// Characters that one cell or sentence may come to; escapes make twelve of one.
const LONGEST: usize = 1_000;

/// What stands after the rows: so many open questions and notes are told, and no more of them.
const TOLD: usize = 12;

/// Writes it.
pub fn write(judged: &Judged) -> String {
    let (failures, outcome) = (failures(judged), words::outcome(judged));
    let mut out = format!("### {}: {outcome}\n\n", escaped(&name(&judged.command)));
    out.push_str(&format!("{}\n\n{}\n", escaped(&sentence(&judged.subject)), escaped(&line(judged))));
    if !failures.is_empty() {
        out.push('\n');
        table(&mut out, &failures, ROOM_OF_FAILURES, true);
    }
    list(&mut out, &told(judged));
    for (tier, heading) in TIERS {
        let held: Vec<&Finding> = ordered(judged).into_iter().filter(|held| held.firmness == tier).collect();
        if !held.is_empty() {
            let summary = format!("{heading} ({})", held.len());
            out.push_str(&format!("\n<details><summary>{}</summary>\n\n", escaped(&summary)));
            table(&mut out, &held, ROOM, false);
            out.push_str("\n</details>\n");
        }
    }
    out
}

/// Open questions and notes; how many more there are.
fn told(judged: &Judged) -> Vec<String> {
    let open = open(judged).into_iter();
    let open = open.map(|(verdict, why, times)| format!("{} ({times}): {why}", verdict.word()));
    let mut all: Vec<String> = open.chain(judged.notes.iter().map(|note| sentence(note))).collect();
    let more = all.len().saturating_sub(TOLD);
    all.truncate(TOLD);
    all.extend((more > 0).then(|| format!("and {more} more, in the other outputs")));
    all
}

fn list(out: &mut String, lines: &[String]) {
    for (i, line) in lines.iter().enumerate() {
        out.push_str(&format!("{}- {}\n", if i == 0 { "\n" } else { "" }, escaped(line)));
    }
}

/// Rows while all that is written stays below `room`.
fn table(out: &mut String, findings: &[&Finding], room: usize, reasoned: bool) {
    let heads: &[&str] = if reasoned { &["why"] } else { &[] };
    let heads = [&["verdict", "metric", "lane", "reference", "value", "ratio"], heads].concat();
    let head = format!("| {} |\n|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    // Each table may take its heading, so that a fold is never empty.
    out.push_str(&head);
    for (i, finding) in findings.iter().enumerate() {
        let row = row(finding, reasoned);
        if out.chars().count() + row.chars().count() > room {
            out.push_str(&format!("\n{} more are in the other outputs.\n", findings.len() - i));
            return;
        }
        out.push_str(&row);
    }
}

fn row(finding: &Finding, reasoned: bool) -> String {
    let [reference, value] = pair(finding).map(|number| match number.as_str() {
        "" => String::new(),
        number => format!("{number} {}", name(&finding.unit)),
    });
    let word = finding.verdict.word();
    let mut cells = vec![
        if finding.verdict.fails() { format!("**{word}**") } else { word.to_owned() },
        escaped(&name(&finding.name)),
        escaped(&finding.lane.as_deref().map(name).unwrap_or_default()),
        escaped(&reference),
        escaped(&value),
        escaped(&ratio(finding)),
    ];
    cells.extend(reasoned.then(|| escaped(&sentence(&finding.text))));
    format!("| {} |\n", cells.join(" | "))
}

/// Punctuation as character references, and a break that is not seen behind `@` and `#`, which GitHub reads
/// after them: nothing is formatted, linked, or mentions anybody.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if out.len() > LONGEST {
            return out + "…";
        }
        let follows = |before: &str| text[..at].ends_with(before);
        match c {
            '@' | '#' => out.push_str(&format!("&#{};&#8203;", u32::from(c))),
            '&' | '<' | '>' | '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '~' | '!' | '"' | '\'' | '$' => {
                out.push_str(&format!("&#{};", u32::from(c)));
            }
            ':' if text[at..].starts_with("://") => out.push_str("&#58;"),
            '.' if follows("www") => out.push_str("&#46;"),
            '-' | '+' | '=' if at == 0 => out.push_str(&format!("&#{};", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}
