//! Bodies: a pure function from (seed, seq) to bytes, the same on every lane and at both ends.
//!
//! No body carries a timestamp of the measurement: latency comes from the schedule, and a body
//! that differed by lane or by moment could not be compared byte for byte (METHOD M8).

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::quantity::{Count, count};
use crate::seed::SplitMix;

/// What the bodies are. Written as `ticker` or `text:100`.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub enum Payload {
    /// A stock quote as JSON, about 150 bytes.
    Ticker,
    /// Printable text of exactly this many bytes.
    Text(u64),
    /// Text whose size changes every `each` events: the byte-only sweep.
    Sweep {
        /// Sizes in bytes, in order.
        sizes: Vec<u64>,
        /// Events of each size.
        each: u64,
    },
}

/// The smallest text that still tells its sequence number, so that an event without an id can be
/// recognised by its body.
pub const SELF_IDENTIFYING_BYTES: u64 = 20;

/// `(symbol, price in cents, listing venue)`.
const STOCKS: [(&str, u64, &str); 24] = [
    ("AAPL", 22_914, "XNAS"),
    ("MSFT", 41_852, "XNAS"),
    ("NVDA", 13_471, "XNAS"),
    ("AMZN", 20_577, "XNAS"),
    ("GOOGL", 17_638, "XNAS"),
    ("META", 59_104, "XNAS"),
    ("TSLA", 34_290, "XNAS"),
    ("AVGO", 17_125, "XNAS"),
    ("COST", 92_633, "XNAS"),
    ("NFLX", 88_420, "XNAS"),
    ("AMD", 13_892, "XNAS"),
    ("INTC", 2_417, "XNAS"),
    ("BRK.B", 47_011, "XNYS"),
    ("JPM", 24_368, "XNYS"),
    ("V", 30_951, "XNYS"),
    ("UNH", 59_880, "XNYS"),
    ("XOM", 12_043, "XNYS"),
    ("MA", 52_114, "XNYS"),
    ("JNJ", 15_428, "XNYS"),
    ("PG", 17_259, "XNYS"),
    ("HD", 40_975, "XNYS"),
    ("KO", 6_342, "XNYS"),
    ("BAC", 4_587, "XNYS"),
    ("T", 2_263, "XNYS"),
];
const VENUES: [&str; 6] = ["XNAS", "XNYS", "ARCX", "BATS", "EDGX", "IEXG"];
const LETTERS: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789";

impl Payload {
    /// The body of event `seq`: printable UTF-8 without CR or LF.
    #[must_use]
    pub fn body(&self, seed: u64, seq: u64) -> Vec<u8> {
        match self {
            Self::Ticker => quote(seed, seq).into_bytes(),
            Self::Text(bytes) => text(seed, seq, *bytes),
            Self::Sweep { sizes, each } => {
                let index = usize::try_from(seq / each).expect("a sweep is short");
                text(seed, seq, sizes[index.min(sizes.len() - 1)])
            }
        }
    }
}

fn quote(seed: u64, seq: u64) -> String {
    let mut draw = SplitMix::new(seed, seq.wrapping_add(1));
    let (symbol, base, listing) = STOCKS[pick(&mut draw, STOCKS.len())];
    let price = base * (9_900 + draw.below(200)) / 10_000;
    let spread = 1 + draw.below(1 + base / 5_000);
    let venue = if draw.below(3) == 0 { VENUES[pick(&mut draw, VENUES.len())] } else { listing };
    let (bid, ask) = (price, price + spread);
    let last = bid + draw.below(spread + 1);
    let tick = 34_200_000 + seq * 40;
    format!(
        r#"{{"symbol":"{symbol}","bid":{},"ask":{},"bidSize":{},"askSize":{},"last":{},"volume":{},"venue":"{venue}","time":"{:02}:{:02}:{:02}.{:03}"}}"#,
        Cents(bid),
        Cents(ask),
        100 * (1 + draw.below(40)),
        100 * (1 + draw.below(40)),
        Cents(last),
        1_000_000 + draw.below(9_000_000),
        tick / 3_600_000 % 24,
        tick / 60_000 % 60,
        tick / 1_000 % 60,
        tick % 1_000,
    )
}

