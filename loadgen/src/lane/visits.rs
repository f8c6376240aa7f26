//! What a lane's processes are told where every subscriber has a stream of its own.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use scenarios::Moment;
use servers::contract::{HostCommand, HostReply, Sessions};

use super::{LaneProcesses, unexpected};
use crate::contract::{FleetCommand, FleetReply, Visited};
use crate::worker::PATIENCE;

impl LaneProcesses {
    /// Lets all clients come from `start` on.
    ///
    /// # Errors
    /// A fleet is gone.
    pub fn invite(&mut self, start: Moment) -> Result<()> {
        self.pairs.iter_mut().try_for_each(|pair| pair.fleet.tell(&FleetCommand::Visit { start }))
    }

    /// Waits until the last client is done: what they saw together.
    ///
    /// # Errors
    /// A fleet is gone, or takes too long.
    pub fn visited(&mut self, patience: Duration) -> Result<Visited> {
        let mut all: Option<Visited> = None;
        for pair in &mut self.pairs {
            let reply = pair.fleet.hear(patience + PATIENCE)?;
            let FleetReply::Visited(one) = reply else { bail!(unexpected(&pair.fleet, &reply)) };
            all = Some(match all {
                None => *one,
                Some(all) => all.joined(*one),
            });
        }
        all.context("a lane has at least one fleet")
    }

    /// What the hosts know of their streams so far.
    ///
    /// # Errors
    /// A host is gone.
    pub fn sessions(&mut self) -> Result<Sessions> {
        let mut all = Sessions::default();
        for pair in &mut self.pairs {
            pair.host.tell(&HostCommand::Sessions)?;
            let reply = pair.host.hear(PATIENCE)?;
            let HostReply::Sessions(one) = reply else { bail!(unexpected(&pair.host, &reply)) };
            all.begun += one.begun;
            all.released.extend(one.released);
            all.lag_ns.extend(one.lag_ns);
            if all.witness_sha256.is_empty() {
                all.witness_sha256 = one.witness_sha256;
            }
        }
        Ok(all)
    }
}
