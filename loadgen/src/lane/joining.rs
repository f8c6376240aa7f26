//! How the subscribers of a lane come, and who of them is left.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use scenarios::Moment;

use super::LaneProcesses;
use super::pair::{spell, unexpected};
use crate::contract::{FleetCommand, FleetReply};
use crate::worker::PATIENCE;

impl LaneProcesses {
    /// Lets about `count` more subscribers come, and gives the number open at the deadline, or when none
    /// waits any more.
    ///
    /// # Errors
    /// A fleet is gone.
    pub fn try_connect(&mut self, count: usize, deadline: Moment) -> Result<usize> {
        let each = count.div_ceil(self.pairs.len());
        self.pairs.iter_mut().try_fold(0, |all, pair| {
            pair.fleet.tell(&FleetCommand::Connect { count: each, deadline: Some(deadline) })?;
            let reply = pair.fleet.hear(deadline.since(Moment::now()) + PATIENCE)?;
            let FleetReply::Connected { open, .. } = reply else { bail!(unexpected(&pair.fleet, &reply)) };
            Ok(all + open)
        })
    }

    /// Subscribers that are still open, and how many streams ended or broke, by kind.
    ///
    /// # Errors
    /// A fleet is gone.
    pub fn alive(&mut self) -> Result<(usize, BTreeMap<String, u64>)> {
        let (mut all, mut ended) = (0, BTreeMap::new());
        for pair in &mut self.pairs {
            pair.fleet.tell(&FleetCommand::Connect { count: 0, deadline: None })?;
            let reply = pair.fleet.hear(PATIENCE)?;
            let FleetReply::Connected { open, failures } = reply else {
                bail!(unexpected(&pair.fleet, &reply))
            };
            all += open;
            failures.into_iter().for_each(|(kind, (count, _))| *ended.entry(kind).or_insert(0) += count);
        }
        Ok((all, ended))
    }

    /// Connects about `count` more subscribers, the same number on every pair as far as their shares
    /// reach; gives the number now open.
    ///
    /// # Errors
    /// A subscriber failed: the kinds and one example of each are named.
    pub fn connect(&mut self, count: usize) -> Result<usize> {
        let each = count.div_ceil(self.pairs.len());
        let mut told = Vec::new();
        for pair in &mut self.pairs {
            let count = each.min(pair.to_connect);
            pair.to_connect -= count;
            pair.fleet.tell(&FleetCommand::Connect { count, deadline: None })?;
            told.push(pair);
        }
        let mut all = 0;
        for pair in told {
            let reply = pair.fleet.hear(PATIENCE)?;
            let FleetReply::Connected { open, failures } = reply else {
                bail!(unexpected(&pair.fleet, &reply))
            };
            if !failures.is_empty() {
                bail!("subscribers of lane {} could not connect: {}", self.lane, spell(&failures));
            }
            pair.open = open;
            all += open;
        }
        Ok(all)
    }

    /// Subscribers that are still to connect.
    #[must_use]
    pub fn to_connect(&self) -> usize {
        self.pairs.iter().map(|pair| pair.to_connect).sum()
    }
}
