//! How many pairs of processes serve a lane, and which subscribers each of them has.

use std::ops::Range;

use scenarios::{Lane, Scenario};

/// Connections one process holds at most: below the descriptors it may have, with room for others.
pub const CONNECTIONS_PER_WORKER: u64 = 19_000;

/// Pairs of processes that hold so many subscribers: as many on every lane as the one needs that needs most,
/// since a second publisher on the same core would be charged to the lane that has it.
fn workers(lane: Lane, scenario: &Scenario, subscribers: u64) -> u64 {
    let needed = |lane: Lane| {
        let each = scenario.connections_of(lane) * scenario.descriptors_of_a_connection();
        subscribers.div_ceil(CONNECTIONS_PER_WORKER * scenario.streams_of(lane) / each)
    };
    scenario.lanes.iter().copied().chain([lane]).map(needed).fold(1, u64::max)
}

/// The numbers of the subscribers of each pair, as equally many as they can be.
pub fn shares(lane: Lane, scenario: &Scenario, subscribers: u64) -> Vec<Range<u64>> {
    let workers = workers(lane, scenario, subscribers);
    let first = |index: u64| index * (subscribers / workers) + index.min(subscribers % workers);
    (0..workers).map(|index| first(index)..first(index + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(lanes: &str, upstream: &str) -> Scenario {
        let fields = [("lanes", lanes), ("upstream", upstream), ("streams", "100"), ("sweep", "[]")];
        let fields = fields.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Scenario::load("smoke", &fields).unwrap().1
    }

    /// One lane alone may need one process or three, but none may have a second publisher that another has not.
    #[test]
    fn every_lane_of_a_run_uses_as_many_processes_as_the_one_that_needs_most() {
        let all = r#"["sse-h1", "ws-h1", "sse-h2+mux", "raw"]"#;
        let with = |lanes: &str, upstream: &str, subscribers: u64| -> Vec<usize> {
            let scenario = scenario(lanes, upstream);
            scenario.lanes.iter().map(|lane| shares(*lane, &scenario, subscribers).len()).collect()
        };
        assert_eq!(with(all, "0", CONNECTIONS_PER_WORKER), [1; 4]);
        assert_eq!(with(all, "0", CONNECTIONS_PER_WORKER + 1), [2; 4]);
        // Messages upward take `sse-h1` a second connection each.
        assert_eq!(with(all, "1", CONNECTIONS_PER_WORKER), [2; 4]);
        assert_eq!(with(r#"["ws-h1", "raw"]"#, "1", CONNECTIONS_PER_WORKER), [1; 2]);
        assert_eq!(with(r#"["sse-h2+mux"]"#, "0", 100 * CONNECTIONS_PER_WORKER), [1]);
    }

    #[test]
    fn every_subscriber_has_one_process_and_none_has_more_connections_than_it_may() {
        for (upstream, each) in [("0", 1), ("1", 2)] {
            let scenario = scenario(r#"["sse-h1", "ws-h1"]"#, upstream);
            for subscribers in [0, 1, 19_000, 19_001, 38_003, 200_000] {
                let shares = shares(scenario.lanes[1], &scenario, subscribers);
                let clients: Vec<u64> = shares.iter().cloned().flatten().collect();
                assert_eq!(clients, (0..subscribers).collect::<Vec<_>>());
                let sizes = || shares.iter().map(|share| share.end - share.start);
                assert!(sizes().max() <= sizes().min().map(|least| least + 1), "{shares:?}");
                assert!(sizes().all(|size| size * each <= CONNECTIONS_PER_WORKER), "{shares:?}");
            }
        }
    }
}
