//! What a server tells event streams of the reconnection time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::quantity::Span;
use crate::seed::SplitMix;

/// The reconnection time that a server tells a stream of, drawn for each between two: `none`, `2s` or `1s..5s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hint(Option<(Span, Span)>);

impl Hint {
    /// What the stream that the server serves as its number `count` is told, ms.
    #[must_use]
    pub fn draw(self, seed: u64, count: u64, scale: f64) -> Option<u64> {
        let (low, high) = self.0?;
        let spread = high.0.saturating_sub(low.0).mul_f64(SplitMix::new(seed, 0x4E77 ^ count).unit());
        let told = (low.0 + spread).mul_f64(scale);
        Some(u64::try_from(told.as_millis()).unwrap_or(u64::MAX))
    }

    /// Whether nothing is told.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => out.write_str("none"),
            Some((low, high)) if low == high => write!(out, "{low}"),
            Some((low, high)) => write!(out, "{low}..{high}"),
        }
    }
}

impl FromStr for Hint {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        let (low, high) = text.split_once("..").unwrap_or((text, text));
        let (low, high): (Span, Span) = (low.trim().parse()?, high.trim().parse()?);
        match low <= high && high.0 <= Duration::from_secs(600) {
            true => Ok(Self(Some((low, high)))),
            false => Err(format!("`{text}` is no hint; write `none`, `2s`, or `1s..5s`, at most 10m")),
        }
    }
}
