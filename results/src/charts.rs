//! The charts, one question a file: pure functions from a run to a [`Figure`], drawn by one renderer.
//!
//! A new chart is a file and its row in [`ALL`].

pub(crate) mod axis;
mod break_even;
mod bytes;
mod cpu;
mod duet;
mod endings;
pub(crate) mod figure;
mod heartbeats;
mod joining;
mod memory;
mod opening;
pub(crate) mod outage;
mod over_time;
mod palette;
mod pen;
mod percentiles;
pub(crate) mod polling;
mod render;
mod round_trip;
mod sessions;
mod stages;
mod steps;
mod tabs;
mod upstream;
mod words;

use scenarios::{Lane, Transport};

pub use duet::draw as duet;
pub use figure::{Chart, Figure};
pub use render::svg;

use self::figure::{Bar, Key, Shape, Stroke};
use crate::conclude::{sentence, trust};
use crate::metric::{Metric, Rank};
use crate::run::{Run, Trial};
use crate::summary::{Estimate, Standing, estimate, judged, judged_further, lanes};
use crate::value::number;

/// Every chart, in the order of the report.
pub static ALL: &[Chart] = &[
    Chart { name: "latency-percentiles", draw: percentiles::draw },
    Chart { name: "latency-over-time", draw: over_time::draw },
    Chart { name: "cpu", draw: cpu::draw },
    Chart { name: "memory", draw: memory::draw },
    Chart { name: "bytes", draw: bytes::draw },
    Chart { name: "upstream", draw: upstream::draw },
    Chart { name: "round-trips", draw: round_trip::draw },
    Chart { name: "break-even", draw: break_even::draw },
    Chart { name: "polling", draw: polling::draw },
    Chart { name: "knee", draw: steps::rates },
    Chart { name: "size-latency", draw: steps::size_latency },
    Chart { name: "size-cpu", draw: steps::size_cpu },
    Chart { name: "opening", draw: opening::draw },
    Chart { name: "joining", draw: joining::draw },
    Chart { name: "heartbeats", draw: heartbeats::draw },
    Chart { name: "tabs", draw: tabs::draw },
    Chart { name: "event-gaps", draw: sessions::gaps },
    Chart { name: "leaving", draw: sessions::releases },
    Chart { name: "endings", draw: endings::draw },
    Chart { name: "survival", draw: outage::survival::draw },
    Chart { name: "herd", draw: outage::herd::draw },
    Chart { name: "recovery-parts", draw: outage::parts::draw },
    Chart { name: "latency-around-faults", draw: outage::timeline::draw },
    Chart { name: "loss-by-window", draw: outage::window::draw },
    Chart { name: "replay", draw: outage::replay::draw },
    Chart { name: "server-around-faults", draw: outage::server::draw },
    Chart { name: "stages", draw: stages::draw },
];

/// The index of a lane's colour and marker: the same in all charts of a run.
fn hue(run: &Run, lane: Lane) -> usize {
    lanes(run).iter().position(|known| *known == lane).unwrap_or(0)
}

/// One legend entry a lane.
fn lane_keys(run: &Run) -> Vec<Key> {
    let key = |lane: &Lane| Key::new(lane.to_string(), hue(run, *lane), Shape::Line(Stroke::Thick));
    lanes(run).iter().map(key).collect()
}

/// The two lanes a finding is about: SSE against WebSocket, or else the first two.
fn pair(run: &Run) -> Option<(Lane, Lane)> {
    let lanes = lanes(run);
    let first = |transport| lanes.iter().copied().find(|lane| lane.transport == transport);
    let choice = first(Transport::Sse).zip(first(Transport::Ws));
    choice.or_else(|| lanes.first().copied().zip(lanes.get(1).copied()))
}

/// What may be said about these metrics, first lane of the pair against the second: judged as in the
/// summary, so that a chart never contradicts the table.
fn finding(run: &Run, names: &[&str]) -> String {
    loud(run, &compared(run, names))
}

fn compared(run: &Run, names: &[&str]) -> String {
    let metrics: Vec<&Metric> = names.iter().filter_map(|name| Metric::named(name)).collect();
    let mut said = Vec::new();
    if let Some((a, b)) = pair(run) {
        let is_headline = metrics.iter().all(|metric| metric.rank == Rank::Headline);
        let judged = if is_headline { judged(run, a, b) } else { judged_further(run, a, b) };
        for metric in &metrics {
            let entry = judged.iter().find(|(held, _)| held.name == metric.name);
            let effect = entry.and_then(|(_, effect)| effect.as_ref());
            said.extend(effect.map(|effect| sentence(metric, a, b, effect)));
        }
    }
    if said.is_empty() {
        said = lanes(run).iter().flat_map(|lane| metrics.iter().map(|m| plainly(run, m, *lane))).collect();
    }
    format!("{}.", said.join("; "))
}

