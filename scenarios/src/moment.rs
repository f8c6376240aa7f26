//! The only clock: monotonic nanoseconds, comparable between all processes of one kernel.
//!
//! Apart, because every other file takes `now` as a value: `Moment::now` is the one place that
//! reads `CLOCK_MONOTONIC` (METHOD M5), and the lint forbids the clocks of the standard library.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// `CLOCK_REALTIME` minus `CLOCK_MONOTONIC`, ns: turns the kernel's receive stamps, which are
/// realtime, into moments. Read anew for every stamp, because realtime may be stepped or slewed.
#[must_use]
pub fn realtime_ahead_nanos() -> u64 {
    let monotonic = Moment::now();
    read(ClockId::CLOCK_REALTIME).saturating_sub(monotonic.as_nanos())
}

fn read(clock: ClockId) -> u64 {
    let now = clock_gettime(clock).expect("Linux always has this clock");
    let seconds = u64::try_from(now.tv_sec()).expect("its time is not negative");
    seconds * 1_000_000_000 + u64::try_from(now.tv_nsec()).expect("nanoseconds are not negative")
}

/// An instant of `CLOCK_MONOTONIC`, in nanoseconds since the kernel's own zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(u64);

impl Moment {
    /// Reads the clock (vDSO, about 25 ns, resolution 1 ns).
    #[must_use]
    pub fn now() -> Self {
        Self(read(ClockId::CLOCK_MONOTONIC))
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
