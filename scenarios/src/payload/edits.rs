//! Edits of a shared text as JSON, 80 to some 200 bytes: a change at a place of a revision.

use serde_json::json;

use super::{pick, prose};
use crate::seed::SplitMix;

const AUTHORS: [&str; 6] = ["mira", "tom", "anouk", "kofi", "li", "paula"];

/// One edit: mostly a letter or two, now and then a sentence that is pasted.
pub fn body(seed: u64, seq: u64) -> String {
    let mut draw = SplitMix::new(seed, seq.wrapping_add(1));
    let author = AUTHORS[pick(&mut draw, AUTHORS.len())];
    let (at, deleted) = (draw.below(20_000), draw.below(3));
    let sentence = prose::sentence(&mut draw);
    let letters = if draw.below(12) == 0 { sentence.len() } else { 1 + pick(&mut draw, 2) };
    let inserted: String = sentence.chars().take(letters).collect();
    json!({ "rev": seq, "author": author, "at": at, "delete": deleted, "insert": inserted }).to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn edits_are_small_json() {
        for seq in 0..500 {
            let body = super::body(1, seq);
            let edit: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert!(edit["insert"].is_string() && (55..300).contains(&body.len()), "{body}");
        }
    }
}
