//! The decision report: one page whose first screen says what to choose and how sure that is, and the
//! same in a few lines for a terminal.

use std::path::Path;

use anyhow::Result;
use minijinja::{Value as Slot, context};

use super::advice::{Advice, Certainty, Choice};
use super::claims::{Found, judge};
use super::matrix::{Matrix, REFERENCE, matrices};
use super::needs::{Need, Side};
use super::share;
use super::{Readers, Survey, Workload, advise};
use crate::charts;
use crate::claims::Verdict;
use crate::conclude::{basis, measured, times, trust};
use crate::report::{font, rendered, shown};
use crate::run::{Run, write_atomically};
use crate::stats::{Judgement, MARGIN};
use crate::summary::{Standing, standing};
use crate::value::number;

const TEMPLATE: &str = include_str!("page.html");

/// The curves of a decision, each from the first run that can draw it: chart, and what an architect
/// reads in it.
const CURVES: &[(&str, &str)] = &[
    ("break-even", "Payload size"),
    ("polling", "Event rate, against polling"),
    ("knee", "Event rate, up to the knee"),
    ("latency-percentiles", "Lateness"),
    ("memory", "Connections"),
    ("cpu", "CPU"),
    ("opening", "Opening"),
    ("size-cpu", "CPU by payload size"),
    ("survival", "Connections that drop: who is back when"),
    ("recovery-parts", "Connections that drop: where the time goes"),
    ("herd", "The herd after a restart"),
];

/// Writes `decision.html` into the survey's folder.
///
/// # Errors
/// The folder cannot be written.
pub fn write(survey: &Survey, folder: &Path) -> Result<()> {
    write_atomically(&folder.join("decision.html"), page(survey)?.as_bytes())
}

fn page(survey: &Survey) -> Result<String> {
    let advice = advise(survey, &survey.written.workload);
    let claims = judge(survey);
    let (told, rest): (Vec<&Found>, Vec<&Found>) = claims.iter().partition(|one| one.judged.is_measured());
    rendered(
        TEMPLATE,
        context! {
            font => font(),
            started => &survey.written.started, command => survey.written.command.join(" "),
            depth => &survey.written.depth,
            workload => described(&advice.workload),
            headline => advice.headline(), certainty => advice.certainty(), tone => tone(&advice),
            needs => advice.needs.iter().map(need).collect::<Vec<_>>(),
            notes => notes(&advice.workload, &claims),
            missing => missing(survey),
            reference => REFERENCE, margin => MARGIN * 100.0,
            matrices => matrices(survey).iter().map(matrix).collect::<Vec<_>>(),
            claims => told.iter().map(|found| claim(found)).collect::<Vec<_>>(),
            unmeasured => rest.iter().map(|found| unmeasured(found)).collect::<Vec<_>>(),
            curves => curves(survey),
            runs => survey.runs().map(|(name, run)| run_row(name, run)).collect::<Vec<_>>(),
        },
    )
}

/// The workload in a sentence.
fn described(workload: &Workload) -> String {
    let readers = match workload.readers {
        Readers::Browsers => "pages in browsers",
        Readers::Programs => "programs",
    };
    let upward = match workload.messages() {
        0.0 => String::new(),
        all => {
            format!("; each sends {} messages a second, {} in all", number(workload.upstream), number(all))
        }
    };
    format!(
        "{}: {} events a second of {} bytes to each of {} subscribers ({readers}), {} deliveries a second from one server, \
         pushed downward over HTTP/1.1{}.",
        workload.name,
        number(workload.rate),
        number(workload.payload_bytes.round()),
        number(workload.subscribers as f64),
        number(workload.deliveries().round()),
        upward
    )
}

fn tone(advice: &Advice) -> &'static str {
    match (advice.choice, advice.sure) {
        (Choice::Unknown, _) | (_, Certainty::Unsure) => "bad",
        (_, Certainty::Fairly) => "doubt",
        (_, Certainty::Sure) => "good",
    }
}

fn need(need: &Need) -> Slot {
    let [sse, ws] = need.costs.map(number);
    let (verdict, tone) = match (need.speaks_for, need.effect.judgement) {
        (Some(side), _) => (format!("speaks for {}", side.word()), side_tone(side)),
        (None, Judgement::Better | Judgement::Worse) => ("too small to matter here".to_owned(), ""),
        (None, Judgement::Same) => ("no practical difference".to_owned(), ""),
        (None, Judgement::Inconclusive) => ("left open".to_owned(), "open"),
    };
    context! { name => need.name, unit => need.unit, sse, ws, ratio => times(&need.effect), verdict, tone,
    source => &need.source.0, factor => number(need.source.1) }
}

