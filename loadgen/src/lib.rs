//! Who subscribes, and who runs the whole.

pub mod expect;
pub mod ledger;
pub mod recorder;
pub mod usage;
