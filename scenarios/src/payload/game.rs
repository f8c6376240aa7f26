//! The state of a game as JSON, some 90 bytes: a player's place, heading and keys at a tick.

use serde_json::json;

use crate::seed::SplitMix;

/// One state. Places wander, so that neighbouring states are alike.
pub fn body(seed: u64, seq: u64) -> String {
    let mut draw = SplitMix::new(seed, seq.wrapping_add(1));
    let player = draw.below(200);
    let mut axis = |far: u64| (seq * 7 + draw.below(far)) % 4_096;
    let (x, y, heading) = (axis(40), axis(40), axis(360) % 360);
    json!({ "t": seq, "p": player, "x": x, "y": y, "h": heading, "k": draw.below(16), "hp": 1 + draw.below(100) })
        .to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn states_are_small_json() {
        for seq in 0..500 {
            let body = super::body(1, seq);
            let state: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert!(state["x"].is_u64() && (45..110).contains(&body.len()), "{body}");
        }
    }
}
