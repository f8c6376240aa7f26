//! The instrument's own tests, with real processes: a known stall shows at its known size, each
//! planted fault is counted as exactly one, an overloaded generator is called so, and a lane
//! against itself is no different.
//!
//! One after the other, because they measure; and a program of its own instead of libtest's, because
//! workers are this very program started again, as they are in `loadgen`.

#![expect(clippy::unwrap_used, reason = "these are tests, only without libtest's attribute")]

mod overload;
mod planted;
mod stall;
mod twins;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("host") => servers::host::run().expect("the host serves"),
        Some("fleet") => loadgen::fleet::run().expect("the fleet subscribes"),
        _ => return tests(),
    }
    ExitCode::SUCCESS
}

fn tests() -> ExitCode {
    let all: [(&str, fn()); 6] = [
        ("a_stalled_server_shows_in_the_tail", stall::a_stalled_server_shows_in_the_tail),
        ("a_stalled_server_shows_in_the_round_trip", stall::a_stalled_server_shows_in_the_round_trip),
        ("every_planted_fault_is_counted_once", planted::every_planted_fault_is_counted_once),
        ("an_overloaded_generator_is_invalid", overload::an_overloaded_generator_is_invalid),
        ("what_an_overloaded_server_drops_is_counted", overload::what_an_overloaded_server_drops_is_counted),
        ("a_lane_against_itself_is_the_same", twins::a_lane_against_itself_is_the_same),
    ];
    let trials = all.map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}
