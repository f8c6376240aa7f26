//! Sweeps of rate and of size with real servers: which steps are taken, and what is said of those that do not drain.

use results::run::Step;
use results::steps::places;

use super::{machine, ran};

/// The last events of a lane that holds them back never come, so none of its steps drains: no CPU is told of them,
/// and the lane is not pushed further. Gaps are long, so that the other lane drains on any machine.
#[test]
fn a_step_that_did_not_drain_has_no_cpu_and_none_follows_it() {
    let _machine = machine();
    let lanes = "--lanes sse-h1,sse-h1+gzip-buffered";
    let run =
        ran(&format!("-c 20 -r 40 -d 500ms {lanes} --set gap=2s --set block=500ms --set rates=[20,40]"));
    let [flushed, buffered] = run.scenario.lanes[..] else { panic!("two lanes") };
    let of = |lane| run.steps.iter().filter(move |step| step.lane == lane).collect::<Vec<&Step>>();
    let rates: Vec<(f64, u64, bool)> =
        of(flushed).iter().map(|step| (step.rate, step.delivered, step.undrained)).collect();
    assert_eq!(rates, [(20.0, 20 * 10, false), (40.0, 20 * 20, false)]);
    assert!(places(&run, flushed).iter().all(|place| place.cpu_us().is_some()));
    let rates: Vec<(f64, u64, bool)> =
        of(buffered).iter().map(|step| (step.rate, step.delivered, step.undrained)).collect();
    assert_eq!(rates, [(20.0, 0, true)]);
    assert_eq!(places(&run, buffered)[0].cpu_us(), None);
    assert_eq!(of(buffered)[0].expected, 20 * 10);
}
