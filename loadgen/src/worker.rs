//! A host or a fleet in its own process: this program re-executed, told what to do on stdio.
//!
//! Fresh processes per repetition, so that lanes inherit nothing from each other and CPU and memory
//! split by lane and side (DESIGN 3.2). A worker dies with its owner: dropping it ends the process,
//! and a process whose stdin ends stops by itself.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How long a worker may take to answer what needs no waiting.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A program that speaks a worker's contract on its stdio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its file.
    pub file: PathBuf,
    /// What it is started with.
    pub arguments: Vec<String>,
}

impl Program {
    /// This program as `role` (`host` or `fleet`).
    ///
    /// # Errors
    /// Its own file cannot be found.
    pub fn own(role: &str) -> Result<Self> {
        let file = std::env::current_exe().context("cannot find this program's own file")?;
        Ok(Self { file, arguments: vec![role.to_owned()] })
    }
}

/// One worker process.
pub struct Worker {
    name: String,
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Worker {
    /// Starts this program again as `role` (`host` or `fleet`) and gives it its order.
    ///
    /// # Errors
    /// The process cannot be started.
    pub fn start(role: &str, name: String, order: &impl Serialize) -> Result<Self> {
        Self::start_program(&Program::own(role)?, name, order)
    }

    /// Starts a program that speaks the same contract.
    ///
    /// # Errors
    /// The process cannot be started.
    pub fn start_program(program: &Program, name: String, order: &impl Serialize) -> Result<Self> {
        // A group of its own: Ctrl-C reaches the runner alone, which ends its workers in order.
        let mut child = Command::new(&program.file)
            .args(&program.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let stdin = child.stdin.take().expect("stdin is piped");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let mut worker = Self { name, child, stdin, lines };
        worker.tell(order)?;
        Ok(worker)
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whom messages about it name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Writes one command.
    ///
    /// # Errors
    /// The process is gone.
    pub fn tell(&mut self, command: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(command).context("cannot write a command as JSON")?;
        line.push(b'\n');
        self.stdin.write_all(&line).map_err(|err| anyhow!("{}: {err}", self.gone()))
    }

    /// Reads one reply, however long it takes up to `patience`.
    ///
    /// # Errors
    /// The process is gone, is silent for too long, or says what it should not.
    pub fn hear<T: DeserializeOwned>(&mut self, patience: Duration) -> Result<T> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => {
                serde_json::from_str(&line).with_context(|| format!("{} said what is no reply", self.name))
            }
            Err(RecvTimeoutError::Disconnected) => bail!("{}", self.gone()),
            Err(RecvTimeoutError::Timeout) => {
                bail!("{} did not answer within {} s", self.name, patience.as_secs())
            }
        }
    }

    /// Reads one reply, if there is one.
    ///
    /// # Errors
    /// The process is gone, or says what it should not.
    pub fn try_hear<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        match self.lines.try_recv() {
            Ok(line) => {
                let said = || format!("{} said what is no reply", self.name);
                serde_json::from_str(&line).map(Some).with_context(said)
            }
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => bail!("{}", self.gone()),
        }
    }

    fn gone(&mut self) -> String {
        match self.child.wait() {
            Ok(status) => format!("{} died during the run ({status})", self.name),
            Err(err) => format!("{} is gone ({err})", self.name),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already; either way nothing of it is left.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
