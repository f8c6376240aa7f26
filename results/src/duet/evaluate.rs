//! How often the gate errs on one machine: recorded sessions, resampled, and judged as the gate would judge them.
//!
//! One resampled evaluation draws a session and, if that is suspicious, another one to confirm it. Of a session it draws
//! stretches of [`BATCHES`] neighbouring pairs with replacement, until it has as many as the gate measures: so what makes
//! neighbours alike, and what a start of processes adds to all its pairs, stays as it was. Between sessions without an effect the
//! sides are exchanged at random. What this cannot show is a start unlike all that were recorded.

use std::fmt::Write as _;

use scenarios::seed::SplitMix;

use super::{
    BATCHES, Block, Decision, Duet, HEADLINE, Pair, Part, Session, confirmed, is_clear, is_regression,
    is_settled, play,
};
use crate::stats::Judgement;

/// Fixed, so that the same sessions give the same rates.
const SEED: u64 = 0x0005_E551;

/// Effects on the server's CPU that are tried on sessions without one.
const EFFECTS: [f64; 9] = [0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.10, 0.15, 0.20];

/// Share of evaluations that have to find an effect for it to count as detectable.
const DETECTED: f64 = 0.90;

/// Confidence of the bounds on rates.
const BOUND: f64 = 0.95;

/// What came of a number of evaluations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Evaluations.
    pub of: u64,
    /// Those whose first session was suspicious of anything.
    pub suspicious: u64,
    /// Those that would have failed a build: B worse in two sessions.
    pub failed: u64,
}

/// Sessions of one kind: without an effect, or with the same one.
struct Group<'a> {
    inject: Option<&'a str>,
    sessions: Vec<&'a Session>,
}

/// Judges recorded duets of one machine, `evaluations` times each kind, as sessions of `planned` pairs; text for people.
///
/// # Errors
/// There are too few sessions without an effect, or they are of different lanes.
pub fn evaluate(duets: &[Duet], planned: usize, evaluations: u64) -> Result<String, String> {
    let groups = groups(duets)?;
    let mut out = String::new();
    let invalid = duets.iter().flat_map(|duet| &duet.sessions).filter(|one| !one.invalid.is_empty()).count();
    let infallible = "a String takes all";
    for group in &groups {
        let said = match group.inject {
            None => without(group, planned, evaluations),
            Some(how) => with(group, how, planned, evaluations),
        };
        out.push_str(&said);
    }
    if invalid > 0 {
        writeln!(out, "left out: {invalid} sessions that were invalid").expect(infallible);
    }
    writeln!(
        out,
        "An evaluation draws a session, and another to confirm what it suspects; of each it draws stretches of {BATCHES} neighbouring pairs, with replacement, \
         until it has {planned} pairs a lane, and judges them at the looks of the gate. Rates are those of this machine while it was recorded, and rest on as many \
         starts of processes as there are sessions."
    )
    .expect(infallible);
    Ok(out)
}

/// Sessions by how B was made worse, those without first.
fn groups(duets: &[Duet]) -> Result<Vec<Group<'_>>, String> {
    let mut groups: Vec<Group<'_>> = vec![Group { inject: None, sessions: Vec::new() }];
    for duet in duets {
        if duet.a != duet.b {
            return Err(format!(
                "it holds a duet of `{}` and `{}`; evaluate those of one build against itself",
                duet.a, duet.b
            ));
        }
        let inject = duet.inject.as_deref();
        let valid = duet.sessions.iter().filter(|session| session.invalid.is_empty());
        match groups.iter_mut().find(|group| group.inject == inject) {
            Some(group) => group.sessions.extend(valid),
            None => groups.push(Group { inject, sessions: valid.collect() }),
        }
    }
    let lanes = |session: &Session| session.lanes.iter().map(|part| part.lane).collect::<Vec<_>>();
    let all = || groups.iter().flat_map(|group| &group.sessions);
    let first = all().next().map(|session| lanes(session)).unwrap_or_default();
    if all().any(|session| lanes(session) != first) {
        return Err("its sessions are of different lanes; evaluate those of the same lanes".into());
    }
    if let Some(short) = all().flat_map(|session| &session.lanes).find(|part| part.pairs.len() < BATCHES) {
        return Err(format!(
            "a session has {} pairs of {}, at least {BATCHES} are needed",
            short.pairs.len(),
            short.lane
        ));
    }
    if groups[0].sessions.len() < 2 {
        return Err(format!(
            "it holds {} valid sessions of a build against itself, at least 2 are needed; record them with `loadgen duet --aa --record -o FOLDER/NAME`",
            groups[0].sessions.len()
        ));
    }
    Ok(groups)
}

