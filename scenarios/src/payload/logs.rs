//! Log lines in logfmt, 90 to some 700 bytes: most short, a few with a stack.

use std::fmt::Write as _;

use super::{pick, stamp};
use crate::seed::SplitMix;

const SERVICES: [&str; 6] = ["gateway", "checkout", "search", "accounts", "inventory", "mailer"];
const PATHS: [&str; 6] = ["/", "/api/cart", "/api/orders", "/api/search", "/login", "/static/app.js"];
const FRAMES: [&str; 6] = [
    "pool::acquire (pool.rs:211)",
    "client::send (client.rs:88)",
    "orders::confirm (orders.rs:147)",
    "retry::with_backoff (retry.rs:34)",
    "handler::call (handler.rs:61)",
    "server::serve (server.rs:19)",
];

/// One line.
pub fn body(seed: u64, seq: u64) -> String {
    let mut draw = SplitMix::new(seed, seq.wrapping_add(1));
    let service = SERVICES[pick(&mut draw, SERVICES.len())];
    let trace = draw.draw();
    let kind = draw.below(20);
    let level = ["info", "debug", "warn", "error"][if kind < 14 { 0 } else { pick(&mut draw, 4) }];
    let mut line =
        format!("ts={} seq={seq} level={level} service={service} trace={trace:016x} ", stamp(seq * 7));
    match kind {
        0..12 => write!(
            line,
            "method=GET path={} status={} bytes={} duration_ms={}",
            PATHS[pick(&mut draw, PATHS.len())],
            [200, 200, 200, 304, 404][pick(&mut draw, 5)],
            draw.below(60_000),
            1 + draw.below(400)
        ),
        12..17 => write!(
            line,
            r#"msg="connection to upstream {service}-{} closed, {} requests were in flight" remote=10.0.{}.{}:{}"#,
            draw.below(9),
            draw.below(40),
            draw.below(256),
            draw.below(256),
            1_024 + draw.below(60_000)
        ),
        _ => {
            let frames: Vec<&str> =
                (0..4 + draw.below(12)).map(|_| FRAMES[pick(&mut draw, FRAMES.len())]).collect();
            let after = 100 * (1 + draw.below(50));
            write!(line, r#"msg="request failed: timed out after {after} ms" stack="{}""#, frames.join(" < "))
        }
    }
    .expect("a String takes all");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_of_mixed_length_and_hold_no_line_ends() {
        let sizes: Vec<usize> = (0..2_000).map(|seq| body(1, seq).len()).collect();
        assert!(sizes.iter().all(|size| (100..800).contains(size)), "{sizes:?}");
        let long = sizes.iter().filter(|size| **size > 300).count();
        assert!((100..600).contains(&long), "{long}");
        assert!((0..2_000).all(|seq| !body(1, seq).contains(['\n', '\r'])));
    }
}
