//! The section of claims: those with a verdict first, linked to the charts that show them, then what
//! was not measured and the experiment it needs.
//!
//! Apart from the page, because a claim is neither a number nor a detail.

use minijinja::{Value as Slot, context};

use crate::charts::Figure;
use crate::claims::{Judged, Verdict, judge};
use crate::run::Run;
use crate::summary::{Standing, standing};

/// Claims with a verdict and without, and how far to trust them.
pub fn of(run: &Run, figures: &[(Figure, String)]) -> Slot {
    let (judged, rest): (Vec<Judged>, Vec<Judged>) = judge(run).into_iter().partition(Judged::is_measured);
    context! {
        judged => judged.iter().map(|judged| verdict(judged, figures)).collect::<Vec<_>>(),
        rest => rest.iter().map(lacking).collect::<Vec<_>>(),
        caution => caution(run),
    }
}

fn verdict(judged: &Judged, figures: &[(Figure, String)]) -> Slot {
    let claim = judged.claim;
    let drawn = |name: &&str| figures.iter().map(|(figure, _)| figure).find(|figure| figure.name == *name);
    let links = claim.charts.iter().filter_map(drawn);
    let links = links.map(|figure| context! { name => figure.name, question => figure.question });
    context! {
        number => claim.number, said => claim.said, proposition => claim.proposition, limits => claim.limits,
        word => judged.verdict.word().to_uppercase(), tone => tone(&judged.verdict),
        reason => judged.reason(), links => links.collect::<Vec<_>>(),
    }
}

fn lacking(judged: &Judged) -> Slot {
    let claim = judged.claim;
    context! { number => claim.number, said => claim.said, experiment => claim.experiment, why => &judged.finding }
}

const fn tone(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Supported => "supported",
        Verdict::Refuted => "refuted",
        Verdict::Depends(_) => "depends",
        Verdict::Inconclusive(_) | Verdict::NotMeasured => "open",
    }
}

fn caution(run: &Run) -> &'static str {
    match standing(run) {
        Standing::Valid => "",
        Standing::Doubtful => {
            "Doubts were raised while measuring: read the warnings before you rely on a verdict."
        }
        Standing::Partial => "Repetitions are missing: the verdicts rest on less than was planned.",
        Standing::Invalid => "The run is invalid, so no claim is judged from it.",
    }
}
