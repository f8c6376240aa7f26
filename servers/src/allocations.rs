//! Counts allocations, a thread each, so that the exact tier of the gate can hold them against a baseline.
//!
//! A program that installs [`Counting`] pays one addition to a thread's own cell for each allocation, in every process and
//! on every lane alike: no atomics, no lock, and nothing is known of sizes. A reallocation counts as one; giving memory
//! back does not. Without it everything here reads 0.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// What other threads of this process allocated for its deliveries.
static ELSEWHERE: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counting;

fn one_more() {
    // Constant and without a destructor, so that it is there as long as its thread is.
    COUNT.with(|count| count.set(count.get() + 1));
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait")]
// SAFETY: every call goes to the system's allocator as it came; counting touches a cell of this thread alone, which
// neither allocates nor panics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        one_more();
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps to the contract of `dealloc`, and all memory is the system's.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        one_more();
        // SAFETY: the caller keeps to the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        one_more();
        // SAFETY: the caller keeps to the contract of `realloc`, and all memory is the system's.
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// Allocations of this thread so far.
#[must_use]
pub fn count() -> u64 {
    COUNT.get()
}

/// Does something that no delivery needs, such as answering a command: what it allocates is not counted.
pub fn apart<T>(work: impl FnOnce() -> T) -> T {
    let before = count();
    let done = work();
    COUNT.set(before);
    done
}

/// Does something for deliveries on a thread that is not the one which makes them.
pub fn elsewhere<T>(work: impl FnOnce() -> T) -> T {
    let before = count();
    let done = work();
    ELSEWHERE.fetch_add(count() - before, Relaxed);
    done
}

/// Allocations of this thread, and those made [`elsewhere`].
#[must_use]
pub fn count_all() -> u64 {
    count() + ELSEWHERE.load(Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static COUNTING: Counting = Counting;

    #[test]
    fn each_allocation_is_counted_once_where_it_is_made() {
        let before = count();
        let mut held = Vec::<u8>::with_capacity(8);
        assert_eq!(count() - before, 1);
        held.extend_from_slice(&[0; 9]);
        assert_eq!(count() - before, 2, "to grow is to allocate");
        drop(held);
        drop(vec![0u8; 100]);
        assert_eq!(count() - before, 3);
        apart(|| drop(vec![0u8; 100]));
        assert_eq!(count() - before, 3, "what is apart is left out");
        let all = count_all();
        elsewhere(|| drop(vec![0u8; 100]));
        assert_eq!(count_all() - all, 2, "on this thread, and as that of another");
        let own = std::thread::spawn(|| {
            let before = count();
            drop(vec![0u8; 100]);
            count() - before
        });
        assert_eq!(own.join().unwrap(), 1);
    }
}
