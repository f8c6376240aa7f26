//! A measurement under way, and the processes it started, seen from outside through `/proc`.
//!
//! Apart from the tests, because they only say when to hit what: here is how to wait for it without
//! a guess at time. Every wait is for a state, polled until a deadline that fails the test.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, ChildStderr};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procfs::process::{FDTarget, Process, all_processes};
use results::Run;
use scenarios::Moment;
use tempfile::TempDir;

use crate::common::{Ended, LOADGEN, command};

/// Polls until it holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Moment::now().plus_nanos(30_000_000_000);
    while !holds() {
        assert!(Moment::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A host or a fleet, known by pid and start, so that a pid used again is no mistake.
#[derive(Clone, Debug)]
pub struct Worker {
    pid: i32,
    start: u64,
    /// `host` or `fleet`.
    pub role: String,
}

impl Worker {
    fn of(process: &Process, runner: i32) -> Option<Self> {
        let stat = process.stat().ok()?;
        let role = process.cmdline().ok()?.get(1)?.clone();
        let worker = Self { pid: stat.pid, start: stat.starttime, role };
        (stat.ppid == runner && worker.lives()).then_some(worker)
    }

    /// Whether it runs; what only waits for its parent's notice does not.
    pub fn lives(&self) -> bool {
        let stat = Process::new(self.pid).and_then(|process| process.stat());
        stat.is_ok_and(|stat| stat.starttime == self.start && !"ZX".contains(stat.state))
    }

    pub fn kill(&self) {
        kill(Pid::from_raw(self.pid), Signal::SIGKILL).unwrap();
    }

    /// Sockets that it holds.
    pub fn sockets(&self) -> usize {
        let Ok(fds) = Process::new(self.pid).and_then(|process| process.fd()) else { return 0 };
        fds.flatten().filter(|fd| matches!(fd.target, FDTarget::Socket(_))).count()
    }

    /// How often its main thread waited: once an event at least, and a few times a command.
    fn waits(&self) -> u64 {
        let status = Process::new(self.pid).and_then(|process| process.status());
        status.ok().and_then(|status| status.voluntary_ctxt_switches).unwrap_or(0)
    }
}

/// The program while it measures into `run` of a folder of its own.
pub struct Measuring {
    child: Child,
    stderr: BufReader<ChildStderr>,
    folder: TempDir,
}

impl Measuring {
    pub fn start(options: &str) -> Self {
        let arguments = ["-s", "smoke", "--set", "sweep=[]"].into_iter();
        Self::of(&arguments.chain(options.split_whitespace()).collect::<Vec<_>>())
    }

    /// Any other measurement.
    pub fn of(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let arguments = [arguments, &["-o", "run"]].concat();
        let mut child = command(LOADGEN, folder.path(), &arguments).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr, folder }
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Its workers in the order they were started: each lane's host, then its fleet.
    pub fn workers(&self) -> Vec<Worker> {
        let all = all_processes().unwrap().flatten();
        let mut workers: Vec<Worker> = all.filter_map(|one| Worker::of(&one, self.pid())).collect();
        workers.sort_by_key(|worker| (worker.start, worker.pid));
        workers
    }

    /// Waits for a line of its talk that has `part`.
    pub fn says(&mut self, part: &str) {
        let mut line = String::new();
        while !line.contains(part) {
            line.clear();
            assert!(self.stderr.read_line(&mut line).unwrap() > 0, "it ended without saying `{part}`");
        }
    }

    /// Waits until `lanes` lanes are connected and one of them publishes; gives their workers.
    pub fn publishes(&self, lanes: usize) -> Vec<Worker> {
        let mut workers = Vec::new();
        until("all lanes are connected", || {
            workers = self.workers();
            let fleets = workers.iter().filter(|worker| worker.role == "fleet");
            fleets.filter(|fleet| fleet.sockets() >= 250).count() == lanes
        });
        let hosts: Vec<(Worker, u64)> = workers
            .iter()
            .filter(|worker| worker.role == "host")
            .map(|host| (host.clone(), host.waits()))
            .collect();
        until("a lane publishes", || hosts.iter().any(|(host, before)| host.waits() > before + 30));
        workers
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end by itself; gives what it said since the last [`says`](Self::says).
    pub fn end(&mut self) -> Ended {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stderr.read_to_string(&mut stderr).unwrap();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        Ended { code: self.child.wait().unwrap().code().unwrap(), stdout, stderr }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("run").join(name)
    }

    /// The run as saved.
    pub fn saved(&self) -> Run {
        Run::load(&self.file("run.json")).unwrap()
    }
}

impl Drop for Measuring {
    fn drop(&mut self) {
        // A test that fails leaves nothing that measures on; after its end there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
