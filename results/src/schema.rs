//! The published JSON schemas of `run.json` and of what was judged, made from the types themselves.
//!
//! Committed, because others read these files: a change of the format must show in a review.

use schemars::{JsonSchema, schema_for};

use crate::judged::Judged;
use crate::run::Run;

/// The schema as committed in `results/schema/run.schema.json`.
#[must_use]
pub fn schema() -> String {
    of::<Run>()
}

/// The schema as committed in `results/schema/judged.schema.json`.
#[must_use]
pub fn judged() -> String {
    of::<Judged>()
}

fn of<T: JsonSchema>() -> String {
    serde_json::to_string_pretty(&schema_for!(T)).expect("a schema is JSON") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schema");

    /// `UPDATE_SCHEMA=1 cargo test -p results` rewrites the files after an intended change.
    #[test]
    fn the_committed_schemas_are_current() {
        for (name, schema) in [("run", schema()), ("judged", judged())] {
            let committed = format!("{FOLDER}/{name}.schema.json");
            if std::env::var_os("UPDATE_SCHEMA").is_some() {
                std::fs::write(&committed, &schema).unwrap();
            }
            assert!(
                std::fs::read_to_string(&committed).unwrap() == schema,
                "{name}: run with UPDATE_SCHEMA=1"
            );
        }
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
