//! Exact counts of lanes, taken in lock-step, and what is said of them against a baseline (METHOD M22).
//!
//! The same number each time it is counted, so one more byte is a finding and no statistics stand in between. A baseline
//! is text, a line a number, sorted: its difference in a review is the difference of the programs.

use std::collections::BTreeMap;

use crate::judged::{Finding, Firmness, JUDGED_SCHEMA, Judged, Verdict};
use crate::value::number as shown;

mod file;

/// What is counted, its unit, and how to read it. Less is better.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// Its key in a baseline.
    pub name: &'static str,
    /// The unit of one of it.
    pub unit: &'static str,
    /// How to read it.
    pub read: &'static str,
}

const fn counted(name: &'static str, unit: &'static str, read: &'static str) -> Counted {
    Counted { name, unit, read }
}

/// What is counted at every size of payload.
pub static BY_SIZE: [Counted; 14] = [
    counted("payload", "B", "Bodies, as the decoder counted them."),
    counted("event_framing", "B", "Identity and event syntax."),
    counted("compressed", "B", "Payload and event framing, which compression makes one."),
    counted("transport_framing", "B", "Chunk lines, frame headers, length prefixes."),
    counted("control", "B", "Anything else while connected."),
    counted("poll_heads", "B", "Response heads of polls."),
    counted("tls", "B", "Headers and tags of TLS records, and TLS's own messages."),
    counted("tls_records", "", "TLS records received."),
    counted("up", "B", "Sent upward."),
    counted("segments", "", "Data segments received (tcpi_data_segs_in)."),
    counted("segments_up", "", "Data segments sent upward (tcpi_data_segs_out)."),
    counted("writes", "", "System calls of the server that wrote."),
    counted("server_allocations", "", "Allocations of the server, framing included."),
    counted("client_allocations", "", "Allocations of the client, recording included."),
];

/// What is counted of a lane in all.
pub static OF_LANE: [Counted; 7] = [
    counted("lost", "", "Events that never arrived."),
    counted("duplicated", "", "Events that arrived again."),
    counted("reordered", "", "Events that arrived after a later one."),
    counted("corrupted", "", "Events that arrived with a wrong body or name."),
    counted("unexpected", "", "Events that nobody was to get."),
    counted("handshake_down", "B", "Received before the stream was open."),
    counted("handshake_up", "B", "Sent before the stream was open."),
];

/// The counts of one lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// By what is counted and the size of the payload, in bytes; what is 0 is left out.
    pub by_size: BTreeMap<(String, u64), u64>,
    /// By what is counted; what is 0 is left out.
    pub of_lane: BTreeMap<String, u64>,
    /// SHA-256 over the bytes of a fixed sequence of events as they come down, hex; none inside TLS, whose bytes differ
    /// each time.
    pub digest: Option<String>,
}

/// All that was counted, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exact {
    /// What must be the same for two of them to be compared.
    pub settings: BTreeMap<String, String>,
    /// What made it, for those who read it.
    pub made: BTreeMap<String, String>,
    /// The lanes.
    pub lanes: BTreeMap<String, Counts>,
    /// Deliveries that each number by size is of.
    pub deliveries: u64,
}

/// How much more than the baseline is borne, as a part of it: in general, and of some counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tolerance {
    /// Of all others.
    pub general: f64,
    /// By what is counted.
    pub own: BTreeMap<String, f64>,
}

impl Tolerance {
    /// Adds one as written: `1%`, or `writes=1%`.
    ///
    /// # Errors
    /// It is no percentage, or of nothing that is counted.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let (name, written) = text.split_once('=').map_or((None, text), |(name, part)| (Some(name), part));
        let percent = written.trim().strip_suffix('%').and_then(|percent| percent.trim().parse::<f64>().ok());
        let part = percent.filter(|percent| (0.0..=100.0).contains(percent)).map(|percent| percent / 100.0);
        let part =
            part.ok_or_else(|| format!("--tolerance {text}: write 1%, or writes=1%, from 0 to 100"))?;
        match name.map(str::trim) {
            None => self.general = part,
            Some(name) => {
                let names: Vec<&str> = BY_SIZE.iter().chain(&OF_LANE).map(|counted| counted.name).collect();
                if !names.contains(&name) {
                    let hint = scenarios::lane::nearest(name, names.iter().copied());
                    let all = names.join(", ");
                    return Err(format!(
                        "--tolerance {text}: nothing is counted as `{name}`{hint}; there are {all}"
                    ));
                }
                self.own.insert(name.to_owned(), part);
            }
        }
        Ok(())
    }

    fn of(&self, name: &str) -> f64 {
        self.own.get(name).copied().unwrap_or(self.general)
    }

    fn stated(&self) -> String {
        let percent = |part: &f64| format!("{} %", shown(part * 100.0));
        let own = self.own.iter().map(|(name, part)| format!(", {} more {name}", percent(part)));
        format!("borne is {} more than the baseline{}", percent(&self.general), own.collect::<String>())
    }
}

impl Exact {
    /// Judges what was counted now against this baseline.
    ///
    /// # Errors
    /// The two cannot be compared: other settings, or a lane that the baseline lacks.
    pub fn judge(&self, now: &Self, tolerance: &Tolerance) -> Result<Judged, String> {
        self.comparable(now)?;
        let lanes = now.lanes.iter().map(|(lane, counts)| (lane, &self.lanes[lane], counts));
        let findings: Vec<Finding> =
            lanes.flat_map(|(lane, then, counts)| self.findings(lane, then, counts, tolerance)).collect();
        let mut notes = vec![tolerance.stated()];
        notes.extend(differences(&self.made, &now.made).map(|line| format!("not made alike: {line}")));
        let judged = Judged {
            schema: JUDGED_SCHEMA,
            command: "gate".into(),
            subject: format!("exact counts of {} lanes against the baseline", now.lanes.len()),
            findings,
            notes,
        };
        let better = judged.with(Verdict::Better).count();
        let mut judged = judged;
        if better > 0 {
            judged.notes.push(format!(
                "{better} counts are better than the baseline: keep that with --update-baseline"
            ));
        }
        Ok(judged)
    }

