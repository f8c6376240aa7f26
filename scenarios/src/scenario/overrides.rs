//! How `key=value` of the command line reaches its field in a scenario's text, or is answered with the fields
//! that there are.

use super::{Scenario, ScenarioError};
use crate::lane::nearest;

/// Sets `a.b=value` in a table; the value is read as TOML, and as text when it is none.
pub(super) fn set(table: &mut toml::Table, key: &str, value: &str) -> Result<(), ScenarioError> {
    let (path, last) = key.rsplit_once('.').map_or((None, key), |(path, last)| (Some(path), last));
    let fields: Vec<String> = schemars::schema_for!(Scenario)
        .get("properties")
        .and_then(|properties| properties.as_object().map(|fields| fields.keys().cloned().collect()))
        .unwrap_or_default();
    let top = path.unwrap_or(last);
    if !fields.iter().any(|field| field == top) {
        let hint = nearest(top, fields.iter().map(String::as_str));
        return Err(ScenarioError(format!(
            "cannot set `{key}`: a scenario has no field `{top}`{hint}; its fields are {}",
            fields.join(", ")
        )));
    }
    let parsed = toml::from_str::<toml::Table>(&format!("value = {value}"))
        .ok()
        .and_then(|mut one| one.remove("value"))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()));
    let target = match path {
        None => table,
        Some(path) => table
            .entry(path)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .ok_or_else(|| ScenarioError(format!("cannot set `{key}`: `{path}` has no fields of its own")))?,
    };
    target.insert(last.to_owned(), parsed);
    Ok(())
}
