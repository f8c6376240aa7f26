//! A baseline as text: written by hand so that it is the same each time, read as TOML.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use toml::{Table, Value};

use super::{BY_SIZE, Counted, Counts, Exact, OF_LANE};

const HEAD: &str = "\
# Exact counts, taken in lock-step: an event leaves when every subscriber has the last.
# Written by `loadgen gate --update-baseline`; what is 0 is left out.
# A number is of all events of one size (`payload.200` of those of 200 bytes) to all subscribers.
";

impl Exact {
    /// The baseline as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = HEAD.to_owned();
        let infallible = "a String takes all";
        for (name, section) in [("made", &self.made), ("settings", &self.settings)] {
            writeln!(out, "\n[{name}]").expect(infallible);
            for (key, value) in section {
                writeln!(out, "{key} = {}", quoted(value)).expect(infallible);
            }
        }
        for (lane, counts) in &self.lanes {
            writeln!(out, "\n[lanes.{}]", quoted(lane)).expect(infallible);
            let digest = counts.digest.iter().map(|digest| ("digest".to_owned(), quoted(digest)));
            let whole = counts.of_lane.iter().map(|(name, count)| (name.clone(), count.to_string()));
            let sized = counts.by_size.iter();
            let sized = sized.map(|((name, size), count)| (format!("{name}.{size}"), count.to_string()));
            for (key, value) in digest.chain(whole).chain(sized) {
                writeln!(out, "{key} = {value}").expect(infallible);
            }
        }
        out
    }

    /// Reads a baseline.
    ///
    /// # Errors
    /// It is no TOML (with line and caret), or holds what is none of a baseline.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut table: Table =
            toml::from_str(text).map_err(|err: toml::de::Error| err.to_string().trim_end().to_owned())?;
        let mut section = |name: &str| match table.remove(name) {
            Some(Value::Table(section)) => Ok(section),
            Some(_) | None => Err(format!("it has no section [{name}]")),
        };
        let (made, settings) = (words(section("made")?)?, words(section("settings")?)?);
        let lanes = section("lanes")?;
        if let Some(key) = table.keys().next() {
            return Err(format!("`{key}` is no part of a baseline"));
        }
        let deliveries = settings.get("deliveries").and_then(|text| text.parse().ok());
        let deliveries = deliveries.ok_or("its settings do not say how many `deliveries` a number is of")?;
        let lanes = lanes.into_iter().map(|(lane, value)| {
            let Value::Table(counts) = value else { return Err(format!("lane `{lane}` is no section")) };
            Ok((lane.clone(), counts_of(counts).map_err(|why| format!("lane `{lane}`: {why}"))?))
        });
        Ok(Self { settings, made, lanes: lanes.collect::<Result<_, String>>()?, deliveries })
    }
}

/// As TOML has it.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

fn words(section: Table) -> Result<BTreeMap<String, String>, String> {
    let word = |(key, value): (String, Value)| match value.as_str() {
        Some(text) => Ok((key.clone(), text.to_owned())),
        None => Err(format!("`{key}` is no text")),
    };
    section.into_iter().map(word).collect()
}

fn counts_of(section: Table) -> Result<Counts, String> {
    let mut counts = Counts::default();
    let known = |list: &[Counted], name: &str| list.iter().any(|counted| counted.name == name);
    for (name, value) in section {
        if let (Some(digest), "digest") = (value.as_str(), name.as_str()) {
            counts.digest = Some(digest.to_owned());
        } else if let (Some(count), true) = (value.as_integer(), known(&OF_LANE, &name)) {
            counts.of_lane.insert(name.clone(), whole(&name, count)?);
        } else if let (Some(sizes), true) = (value.as_table(), known(&BY_SIZE, &name)) {
            for (size, value) in sizes {
                let (Ok(bytes), Some(count)) = (size.parse(), value.as_integer()) else {
                    return Err(format!("`{name}.{size}` is no count at a size"));
                };
                counts.by_size.insert((name.clone(), bytes), whole(&name, count)?);
            }
        } else {
            return Err(format!("`{name}` is nothing that is counted, or no count"));
        }
    }
    Ok(counts)
}

fn whole(name: &str, count: i64) -> Result<u64, String> {
    u64::try_from(count).map_err(|_| format!("`{name}` is {count}, and counts are not below 0"))
}
