//! One document of the published schema `results/schema/judged.schema.json`.
//!
//! JSON knows no infinity: a number without bound (a ratio to 0) is left out. `##[`, which a CI runner obeys
//! anywhere in a line of its log, stands escaped; readers of JSON get it back.

use super::{Finding, Judged};

/// Writes it.
pub fn write(judged: &Judged) -> String {
    let bounded = |value: Option<f64>| value.filter(|value| value.is_finite());
    let finding = |finding: &Finding| Finding {
        reference: bounded(finding.reference),
        value: bounded(finding.value),
        ratio: bounded(finding.ratio),
        interval: finding.interval.filter(|ends| ends.iter().all(|end| end.is_finite())),
        ..finding.clone()
    };
    let judged = Judged { findings: judged.findings.iter().map(finding).collect(), ..judged.clone() };
    let text = serde_json::to_string_pretty(&judged).expect("finite numbers and strings are JSON");
    text.replace("##[", "#\\u0023[") + "\n"
}