fn without(group: &Group<'_>, planned: usize, evaluations: u64) -> String {
    let infallible = "a String takes all";
    let mut out = String::new();
    let sessions = group.sessions.len() as u64;
    let suspicious = group.sessions.iter().filter(|session| is_suspicious(session, planned)).count();
    writeln!(
        out,
        "A against itself: {sessions} real sessions, {suspicious} of them suspicious as they were measured"
    )
    .expect(infallible);
    let tally = resampled(group, planned, evaluations, 0.0);
    writeln!(
        out,
        "  {} resampled evaluations: {} suspicious first sessions, {} false alarms, which bounds the rate at {} ({:.0} %)",
        tally.of,
        tally.suspicious,
        tally.failed,
        percent(bound(tally.failed, tally.of)),
        BOUND * 100.0
    )
    .expect(infallible);
    writeln!(out, "  server CPU of B raised in these sessions by calculation, found in so many of {evaluations} evaluations:").expect(infallible);
    let found: Vec<(f64, u64)> = EFFECTS
        .iter()
        .map(|effect| (*effect, resampled(group, planned, evaluations, *effect).failed))
        .collect();
    for (effect, count) in &found {
        writeln!(out, "    +{:>2.0} %  {count}", effect * 100.0).expect(infallible);
    }
    let enough = |count: u64| count as f64 >= DETECTED * evaluations as f64;
    let misses = found.iter().rposition(|(_, count)| !enough(*count)).map_or(0, |last| last + 1);
    let detectable =
        found.get(misses).map_or("above 20 %".to_owned(), |(effect, _)| format!("+{:.0} %", effect * 100.0));
    writeln!(out, "  detectable effect (found in {:.0} % of evaluations): {detectable}", DETECTED * 100.0)
        .expect(infallible);
    out
}

fn with(group: &Group<'_>, how: &str, planned: usize, evaluations: u64) -> String {
    let infallible = "a String takes all";
    let mut out = String::new();
    let sessions = &group.sessions;
    let exact = sessions.iter().filter(|session| is_regression(session)).count();
    let first = sessions.iter().filter(|session| finds(session, planned)).count();
    let beside = |at: usize| sessions[(at + 1) % sessions.len()];
    let confirmed = (0..sessions.len())
        .filter(|at| sessions.len() > 1 && fails(sessions[*at], || beside(*at).clone(), planned).1);
    writeln!(
        out,
        "B made worse by {how}: of {} real sessions as they were measured {first} suspect B of being worse, {} with the next one to confirm it, {exact} by exact counts",
        sessions.len(),
        confirmed.count()
    )
    .expect(infallible);
    for (lane, part) in sessions.first().map_or(&[][..], |session| &session.lanes).iter().enumerate() {
        for measure in &HEADLINE {
            let ratio = |session: &&Session| {
                let logs = session.lanes[lane].logs(measure, usize::MAX);
                super::estimate(&logs, super::ALPHA).map(|estimate| estimate.log.exp())
            };
            let mut ratios: Vec<f64> = sessions.iter().filter_map(ratio).collect();
            ratios.sort_by(f64::total_cmp);
            if let (Some(least), Some(most)) = (ratios.first(), ratios.last()) {
                writeln!(out, "  {} {}: B/A {least:.3} to {most:.3} over sessions", part.lane, measure.name)
                    .expect(infallible);
            }
        }
    }
    if sessions.len() > 1 {
        let tally = resampled(group, planned, evaluations, 0.0);
        writeln!(out, "  {} resampled evaluations: {} failed B", tally.of, tally.failed).expect(infallible);
    }
    out
}