    fn comparable(&self, now: &Self) -> Result<(), String> {
        let other: Vec<String> = differences(&self.settings, &now.settings).collect();
        if !other.is_empty() {
            let other = other.join("; ");
            return Err(format!(
                "it was made with other settings: {other}; make it anew with --update-baseline"
            ));
        }
        let missing: Vec<&str> =
            now.lanes.keys().filter(|lane| !self.lanes.contains_key(*lane)).map(String::as_str).collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(format!("it has no lane {}; add it with --update-baseline", missing.join(", "))),
        }
    }

    fn findings(&self, lane: &str, then: &Counts, now: &Counts, tolerance: &Tolerance) -> Vec<Finding> {
        let mut found = Vec::new();
        let sizes = || now.by_size.keys().chain(then.by_size.keys()).map(|key| key.1);
        let sizes: std::collections::BTreeSet<u64> = sizes().collect();
        let each = self.deliveries.max(1) as f64;
        for (counted, size) in
            BY_SIZE.iter().flat_map(|counted| sizes.iter().map(move |size| (counted, size)))
        {
            let key = (counted.name.to_owned(), *size);
            let both = [then, now].map(|counts| counts.by_size.get(&key).copied().unwrap_or(0));
            found.extend(finding(lane, counted, Some(*size), both, each, tolerance));
        }
        for counted in &OF_LANE {
            let both = [then, now].map(|counts| counts.of_lane.get(counted.name).copied().unwrap_or(0));
            found.extend(finding(lane, counted, None, both, 1.0, tolerance));
        }
        found.extend(digest(lane, then, now));
        found
    }

    /// What differs from another, a line a number: what an update changes.
    #[must_use]
    pub fn changes(&self, new: &Self) -> Vec<String> {
        let (old, new) = (self.numbers(), new.numbers());
        differences(&old, &new).collect()
    }

    /// Every number by its name in full, as text.
    fn numbers(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for (lane, counts) in &self.lanes {
            for ((name, size), count) in &counts.by_size {
                all.insert(format!("{lane} {name}.{size}"), count.to_string());
            }
            for (name, count) in &counts.of_lane {
                all.insert(format!("{lane} {name}"), count.to_string());
            }
            all.extend(counts.digest.iter().map(|digest| (format!("{lane} digest"), digest.clone())));
        }
        all
    }
}

/// `name: old, now new`, of all that differ.
fn differences<'a>(
    old: &'a BTreeMap<String, String>,
    new: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = String> + 'a {
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let said = |value: Option<&String>| value.map_or("nothing".to_owned(), String::clone);
    names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .map(move |name| format!("{name}: {}, now {}", said(old.get(name)), said(new.get(name))))
}

/// What is said of one count; nothing where there is none on either side, but for losses, which must be seen to be none.
fn finding(
    lane: &str,
    counted: &Counted,
    size: Option<u64>,
    [then, now]: [u64; 2],
    each: f64,
    tolerance: &Tolerance,
) -> Option<Finding> {
    if then == 0 && now == 0 && counted.name != "lost" {
        return None;
    }
    let most = then as f64 * (1.0 + tolerance.of(counted.name));
    let verdict = match now {
        now if now as f64 > most => Verdict::Worse,
        now if now < then => Verdict::Better,
        _ => Verdict::Same,
    };
    let [reference, value] = [then, now].map(|count| count as f64 / each);
    let at = size.map_or(String::new(), |size| format!(", {size} B"));
    let unit = match (counted.unit, size) {
        ("", None) => "in all".to_owned(),
        (unit, None) => unit.to_owned(),
        (unit, Some(_)) => format!("{unit}/event"),
    };
    Some(Finding {
        name: format!("{}{at}", counted.name),
        lane: Some(lane.to_owned()),
        firmness: Firmness::Exact,
        unit: unit.clone(),
        reference: Some(reference),
        value: Some(value),
        ratio: (then > 0).then(|| now as f64 / then as f64),
        interval: None,
        verdict,
        text: format!(
            "{} {unit} against {} ({now} against {then} counted). {}",
            shown(value),
            shown(reference),
            counted.read
        ),
    })
}

/// The bytes themselves: another digest is another protocol, however long it is.
fn digest(lane: &str, then: &Counts, now: &Counts) -> Option<Finding> {
    let said = |digest: &Option<String>| {
        digest.as_ref().map_or("none".to_owned(), |hex| hex.chars().take(12).collect())
    };
    let is_same = then.digest == now.digest;
    (then.digest.is_some() || now.digest.is_some()).then(|| Finding {
        name: "bytes of a fixed sequence".into(),
        lane: Some(lane.to_owned()),
        firmness: Firmness::Exact,
        unit: "SHA-256".into(),
        reference: None,
        value: None,
        ratio: None,
        interval: None,
        verdict: if is_same { Verdict::Same } else { Verdict::Worse },
        text: match is_same {
            true => format!("what comes down is the same to the byte ({})", said(&now.digest)),
            false => format!(
                "what comes down differs: {} against {}; if that is meant, write --update-baseline",
                said(&now.digest),
                said(&then.digest)
            ),
        },
    })
}

#[cfg(test)]
mod tests;
