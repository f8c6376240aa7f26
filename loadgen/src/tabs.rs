//! One browser with many tabs on one origin: how many of their streams open.
//!
//! The client is this project's own, held to the rule that browsers apply: over HTTP/1.1 at most six
//! connections to an origin (a limit of Chromium and Firefox; RFC 9112 9.4 leaves the number to clients), and
//! whatever comes beyond waits; over HTTP/2 one connection, with as many streams as the server allows;
//! WebSockets in a pool of their own.

use std::time::Duration;

use anyhow::{Context, Result};
use results::run::Tabs;
use scenarios::{Carrier, Count, Lane, Moment, Scenario, Transport};

use crate::lane::{Cores, LaneProcesses, Place};

/// How long the tabs may take to open their streams, which takes milliseconds where nothing waits.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Connections that a browser holds to one origin for streams of this kind. Chromium's pool takes 6 sockets
/// a group, and 255 WebSockets; HTTP/2 streams share one connection (RFC 9113 9.1).
#[must_use]
pub const fn per_origin(lane: Lane) -> usize {
    match (lane.carrier, lane.transport) {
        (Carrier::H2, _) => 1,
        (Carrier::H1, Transport::Sse | Transport::LongPoll | Transport::Poll) => 6,
        (Carrier::H1, Transport::Ws) => 255,
        (_, Transport::Raw) | (Carrier::Tcp, _) => usize::MAX >> 4,
    }
}

/// Lets the scenario's tabs open a stream each.
///
/// # Errors
/// A worker dies.
pub fn run(lane: Lane, scenario: &Scenario, cores: Cores) -> Result<Tabs> {
    let tabs = scenario.tabs.0;
    let alone = Scenario { subscribers: Count(tabs), slow: 0.0, upstream: 0.0, ..scenario.clone() };
    let place = Place { server: None, cores, through: &mut Ok, browser: Some(per_origin(lane)) };
    let mut processes = LaneProcesses::start_in(lane, &alone, &alone.payload, tabs, place)?;
    processes.step(0)?;
    let patience = u64::try_from(PATIENCE.as_nanos()).context("a small constant")?;
    let open = processes.try_connect(usize::try_from(tabs)?, Moment::now().plus_nanos(patience))?;
    let connections = processes.totals()?.iter().map(|totals| totals.open).sum();
    Ok(Tabs { lane, tabs, open: open as u64, connections })
}