fn is_suspicious(session: &Session, planned: usize) -> bool {
    let whole = planned.min(session.lanes.iter().map(|part| part.pairs.len()).min().unwrap_or(0));
    play(session, whole, is_clear, |_, _| true)
        .is_some_and(|played| played.decisions.iter().any(Decision::is_suspicion))
}

/// Whether a session suspects B of being worse in anything.
fn finds(session: &Session, planned: usize) -> bool {
    let whole = planned.min(session.lanes.iter().map(|part| part.pairs.len()).min().unwrap_or(0));
    play(session, whole, is_clear, |_, _| true)
        .is_some_and(|played| played.decisions.iter().any(|one| one.judgement == Judgement::Worse))
}

/// Whether a first session is suspicious, and whether a second one then fails the build.
fn fails(first: &Session, second: impl FnOnce() -> Session, planned: usize) -> (bool, bool) {
    let Some(played) = play(first, planned.min(least(first)), is_clear, |_, _| true) else {
        return (false, false);
    };
    if !played.decisions.iter().any(Decision::is_suspicion) {
        return (false, false);
    }
    let suspects = |lane: usize, measure: usize| {
        played.decisions.iter().any(|one| (one.lane, one.measure) == (lane, measure) && one.is_suspicion())
    };
    let second = second();
    let again = play(&second, planned.min(least(&second)), is_settled, suspects);
    let worse = |one: &Decision| confirmed(one, again.as_ref()) == Judgement::Worse;
    (true, played.decisions.iter().any(worse))
}

fn least(session: &Session) -> usize {
    session.lanes.iter().map(|part| part.pairs.len()).min().unwrap_or(0)
}

/// Evaluations of resampled sessions, with the server's CPU of B raised by a share.
fn resampled(group: &Group<'_>, planned: usize, evaluations: u64, effect: f64) -> Tally {
    let mut draw = SplitMix::new(SEED, evaluations);
    let sessions = group.sessions.len() as u64;
    let pick =
        |draw: &mut SplitMix, below: u64| usize::try_from(draw.below(below)).expect("sessions are few");
    let mut tally = Tally { of: evaluations, ..Tally::default() };
    for _ in 0..evaluations {
        let first = pick(&mut draw, sessions);
        // Another one than the first: a second start of processes.
        let second = (first + 1 + pick(&mut draw, sessions - 1)) % group.sessions.len();
        let mut drawn = |index: usize| {
            let session = resample(group.sessions[index], planned, &mut draw);
            let exchanged = group.inject.is_none() && draw.below(2) == 1;
            raised(if exchanged { session.swapped() } else { session }, effect)
        };
        let (one, other) = (drawn(first), drawn(second));
        let (suspicious, failed) = fails(&one, || other, planned);
        tally.suspicious += u64::from(suspicious);
        tally.failed += u64::from(failed);
    }
    tally
}

/// Stretches of a session, with replacement and the same ones on all lanes, until it has so many pairs.
fn resample(session: &Session, planned: usize, draw: &mut SplitMix) -> Session {
    let held = least(session);
    // From an even pair on, so that the order of the sides stays balanced.
    let starts = ((held - BATCHES) / 2 + 1) as u64;
    let starts: Vec<usize> = (0..planned.div_ceil(BATCHES))
        .map(|_| 2 * usize::try_from(draw.below(starts)).expect("an index of a session"))
        .collect();
    let part = |part: &Part| {
        let pairs = starts.iter().flat_map(|start| &part.pairs[*start..start + BATCHES]).take(planned);
        Part { pairs: pairs.copied().collect::<Vec<Pair>>(), ..part.clone() }
    };
    Session { lanes: session.lanes.iter().map(part).collect(), ..session.clone() }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "nanoseconds of a block")]
fn raised(mut session: Session, effect: f64) -> Session {
    let blocks = session.lanes.iter_mut().flat_map(|part| &mut part.pairs).map(|pair| &mut pair.b);
    for Block { server_cpu_ns, .. } in blocks {
        *server_cpu_ns = (*server_cpu_ns as f64 * (1.0 + effect)).round() as u64;
    }
    session
}

