//! The common claims over all runs of a survey: each run judges by its own numbers, and runs that
//! disagree make a claim depend on the workload.

use super::Survey;
use crate::claims::{self, Claim, Judged, Verdict};

/// A claim with what the whole survey says about it.
pub struct Found {
    /// The claim with the joint verdict.
    pub judged: Judged,
    /// The run whose numbers are told, where one measured it.
    pub told_by: Option<String>,
    /// `(run, verdict)` of every run that measured it.
    pub votes: Vec<(String, Verdict)>,
}

/// The claims that bytes and connections decide, all that a quick survey judges.
const QUICK: [u8; 3] = [2, 4, 7];

/// All claims in their order.
#[must_use]
pub fn judge(survey: &Survey) -> Vec<Found> {
    let judged: Vec<(&str, Vec<Judged>)> =
        survey.runs().map(|(name, run)| (name, claims::judge(run))).collect();
    let told = |claim: &Claim| !survey.is_quick() || QUICK.contains(&claim.number);
    claims::ALL.iter().map(|claim| joined(claim, if told(claim) { &judged } else { &[] })).collect()
}

fn joined(claim: &'static Claim, judged: &[(&str, Vec<Judged>)]) -> Found {
    let own = judged.iter().filter_map(|(name, all)| {
        all.iter().find(|one| one.claim.number == claim.number).map(|one| (*name, one))
    });
    let (measured, missing): (Vec<_>, Vec<_>) = own.partition(|(_, one)| one.is_measured());
    let votes: Vec<(String, Verdict)> =
        measured.iter().map(|(name, one)| ((*name).to_owned(), one.verdict.clone())).collect();
    let verdict = verdict(&votes);
    // The numbers that are told are those of the first run with this verdict.
    let told = measured.iter().find(|(_, one)| one.verdict.word() == verdict.word()).or(measured.first());
    let finding = told.map(|(_, one)| *one).or(missing.first().map(|(_, one)| *one));
    let finding = finding.map_or_else(String::new, |one| one.finding.clone());
    let told_by = told.map(|(name, _)| (*name).to_owned());
    Found { judged: Judged { claim, verdict, finding }, told_by, votes }
}

/// One verdict of several runs: for and against make it depend on the workload, and what one run left
/// open another may decide.
fn verdict(votes: &[(String, Verdict)]) -> Verdict {
    let names = |word: &str| {
        let of = votes.iter().filter(|(_, verdict)| verdict.word() == word);
        of.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let (pro, contra) = (names(Verdict::Supported.word()), names(Verdict::Refuted.word()));
    if !pro.is_empty() && !contra.is_empty() {
        return Verdict::Depends(format!("the workload (supported by {pro}; refuted by {contra})"));
    }
    let first = |wanted: fn(&Verdict) -> bool| votes.iter().map(|vote| &vote.1).find(|one| wanted(one));
    first(|one| matches!(one, Verdict::Depends(_)))
        .or_else(|| first(|one| matches!(one, Verdict::Supported | Verdict::Refuted)))
        .or_else(|| first(|_| true))
        .cloned()
        .unwrap_or(Verdict::NotMeasured)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn votes(verdicts: &[Verdict]) -> Vec<(String, Verdict)> {
        verdicts.iter().enumerate().map(|(at, one)| (format!("run{at}"), one.clone())).collect()
    }

    #[test]
    fn what_runs_say_together() {
        use Verdict::{Depends, Inconclusive, NotMeasured, Refuted, Supported};
        let (depends, open) = (Depends("size".into()), Inconclusive("p99".into()));
        let cases = [
            (vec![], NotMeasured),
            (vec![Supported, Supported], Supported),
            (vec![open.clone(), Refuted], Refuted),
            (vec![open.clone()], open.clone()),
            (vec![Supported, depends.clone()], depends.clone()),
            (
                vec![Supported, open, Refuted],
                Depends("the workload (supported by run0; refuted by run2)".into()),
            ),
        ];
        for (given, expected) in cases {
            assert_eq!(verdict(&votes(&given)), expected);
        }
    }
}
