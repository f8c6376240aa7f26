//! Chat messages as JSON, 100 to some 300 bytes: who, where, when, and what was said.

use serde_json::json;

use super::{pick, prose, stamp};
use crate::seed::SplitMix;

const PEOPLE: [&str; 8] = ["mira", "tom", "anouk", "kofi", "li", "paula", "dev", "ines"];
const SHORT: [&str; 10] = [
    "ok",
    "thanks!",
    "on my way",
    "can you send the link again?",
    "lol",
    "see you at three",
    "👍",
    "not sure, let me check",
    "done",
    "who is on call today?",
];

/// One message.
pub fn body(seed: u64, seq: u64) -> String {
    let mut draw = SplitMix::new(seed, seq.wrapping_add(1));
    let user = PEOPLE[pick(&mut draw, PEOPLE.len())];
    let text = match draw.below(3) {
        0 => prose::sentence(&mut draw),
        _ => SHORT[pick(&mut draw, SHORT.len())].to_owned(),
    };
    json!({ "message": seq, "user": user, "sent": stamp(seq * 1_700), "text": text }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_short_json() {
        for seq in 0..500 {
            let body = body(1, seq);
            let message: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert!(message["text"].is_string() && (70..300).contains(&body.len()), "{body}");
        }
    }
}
