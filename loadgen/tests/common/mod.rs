//! The program as a child process: how every test here starts it, and what it left behind.
//!
//! Apart, because `cli` and `runs` need the same child: no terminal and no size of one, so that
//! nothing depends on where the tests run.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program under test.
pub const LOADGEN: &str = env!("CARGO_BIN_EXE_loadgen");

/// A command that starts `program` in `folder`, with all of stdio away from a terminal.
pub fn command(program: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env_remove("COLUMNS");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The exit code, stdout and stderr of a program that ended by itself.
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        Self { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// Runs a command to its end.
pub fn ended(mut command: Command) -> Ended {
    command.output().unwrap().into()
}

/// Runs the program in `folder` to its end.
pub fn loadgen(folder: &Path, arguments: &[&str]) -> Ended {
    ended(command(LOADGEN, folder, arguments))
}