const fn side_tone(side: Side) -> &'static str {
    match side {
        Side::Sse => "sse",
        Side::Ws => "ws",
    }
}

/// What else bears on the choice: claims about the readers, with what this survey says of each.
fn notes(workload: &Workload, claims: &[Found]) -> Vec<String> {
    let about: &[u8] = match workload.readers {
        Readers::Browsers => &[11, 12, 13, 16],
        Readers::Programs => &[12, 14, 16],
    };
    let of = |number: &u8| claims.iter().find(|found| found.judged.claim.number == *number);
    let note = |found: &Found| {
        let said = found.judged.claim.said;
        match found.judged.is_measured() {
            true => format!("{}: “{said}” {}", found.judged.verdict.word(), found.judged.reason()),
            false => format!("not measured here: “{said}”"),
        }
    };
    about.iter().filter_map(of).map(note).collect()
}

/// Planned runs that are not there, or not whole.
fn missing(survey: &Survey) -> Vec<String> {
    let lacking = survey.cells.iter().filter(|cell| !cell.is_complete());
    lacking.map(|cell| cell.name.clone()).collect()
}

fn matrix(matrix: &Matrix) -> Slot {
    let row = |(name, cells): &(String, Vec<super::matrix::Mark>)| {
        let cells = cells.iter().map(|cell| context! { text => &cell.text, tone => &cell.tone });
        context! { name, cells => cells.collect::<Vec<_>>() }
    };
    context! {
        metric => matrix.metric, question => matrix.question,
        lanes => matrix.lanes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        rows => matrix.rows.iter().map(row).collect::<Vec<_>>(),
    }
}

fn claim(found: &Found) -> Slot {
    let judged = &found.judged;
    let tone = match judged.verdict {
        Verdict::Supported => "supported",
        Verdict::Refuted => "refuted",
        Verdict::Depends(_) => "depends",
        Verdict::Inconclusive(_) | Verdict::NotMeasured => "open",
    };
    let votes: Vec<String> =
        found.votes.iter().map(|(run, verdict)| format!("{run} {}", verdict.word())).collect();
    context! {
        number => judged.claim.number, said => judged.claim.said, proposition => judged.claim.proposition,
        limits => judged.claim.limits, word => judged.verdict.word().to_uppercase(), tone,
        reason => judged.reason(), told_by => &found.told_by, votes => votes.join(", "),
        charts => judged.claim.charts.to_vec(),
    }
}

fn unmeasured(found: &Found) -> Slot {
    let claim = found.judged.claim;
    context! { number => claim.number, said => claim.said, experiment => claim.experiment }
}

fn curves(survey: &Survey) -> Vec<Slot> {
    let valid = || survey.runs().filter(|(_, run)| standing(run) != Standing::Invalid);
    let one = |(name, about): &(&str, &'static str)| {
        let chart = charts::ALL.iter().find(|chart| chart.name == *name)?;
        let (run, figure) = valid().find_map(|(cell, run)| Some((cell, (chart.draw)(run)?)))?;
        Some(context! { about => *about, run, figure => shown(&figure, &charts::svg(&figure)) })
    };
    let shared = share::figure(survey).map(|(run, figure)| {
        context! { about => "Share of messages upward", run, figure => shown(&figure, &charts::svg(&figure)) }
    });
    shared.into_iter().chain(CURVES.iter().filter_map(one)).collect()
}

fn run_row(name: &str, run: &Run) -> Slot {
    let (_, word, why) = trust(run);
    context! { name, about => &run.scenario.about, measured => measured(run), basis => basis(run), word, why }
}

/// The recommendation and the claims for a terminal.
#[must_use]
pub fn text(survey: &Survey) -> String {
    let advice = advise(survey, &survey.written.workload);
    let mut lines = vec![
        described(&advice.workload),
        String::new(),
        advice.headline(),
        advice.certainty(),
        String::new(),
    ];
    lines.extend(advice.needs.iter().map(|need| format!("- {} (run {})", need.sentence(), need.source.0)));
    lines.push("\nCommon claims, judged from these runs".to_owned());
    let told = judge(survey).into_iter().filter(|found| found.judged.is_measured());
    lines.extend(told.map(|found| format!("- {}", found.judged.line())));
    let missing = missing(survey);
    if !missing.is_empty() {
        lines.push(format!("\nNot measured yet: {}", missing.join(", ")));
    }
    lines.join("\n") + "\n"
}
