//! Event data that is base64, decoded where it is received: part of what a delivery costs a client.

use std::cell::RefCell;

use scenarios::binary;

thread_local! {
    /// One for all subscribers of a thread: none of them holds memory for it.
    static DECODED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Gives `emit` the bytes; data that is no base64 as it came, so that the ledger sees it and can call
/// it corrupted.
pub fn decoded(data: &[u8], emit: impl FnOnce(&[u8])) {
    DECODED.with_borrow_mut(|held| match binary::decode(data, held) {
        true => emit(held),
        false => emit(data),
    });
}