fn pick(draw: &mut SplitMix, length: usize) -> usize {
    usize::try_from(draw.below(length as u64)).expect("an index of a small table")
}

struct Cents(u64);

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

fn text(seed: u64, seq: u64, bytes: u64) -> Vec<u8> {
    let bytes = usize::try_from(bytes).expect("a body fits memory");
    let mut out =
        if bytes as u64 >= SELF_IDENTIFYING_BYTES { seq.to_string().into_bytes() } else { Vec::new() };
    let mut draw = SplitMix::new(seed, seq.wrapping_add(1));
    while out.len() < bytes {
        out.extend(draw.draw().to_le_bytes().map(|byte| LETTERS[usize::from(byte & 63)]));
    }
    out.truncate(bytes);
    out
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ticker => f.write_str("ticker"),
            Self::Text(bytes) => write!(f, "text:{}", Count(*bytes)),
            Self::Sweep { sizes, each } => {
                let sizes: Vec<String> = sizes.iter().map(ToString::to_string).collect();
                write!(f, "sweep:{}x{each}", sizes.join(","))
            }
        }
    }
}

impl FromStr for Payload {
    type Err = String;
    fn from_str(written: &str) -> Result<Self, String> {
        let wrong =
            || format!("unknown payload `{written}`; write `ticker` or `text:BYTES`, for example `text:1k`");
        match written.split_once(':') {
            None if written == "ticker" => Ok(Self::Ticker),
            Some(("text", bytes)) => Ok(Self::Text(count(bytes).map_err(|_| wrong())?.0)),
            Some(("sweep", rest)) => {
                let (sizes, each) = rest.rsplit_once('x').ok_or_else(wrong)?;
                let sizes: Result<Vec<u64>, _> = sizes.split(',').map(str::parse).collect();
                let each: u64 = each.parse().map_err(|_| wrong())?;
                match sizes {
                    Ok(sizes) if each > 0 => Ok(Self::Sweep { sizes, each }),
                    Ok(_) | Err(_) => Err(wrong()),
                }
            }
            None | Some(_) => Err(wrong()),
        }
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn quotes_are_json_realistic_and_unique() {
        let bodies: Vec<Vec<u8>> = (0..2_000).map(|seq| Payload::Ticker.body(1, seq)).collect();
        for body in &bodies {
            let quote: serde_json::Value = serde_json::from_slice(body).unwrap();
            assert!(quote["ask"].as_f64() > quote["bid"].as_f64(), "{quote}");
            assert!((120..170).contains(&body.len()), "{}", body.len());
        }
        assert_eq!(bodies.iter().collect::<HashSet<_>>().len(), bodies.len());
    }

    /// The bodies of a seed are part of every published number: they may not change.
    #[test]
    fn golden_hash_of_the_ticker() {
        let mut hash = Sha256::new();
        (0..1_000).for_each(|seq| hash.update(Payload::Ticker.body(1, seq)));
        let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        insta::assert_snapshot!(hex);
    }

    #[test]
    fn names_read_back_and_wrong_ones_are_explained() {
        for payload in [Payload::Ticker, Payload::Text(100), Payload::Sweep { sizes: vec![0, 32], each: 20 }]
        {
            assert_eq!(payload.to_string().parse(), Ok(payload));
        }
        for wrong in ["tiker", "text", "text:", "text:-1", "sweep:1x0"] {
            assert!(wrong.parse::<Payload>().unwrap_err().contains("text:BYTES"), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn text_has_its_size_and_no_line_ends(seed: u64, seq in 0u64..1_000_000, bytes in 0u64..5_000) {
            let body = Payload::Text(bytes).body(seed, seq);
            prop_assert_eq!(body.len() as u64, bytes);
            prop_assert!(body.iter().all(|byte| (b' '..=b'~').contains(byte)));
            prop_assert_eq!(Payload::Text(bytes).body(seed, seq), body);
        }
    }
}
