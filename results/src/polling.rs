//! What polling costs against what pushing costs, at any event rate: computed from the bytes that one
//! run counted for a poll, an answer and an event.
//!
//! Bytes of requests, heads and events do not depend on the rate, only how many of them there are
//! does. So their number at another rate can be computed exactly, as long as an answer fits one
//! segment; CPU and staleness cannot, and are only measured.

use scenarios::{Arrivals, Lane};

use crate::metric::extract::{HEADER_BYTES, arrived, down_on_the_wire, up_on_the_wire};
use crate::run::{Bytes, KernelCounts, Run};

/// Bytes that a segment carries beside its headers (METHOD M10).
const SEGMENT_BYTES: f64 = 1448.0;

/// Bytes on the wire, both ways, one client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Costs {
    /// A request and the TCP/IP headers of all segments that a poll takes.
    pub poll: f64,
    /// The head of an answer that says that there is nothing.
    pub empty_head: f64,
    /// The head of an answer with events.
    pub full_head: f64,
    /// An event inside an answer.
    pub event: f64,
    /// An event that is pushed.
    pub push: f64,
    /// Time between polls, s.
    pub interval: f64,
    arrivals: Arrivals,
}

/// Everything counted on a lane, and the events that arrived on it.
fn counted(run: &Run, lane: Lane) -> Option<(Bytes, KernelCounts, f64)> {
    let trials = || run.trials_of(lane);
    let kernel: Option<KernelCounts> = trials().map(|trial| trial.kernel).sum();
    let events: u64 = trials().map(arrived).sum();
    Some((trials().map(|trial| trial.bytes).sum(), kernel?, (events > 0).then_some(events as f64)?))
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl Costs {
    /// What the run counted on a lane that pushes and on one that polls; nothing if it has not both an
    /// empty and a full answer, or an answer needs more than a segment.
    #[must_use]
    pub fn of(run: &Run, push: Lane, poll: Lane) -> Option<Self> {
        let (bytes, kernel, events) = counted(run, poll)?;
        let (_, pushed, pushes) = counted(run, push)?;
        let segments = HEADER_BYTES * (kernel.down_segments + kernel.up_segments);
        let costs = Self {
            poll: ratio(bytes.up + segments, bytes.polls)?,
            empty_head: ratio(bytes.empty_poll_heads, bytes.empty_polls)?,
            full_head: ratio(bytes.poll_heads - bytes.empty_poll_heads, bytes.polls - bytes.empty_polls)?,
            event: (bytes.payload + bytes.event_framing + bytes.control) as f64 / events,
            push: (down_on_the_wire(&pushed) + up_on_the_wire(&pushed)) as f64 / pushes,
            interval: run.scenario.poll.0.as_secs_f64(),
            arrivals: run.scenario.arrivals,
        };
        (costs.most() >= 1.0).then_some(costs)
    }

    /// Bytes an event costs when so many are published in an interval.
    #[must_use]
    pub fn polled(&self, events: f64) -> f64 {
        let full = match self.arrivals {
            Arrivals::Constant => events.min(1.0),
            Arrivals::Poisson => 1.0 - (-events).exp(),
            Arrivals::Bursts(size) => (events / size as f64).min(1.0),
        };
        (self.poll + (1.0 - full) * self.empty_head + full * self.full_head) / events + self.event
    }

    /// The most events in an interval for which this holds: an answer fits one segment.
    #[must_use]
    pub fn most(&self) -> f64 {
        (SEGMENT_BYTES - self.full_head) / self.event
    }

    /// Events in an interval from which on polling costs fewer bytes; nothing if that is not so while an
    /// answer fits one segment.
    #[must_use]
    pub fn crossing(&self) -> Option<f64> {
        let (mut low, mut high) = (1e-6, self.most());
        if self.polled(high) > self.push || self.polled(low) < self.push {
            return None;
        }
        for _ in 0..100 {
            let middle = (low * high).sqrt();
            if self.polled(middle) > self.push { low = middle } else { high = middle }
        }
        Some(high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COSTS: Costs = Costs {
        poll: 240.0,
        empty_head: 89.0,
        full_head: 136.0,
        event: 170.0,
        push: 280.0,
        interval: 0.25,
        arrivals: Arrivals::Constant,
    };

    #[test]
    fn they_cross_where_the_requests_are_paid_by_what_answers_save() {
        let crossing = COSTS.crossing().unwrap();
        assert!((crossing - (240.0 + 136.0) / (280.0 - 170.0)).abs() < 1e-6, "{crossing}");
        assert!(COSTS.polled(crossing * 0.9) > COSTS.push && COSTS.polled(crossing * 1.1) < COSTS.push);
        assert!((COSTS.polled(0.5) - ((240.0 + 112.5) / 0.5 + 170.0)).abs() < 1e-9);
    }

    #[test]
    fn below_one_event_an_interval_the_empty_answers_count() {
        let cheap = Costs { push: 900.0, ..COSTS };
        let crossing = cheap.crossing().unwrap();
        assert!((crossing - (240.0 + 89.0) / (900.0 - 170.0 - 47.0)).abs() < 1e-6, "{crossing}");
    }

    #[test]
    fn where_they_never_cross_nothing_is_made_up() {
        assert_eq!(
            Costs { push: 171.0, ..COSTS }.crossing(),
            None,
            "an answer would need more than a segment"
        );
        assert_eq!(Costs { push: 100.0, ..COSTS }.crossing(), None);
    }

    #[test]
    fn other_laws_of_arrival_fill_fewer_answers() {
        let at = |arrivals| Costs { arrivals, ..COSTS }.polled(1.0);
        assert!(
            at(Arrivals::Bursts(5)) < at(Arrivals::Poisson) && at(Arrivals::Poisson) < at(Arrivals::Constant)
        );
    }
}
