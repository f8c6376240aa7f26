//! The rule on made-up sessions: whom it fails, and, simulated on machines that drift, how often it errs. Apart for its
//! length.

use super::*;
use crate::duet::sample::{normal, session};
use crate::duet::{Block, Pair};
use scenarios::seed::SplitMix;

#[test]
fn looks_see_whole_stretches_and_spend_one_percent() {
    for pairs in [12, 24, 48, 60, 120, 240, 500] {
        let looks = looks(pairs);
        let spent: f64 = looks.iter().map(|look| look.alpha).sum();
        assert!((spent - ALPHA).abs() < 1e-12 && looks.last().unwrap().pairs == pairs);
        assert!(looks.windows(2).all(|two| two[0].pairs < two[1].pairs));
    }
    assert_eq!(looks(120).iter().map(|look| look.pairs).collect::<Vec<_>>(), [48, 72, 96, 120]);
}

fn judgements(session: &Session) -> Vec<Judgement> {
    play(session, 120, is_clear, |_, _| true).unwrap().decisions.iter().map(|one| one.judgement).collect()
}

#[test]
fn a_clear_answer_ends_a_session_early() {
    let alike = session(1, 120, 1.0, 0.01);
    assert_eq!(judgements(&alike), [Judgement::Same; 3]);
    assert_eq!(play(&alike, 120, is_clear, |_, _| true).unwrap().look.pairs, 48);
    let worse = session(2, 120, 1.2, 0.05);
    assert_eq!(judgements(&worse)[0], Judgement::Worse);
    let noisy = session(3, 120, 1.0, 0.5);
    assert_eq!(judgements(&noisy), [Judgement::Inconclusive; 3]);
    assert_eq!(play(&noisy, 120, is_clear, |_, _| true).unwrap().look.pairs, 120);
}

#[test]
fn what_is_real_but_small_is_no_regression() {
    let small = session(4, 120, 1.02, 0.005);
    assert_eq!(judgements(&small)[0], Judgement::Same);
}

#[test]
fn a_session_that_was_stopped_plays_as_it_did() {
    let whole = session(5, 120, 1.2, 0.05);
    let played = play(&whole, 120, is_clear, |_, _| true).unwrap();
    let mut stopped = whole.clone();
    stopped.lanes[0].pairs.truncate(played.look.pairs);
    assert!(played.look.pairs < 120);
    assert_eq!(play(&stopped, 120, is_clear, |_, _| true), Some(played));
    assert_eq!(play(&session(5, 11, 1.0, 0.1), 120, is_clear, |_, _| true), None);
}

#[test]
fn a_difference_has_to_be_found_twice() {
    let first = play(&session(6, 120, 1.2, 0.05), 120, is_clear, |_, _| true).unwrap();
    let again = |effect| play(&session(7, 120, effect, 0.05), 120, is_settled, |_, measure| measure == 0);
    let decision = &first.decisions[0];
    assert_eq!(confirmed(decision, again(1.2).as_ref()), Judgement::Worse);
    for other in [again(1.0), again(1.0 / 1.2), None] {
        assert_eq!(confirmed(decision, other.as_ref()), Judgement::Inconclusive);
    }
}

#[test]
fn holm_keeps_what_one_test_would_find_from_counting_among_many() {
    let look = Look { pairs: 120, alpha: 0.01 };
    let found = |session: &Session, all: bool| decide(session, look, |_, m| all || m == 0)[0].judgement;
    // The first seed whose p lies between a third of the level and the level.
    let border = (0..5_000).map(|seed| session(seed, 120, 1.04, 0.13)).find(|session| {
        let p = decide(session, look, |_, m| m == 0)[0].estimate.unwrap().p;
        found(session, false) == Judgement::Worse && p > 0.01 / 3.0
    });
    assert_eq!(found(&border.unwrap(), true), Judgement::Inconclusive);
}

/// What makes pairs unlike the textbook: how much one resembles the one before, heavy tails, and what drifts on both
/// sides alike.
#[derive(Clone, Copy, Debug)]
struct World {
    phi: f64,
    heavy: bool,
    drift: f64,
}

const WORLDS: [World; 9] = [
    World { phi: 0.0, heavy: false, drift: 0.0 },
    World { phi: -0.3, heavy: false, drift: 0.0 },
    World { phi: 0.3, heavy: false, drift: 0.5 },
    World { phi: 0.5, heavy: false, drift: 0.0 },
    World { phi: 0.6, heavy: false, drift: 1.0 },
    World { phi: 0.0, heavy: true, drift: 0.5 },
    World { phi: 0.3, heavy: true, drift: 0.0 },
    World { phi: 0.5, heavy: true, drift: 1.0 },
    World { phi: 0.6, heavy: true, drift: 0.0 },
];

