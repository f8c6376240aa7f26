//! HdrHistogram's percentile text format (`.hgrm`), which plotters of others read.
//!
//! <https://hdrhistogram.github.io/HdrHistogram/plotFiles.html>

use std::fmt::Write as _;

use crate::latency::LatencyHistogram;

/// Steps of a percentile distribution to each halving of the distance to 100 %.
const TICKS: u32 = 5;

/// Values in ms; lost and saturated events stand in a comment, since the format knows none.
#[must_use]
pub fn hgrm(histogram: &LatencyHistogram) -> String {
    let held = histogram.held();
    let mut out =
        format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut total = 0;
    for step in held.iter_quantiles(TICKS) {
        total += step.count_since_last_iteration();
        let (value, q) = (step.value_iterated_to() as f64 / 1e6, step.quantile_iterated_to());
        let rarity = if q < 1.0 { format!("{:14.2}", 1.0 / (1.0 - q)) } else { "           inf".into() };
        writeln!(out, "{value:12.6} {q:2.12} {total:10} {rarity}").expect("a String takes all");
    }
    let (mean, deviation) = (held.mean() / 1e6, held.stdev() / 1e6);
    let max = histogram.max().unwrap_or(0) as f64 / 1e6;
    writeln!(out, "#[Mean    = {mean:12.6}, StdDeviation   = {deviation:12.6}]").expect("a String takes all");
    writeln!(out, "#[Max     = {max:12.6}, Total count    = {:12}]", held.len()).expect("a String takes all");
    let (lost, saturated) = (histogram.lost(), histogram.saturated());
    if lost + saturated > 0 {
        writeln!(out, "#[Lost    = {lost:12}, Saturated      = {saturated:12}]").expect("a String takes all");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_as_it_is() {
        let mut histogram = LatencyHistogram::default();
        (1..=10).for_each(|ms| histogram.record(ms * 1_000_000));
        histogram.add_lost(1);
        insta::assert_snapshot!(hgrm(&histogram));
        assert!(hgrm(&LatencyHistogram::default()).contains("Total count"));
    }
}
