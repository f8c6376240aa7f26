//! What was measured: the run as data, its statistics, tables, charts and report.

pub mod budget;
pub mod charts;
pub mod claims;
pub mod compare;
pub mod conclude;
pub mod duet;
pub mod exact;
pub mod histograms;
pub mod history;
pub mod judged;
pub mod latency;
pub mod metric;
pub mod outage;
pub mod picture;
mod polling;
pub mod report;
pub mod run;
#[cfg(test)]
mod sample;
pub mod schema;
pub mod stats;
pub mod steps;
pub mod summary;
pub mod survey;
pub mod sweep;
pub mod table;
pub mod value;

pub use latency::LatencyHistogram;
pub use run::Run;
pub use table::{Format, render};
