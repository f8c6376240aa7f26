//! The byte-only sweep: one subscriber, events of a dozen sizes in lock-step, no clock involved.
//!
//! The next event leaves only after the subscriber has the last, so every event is segments of its
//! own, and the counts are exact and repeatable (METHOD M11, M22).

use anyhow::{Result, bail};
use results::run::SweepPoint;
use scenarios::{Arrivals, Block, Count, Lane, Moment, Payload, Scenario, Schedule};

use crate::lane::{Cores, LaneProcesses};

/// Events of each size.
const EACH: u64 = 20;

/// How long one event may take in lock-step, ns.
const PATIENCE_NS: u64 = 5_000_000_000;

/// Bytes bytes of one lane at every size of the scenario's sweep.
///
/// # Errors
/// A worker dies, or an event does not arrive.
pub fn run(lane: Lane, scenario: &Scenario, cores: Cores) -> Result<Vec<SweepPoint>> {
    let sizes: Vec<u64> = scenario.sweep.iter().map(|size| size.0).collect();
    // Event 0 greets, so the first size has one event less to count.
    let payload = Payload::Sweep { sizes: sizes.clone(), each: EACH, binary: scenario.payload.is_binary() };
    let alone = Scenario { subscribers: Count(1), slow: 0.0, upstream: 0.0, ..scenario.clone() };
    let mut processes = LaneProcesses::start(lane, &alone, &payload, 1, cores)?;
    processes.step(0)?;
    processes.connect(1)?;
    let mut points = Vec::new();
    for (index, size) in sizes.iter().enumerate() {
        let first_seq = (index as u64 * EACH).max(1);
        let events = (index as u64 + 1) * EACH - first_seq;
        points.push(point(&mut processes, lane, *size, first_seq, events)?);
    }
    Ok(points)
}

fn point(lane: &mut LaneProcesses, name: Lane, size: u64, first_seq: u64, events: u64) -> Result<SweepPoint> {
    let block = Block { lane: 0, round: 0, start_ns: 0, span_ns: 1_000_000_000, first_seq, events };
    let schedule = Schedule::new(Arrivals::Constant, 0, vec![block]);
    let before = lane.kernel()?;
    lane.arm(Moment::now(), &schedule)?;
    for seq in first_seq..first_seq + events {
        lane.step(seq)?;
        let wanted = seq - first_seq + 1;
        let (arrived, _) = lane.arrivals(wanted, Moment::now().plus_nanos(PATIENCE_NS))?;
        if arrived != wanted {
            bail!("event {seq} of {size} bytes did not arrive on lane {name}");
        }
    }
    let counted = lane.kernel()? - before;
    let phases = lane.close(first_seq + events)?;
    let bytes = phases.iter().filter_map(|phase| phase.bytes).sum();
    Ok(SweepPoint { lane: name, payload_bytes: size, events, bytes, kernel: counted })
}
