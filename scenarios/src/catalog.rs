//! The scenarios that come with the program, embedded from `catalog/*.toml` by `build.rs`.

use crate::lane::nearest;

const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/catalog.rs"));

/// `(name, TOML text)` of every embedded scenario.
#[must_use]
pub fn all() -> &'static [(&'static str, &'static str)] {
    FILES
}

/// The text of an embedded scenario.
///
/// # Errors
/// Names the nearest scenario when there is none of this name.
pub fn text(name: &str) -> Result<&'static str, String> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text).ok_or_else(|| {
        let hint = nearest(name, FILES.iter().map(|(known, _)| *known));
        format!(
            "unknown scenario `{name}`{hint}; `loadgen list` shows all, and a path to a .toml file works too"
        )
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_wrong_name_is_answered_with_the_nearest() {
        assert!(super::text("tickr").unwrap_err().contains("did you mean `ticker`?"));
        assert!(super::text("ticker").is_ok());
    }
}
