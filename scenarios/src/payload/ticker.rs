//! Stock quotes as JSON, about 140 bytes: what a ticker fans out.

use std::fmt;

use super::pick;
use crate::seed::SplitMix;

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

/// One quote.
pub fn body(seed: u64, seq: u64) -> String {
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

struct Cents(u64);

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_realistic() {
        for seq in 0..2_000 {
            let body = body(1, seq);
            let quote: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert!(quote["ask"].as_f64() > quote["bid"].as_f64(), "{quote}");
            assert!((120..170).contains(&body.len()), "{}", body.len());
        }
    }
}
