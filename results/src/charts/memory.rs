//! What does a connection hold: memory per idle connection of server, client and kernel.

use scenarios::Lane;

use super::axis::Axis;
use super::figure::{Bar, Bars, Figure, Key, Plot, Shape};
use super::{bar_keys, finding, grouped, metric_bar, reach};
use crate::conclude::basis;
use crate::metric::{Metric, Source, extract};
use crate::run::Run;
use crate::stats::Steps;
use crate::summary::lanes;
use crate::value::number;

/// Metric, name of the row, hue.
const SIDES: [(&str, &str, usize); 3] =
    [("server memory", "server", 0), ("client memory", "client", 4), ("kernel memory", "kernel", 2)];

/// The chart.
pub fn draw(run: &Run) -> Option<Figure> {
    let bars = |lane| {
        let side = |(name, label, hue)| {
            let metric = Metric::named(name)?;
            let bar = metric_bar(run, lane, metric, label, hue)?;
            Some(Bar { dots: steps(run, metric, lane), ..bar })
        };
        grouped(lane, SIDES.into_iter().filter_map(side).collect())
    };
    let rows: Vec<Bar> = lanes(run).into_iter().flat_map(bars).collect();
    let mut legend: Vec<Key> = SIDES.map(|(_, label, hue)| Key::new(label, hue, Shape::Box)).to_vec();
    legend.extend(bar_keys(&rows, "one step of the phase"));
    (!rows.is_empty()).then(|| Figure {
        name: "memory",
        question: "How much memory does a connection hold?",
        finding: finding(run, &["server memory", "client memory"]),
        how: "Slope of memory against the number of idle connections, each lane alone. Server and client are the \
              processes' own memory (PSS); kernel is slab of both ends of a loopback connection and does not \
              show in any process.",
        caption: format!("{} {}", levels(run), basis(run)),
        legend,
        plot: Plot::Bars(Bars { axis: Axis::from_zero("memory per connection, KiB", reach(&rows)), rows }),
    })
}

fn steps(run: &Run, metric: &Metric, lane: Lane) -> Vec<f64> {
    match metric.source {
        Source::Memory(field) => {
            let each = Steps::new(&extract::levels(run, lane, field));
            each.each().filter(|step| *step >= 0.0).collect()
        }
        Source::Quantile(..) | Source::Trial(_) | Source::Count(_) => Vec::new(),
    }
}

fn levels(run: &Run) -> String {
    let levels = run.memory.first().map(|memory| memory.points.iter().map(|p| number(p.connections as f64)));
    let levels: Vec<String> = levels.into_iter().flatten().collect();
    format!("Memory phase at {} connections.", levels.join(", "))
}
