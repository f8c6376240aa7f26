//! Who subscribes, and who runs the whole.

pub mod ledger;
