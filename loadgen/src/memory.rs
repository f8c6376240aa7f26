//! Memory by slope: one lane alone in fresh processes, read at several numbers of connections.
//!
//! A slope, because what a process needs to exist is not a cost of a connection (METHOD M13); each
//! connection has received one event, so that buffers which grow with the first write are in it.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use results::run::{Memory, MemoryPoint};
use scenarios::{Lane, Scenario};

use crate::lane::{Cores, LaneProcesses};
use crate::progress::Progress;
use crate::usage;

/// Reads memory of one lane at 0 connections and at each level of the scenario.
///
/// # Errors
/// A worker dies or cannot connect.
pub fn run(
    lane: Lane,
    scenario: &Scenario,
    cores: Cores,
    progress: &Progress,
    stop: &AtomicBool,
) -> Result<Memory> {
    let mut levels: Vec<u64> = scenario.memory.iter().map(|level| level.0).collect();
    levels.sort_unstable();
    let most = levels.last().copied().unwrap_or(0);
    let mut processes = LaneProcesses::start(lane, scenario, &scenario.payload, most, cores)?;
    processes.step(0)?;
    let mut points = vec![point(&processes, 0)?];
    let mut open = 0;
    for level in levels {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let more = usize::try_from(level.saturating_sub(open))?;
        open = processes.connect(more)? as u64;
        progress.say(&format!("memory of {lane}: {open} idle connections"));
        points.push(point(&processes, open)?);
    }
    Ok(Memory { lane, points })
}

fn point(processes: &LaneProcesses, connections: u64) -> Result<MemoryPoint> {
    let (server_pss_bytes, client_pss_bytes) = processes.pss_bytes()?;
    Ok(MemoryPoint { connections, server_pss_bytes, client_pss_bytes, slab_bytes: usage::slab_bytes()? })
}
