//! Tells the program what it was built from and how, so that every run can say so.

use std::env;
use std::process::Command;

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn main() {
    let commit = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".into());
    let changed =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|list| !list.is_empty());
    println!("cargo::rustc-env=LOADGEN_COMMIT={commit}{}", if changed { "+" } else { "" });
    println!("cargo::rustc-env=LOADGEN_OPT_LEVEL={}", env::var("OPT_LEVEL").unwrap_or_default());
    let rustc = env::var("RUSTC").ok().and_then(|rustc| Command::new(rustc).arg("--version").output().ok());
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    println!("cargo::rustc-env=LOADGEN_RUSTC={}", rustc.unwrap_or_else(|| "unknown".into()));
    let folder = env::var("OUT_DIR").unwrap_or_default();
    let profile = if folder.contains("/release/") { "release" } else { "dev, optimised" };
    println!("cargo::rustc-env=LOADGEN_PROFILE={profile}");
    if let Some(head) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={head}");
    }
    let rustc = Command::new(env::var("RUSTC").unwrap_or_else(|_| "rustc".into())).arg("--version").output();
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    println!("cargo::rustc-env=LOADGEN_RUSTC={}", rustc.unwrap_or_else(|_| "unknown".into()));
    println!("cargo::rerun-if-changed=src");
}
