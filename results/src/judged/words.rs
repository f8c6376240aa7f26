//! The words that all forms share: what is first, how two numbers are written, one line for all.
//!
//! Names and texts come from files and command lines of others: [`clean`] takes from them what a terminal, a
//! CI log or a reader's eye would obey, so that no form has to think of it again.

use super::{Finding, Judged, Verdict};
use crate::value::number;

/// Characters of a name, and of a sentence, that are shown.
const LONGEST_NAME: usize = 80;
const LONGEST_TEXT: usize = 400;

/// Failures that the one line names.
const NAMED: usize = 3;

/// The verdicts, the gravest first.
const GRAVITY: [Verdict; 8] = [
    Verdict::Invalid,
    Verdict::Worse,
    Verdict::Crossed,
    Verdict::Inconclusive,
    Verdict::NotComparable,
    Verdict::Better,
    Verdict::Same,
    Verdict::Kept,
];

/// One line without control characters, without marks that reverse the direction of writing or are not seen,
/// and without what a CI runner takes for a command: `::error` at the start of a line, `##[` anywhere in one.
pub fn clean(text: &str) -> String {
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let one: String = text.chars().map(|c| if obeyed(c) { ' ' } else { c }).collect();
    one.replace("##[", "# #[").replace("::", ": :")
}

/// At most so many characters; what is cut ends with an ellipsis.
fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

/// A name, unit or lane as it is shown.
pub fn name(text: &str) -> String {
    cut(&clean(text), LONGEST_NAME)
}

/// A sentence as it is shown.
pub fn sentence(text: &str) -> String {
    cut(&clean(text), LONGEST_TEXT)
}

/// `bytes (sse-h1)`.
pub fn title(finding: &Finding) -> String {
    let lane = finding.lane.as_ref().map(|lane| format!(" ({})", name(lane)));
    name(&finding.name) + &lane.unwrap_or_default()
}

/// Both numbers, with as many digits as tell them apart; empty where there is none.
pub fn pair(finding: &Finding) -> [String; 2] {
    let write = |value: Option<f64>, form: &dyn Fn(f64) -> String| value.map_or_else(String::new, form);
    let both = |form: &dyn Fn(f64) -> String| [write(finding.reference, form), write(finding.value, form)];
    let differ = finding.reference != finding.value;
    let huge = |value: f64| value.abs() >= 1e15 && value.is_finite();
    let short = |value: f64| if huge(value) { format!("{value:e}") } else { number(value) };
    let told =
        [both(&short)].into_iter().chain((1..=9).map(|digits| both(&|value| format!("{value:.digits$}"))));
    let mut told = told.filter(|[one, other]| !differ || one != other);
    told.next().unwrap_or_else(|| both(&|value| format!("{value:e}")))
}

/// `1.20 [1.17, 1.23]`; empty where there is no ratio.
pub fn ratio(finding: &Finding) -> String {
    let write = |value: f64| match value {
        v if !v.is_finite() => "unbounded".to_owned(),
        v if v >= 10.0 => number(v),
        v if (v - 1.0).abs() < 0.005 && v.to_bits() != 1f64.to_bits() => format!("{v:.5}"),
        v => format!("{v:.2}"),
    };
    let ratio = finding.ratio.filter(|ratio| !ratio.is_nan());
    let ends = finding.interval.map(|[low, high]| (write(low), write(high)));
    let ends = ends.filter(|(low, high)| low != high).map(|(low, high)| format!(" [{low}, {high}]"));
    ratio.map_or_else(String::new, |ratio| write(ratio) + &ends.unwrap_or_default())
}

/// `5.00 -> 6.00 B/event, ratio 1.20 [1.17, 1.23]`; empty where there are no numbers.
pub fn numbers(finding: &Finding) -> String {
    let [reference, value] = pair(finding);
    let unit = name(&finding.unit);
    let both = match (reference.as_str(), value.as_str()) {
        ("", "") => String::new(),
        ("", one) | (one, "") => format!("{one} {unit}"),
        (one, other) => format!("{one} -> {other} {unit}"),
    };
    let ratio = Some(ratio(finding)).filter(|ratio| !ratio.is_empty());
    let parts: Vec<String> = [both].into_iter().chain(ratio.map(|ratio| format!("ratio {ratio}"))).collect();
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// The gravest first, else as they were judged.
pub fn ordered(judged: &Judged) -> Vec<&Finding> {
    GRAVITY.into_iter().flat_map(|verdict| judged.with(verdict)).collect()
}

/// What fails, the gravest first.
pub fn failures(judged: &Judged) -> Vec<&Finding> {
    ordered(judged).into_iter().filter(|finding| finding.verdict.fails()).collect()
}

/// Why questions stay open: each reason once, with how many numbers it holds for.
pub fn open(judged: &Judged) -> Vec<(Verdict, String, usize)> {
    let mut reasons: Vec<(Verdict, String, usize)> = Vec::new();
    for finding in ordered(judged).into_iter().filter(|finding| finding.verdict.is_open()) {
        let text = sentence(&finding.text);
        match reasons.iter_mut().find(|(verdict, held, _)| *verdict == finding.verdict && *held == text) {
            Some((_, _, times)) => *times += 1,
            None => reasons.push((finding.verdict, text, 1)),
        }
    }
    reasons
}

/// `2 worse, 1 inconclusive, 40 no practical difference`.
pub fn counts(judged: &Judged) -> String {
    let counted = GRAVITY.into_iter().map(|verdict| (judged.with(verdict).count(), verdict.word()));
    let said: Vec<String> =
        counted.filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    if said.is_empty() { "nothing was judged".into() } else { said.join(", ") }
}

/// `passed` or `FAILED`.
pub fn outcome(judged: &Judged) -> &'static str {
    if judged.findings.iter().any(|finding| finding.verdict.fails()) { "FAILED" } else { "passed" }
}

/// All of it in one line: the outcome, how many of each verdict, and the first failures with their numbers.
#[must_use]
pub fn line(judged: &Judged) -> String {
    let failures = failures(judged);
    let one = |finding: &&Finding| {
        let numbers = Some(numbers(finding)).filter(|numbers| !numbers.is_empty());
        format!("{} {}", title(finding), numbers.unwrap_or_else(|| sentence(&finding.text)))
    };
    let mut named: Vec<String> = failures.iter().take(NAMED).map(one).collect();
    if failures.len() > NAMED {
        named.push(format!("and {} more", failures.len() - NAMED));
    }
    let named = if named.is_empty() { String::new() } else { format!("; {}", named.join("; ")) };
    format!("{}: {}: {}{named}", name(&judged.command), outcome(judged), counts(judged))
}
