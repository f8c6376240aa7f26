//! Sweeps of rate and of payload size: the steps of a lane at one place, and where it no longer keeps up.

use scenarios::Lane;

use crate::run::{Run, Step};
use crate::stats::Pool;

/// The largest p99, ms, at which a lane still counts as keeping up.
pub const BOUND_MS: f64 = 100.0;

/// Share of a core from which on a server counts as saturated.
pub const SATURATED: f64 = 0.95;

/// All passes of a lane at one rate and payload size.
pub struct Place<'a> {
    /// Events per second.
    pub rate: f64,
    /// Bytes of a body.
    pub payload_bytes: u64,
    steps: Vec<&'a Step>,
}

/// The highest rate at which a lane keeps up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knee {
    /// Events per second.
    pub rate: f64,
    /// The next rate, and what it lacked there; nothing when it kept up at every rate that was tried, so that
    /// the knee lies above.
    pub beyond: Option<(f64, Lack)>,
}

/// What a lane lacks that does not keep up: the first of these that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    /// Not all of it arrived.
    Whole,
    /// Its p99 is above the bound, or lies among what was lost.
    Time,
    /// Its server has no CPU to spare.
    Cpu,
}

/// The places of a lane, by rate and then by size.
#[must_use]
pub fn places(run: &Run, lane: Lane) -> Vec<Place<'_>> {
    let mut steps: Vec<&Step> = run.steps.iter().filter(|step| step.lane == lane).collect();
    steps.sort_by(|a, b| a.rate.total_cmp(&b.rate).then(a.payload_bytes.cmp(&b.payload_bytes)));
    let same = |a: &&Step, b: &&Step| a.rate.total_cmp(&b.rate).is_eq() && a.payload_bytes == b.payload_bytes;
    let place = |steps: &[&'_ Step]| (steps[0].rate, steps[0].payload_bytes);
    let groups = steps.chunk_by(same).map(|steps| (place(steps), steps.to_vec()));
    groups.map(|((rate, payload_bytes), steps)| Place { rate, payload_bytes, steps }).collect()
}

impl Place<'_> {
    /// A quantile over all passes, ms; nothing where it lies among what was lost.
    #[must_use]
    pub fn latency_ms(&self, q: f64) -> Option<f64> {
        Pool::new(self.steps.iter().map(|step| &step.latency)).quantile(q).map(|nanos| nanos / 1e6)
    }

    /// CPU per delivery, us: of the server, of the generator; nothing from passes that had not drained when it
    /// was read.
    #[must_use]
    pub fn cpu_us(&self) -> Option<[f64; 2]> {
        let drained = || self.steps.iter().filter(|step| !step.undrained);
        let sum = |of: fn(&Step) -> u64| drained().map(|step| of(step)).sum::<u64>() as f64;
        let delivered = sum(|step| step.delivered);
        let per = |cpu_ns: f64| cpu_ns / delivered / 1e3;
        (delivered > 0.0).then(|| [per(sum(|step| step.server_cpu_ns)), per(sum(|step| step.client_cpu_ns))])
    }

    /// What it lacked in any pass; nothing where all arrived, soon enough, from a server that was not saturated.
    #[must_use]
    pub fn lack(&self) -> Option<Lack> {
        self.steps.iter().filter_map(|step| lack(step)).min()
    }
}

/// Whether a lane kept up in one step.
#[must_use]
pub fn keeps_up(step: &Step) -> bool {
    lack(step).is_none()
}

fn lack(step: &Step) -> Option<Lack> {
    let in_time = step.latency.quantile(0.99).is_some_and(|nanos| nanos as f64 / 1e6 <= BOUND_MS);
    let load = step.server_cpu_ns as f64 / step.span_ns.max(1) as f64;
    match (step.delivered == step.expected, in_time, load < SATURATED) {
        (false, _, _) => Some(Lack::Whole),
        (true, false, _) => Some(Lack::Time),
        (true, true, false) => Some(Lack::Cpu),
        (true, true, true) => None,
    }
}

/// The knee of a lane; nothing without steps of several rates, or when it keeps up with none.
#[must_use]
pub fn knee(run: &Run, lane: Lane) -> Option<Knee> {
    let places = places(run, lane);
    let kept = places.iter().take_while(|place| place.lack().is_none()).count();
    let several = places.first()?.rate < places.last()?.rate;
    let rate = places.get(kept.checked_sub(1)?)?.rate;
    let beyond = places.get(kept).and_then(|place| Some((place.rate, place.lack()?)));
    several.then_some(Knee { rate, beyond })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    /// METHOD: the knee is the highest rate below which every step keeps up, whatever is tried above.
    #[test]
    fn the_knee_is_where_a_lane_no_longer_keeps_up() {
        let mut run = sample::swept();
        let lane = run.scenario.lanes[0];
        let knees = |run: &Run| knee(run, lane).map(|knee| (knee.rate, knee.beyond));
        assert_eq!(knees(&run), Some((100.0, Some((200.0, Lack::Time)))), "the sample is late at 200");
        run.steps.retain(|step| step.rate < 150.0);
        assert_eq!(knees(&run), Some((100.0, None)));
        let edited = |edit: fn(&mut Step)| {
            let mut run = run.clone();
            run.steps.iter_mut().filter(|step| step.rate > 90.0).for_each(edit);
            knees(&run)
        };
        let at_50 = |lack| Some((50.0, Some((100.0, lack))));
        assert_eq!(edited(|step| step.delivered -= 1), at_50(Lack::Whole), "one is lost");
        assert_eq!(edited(|step| step.server_cpu_ns = step.span_ns), at_50(Lack::Cpu), "saturated");
        run.steps.iter_mut().for_each(|step| step.delivered = 0);
        assert_eq!(knees(&run), None);
        run.steps.clear();
        assert_eq!(knees(&run), None);
    }

    /// The CPU of a step that had not drained when it was read is not all that its deliveries cost.
    #[test]
    fn cpu_per_delivery_is_made_of_the_steps_that_had_drained_alone() {
        let mut run = sample::swept();
        let lane = run.scenario.lanes[0];
        let at_50 =
            |run: &Run| places(run, lane).into_iter().find(|place| place.rate < 60.0).unwrap().cpu_us();
        run.steps.retain(|step| step.lane == lane && (40.0..60.0).contains(&step.rate));
        (run.steps[0].delivered, run.steps[0].server_cpu_ns, run.steps[0].client_cpu_ns) =
            (1_000, 7_000_000, 3_000_000);
        let early = Step { pass: 1, undrained: true, server_cpu_ns: 1_000, ..run.steps[0].clone() };
        run.steps.push(early);
        assert_eq!(at_50(&run), Some([7.0, 3.0]));
        run.steps.iter_mut().for_each(|step| step.undrained = true);
        assert_eq!(at_50(&run), None, "no step that had drained");
    }
}
