//! A run with two lanes in each other's place: what a verdict must flip with.

use scenarios::Lane;

use crate::run::Run;

/// Puts two lanes in each other's place: what was measured on one is said of the other.
pub fn exchange<'a>(places: impl Iterator<Item = &'a mut Lane>, a: &str, b: &str) {
    let (a, b): (Lane, Lane) = (a.parse().unwrap(), b.parse().unwrap());
    for lane in places {
        *lane = match *lane {
            held if held == a => b,
            held if held == b => a,
            other => other,
        };
    }
}

/// The run with two lanes exchanged everywhere.
pub fn exchanged(mut run: Run, a: &str, b: &str) -> Run {
    exchange(run.trials.iter_mut().map(|trial| &mut trial.lane), a, b);
    exchange(run.memory.iter_mut().map(|memory| &mut memory.lane), a, b);
    exchange(run.sweep.iter_mut().map(|point| &mut point.lane), a, b);
    exchange(run.idle.iter_mut().map(|idle| &mut idle.lane), a, b);
    exchange(run.tabs.iter_mut().map(|tabs| &mut tabs.lane), a, b);
    exchange(run.outages.iter_mut().map(|outage| &mut outage.lane), a, b);
    for outage in &mut run.outages {
        outage.own_policy = outage.policy.on(outage.lane.transport).unwrap_or(outage.own_policy);
    }
    run
}
