//! What a process uses, read from outside by its pid.
//!
//! CPU time comes from the process's own CPU clock in nanoseconds: the ticks of `/proc/pid/stat`
//! are a hundredth of a second, too coarse for a block (METHOD M12).

use anyhow::{Context, Result};
use nix::sys::time::TimeValLike as _;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use procfs::process::Process;
use procfs::{Current as _, CurrentSI as _};

/// CPU time and context switches of a process since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// User and system time, ns.
    pub cpu_ns: u64,
    /// Of it the time in the kernel, ns, to a hundredth of a second: good for a trial, not for a block.
    pub kernel_ns: u64,
    /// Context switches of all its threads, voluntary and not.
    pub switches: u64,
}

impl Usage {
    /// What was used since `earlier`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(earlier.cpu_ns),
            kernel_ns: self.kernel_ns.saturating_sub(earlier.kernel_ns),
            switches: self.switches.saturating_sub(earlier.switches),
        }
    }
}

/// The sum over several processes.
///
/// # Errors
/// One of them is gone.
pub fn of(pids: &[u32]) -> Result<Usage> {
    pids.iter().try_fold(Usage::default(), |sum, pid| {
        let one = of_one(*pid).with_context(|| format!("cannot read what process {pid} uses"))?;
        Ok(Usage {
            cpu_ns: sum.cpu_ns + one.cpu_ns,
            kernel_ns: sum.kernel_ns + one.kernel_ns,
            switches: sum.switches + one.switches,
        })
    })
}

/// CPU time of a process since it began, ns.
///
/// # Errors
/// It is gone.
pub fn cpu_ns(pid: u32) -> Result<u64> {
    let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(i32::try_from(pid)?))?;
    Ok(u64::try_from(clock_gettime(clock)?.num_nanoseconds())?)
}

/// Resident memory of a process, bytes: rougher than PSS, and read at once however much it is.
///
/// # Errors
/// It is gone.
pub fn rss_bytes(pid: u32) -> Result<u64> {
    let pages = Process::new(i32::try_from(pid)?)?.statm()?.resident;
    Ok(pages * procfs::page_size())
}

fn of_one(pid: u32) -> Result<Usage> {
    let cpu_ns = cpu_ns(pid)?;
    let process = Process::new(i32::try_from(pid)?)?;
    let kernel_ns = process.stat()?.stime * tick_ns();
    let mut switches = 0;
    for task in process.tasks()?.flatten() {
        let status = task.status()?;
        switches +=
            status.voluntary_ctxt_switches.unwrap_or(0) + status.nonvoluntary_ctxt_switches.unwrap_or(0);
    }
    Ok(Usage { cpu_ns, kernel_ns, switches })
}

fn tick_ns() -> u64 {
    1_000_000_000 / procfs::ticks_per_second().max(1)
}

/// Proportional set size of several processes, bytes (`smaps_rollup`).
///
/// # Errors
/// One of them is gone, or belongs to somebody else.
pub fn pss_bytes(pids: &[u32]) -> Result<u64> {
    pids.iter().try_fold(0, |sum, pid| {
        let rollup = Process::new(i32::try_from(*pid)?)?.smaps_rollup()?;
        let pss = rollup.memory_map_rollup.iter().filter_map(|map| map.extension.map.get("Pss")).sum::<u64>();
        Ok(sum + pss)
    })
}

/// Descriptors that several processes hold open.
///
/// # Errors
/// One of them is gone, or belongs to somebody else.
pub fn descriptors(pids: &[u32]) -> Result<u64> {
    pids.iter().try_fold(0, |sum, pid| Ok(sum + Process::new(i32::try_from(*pid)?)?.fd_count()? as u64))
}

/// What the whole machine shows at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// CPU time stolen by the hypervisor, all cores, ns.
    pub steal_ns: u64,
    /// Time in which some task waited for a CPU, ns; 0 where the kernel keeps no pressure counts.
    pub cpu_pressure_ns: u64,
}

impl Machine {
    /// What was counted since `earlier`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            steal_ns: self.steal_ns.saturating_sub(earlier.steal_ns),
            cpu_pressure_ns: self.cpu_pressure_ns.saturating_sub(earlier.cpu_pressure_ns),
        }
    }
}

/// Reads the machine's counters; what the kernel does not tell is 0.
#[must_use]
pub fn machine() -> Machine {
    let steal = procfs::KernelStats::current().ok().and_then(|stats| stats.total.steal);
    let pressure = procfs::CpuPressure::current().map_or(0, |pressure| pressure.some.total);
    Machine { steal_ns: steal.unwrap_or(0) * tick_ns(), cpu_pressure_ns: pressure * 1_000 }
}

/// Kernel slab of the whole machine, bytes.
///
/// # Errors
/// `/proc/meminfo` cannot be read.
pub fn slab_bytes() -> Result<u64> {
    Ok(procfs::Meminfo::current().context("cannot read /proc/meminfo")?.slab)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shows_as_cpu_time_and_memory_as_pss() {
        let own = [std::process::id()];
        let held = std::hint::black_box(vec![1u8; 128 << 20]);
        let before = of(&own).unwrap();
        let mut sum = 0u64;
        while of(&own).unwrap().since(before).cpu_ns < 5_000_000 {
            sum = sum.wrapping_add(held.iter().map(|byte| u64::from(*byte)).sum());
        }
        let with = pss_bytes(&own).unwrap();
        drop(held);
        assert!(sum > 0 && with - pss_bytes(&own).unwrap() > 96 << 20);
        assert!(slab_bytes().unwrap() > 0);
    }

    #[test]
    fn a_process_that_is_gone_is_an_error_with_its_pid() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let error = of(&[child.id()]).unwrap_err();
        assert!(error.to_string().contains(&child.id().to_string()), "{error}");
    }
}
