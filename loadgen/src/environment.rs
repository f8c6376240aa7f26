//! Where a run runs: kernel, CPU, limits and settings that a reader must know (METHOD M28).
//!
//! The only place that reads wall-clock time.

use std::collections::BTreeMap;
use std::fs::read_to_string;

use nix::sys::resource::{Resource, getrlimit};
use results::run::Environment;

use crate::lane::Cores;

const SYSCTLS: [&str; 7] = [
    "net/core/somaxconn",
    "net/ipv4/tcp_congestion_control",
    "net/ipv4/tcp_available_congestion_control",
    "net/ipv4/tcp_timestamps",
    "net/ipv4/ip_local_port_range",
    "net/ipv4/tcp_rmem",
    "net/ipv4/tcp_wmem",
];

/// Reads it; what cannot be read stands as `unknown` or 0.
#[must_use]
pub fn read(cores: Cores) -> Environment {
    let file = |path: &str| read_to_string(path).map(|text| text.trim().to_owned()).ok();
    let or_unknown = |text: Option<String>| text.unwrap_or_else(|| "unknown".into());
    let pinned = |core: Option<usize>| core.into_iter().map(|core| core as u64).collect();
    let sysctls = SYSCTLS.iter().filter_map(|name| {
        let value = file(&format!("/proc/sys/{name}"))?;
        Some((name.replace('/', "."), value.split_whitespace().collect::<Vec<_>>().join(" ")))
    });
    Environment {
        version: env!("CARGO_PKG_VERSION").into(),
        commit: env!("LOADGEN_COMMIT").into(),
        profile: profile().into(),
        rustc: env!("LOADGEN_RUSTC").into(),
        kernel: or_unknown(file("/proc/sys/kernel/osrelease")),
        cpu: or_unknown(cpu_model()),
        cores: std::thread::available_parallelism().map_or(0, |n| n.get() as u64),
        server_cores: pinned(cores.server),
        client_cores: pinned(cores.client),
        memory_bytes: procfs_memory(),
        clock_source: or_unknown(file("/sys/devices/system/clocksource/clocksource0/current_clocksource")),
        governor: file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
            .unwrap_or_else(|| "none".into()),
        descriptors: getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft),
        sysctls: sysctls.collect::<BTreeMap<_, _>>(),
    }
}

/// The build profile: optimised builds are comparable among themselves only.
#[must_use]
pub fn profile() -> &'static str {
    match (env!("LOADGEN_OPT_LEVEL"), cfg!(debug_assertions)) {
        ("0", _) => "unoptimised",
        (_, true) => "optimised with debug assertions",
        (_, false) => env!("LOADGEN_PROFILE"),
    }
}

/// Now, as RFC 3339 in UTC, to the second; and as a folder's name.
#[must_use]
pub fn now() -> (String, String) {
    #[expect(clippy::disallowed_methods, reason = "this file is where wall-clock time is read")]
    let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
    let folder = now.replace(['-', ':'], "");
    (now, folder)
}

fn cpu_model() -> Option<String> {
    let text = read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn procfs_memory() -> u64 {
    use procfs::Current as _;
    procfs::Meminfo::current().map_or(0, |memory| memory.mem_total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn now_names_a_folder() {
        let (now, folder) = now();
        assert!(now.ends_with('Z') && now.len() == 20, "{now}");
        assert_eq!(folder.len(), 16, "{folder}");
    }

    #[test]
    fn this_machine_is_described() {
        let environment = read(Cores::default());
        assert!(environment.cores > 0 && environment.memory_bytes > 0 && environment.descriptors > 0);
        assert!(environment.sysctls.contains_key("net.ipv4.tcp_congestion_control"));
        assert_ne!(environment.profile, "unoptimised", "an unoptimised build measures itself");
    }
}
