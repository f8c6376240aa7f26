//! The published JSON schema of `run.json`, made from the types themselves.
//!
//! Committed, because others read run files: a change of the format must show in a review.

use crate::run::Run;

/// The schema as committed in `results/schema/run.schema.json`.
#[must_use]
pub fn schema() -> String {
    let schema = schemars::schema_for!(Run);
    serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/run.schema.json");

    /// `UPDATE_SCHEMA=1 cargo test -p results` rewrites the file after an intended change.
    #[test]
    fn the_committed_schema_is_current() {
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(COMMITTED, schema()).unwrap();
        }
        assert!(std::fs::read_to_string(COMMITTED).unwrap() == schema(), "run with UPDATE_SCHEMA=1");
    }

    #[test]
    fn runs_validate_and_other_documents_do_not() {
        let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        for run in sample::broken().into_iter().chain([sample::run()]) {
            let json = serde_json::to_value(&run).unwrap();
            let errors: Vec<String> = validator.iter_errors(&json).map(|err| err.to_string()).collect();
            assert!(errors.is_empty(), "{errors:#?}");
        }
        assert!(!validator.is_valid(&serde_json::json!({ "schema": 1 })));
    }
}
