//! Refuse or warn before measuring: descriptors, ports, cores, memory, clock, profile (METHOD M29).
//!
//! All needs are computed from the plan, so that a run that cannot end well does not begin.

use std::fs::read_to_string;

use nix::sched::{CpuSet, sched_getaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;
use results::run::{Environment, Severity, Warning};
use scenarios::{ClientStack, Coding, Lane, Plan, Scenario, ServerStack, Transport};

use crate::lane::{CONNECTIONS_PER_WORKER, Cores};

/// Descriptors a worker needs beside its connections.
const SPARE_DESCRIPTORS: u64 = 500;

/// Memory one connection may need, both ends and the kernel, bytes: twice what was measured.
const BYTES_PER_CONNECTION: u64 = 64 * 1024;

/// Memory one stream of a connection that carries many may need, both ends, bytes: likewise.
const BYTES_PER_STREAM: u64 = 8 * 1024;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Why the run cannot begin; empty when it can.
    pub refusals: Vec<String>,
    /// What to know.
    pub warnings: Vec<Warning>,
}

/// Servers on the first core this process may use and generators on the second, where there are two.
#[must_use]
pub fn cores() -> Cores {
    let Ok(may) = sched_getaffinity(Pid::from_raw(0)) else { return Cores::default() };
    let mut usable = (0..CpuSet::count()).filter(|core| may.is_set(*core).unwrap_or(false));
    match (usable.next(), usable.next()) {
        (server, client @ Some(_)) => Cores { server, client },
        (_, None) => Cores::default(),
    }
}

