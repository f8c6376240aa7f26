//! Talk while measuring: one live line on a terminal, one line a repetition elsewhere, on stderr.
//!
//! Written only between blocks, so that drawing never competes with what is measured.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use scenarios::{Lane, Moment, Plan, Scenario};

use crate::heartbeats::LASTS;
use crate::pace::LEAD_NS;
use crate::tabs::PATIENCE;

/// Where the run stands, for people.
pub struct Progress {
    bar: ProgressBar,
    live: bool,
    quiet: bool,
    began: Moment,
    planned: Duration,
    subscribers: u64,
}

impl Progress {
    /// Progress of a plan; draws nothing when `quiet`.
    #[must_use]
    pub fn new(plan: &Plan, quiet: bool) -> Self {
        let live = !quiet && std::io::stderr().is_terminal();
        let target = if live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        let style = ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is valid");
        bar.set_style(style);
        Self {
            bar,
            live,
            quiet,
            began: Moment::now(),
            planned: planned(plan),
            subscribers: plan.scenario.subscribers.0,
        }
    }

    /// What happens now.
    pub fn say(&self, what: &str) {
        if self.live {
            self.bar.set_message(what.to_owned());
            self.bar.tick();
        }
    }

    /// A block was closed, in which so many deliveries arrived a second.
    pub fn block(
        &self,
        lane: Lane,
        repetition: usize,
        done: usize,
        of: usize,
        per_second: u64,
        p99_ns: Option<u64>,
    ) {
        if !self.live {
            return;
        }
        let p99 = p99_ns.map_or("-".to_owned(), |nanos| {
            format!("{:.1} ms", Duration::from_nanos(nanos).as_secs_f64() * 1e3)
        });
        let left = self.planned.saturating_sub(Moment::now().since(self.began)).as_secs();
        self.say(&format!(
            "repetition {} · block {done} of {of} · {lane}: {} connected, {per_second} deliveries/s, p99 so far {p99} · about {left} s left",
            repetition + 1,
            self.subscribers
        ));
    }

    /// A line that stays, terminal or not.
    pub fn line(&self, text: &str) {
        if self.live {
            self.bar.suspend(|| eprintln!("{text}"));
        } else if !self.quiet {
            eprintln!("{text}");
        }
    }

    /// Takes the live line away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// About how long a plan takes: its timetable, with what start-up and warm-up were seen to need.
#[must_use]
pub fn planned(plan: &Plan) -> Duration {
    if let Some(outage) = &plan.scenario.outage {
        let trials: usize = plan.lanes().iter().map(|lane| outage.cases(*lane).len()).sum();
        let connects = Duration::from_micros(200 * plan.scenario.subscribers.0);
        let each = plan.scenario.duration.0 + connects + Duration::from_millis(800);
        return each * u32::try_from(trials * plan.repetitions.len()).unwrap_or(u32::MAX);
    }
    let blocks: u64 = plan.repetitions.iter().filter_map(|r| r.blocks.last()).map(|last| last.end_ns()).sum();
    let repetitions = u32::try_from(plan.repetitions.len()).unwrap_or(u32::MAX);
    let slices = plan.warmup(plan.scenario.warmup.0, &vec![0; plan.lanes().len()]);
    let warmup = Duration::from_nanos(slices.last().map_or(0, scenarios::Block::end_ns));
    let connects = Duration::from_micros(100 * plan.scenario.subscribers.0 * plan.lanes().len() as u64);
    let memory = if plan.scenario.memory.is_empty() { 0 } else { plan.lanes().len() as u64 };
    Duration::from_nanos(blocks)
        + (warmup + connects + Duration::from_secs(1)) * repetitions
        + Duration::from_secs(memory)
        + phases(&plan.scenario, repetitions)
}

/// Time of the phases that are no blocks of the timetable: steps, each with what begins it; heartbeats, lane after
/// lane, and two halves behind a middlebox; tabs that wait.
fn phases(scenario: &Scenario, repetitions: u32) -> Duration {
    let times = |span: Duration, count: u64| span * u32::try_from(count).unwrap_or(u32::MAX);
    let lanes = scenario.lanes.len() as u64;
    let steps = (scenario.rates.len() + scenario.sizes.len()) as u64 * lanes;
    let step = scenario.block.0 + scenario.gap.0 + Duration::from_nanos(2 * LEAD_NS);
    let idle = if scenario.heartbeats.0 > 0 { 2 * LASTS * scenario.idle_timeout.0 } else { Duration::ZERO };
    let waits = if scenario.tabs.0 > 0 { PATIENCE } else { Duration::ZERO };
    (times(step, steps) + times(scenario.heartbeat.0, scenario.heartbeats.0 * lanes)) * repetitions
        + idle
        + waits
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a field adds to the forecast of `smoke`, which has one repetition and three lanes.
    fn added(key: &str, value: &str) -> Duration {
        let of = |fields: &[(String, String)]| {
            let (name, scenario) = Scenario::load("smoke", fields).unwrap();
            assert_eq!((scenario.repetitions.0, scenario.lanes.len()), (1, 3));
            planned(&Plan::new(name, scenario))
        };
        of(&[(key.into(), value.into())]) - of(&[])
    }

    #[test]
    fn phases_beside_the_timetable_are_in_the_forecast() {
        let ms = Duration::from_millis;
        let scenario = Scenario::load("smoke", &[]).unwrap().1;
        let step = scenario.block.0 + scenario.gap.0 + ms(200);
        assert_eq!(added("rates", "[20, 40]"), 2 * 3 * step);
        assert_eq!(added("sizes", "[100, 200, 300]"), 3 * 3 * step);
        assert_eq!(added("heartbeats", "20"), 20 * 3 * ms(100) + 6 * ms(1_000));
    }
}
