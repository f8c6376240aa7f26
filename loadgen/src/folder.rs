//! The folder that a measurement leaves its files in.

use std::path::{Path, PathBuf};

use crate::environment;
use crate::exit::BadInput;

/// Makes the folder and finds it writable, before anything is measured: the one that is wanted, or one of the time and
/// `name` under `results/runs`. `what` (`run`, `duet`) is what it is to hold, and may not hold yet.
///
/// # Errors
/// It holds one already, or cannot be written into.
pub fn made(wanted: Option<&Path>, name: &str, what: &str) -> Result<PathBuf, BadInput> {
    let default = || Path::new("results/runs").join(format!("{}-{name}", environment::now().1));
    let folder = wanted.map_or_else(default, Path::to_owned);
    if folder.join(format!("{what}.json")).exists() {
        return Err(BadInput(format!(
            "{} holds a {what} already; name another folder with -o",
            folder.display()
        )));
    }
    let probe = folder.join(".probe");
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(&probe, b""))
        .and_then(|()| std::fs::remove_file(&probe))
        .map_err(|err| {
            BadInput(format!("cannot write into {}: {err}; name another folder with -o", folder.display()))
        })?;
    Ok(folder)
}
