//! Counts (`10k`) and spans of time (`100ms`) as people write them, in TOML and on the command line.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A whole number: `2000`, `2_000`, `10k`, `1.5M`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "u64")]
pub struct Count(pub u64);

/// A length of time: `250us`, `100ms`, `1.5s`, `5m`, `1h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String")]
pub struct Span(pub Duration);

const COUNT_UNITS: [(&str, f64); 5] = [("k", 1e3), ("K", 1e3), ("M", 1e6), ("m", 1e6), ("", 1.0)];
const SPAN_UNITS: [(&str, f64); 7] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 6e10), ("h", 3.6e12)];

impl FromStr for Count {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        scaled(text, &COUNT_UNITS)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a count; write 2000, 2_000, 10k or 1.5M"))
    }
}

impl FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        scaled(text, &SPAN_UNITS)
            .map(|nanos| Self(Duration::from_nanos(nanos)))
            .ok_or_else(|| format!("`{text}` is not a duration; write 250us, 100ms, 1.5s or 5m"))
    }
}

/// `digits + unit` as a whole number of base units, or nothing when that is not what it says.
fn scaled(text: &str, units: &[(&str, f64)]) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_'))?;
    let (number, unit) = text.split_at(split);
    scale(number, unit.trim(), units)
}

impl Count {
    /// Reads digits without a unit too, which `split` above cannot see.
    fn parse(text: &str) -> Result<Self, String> {
        text.trim().replace('_', "").parse().map(Self).or_else(|_| text.parse())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be whole and in range"
)]
fn scale(number: &str, unit: &str, units: &[(&str, f64)]) -> Option<u64> {
    let factor = units.iter().find(|(name, _)| *name == unit)?.1;
    let value = number.replace('_', "").parse::<f64>().ok()? * factor;
    let whole = value.round();
    ((value - whole).abs() < 1e-6 * value.max(1.0) && (0.0..1e18).contains(&whole)).then_some(whole as u64)
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n >= 1_000_000 && n.is_multiple_of(1_000_000) => write!(f, "{}M", n / 1_000_000),
            n if n >= 10_000 && n.is_multiple_of(1_000) => write!(f, "{}k", n / 1_000),
            n => write!(f, "{n}"),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        for (unit, size) in [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)] {
            if nanos >= size && nanos.is_multiple_of(size) {
                return write!(f, "{}{unit}", nanos / size);
            }
        }
        write!(f, "{nanos}ns")
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a number such as 2000, or text such as \"10k\"")]
enum Written {
    Number(u64),
    Text(String),
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Number(n) => Ok(Self(n)),
            Written::Text(text) => Self::parse(&text).map_err(serde::de::Error::custom),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Reads a count given on the command line.
///
/// # Errors
/// Says what a count looks like.
pub fn count(text: &str) -> Result<Count, String> {
    Count::parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counts_read_as_people_write_them() {
        for (text, n) in [("2000", 2000), ("2_000", 2000), ("10k", 10_000), ("1.5M", 1_500_000), ("0", 0)] {
            assert_eq!(count(text), Ok(Count(n)), "{text}");
        }
        for text in ["", "k", "-1", "1.5", "10x", "1e9", "99999999999999999999"] {
            assert!(count(text).is_err(), "{text}");
        }
    }

    #[test]
    fn spans_read_as_people_write_them() {
        for (text, ms) in [("100ms", 100), ("30s", 30_000), ("5m", 300_000), ("1.5s", 1500)] {
            assert_eq!(text.parse(), Ok(Span(Duration::from_millis(ms))), "{text}");
        }
        for text in ["", "5", "s", "-1s", "1 week"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(n in 0u64..1_000_000_000_000) {
            prop_assert_eq!(count(&Count(n).to_string()), Ok(Count(n)));
            let span = Span(Duration::from_nanos(n));
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }
    }
}
