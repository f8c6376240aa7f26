//! What to say to a name that is no lane: which part does not combine, or which name was meant.

/// `(a base, the option that it does not combine with, why)`, where that needs saying.
const REASONS: [(&str, &str, &str); 2] =
    [("poll-h2", "+mux", MUX_OF_POLLS), ("longpoll-h2", "+mux", MUX_OF_POLLS)];
const MUX_OF_POLLS: &str = "each poll is a stream of its own already, on its client's connection; ";

/// The parts of a lane's name, each with the sign before it.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    let mut rest = name;
    std::iter::from_fn(move || {
        let end = rest.char_indices().skip(1).find(|(_, sign)| "+%@".contains(*sign));
        let (part, behind) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
        rest = behind;
        (!part.is_empty()).then_some(part)
    })
}

/// Why a name made of known parts is no lane: the first option that does not combine with what stands
/// before it, and the lanes that have it.
pub fn uncombined(text: &str, names: &[String]) -> Option<String> {
    let has = |name: &&String, part: &str| parts(name).any(|one| one == part);
    if !parts(text).all(|part| names.iter().any(|name| has(&name, part))) {
        return None;
    }
    let known = |upto: usize| names.iter().any(|name| parts(name).take(upto).eq(parts(text).take(upto)));
    let option = parts(text).enumerate().find(|(index, _)| !known(index + 1))?.1;
    let can: Vec<&str> = names.iter().filter(|name| has(name, option)).map(String::as_str).collect();
    let reason = REASONS.iter().find(|row| row.1 == option && parts(text).next() == Some(row.0));
    let reason = reason.map_or("", |row| row.2);
    Some(format!("there is no lane `{text}`: {reason}`{option}` goes with {}", can.join(", ")))
}

/// `, did you mean ...?` for the name nearest to what was written, empty if none is near.
pub fn nearest<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> String {
    names
        .map(|name| (strsim::damerau_levenshtein(written, name), name))
        .min()
        .filter(|(distance, name)| *distance <= 1.max(name.len() / 2))
        .map_or(String::new(), |(_, name)| format!(", did you mean `{name}`?"))
}
