//! The server as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A server that is killed if the test leaves it running.
pub struct Server {
    child: Child,
    /// Where its HTTP listens.
    pub authority: String,
}

impl Server {
    /// Starts one on a free port and waits until it says where it listens; later lines meet a closed pipe.
    pub fn start(args: &[&str]) -> Self {
        Self::of(Command::new(env!("CARGO_BIN_EXE_servers")).args(["--bind", "127.0.0.1:0"]).args(args))
    }

    pub fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let line = lines.find(|line| line.contains("curl -N")).unwrap();
        let authority = line.split("://").nth(1).unwrap().strip_suffix("/sse").unwrap().to_owned();
        Self { child, authority }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn ask_to_end(&self) {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
    }

    /// The exit code.
    pub fn ended(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error says that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