fn plainly(run: &Run, metric: &Metric, lane: Lane) -> String {
    let Estimate { value, .. } = estimate(run, metric, lane);
    let unit = value.known().map_or(String::new(), |_| format!(" {}", metric.unit));
    format!("{lane}: {} {}{unit}", metric.name, value.text())
}

/// A finding of an invalid or partial run says so first.
fn loud(run: &Run, finding: &str) -> String {
    let (standing, word, _) = trust(run);
    match standing {
        Standing::Invalid | Standing::Partial => format!("{word} RUN. {finding}"),
        Standing::Valid | Standing::Doubtful => finding.to_owned(),
    }
}

/// One bar of a metric: estimate, interval, and the repetitions as dots.
fn metric_bar(run: &Run, lane: Lane, metric: &Metric, label: &str, hue: usize) -> Option<Bar> {
    let Estimate { value, interval } = estimate(run, metric, lane);
    let known = value.known()?;
    let trials: Vec<&Trial> = run.trials_of(lane).collect();
    Some(Bar {
        label: label.into(),
        parts: vec![(hue, known)],
        interval: interval.filter(|i| i.high.is_finite()).map(|i| (i.low, i.high)),
        dots: trials.iter().filter_map(|trial| metric.trial(run, trial).known()).collect(),
        text: format!("{} {}", number(known), metric.unit.split('/').next().unwrap_or_default()),
        ..Bar::default()
    })
}

/// Names the first bar of a lane after it.
fn grouped(lane: Lane, mut bars: Vec<Bar>) -> Vec<Bar> {
    if let Some(first) = bars.first_mut() {
        first.group = lane.to_string();
    }
    bars
}

/// The largest value that any bar must show.
fn reach(bars: &[Bar]) -> f64 {
    let one = |bar: &Bar| {
        let whole: f64 = bar.parts.iter().map(|part| part.1).sum();
        bar.dots.iter().copied().chain(bar.interval.map(|i| i.1)).fold(whole, f64::max)
    };
    bars.iter().map(one).fold(0.0, f64::max)
}

/// Legend entries for what bars carry beside their length.
fn bar_keys(bars: &[Bar], dots: &str) -> Vec<Key> {
    let dot = bars.iter().any(|bar| !bar.dots.is_empty()).then(|| Key::new(dots, 0, Shape::Dot));
    let whisker = bars.iter().any(|bar| bar.interval.is_some());
    let whisker = whisker.then(|| Key::new("95 % interval", 0, Shape::Whisker));
    dot.into_iter().chain(whisker).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn every_chart_draws_the_sample_and_findings_are_words() {
        let runs = [
            sample::run(),
            sample::with(&["sse-h1", "longpoll-h1", "poll-h1"], 5),
            sample::swept(),
            sample::sized(),
            sample::beating(sample::run()),
            sample::tabbed(),
            sample::talking(),
            sample::completed(),
            sample::left(),
            sample::dropped(),
            sample::windowed(),
        ];
        let draw = |chart: &Chart| runs.iter().find_map(chart.draw).unwrap();
        let figures: Vec<Figure> = ALL.iter().map(draw).collect();
        for (chart, figure) in ALL.iter().zip(&figures) {
            assert_eq!(chart.name, figure.name);
            assert!(figure.question.ends_with('?') && svg(figure).ends_with("</svg>\n"));
        }
        let said: Vec<String> = figures.iter().map(|f| format!("{}\n  {}", f.question, f.finding)).collect();
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn broken_runs_are_drawn_without_a_panic() {
        for run in sample::broken() {
            for figure in ALL.iter().filter_map(|chart| (chart.draw)(&run)) {
                let drawn = svg(&figure);
                assert!(!drawn.contains("NaN") && !drawn.contains("-2147483648"), "{}", figure.name);
            }
        }
    }

    #[test]
    fn an_invalid_run_says_so_in_every_finding() {
        let mut run = sample::run();
        run.partial = true;
        for figure in ALL.iter().filter_map(|chart| (chart.draw)(&run)) {
            assert!(figure.finding.starts_with("PARTIAL RUN."), "{}", figure.name);
        }
    }
}
