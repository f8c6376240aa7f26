//! JUnit XML as Jenkins, GitLab and others read it: a suite a tier, a case a number.
//!
//! The form is that of Jenkins' `junit-10.xsd`. What is worse or crossed is a `failure`, what is invalid an
//! `error`, what cannot be told is `skipped` with its reason.

use super::text::TIERS;
use super::words::{name, numbers, sentence, title};
use super::{Finding, Firmness, Judged, Verdict};

/// Writes it.
pub fn write(judged: &Judged) -> String {
    let all: Vec<&Finding> = judged.findings.iter().collect();
    let command = attribute(&name(&judged.command));
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str(&format!("<testsuites name=\"{command}\" {}>\n", totals(&all)));
    for (tier, _) in TIERS {
        let held: Vec<&Finding> = judged.findings.iter().filter(|held| held.firmness == tier).collect();
        if !held.is_empty() {
            suite(&mut out, judged, tier, &held);
        }
    }
    out + "</testsuites>\n"
}

const fn word(tier: Firmness) -> &'static str {
    match tier {
        Firmness::Exact => "exact",
        Firmness::Noisy => "noisy",
        Firmness::Budget => "budgets",
    }
}

/// Which counter a verdict is counted by, if by one.
const fn counter(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Worse | Verdict::Crossed => Some("failures"),
        Verdict::Invalid => Some("errors"),
        Verdict::Inconclusive | Verdict::NotComparable => Some("skipped"),
        Verdict::Better | Verdict::Same | Verdict::Kept => None,
    }
}

fn totals(findings: &[&Finding]) -> String {
    let of = |name| findings.iter().filter(|finding| counter(finding.verdict) == Some(name)).count();
    let counted = ["failures", "errors", "skipped"].map(|name| format!("{name}=\"{}\"", of(name)));
    format!("tests=\"{}\" {} time=\"0\"", findings.len(), counted.join(" "))
}

fn suite(out: &mut String, judged: &Judged, tier: Firmness, findings: &[&Finding]) {
    let class = format!("loadgen.{}.{}", name(&judged.command), word(tier));
    let class = attribute(&class);
    out.push_str(&format!("  <testsuite name=\"{class}\" {}>\n", totals(findings)));
    for finding in findings {
        case(out, &class, finding);
    }
    let told: Vec<String> =
        [&judged.subject].into_iter().chain(&judged.notes).map(|text| sentence(text)).collect();
    out.push_str(&format!("    <system-out>{}</system-out>\n  </testsuite>\n", escaped(&told.join("\n"))));
}

fn case(out: &mut String, class: &str, finding: &Finding) {
    let head =
        format!("    <testcase classname=\"{class}\" name=\"{}\" time=\"0\"", attribute(&title(finding)));
    let said = [numbers(finding), sentence(&finding.text)];
    let said = said.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
    let (kind, message) = (finding.verdict.word(), attribute(&said));
    let body = match counter(finding.verdict) {
        None => format!("{head}/>\n"),
        Some("skipped") => {
            format!("{head}>\n      <skipped message=\"{kind}: {message}\"/>\n    </testcase>\n")
        }
        Some(counter) => {
            let element = counter.trim_end_matches('s');
            format!(
                "{head}>\n      <{element} type=\"{kind}\" message=\"{message}\">{}</{element}>\n    </testcase>\n",
                escaped(&said)
            )
        }
    };
    out.push_str(&body);
}

/// Text between tags; what XML 1.0 forbids becomes U+FFFD (<https://www.w3.org/TR/xml/#charsets>).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' => out.push(c),
            c if c < ' ' || c == '\u{fffe}' || c == '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// The same inside quotes, where line ends would be read as spaces.
fn attribute(text: &str) -> String {
    escaped(text).replace('\n', "&#10;").replace('\t', "&#9;")
}
