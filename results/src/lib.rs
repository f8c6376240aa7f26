//! What was measured: the run as data, its statistics, tables, charts and report.

pub mod latency;
pub mod run;

pub use latency::LatencyHistogram;
pub use run::Run;
