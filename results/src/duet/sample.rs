//! Made-up sessions for tests: noise that is seeded, alike on both sides or not, with an effect of one's own.

use scenarios::Scenario;
use scenarios::seed::SplitMix;

use super::{Block, Counts, DUET_SCHEMA, Duet, Pair, Part, Session};
use crate::run::{Environment, Ledger};

/// Draws normal numbers (Box and Muller).
pub fn normal(draw: &mut SplitMix) -> f64 {
    let radius = (-2.0 * draw.unit().ln()).sqrt();
    radius * (std::f64::consts::TAU * draw.unit()).cos()
}

/// One lane whose B costs `effect` times as much server CPU, with this noise.
pub fn part(seed: u64, pairs: usize, effect: f64, noise: f64) -> Part {
    let mut draw = SplitMix::new(seed, 5);
    let mut block = |factor: f64| {
        let mut noisy = |level: f64| (level * (noise * normal(&mut draw)).exp()) as u64;
        Block {
            deliveries: 10_000,
            server_cpu_ns: noisy(70e6 * factor),
            client_cpu_ns: noisy(40e6),
            latency_sum_ns: noisy(30e9),
            undrained: false,
        }
    };
    let pair = |index: usize| Pair {
        start_ns: index as u64 * 1_120_000_000,
        b_first: index % 4 == 1 || index % 4 == 2,
        a: block(1.0),
        b: block(effect),
    };
    let pairs: Vec<Pair> = (0..pairs).map(pair).collect();
    let delivered = pairs.len() as u64 * 10_000;
    let counts = Counts {
        ledger: Ledger { expected: delivered, delivered, ..Ledger::default() },
        bytes: delivered * 226,
    };
    Part { lane: "sse-h1".parse().unwrap(), pairs, counts: [counts; 2] }
}

pub fn session(seed: u64, pairs: usize, effect: f64, noise: f64) -> Session {
    Session { seed, lanes: vec![part(seed, pairs, effect, noise)], invalid: Vec::new(), notes: Vec::new() }
}

pub fn duet(sessions: Vec<Session>) -> Duet {
    Duet {
        schema: DUET_SCHEMA,
        started: "2026-01-01T00:00:00Z".into(),
        command: vec!["loadgen".into(), "duet".into()],
        a: "rev:main".into(),
        b: "this program".into(),
        inject: None,
        scenario: Scenario::load("ticker", &[]).unwrap().1,
        environment: Environment::default(),
        planned_pairs: 120,
        sessions,
    }
}
