//! What was measured: the run as data, its statistics, tables, charts and report.

pub mod latency;
pub mod metric;
pub mod run;
#[cfg(test)]
mod sample;
pub mod stats;
pub mod value;

pub use latency::LatencyHistogram;
pub use run::Run;
