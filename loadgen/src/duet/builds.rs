//! The two sides of a duet: a revision that is built first, a program, or a command line.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::environment;
use crate::exit::BadInput;
use crate::worker::Program;

/// One side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// As people read it.
    pub name: String,
    /// What is started.
    pub program: Program,
}

/// Finds what a side names, and builds it where it is a revision; `say` is told what takes its time.
///
/// # Errors
/// [`BadInput`] where it names nothing; a build that fails.
pub fn resolve(wanted: Option<&str>, say: &dyn Fn(&str)) -> Result<Build> {
    let Some(wanted) = wanted else {
        return Ok(Build { name: "this program".into(), program: Program::own("host")? });
    };
    if wanted.starts_with("http://") || wanted.starts_with("https://") {
        return Err(BadInput(format!(
            "cannot measure {wanted}: servers by their URL cannot be targets yet; name a program, a command line or rev:REVISION"
        ))
        .into());
    }
    if let Some(revision) = wanted.strip_prefix("rev:") {
        return revision_build(revision, say);
    }
    named(wanted).map_err(Into::into)
}

/// A program, which is started as `host`, or a command line as it is written.
fn named(wanted: &str) -> Result<Build, BadInput> {
    let nothing = |what: &str| {
        BadInput(format!(
            "cannot measure `{wanted}`: there is no program {what}; name one, a command line, or rev:REVISION of this repository"
        ))
    };
    let mut words = wanted.split_whitespace().map(str::to_owned);
    let program = match Path::new(wanted).is_file() {
        true => Program { file: wanted.into(), arguments: vec!["host".into()] },
        false => {
            let first = words.next().ok_or_else(|| nothing("without a name"))?;
            let file = found(&first).ok_or_else(|| nothing(&first))?;
            let arguments: Vec<String> = words.collect();
            let arguments = if arguments.is_empty() { vec!["host".into()] } else { arguments };
            Program { file, arguments }
        }
    };
    Ok(Build { name: wanted.to_owned(), program })
}

/// A file, or a program on the path.
fn found(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Path::new(name).is_file().then(|| name.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The program of a revision: checked out beside nobody's work under `target/duet/COMMIT`, and built there once. All
/// revisions share the build of their dependencies.
fn revision_build(revision: &str, say: &dyn Fn(&str)) -> Result<Build> {
    let git =
        |folder: &Path, arguments: &[&str]| output(Command::new("git").current_dir(folder).args(arguments));
    let here = Path::new(".");
    let root = git(here, &["rev-parse", "--show-toplevel"]).map_err(|why| {
        BadInput(format!("cannot find rev:{revision}: this folder is in no git repository ({why})"))
    })?;
    let root = PathBuf::from(root);
    if !root.join("loadgen/Cargo.toml").is_file() {
        return Err(BadInput(format!(
            "cannot build rev:{revision}: {} is not this program's repository; run it from there",
            root.display()
        ))
        .into());
    }
    let named = format!("{revision}^{{commit}}");
    let commit = git(&root, &["rev-parse", "--verify", "--quiet", "--end-of-options", &named])
        .map_err(|_| BadInput(format!("cannot find rev:{revision}: the repository has no such commit")))?;
    let short = commit.get(..12).unwrap_or(&commit).to_owned();
    let folder = root.join("target/duet").join(&short);
    let is_release = environment::profile() == "release";
    let program = folder.join(if is_release { "loadgen-release" } else { "loadgen" });
    let build = Build {
        name: format!("rev:{revision} ({short})"),
        program: Program { file: program.clone(), arguments: vec!["host".into()] },
    };
    if program.is_file() {
        return Ok(build);
    }
    say(&format!("building rev:{revision} ({short}) in {}; the first build takes minutes", folder.display()));
    let tree = folder.join("tree");
    let place = tree.to_str().context("the repository's path is not UTF-8")?;
    // What an interrupted build left behind would be in the way.
    let _ = git(&root, &["worktree", "remove", "--force", place]);
    let _ = git(&root, &["worktree", "prune"]);
    git(&root, &["worktree", "add", "--quiet", "--detach", place, &commit])
        .map_err(|why| anyhow::anyhow!("cannot check out rev:{revision}: {why}"))?;
    let built = cargo(&root, &tree, is_release);
    let _ = git(&root, &["worktree", "remove", "--force", place]);
    let made = built.with_context(|| format!("cannot build rev:{revision}"))?;
    // Renamed into its place, so that half a copy is never taken for a program.
    let beside = program.with_extension("partial");
    std::fs::copy(&made, &beside)
        .and_then(|_| std::fs::rename(&beside, &program))
        .with_context(|| format!("cannot keep the program of rev:{revision}"))?;
    Ok(build)
}

/// Builds a checked-out revision with the profile of this program; cargo's own talk goes to stderr.
fn cargo(root: &Path, tree: &Path, is_release: bool) -> Result<PathBuf> {
    let target = root.join("target/duet/build");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "-p", "loadgen"]).current_dir(tree).env("CARGO_TARGET_DIR", &target);
    if is_release {
        command.arg("--release");
    }
    let status = command.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("cargo ended with {status}");
    }
    Ok(target.join(if is_release { "release/loadgen" } else { "debug/loadgen" }))
}

/// What a command said, or why it failed.
fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|err| err.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(wanted: &str) -> Result<Build> {
        resolve(Some(wanted), &|_| panic!("nothing is built"))
    }

    #[test]
    fn programs_and_command_lines_are_found() {
        let own = resolve(None, &|_| {}).unwrap();
        assert_eq!(own.program.arguments, ["host"]);
        let file = own.program.file.to_str().unwrap().to_owned();
        assert_eq!(resolved(&file).unwrap().program, own.program);
        let line = resolved(&format!("{file} serve --fast")).unwrap();
        assert_eq!(
            (line.program.file, line.program.arguments),
            (own.program.file, vec!["serve".into(), "--fast".into()])
        );
        assert!(resolved("sh -c true").unwrap().program.file.is_absolute());
    }

    #[test]
    fn what_names_nothing_is_bad_input_with_what_can_be_named() {
        for (wanted, why) in [
            ("http://localhost:8080/events", "cannot be targets yet"),
            ("https://example.org", "cannot be targets yet"),
            ("no-such-program", "there is no program no-such-program"),
            ("./nowhere/loadgen host", "there is no program ./nowhere/loadgen"),
            ("", "there is no program"),
            ("rev:no-such-revision", "the repository has no such commit"),
            ("rev:--all", "the repository has no such commit"),
        ] {
            let error = resolved(wanted).unwrap_err();
            assert!(error.is::<BadInput>() && error.to_string().contains(why), "{wanted}: {error:#}");
        }
    }
}
