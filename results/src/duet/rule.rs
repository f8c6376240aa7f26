//! When a session may stop, and what may be said then.
//!
//! A session is looked at four times. Each look spends its part of 1 %, so that the intervals of all looks together
//! miss a ratio with a chance of at most 1 %, whatever depends on what (Bonferroni): looking early costs width, never
//! truth. Holm shares a look's part among the numbers that are judged. What one session finds is a suspicion only; a
//! second one with fresh processes has to find it too (METHOD M22).

use super::interval::{BATCHES, Estimate, estimate};
use super::{HEADLINE, Session};
use crate::stats::{Judgement, MARGIN};

/// Chance that any interval of a session misses.
pub const ALPHA: f64 = 0.01;

/// Looks, as shares of the planned pairs, and what each spends of [`ALPHA`]: little while there is little to see.
const LOOKS: [(f64, f64); 4] = [(0.4, 0.02), (0.6, 0.08), (0.8, 0.20), (1.0, 0.70)];

/// One look at a session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Pairs of each lane that are seen.
    pub pairs: usize,
    /// What it spends.
    pub alpha: f64,
}

/// The looks at a session of so many pairs a lane. Whole stretches are seen each time; looks that fall together spend
/// together.
#[must_use]
pub fn looks(pairs: usize) -> Vec<Look> {
    let mut looks: Vec<Look> = Vec::new();
    for (share, spent) in LOOKS {
        let seen = ((pairs as f64 * share / BATCHES as f64).ceil() as usize * BATCHES).min(pairs);
        let alpha = ALPHA * spent;
        match looks.last_mut().filter(|last| last.pairs == seen) {
            Some(last) => last.alpha += alpha,
            None => looks.push(Look { pairs: seen, alpha }),
        }
    }
    looks
}

/// What a session says about one headline metric of one lane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// The lane's place in the session.
    pub lane: usize,
    /// The metric's place in [`HEADLINE`].
    pub measure: usize,
    /// The ratio with its interval, as logarithms; nothing where there were too few pairs.
    pub estimate: Option<Estimate>,
    /// What may be said.
    pub judgement: Judgement,
}

impl Decision {
    /// Whether it says that the sides differ.
    #[must_use]
    pub const fn is_suspicion(&self) -> bool {
        matches!(self.judgement, Judgement::Better | Judgement::Worse)
    }
}

/// What a session says at a look about the numbers that are `asked` for, by lane and metric.
#[must_use]
pub fn decide(session: &Session, look: Look, asked: impl Fn(usize, usize) -> bool) -> Vec<Decision> {
    let places = (0..session.lanes.len()).flat_map(|lane| (0..HEADLINE.len()).map(move |m| (lane, m)));
    let mut decisions: Vec<Decision> = places
        .filter(|(lane, measure)| asked(*lane, *measure))
        .map(|(lane, measure)| {
            let logs = session.lanes[lane].logs(&HEADLINE[measure], look.pairs);
            let estimate = estimate(&logs, look.alpha);
            Decision { lane, measure, estimate, judgement: Judgement::Inconclusive }
        })
        .collect();
    let mut ps: Vec<f64> = decisions.iter().filter_map(|one| Some(one.estimate?.p)).collect();
    ps.sort_by(f64::total_cmp);
    let tests = ps.len();
    let standing = ps.iter().enumerate().take_while(|(i, p)| **p <= look.alpha / (tests - i) as f64).count();
    let largest = standing.checked_sub(1).map_or(-1.0, |last| ps[last]);
    for one in &mut decisions {
        if let Some(estimate) = one.estimate {
            one.judgement = judge(estimate, estimate.p <= largest);
        }
    }
    decisions
}

/// All headline metrics are such that less is better.
fn judge(Estimate { log, half, .. }: Estimate, stands: bool) -> Judgement {
    let margin = MARGIN.ln_1p();
    match log {
        log if stands && log > margin => Judgement::Worse,
        log if stands && log < -margin => Judgement::Better,
        log if log + half <= margin && log - half >= -margin => Judgement::Same,
        _ => Judgement::Inconclusive,
    }
}

/// Whether a first session has nothing more to tell: something differs, or nothing does.
#[must_use]
pub fn is_clear(decisions: &[Decision]) -> bool {
    decisions.iter().any(Decision::is_suspicion) || is_settled(decisions)
}

/// Whether everything that was asked has an answer.
#[must_use]
pub fn is_settled(decisions: &[Decision]) -> bool {
    decisions.iter().all(|one| one.judgement != Judgement::Inconclusive)
}

/// What was found, and after how many pairs.
#[derive(Clone, Debug, PartialEq)]
pub struct Played {
    /// By lane and metric.
    pub decisions: Vec<Decision>,
    /// The look at which it stopped.
    pub look: Look,
}

/// Looks at a session as it would have been looked at while it went on. It was planned for `planned` pairs a lane and
/// may hold fewer, if it was stopped.
#[must_use]
pub fn play(
    session: &Session,
    planned: usize,
    stop: fn(&[Decision]) -> bool,
    asked: impl Fn(usize, usize) -> bool,
) -> Option<Played> {
    let held = session.lanes.iter().map(|lane| lane.pairs.len()).min().unwrap_or(0);
    let mut last = None;
    for look in looks(planned).into_iter().filter(|look| look.pairs <= held) {
        let decisions = decide(session, look, &asked);
        let ends = stop(&decisions);
        last = Some(Played { decisions, look });
        if ends {
            break;
        }
    }
    last
}

/// The verdict on a number: a difference counts only if the second session found the same.
#[must_use]
pub fn confirmed(first: &Decision, second: Option<&Played>) -> Judgement {
    if !first.is_suspicion() {
        return first.judgement;
    }
    let again = second.and_then(|played| {
        played.decisions.iter().find(|one| (one.lane, one.measure) == (first.lane, first.measure))
    });
    match again {
        Some(again) if again.judgement == first.judgement => first.judgement,
        Some(_) | None => Judgement::Inconclusive,
    }
}

#[cfg(test)]
mod tests;
