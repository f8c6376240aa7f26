//! Walking a timetable from outside: what each block cost, read at the edges between blocks.
//!
//! The runner sleeps until the edge and reads the CPU clocks of the lane whose block ended and of
//! the lane whose block begins; all other lanes are idle, so nothing of a block is lost to another.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use scenarios::{Block, Lane, Moment, Schedule};

use crate::lane::LaneProcesses;
use crate::usage::{self, Machine, Usage};

/// What one block cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// The server side.
    pub server: Usage,
    /// The generator side.
    pub client: Usage,
    /// What the machine showed meanwhile.
    pub machine: Machine,
    /// Whether deliveries were still outstanding when it was read.
    pub undrained: bool,
}

/// Time before the next block at which its edge is read, ns: before the host decides whether to
/// publish it and frames it, so that an interrupt reaches the host first and framing is paid by the
/// block it is for.
const AHEAD_NS: u64 = 30_000_000;

/// Time left between arming and the first event, ns, for the hosts to frame it.
pub const LEAD_NS: u64 = 100_000_000;

/// Arms every lane for one time zero and lets the hosts publish. The time zero lies ahead when the
/// last lane is armed, however long that took: a late beginning would look like a late publisher.
///
/// # Errors
/// A process is gone.
pub fn begin(lanes: &mut [LaneProcesses], schedules: &[Schedule]) -> Result<Moment> {
    let mut ahead = 2 * LEAD_NS;
    loop {
        let start = Moment::now().plus_nanos(ahead);
        for (lane, schedule) in lanes.iter_mut().zip(schedules) {
            lane.arm(start, schedule)?;
        }
        if start.nanos_since(Moment::now()) >= LEAD_NS {
            for (lane, schedule) in lanes.iter_mut().zip(schedules) {
                lane.publish(start, schedule)?;
            }
            return Ok(start);
        }
        ahead *= 2;
    }
}

/// Where a block's reading begins. Ahead of the first block too, which begins at time zero: at the instant of its
/// first event that event's cost is already under way.
const fn edge(start: Moment, block: &Block, ahead_ns: u64) -> Moment {
    Moment::from_nanos((start.as_nanos() + block.start_ns).saturating_sub(ahead_ns))
}

/// Sleeps until a moment, in steps short enough to notice an interrupt; true if it came.
pub fn sleep_until(moment: Moment, interrupted: &AtomicBool) -> bool {
    const STEP: std::time::Duration = std::time::Duration::from_millis(50);
    loop {
        if interrupted.load(Ordering::Relaxed) {
            return true;
        }
        let left = moment.since(Moment::now());
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(left.min(STEP));
    }
}

/// Walks the blocks of a phase that began at `start`; after each block calls `closed` with its index and what
/// had arrived when it began, which says whether all of it arrived: what a block before still owed and came
/// since is not this one's. Stops early, after telling all lanes, when interrupted.
/// `gap_ns` of its lane follows each block.
///
/// # Errors
/// A process is gone.
pub fn walk(
    lanes: &mut [LaneProcesses],
    blocks: &[Block],
    start: Moment,
    gap_ns: impl Fn(Lane) -> u64,
    interrupted: &AtomicBool,
    mut closed: impl FnMut(&mut LaneProcesses, usize, u64) -> Result<bool>,
) -> Result<Vec<Cost>> {
    let mut costs = Vec::with_capacity(blocks.len());
    for (index, block) in blocks.iter().enumerate() {
        let gap_ns = gap_ns(lanes[block.lane].lane);
        let ahead = AHEAD_NS.min(gap_ns / 2);
        if sleep_until(edge(start, block, ahead), interrupted) {
            lanes.iter_mut().try_for_each(LaneProcesses::stop)?;
            break;
        }
        let (arrived, _) = lanes[block.lane].arrivals(u64::MAX, Moment::now())?;
        let before = (lanes[block.lane].usage()?, usage::machine());
        let stop = sleep_until(start.plus_nanos(block.end_ns() + gap_ns - ahead), interrupted);
        if stop {
            lanes.iter_mut().try_for_each(LaneProcesses::stop)?;
            std::thread::sleep(start.plus_nanos(block.end_ns() + gap_ns).since(Moment::now()));
        }
        let lane = &mut lanes[block.lane];
        let after = (lane.usage()?, usage::machine());
        let drained = closed(lane, index, arrived)?;
        costs.push(Cost {
            server: after.0.0.since(before.0.0),
            client: after.0.1.since(before.0.1),
            machine: after.1.since(before.1),
            undrained: !drained,
        });
        if stop {
            break;
        }
    }
    Ok(costs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_read_from_before_it_begins() {
        let start = Moment::from_nanos(1_000_000_000);
        for start_ns in [0, 10, 700_000_000] {
            let block = Block { lane: 0, round: 0, start_ns, span_ns: 1, first_seq: 1, events: 1 };
            let first = start.plus_nanos(start_ns);
            assert_eq!(first.nanos_since(edge(start, &block, AHEAD_NS)), AHEAD_NS, "a block at {start_ns}");
        }
    }
}
