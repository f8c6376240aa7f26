//! The hub of a server that something happens to: what it keeps for those who come back, and on which terms they do.

use anyhow::{Context as _, Result};
use scenarios::seed::repeated;
use scenarios::{Case, Lane, Scenario, Transport};

use super::Gaps;
use crate::hub::{Hub, Terms};
use crate::window::Bounds;

/// The same hub, not used yet, as a scenario's outage has it in one of its cases and on server `number`; as it is where nothing is to
/// break.
///
/// # Errors
/// A bound does not fit this machine.
pub fn prepared(hub: Hub, lane: Lane, scenario: &Scenario, case: Option<Case>, number: u64) -> Result<Hub> {
    let Some((outage, case)) = scenario.outage.as_ref().zip(case) else { return Ok(hub) };
    let fits = |count: u64| usize::try_from(count).context("a bound of `outage` does not fit this machine");
    let bounds = Bounds {
        events: fits(case.window.0)?,
        bytes: fits(outage.window_bytes.0)?,
        age: outage.window_age.0,
    };
    let terms = Terms {
        // A WebSocket has no field for it.
        hint: if lane.transport == Transport::Sse { case.hint } else { Default::default() },
        seed: repeated(scenario.seed, number),
        scale: outage.retry_scale,
        most: outage.most.0,
        max_age: outage.max_age.0,
    };
    Ok(hub.resuming_within(Gaps::of(lane, scenario), bounds).following().on(terms))
}