/// Raises the soft limit of descriptors to the hard one, where it may; workers inherit it.
pub fn raise_descriptors() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // What could not be raised is found by `check`, which says how to do it.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Checks a plan against this machine.
#[must_use]
pub fn check(plan: &Plan, environment: &Environment) -> Findings {
    let mut found = Findings::default();
    let most = plan.scenario.memory.iter().map(|level| level.0).chain([plan.scenario.subscribers.0]).max();
    let most = most.unwrap_or(0);
    let in_a_process = |lane: &Lane| connections(plan, *lane, most).min(CONNECTIONS_PER_WORKER);
    let largest = plan.lanes().iter().map(in_a_process).max().unwrap_or(0);
    let each = plan.scenario.descriptors_of_a_connection();
    let needed = (largest * each).min(CONNECTIONS_PER_WORKER) + SPARE_DESCRIPTORS;
    if environment.descriptors < needed {
        found.refusals.push(format!(
            "{largest} connections need {needed} descriptors in a process, the limit is {}; raise it with `ulimit -n {needed}` (as root: `ulimit -Hn {needed}` first), or lower `-c`",
            environment.descriptors
        ));
    }
    if let Some(ports) = ephemeral_ports()
        && largest > ports
    {
        found.refusals.push(format!(
            "{largest} connections to one server need as many local ports, the kernel gives {ports}; widen them with `sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"`, or lower `-c`"
        ));
    }
    let subscribers = plan.scenario.subscribers.0;
    let opened: u64 = plan.lanes().iter().map(|lane| connections(plan, *lane, subscribers)).sum();
    let memory = |lane: &Lane| {
        let held = connections(plan, *lane, subscribers) * bytes_per_connection(*lane);
        held + subscribers * bytes_per_subscriber(*lane)
    };
    let memory = plan.lanes().iter().map(memory).sum::<u64>() + logged_bytes(plan);
    if memory > environment.memory_bytes {
        found.refusals.push(format!(
            "{opened} connections may need {} MiB of memory, this machine has {}; lower `-c` or name fewer lanes",
            memory >> 20,
            environment.memory_bytes >> 20
        ));
    }
    let available = environment.sysctls.get("net.ipv4.tcp_available_congestion_control");
    let congestion = &plan.scenario.congestion;
    if available.is_some_and(|list| !list.split(' ').any(|name| name == congestion)) {
        found.refusals.push(format!(
            "the kernel has no congestion control `{congestion}`; it has {}: use `--set congestion=...`",
            available.map_or("", String::as_str)
        ));
    }
    found.warnings.extend(doubts(environment));
    found
}

/// Memory that the log of what arrived when may need, where clients come back: an entry a delivery, as vectors grow.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive, and a bound saturates"
)]
fn logged_bytes(plan: &Plan) -> u64 {
    let Scenario { outage, subscribers, rate, duration, .. } = &plan.scenario;
    let events = (rate * duration.0.as_secs_f64()) as u64;
    outage.as_ref().map_or(0, |_| subscribers.0.saturating_mul(events).saturating_mul(32))
}

/// Connections that so many subscribers of a lane need.
fn connections(plan: &Plan, lane: Lane, subscribers: u64) -> u64 {
    plan.scenario.connections_of(lane) * subscribers.div_ceil(plan.scenario.streams_of(lane))
}

/// Memory one connection of a lane may need: stock WebSocket ends hold a read buffer of 128 KiB, the
/// ends of TLS their keys and a record each.
fn bytes_per_connection(lane: Lane) -> u64 {
    let more = [
        (lane.transport == Transport::Ws && lane.server == ServerStack::Axum, 136 * 1024),
        (lane.client == ClientStack::Tungstenite, 136 * 1024),
        (lane.tls, 48 * 1024),
    ];
    BYTES_PER_CONNECTION + sum(more)
}

/// Memory one subscriber may need beside its connection: a stream where it shares that, and the ends of
/// compression a window each, and the tables to find what it holds.
fn bytes_per_subscriber(lane: Lane) -> u64 {
    sum([(lane.mux, BYTES_PER_STREAM), (lane.coding != Coding::Plain, 384 * 1024)])
}

fn sum<const N: usize>(rows: [(bool, u64); N]) -> u64 {
    rows.iter().map(|(held, bytes)| if *held { *bytes } else { 0 }).sum()
}

fn doubts(environment: &Environment) -> Vec<Warning> {
    let rules = [
        (
            environment.profile == "unoptimised",
            Severity::Invalid,
            "this is an unoptimised build: the generator would measure itself; build with the workspace's own profiles".to_owned(),
        ),
        (
            environment.sysctls.get("net.ipv4.tcp_timestamps").is_some_and(|set| set == "0"),
            Severity::Doubt,
            "TCP timestamps are off: segments are 12 bytes shorter than the headers of 52 bytes that are counted; `sysctl -w net.ipv4.tcp_timestamps=1`".to_owned(),
        ),
        (
            environment.cores < 2,
            Severity::Doubt,
            "one core only: servers and generators compete for it, latencies are those of the competition".to_owned(),
        ),
        (
            !["tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page"].contains(&environment.clock_source.as_str()),
            Severity::Doubt,
            format!("clock source `{}` may be slow or coarse", environment.clock_source),
        ),
        (
            !["performance", "none"].contains(&environment.governor.as_str()),
            Severity::Note,
            format!("frequency governor `{}`: the CPU changes its speed with the load", environment.governor),
        ),
    ];
    rules
        .into_iter()
        .filter(|rule| rule.0)
        .map(|(_, severity, text)| Warning { severity, lane: None, repetition: None, text })
        .collect()
}

fn ephemeral_ports() -> Option<u64> {
    let text = read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut bounds = text.split_whitespace().filter_map(|bound| bound.parse::<u64>().ok());
    let (low, high) = (bounds.next()?, bounds.next()?);
    Some(high.saturating_sub(low) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(subscribers: &str, environment: Environment) -> Findings {
        let (name, scenario) =
            Scenario::load("smoke", &[("subscribers".into(), subscribers.into())]).unwrap();
        check(&Plan::new(name, scenario), &environment)
    }

    fn machine() -> Environment {
        Environment {
            profile: "dev, optimised".into(),
            cores: 2,
            memory_bytes: 24 << 30,
            clock_source: "tsc".into(),
            governor: "none".into(),
            descriptors: 20_000,
            ..Environment::default()
        }
    }

    #[test]
    fn a_fit_machine_is_not_complained_of() {
        assert_eq!(findings("40k", machine()), Findings::default());
    }

    #[test]
    fn what_is_missing_is_refused_with_what_to_do() {
        let few = findings("5k", Environment { descriptors: 1_024, ..machine() });
        assert!(few.refusals[0].contains("ulimit -n 5500"), "{few:?}");
        let small = findings("100k", Environment { memory_bytes: 1 << 30, ..machine() });
        assert!(small.refusals[0].contains("MiB of memory"), "{small:?}");
        let set = [("subscribers", "18k"), ("rate", "1000"), ("duration", "1m")];
        let set = set.map(|(field, value)| (field.to_owned(), value.to_owned()));
        let (name, scenario) = Scenario::load("reconnect", &set).unwrap();
        let logs = check(&Plan::new(name, scenario), &machine());
        assert!(logs.refusals[0].contains("MiB of memory"), "{logs:?}");
        let sysctls = [("net.ipv4.tcp_available_congestion_control".to_owned(), "reno bbr".to_owned())];
        let other = findings("50", Environment { sysctls: sysctls.into(), ..machine() });
        assert!(other.refusals[0].contains("it has reno bbr"), "{other:?}");
        let slow = findings("50", Environment { profile: "unoptimised".into(), ..machine() });
        assert_eq!(slow.warnings[0].severity, Severity::Invalid);
    }
}
