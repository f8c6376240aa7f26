//! For a terminal: what fails first and with its numbers, then every number by tier, the summary line last.

use super::words::{clean, failures, line, name, numbers, open, ordered, pair, ratio, sentence, title};
use super::{Finding, Firmness, Judged};
use crate::table::Grid;

/// Between two columns.
const BETWEEN: &str = "  ";

/// The tiers with their headings.
pub const TIERS: [(Firmness, &str); 3] = [
    (Firmness::Exact, "exact: the same number each time it is counted"),
    (Firmness::Noisy, "noisy: moves with the machine"),
    (Firmness::Budget, "budgets: bounds of your own"),
];

/// Writes it.
pub fn write(judged: &Judged) -> String {
    let mut out = format!("{}: {}\n", name(&judged.command), sentence(&judged.subject));
    let failures = failures(judged);
    if !failures.is_empty() {
        out.push_str("\nfailed\n");
    }
    for finding in failures {
        let numbers = Some(numbers(finding)).filter(|numbers| !numbers.is_empty());
        let numbers = numbers.map(|numbers| format!(" {numbers}:")).unwrap_or_default();
        let (word, text) = (finding.verdict.word(), sentence(&finding.text));
        out.push_str(&format!("- {word}: {}:{numbers} {text}\n", title(finding)));
    }
    for (tier, heading) in TIERS {
        let held: Vec<&Finding> = ordered(judged).into_iter().filter(|held| held.firmness == tier).collect();
        if !held.is_empty() {
            out.push_str(&format!("\n{heading}\n"));
            table(&mut out, &held);
        }
    }
    for (verdict, why, times) in open(judged) {
        out.push_str(&format!("\n{} ({times}): {why}\n", verdict.word()));
    }
    for (i, note) in judged.notes.iter().enumerate() {
        out.push_str(&format!("{}note: {}\n", if i == 0 { "\n" } else { "" }, clean(note)));
    }
    out + &format!("\n{}\n", line(judged))
}

fn table(out: &mut String, findings: &[&Finding]) {
    let column = |heading: &str, cell: &dyn Fn(&Finding) -> String| {
        (heading.to_owned(), findings.iter().map(|finding| cell(finding)).collect::<Vec<_>>())
    };
    let grid = Grid {
        corner: String::new(),
        labels: findings.iter().map(|finding| name(&finding.name)).collect(),
        columns: vec![
            column("lane", &|finding| finding.lane.as_deref().map(name).unwrap_or_default()),
            column("reference", &|finding| pair(finding)[0].clone()),
            column("value", &|finding| pair(finding)[1].clone()),
            column("unit", &|finding| name(&finding.unit)),
            column("ratio", &ratio),
            column("verdict", &|finding| finding.verdict.word().to_owned()),
        ],
    };
    for line in grid.lines() {
        out.push_str(line.join(BETWEEN).trim_end());
        out.push('\n');
    }
}