impl World {
    /// One innovation: normal, or Student's t of three degrees of freedom.
    fn innovation(self, draw: &mut SplitMix) -> f64 {
        let one = normal(draw);
        let squares: f64 = if self.heavy { (0..3).map(|_| normal(draw).powi(2)).sum() } else { 3.0 };
        one / (squares / 3.0).sqrt()
    }

    /// A session whose true ratio is 1: both levels drift by `drift` (a rise, and a wave of 30 pairs), each pair's
    /// difference resembles the one before.
    fn session(self, seed: u64) -> Session {
        let mut draw = SplitMix::new(seed, 77);
        let mut differs = 0.0;
        (0..50).for_each(|_| differs = self.phi * differs + self.innovation(&mut draw));
        let mut session = session(seed, 120, 1.0, 0.05);
        for (index, pair) in session.lanes[0].pairs.iter_mut().enumerate() {
            differs = self.phi * differs + self.innovation(&mut draw);
            let level = |place: f64| self.drift * (place / 120.0 + (place * 0.2).sin() / 4.0);
            let places = if pair.b_first { [0.5, 0.0] } else { [0.0, 0.5] };
            let cost = |place: f64, own: f64| (70e6 * (level(index as f64 + place) + own).exp()) as u64;
            *pair = Pair {
                a: Block { server_cpu_ns: cost(places[0], 0.0), ..pair.a },
                b: Block { server_cpu_ns: cost(places[1], 0.05 * differs), ..pair.b },
                ..*pair
            };
        }
        session
    }
}

/// How often an interval holds the truth: the one of all pairs, and those of all looks together.
fn covers(world: World, sessions: u64) -> (f64, f64) {
    let (mut once, mut always) = (0u64, 0u64);
    for seed in 0..sessions {
        let session = world.session(seed);
        let holds = |look: Look| {
            let estimate = decide(&session, look, |_, measure| measure == 0)[0].estimate.unwrap();
            estimate.log.abs() <= estimate.half
        };
        once += u64::from(holds(Look { pairs: 120, alpha: ALPHA }));
        always += u64::from(looks(120).into_iter().all(holds));
    }
    (once as f64 / sessions as f64, always as f64 / sessions as f64)
}

fn check_coverage(sessions: u64) {
    for world in WORLDS {
        let (once, always) = covers(world, sessions);
        assert!(once >= 0.97 && always >= 0.97, "{world:?}: {once}, all looks {always}");
        if world.phi <= 0.0 {
            // Independent pairs, and those that differ from their neighbours: what is stated holds to the simulation's
            // own error, and looking four times does not raise it.
            let error = 3.0 * (ALPHA * (1.0 - ALPHA) / sessions as f64).sqrt();
            let least = 1.0 - ALPHA - error;
            assert!(once >= least && always >= least, "{world:?}: {once}, all looks {always}");
        }
    }
}

#[test]
fn a_nominal_99_percent_interval_covers_97_to_100() {
    // A minute with 40000.
    let sessions = std::env::var("COVERAGE_SESSIONS").map_or(2_000, |count| count.parse().unwrap());
    check_coverage(sessions);
}

/// Sessions of alike sides in which any of these looks finds one of the metrics to differ.
fn suspicious(sessions: u64, looks: &[Look], asked: impl Fn(usize, usize) -> bool) -> f64 {
    let found = |session: &Session| {
        looks.iter().any(|look| decide(session, *look, &asked).iter().any(Decision::is_suspicion))
    };
    // So noisy that whatever excludes 1 lies beyond the margin too.
    (0..sessions).filter(|seed| found(&session(*seed, 120, 1.0, 0.2))).count() as f64 / sessions as f64
}

/// Four looks that share 1 % find no more than one look that has it alone; four that have it each would, and are seen to.
#[test]
fn looking_several_times_raises_no_more_false_alarms_than_looking_once() {
    let sessions = 8_000;
    let alone = Look { pairs: 120, alpha: ALPHA };
    let each: Vec<Look> = looks(120).into_iter().map(|look| Look { alpha: ALPHA, ..look }).collect();
    let one = |looks: &[Look]| suspicious(sessions, looks, |_, measure| measure == 0);
    let (once, several, careless) = (one(&[alone]), one(&looks(120)), one(&each));
    let error = 3.0 * (ALPHA / 2.0 / sessions as f64).sqrt();
    assert!(once <= ALPHA && several <= once + error / 2.0, "{once} {several}");
    assert!(careless > once + error, "{once} {careless}");
}

#[test]
fn a_session_is_suspicious_of_all_its_numbers_together_no_more_often_than_stated() {
    let share = suspicious(3_000, &looks(120), |_, _| true);
    assert!(share <= ALPHA, "{share}");
}