/// The upper end of what a rate may be that showed `count` times in `of` (Clopper and Pearson, one-sided); for none it is
/// about three divided by `of`.
#[must_use]
pub fn bound(count: u64, of: u64) -> f64 {
    if count >= of {
        return 1.0;
    }
    // Chance of at most `count`, summed from its logarithms.
    let at_most = |rate: f64| -> f64 {
        let mut log = of as f64 * (-rate).ln_1p();
        let mut sum = log.exp();
        for k in 1..=count {
            log += ((of - k + 1) as f64 / k as f64).ln() + rate.ln() - (-rate).ln_1p();
            sum += log.exp();
        }
        sum
    };
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if at_most(middle) > 1.0 - BOUND { low = middle } else { high = middle }
    }
    high
}

fn percent(rate: f64) -> String {
    format!("{:.1} %", rate * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duet::sample::{duet, session};

    fn recorded(seeds: std::ops::Range<u64>, effect: f64, inject: Option<&str>) -> Vec<Duet> {
        let one = |seed| Duet {
            inject: inject.map(str::to_owned),
            b: "rev:main".into(),
            ..duet(vec![session(seed, 60, effect, 0.05)])
        };
        seeds.map(one).collect()
    }

    #[test]
    fn the_rule_of_three_and_its_kin() {
        assert!((bound(0, 300) - (1.0 - 0.05f64.powf(1.0 / 300.0))).abs() < 1e-9);
        assert_eq!(percent(bound(0, 300)), "1.0 %");
        // scipy.stats.beta.ppf(0.95, 3, 10) and (0.95, 1, 12).
        assert!((bound(2, 12) - 0.438_105_435_1).abs() < 1e-9, "{}", bound(2, 12));
        assert!((bound(0, 12) - 0.220_922_191_9).abs() < 1e-9, "{}", bound(0, 12));
        assert!((bound(12, 12) - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn known_sessions_have_known_rates() {
        let all = [recorded(0..6, 1.0, None), recorded(10..14, 1.12, Some("cpu=12%"))].concat();
        let said = evaluate(&all, 120, 60).unwrap();
        insta::assert_snapshot!(said);
    }

    #[test]
    fn a_calculated_effect_is_found_as_a_real_one_is() {
        let all = recorded(0..4, 1.0, None);
        let group = &groups(&all).unwrap()[0];
        assert_eq!(resampled(group, 120, 40, 0.0).failed, 0);
        assert_eq!(resampled(group, 120, 40, 0.15).failed, 40);
    }

    #[test]
    fn resampling_keeps_neighbours_and_the_order_of_the_sides() {
        let whole = session(3, 60, 1.0, 0.1);
        let drawn = resample(&whole, 120, &mut SplitMix::new(1, 1));
        let pairs = &drawn.lanes[0].pairs;
        assert_eq!(pairs.len(), 120);
        for stretch in pairs.chunks(BATCHES) {
            let first = whole.lanes[0].pairs.iter().position(|pair| pair == &stretch[0]).unwrap();
            assert_eq!((first % 2, stretch), (0, &whole.lanes[0].pairs[first..first + BATCHES]));
            assert_eq!(stretch.iter().filter(|pair| pair.b_first).count(), BATCHES / 2);
        }
    }

    #[test]
    fn what_cannot_be_evaluated_is_said() {
        let refused = |duets: &[Duet]| evaluate(duets, 120, 10).unwrap_err();
        assert!(refused(&recorded(0..1, 1.0, None)).contains("1 valid sessions"));
        assert!(refused(&recorded(0..3, 1.1, Some("cpu=10%"))).contains("0 valid sessions"));
        assert!(refused(&[duet(vec![session(1, 60, 1.0, 0.1)])]).contains("a duet of `rev:main` and"));
        let same = |session| Duet { b: "rev:main".into(), ..duet(vec![session]) };
        let short = vec![same(session(1, 6, 1.0, 0.1)); 2];
        assert!(refused(&short).contains("6 pairs"));
        let mut other = recorded(0..2, 1.0, None);
        other[1].sessions[0].lanes[0].lane = "ws-h1".parse().unwrap();
        assert!(refused(&other).contains("different lanes"));
    }
}
