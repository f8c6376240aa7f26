//! Talk while measuring: one live line on a terminal, one line a repetition elsewhere, on stderr.
//!
//! Written only between blocks, so that drawing never competes with what is measured.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use scenarios::{Lane, Moment, Plan};

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
    let phases = if plan.scenario.memory.is_empty() { 0 } else { plan.lanes().len() as u64 };
    Duration::from_nanos(blocks)
        + (warmup + connects + Duration::from_secs(1)) * repetitions
        + Duration::from_secs(phases)
}
