//! Whether two runs measured the same thing in the same place, and else what differs, field by field.
//!
//! What is compared between runs may differ in the program (version, commit): that is the question. All else that
//! moves a number must be the same.

use scenarios::Lane;
use serde_json::{Map, Value};

use crate::run::{Environment, Run};

/// Fields of a scenario that move no number: what it is called, how often it is repeated, what it is held to, and its
/// lanes, which are compared one by one. Every other field, one that is added too, has to be the same.
const FREE: [&str; 4] = ["about", "repetitions", "budgets", "lanes"];

/// What of a machine moves numbers (its *class*).
type Trait = (&'static str, fn(&Environment) -> String);
const TRAITS: [Trait; 9] = [
    ("profile", |e| e.profile.clone()),
    ("cpu", |e| e.cpu.clone()),
    ("cores", |e| e.cores.to_string()),
    ("kernel", |e| e.kernel.clone()),
    ("clock_source", |e| e.clock_source.clone()),
    ("governor", |e| e.governor.clone()),
    ("server_cores", |e| format!("{:?}", e.server_cores)),
    ("client_cores", |e| format!("{:?}", e.client_cores)),
    ("sysctls.net.ipv4.tcp_timestamps", |e| {
        e.sysctls.get("net.ipv4.tcp_timestamps").map_or("unknown", String::as_str).to_owned()
    }),
];

/// The fields of a scenario that move numbers.
#[must_use]
pub fn workload(run: &Run) -> Value {
    let mut fields = serde_json::to_value(&run.scenario).unwrap_or_default();
    if let Some(fields) = fields.as_object_mut() {
        FREE.iter().for_each(|free| drop(fields.remove(*free)));
    }
    fields
}

/// What differs between two runs in what moves the numbers of these lanes: `field: A …, B …`.
#[must_use]
pub fn differences(a: &Run, b: &Run, lanes: &[Lane]) -> Vec<String> {
    let mut found = Vec::new();
    walk("scenario", &workload(a), &workload(b), &mut found);
    for (name, of) in TRAITS {
        let (one, other) = (of(&a.environment), of(&b.environment));
        if one != other {
            found.push(told(&format!("environment.{name}"), &one, &other));
        }
    }
    for lane in lanes {
        for side in ["server", "client"] {
            let key = format!("{lane} {side}");
            let of = |run: &Run| serde_json::to_value(run.sockets.get(&key)).unwrap_or_default();
            walk(&format!("sockets of {key}"), &of(a), &of(b), &mut found);
        }
    }
    found
}

fn told(field: &str, a: &str, b: &str) -> String {
    format!("{field}: A {a}, B {b}")
}

/// Goes down into objects; anything else is the same or differs as a whole.
fn walk(field: &str, a: &Value, b: &Value, found: &mut Vec<String>) {
    let (Some(one), Some(other)) = (a.as_object(), b.as_object()) else {
        if a != b {
            found.push(told(field, &a.to_string(), &b.to_string()));
        }
        return;
    };
    let of = |fields: &Map<String, Value>, key: &str| fields.get(key).cloned().unwrap_or_default();
    let mut keys: Vec<&String> = one.keys().chain(other.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        walk(&format!("{field}.{key}"), &of(one, key), &of(other, key), found);
    }
}
