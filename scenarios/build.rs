//! Embeds `catalog/*.toml`, so that a scenario is found from any working directory and adding one
//! is adding one file.

use std::fmt::Write as _;
use std::{env, fs, path::Path};

fn main() {
    let catalog = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("catalog");
    println!("cargo::rerun-if-changed={}", catalog.display());
    let mut files: Vec<_> = fs::read_dir(&catalog)
        .expect("the catalog folder exists")
        .map(|entry| entry.expect("a readable catalog").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    let mut source = String::from("&[\n");
    for file in &files {
        let name = file.file_stem().expect("a file has a name").to_string_lossy();
        writeln!(source, "({name:?}, include_str!({:?})),", file.display().to_string())
            .expect("a String takes all");
    }
    source.push(']');
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("catalog.rs"), source).expect("OUT_DIR is writable");
}
