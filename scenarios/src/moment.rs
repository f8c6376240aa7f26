//! The only clock: monotonic nanoseconds, comparable between all processes of one kernel.
//!
//! Apart, because every other file takes `now` as a value: `Moment::now` is the one place that
//! reads `CLOCK_MONOTONIC` (METHOD M5), and the lint forbids the clocks of the standard library.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant of `CLOCK_MONOTONIC`, in nanoseconds since the kernel's own zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(u64);

impl Moment {
    /// Reads the clock (vDSO, about 25 ns, resolution 1 ns).
    #[must_use]
    pub fn now() -> Self {
        let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
            .expect("CLOCK_MONOTONIC always exists on Linux");
        let seconds = u64::try_from(now.tv_sec()).expect("monotonic time is not negative");
        let nanos = u64::try_from(now.tv_nsec()).expect("nanoseconds are not negative");
        Self(seconds * 1_000_000_000 + nanos)
    }

    /// The instant `nanos` ns after the clock's zero.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's zero.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This instant moved forward.
    #[must_use]
    pub const fn plus_nanos(self, nanos: u64) -> Self {
        Self(self.0 + nanos)
    }

    /// Nanoseconds from `earlier` to this instant, zero if it is not earlier.
    #[must_use]
    pub const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The time from `earlier` to this instant, zero if it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos_since(earlier))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_forward_and_differences_do_not_wrap() {
        let first = Moment::now();
        let second = Moment::now();
        assert!(second >= first);
        assert_eq!(first.nanos_since(first.plus_nanos(5)), 0);
        assert_eq!(first.plus_nanos(7).since(first), Duration::from_nanos(7));
    }
}
