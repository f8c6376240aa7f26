//! An AI completion's deltas: a few bytes of text in the JSON around them that most services send.

use super::{pick, prose};
use crate::seed::SplitMix;

/// One delta: word `seq` of an endless text.
pub fn body(seed: u64, seq: u64) -> String {
    // A sentence a dozen deltas, so that the words in a row make one.
    let sentence = prose::sentence(&mut SplitMix::new(seed, (seq / 12).wrapping_add(1)));
    let words: Vec<&str> = sentence.split_inclusive(' ').collect();
    let at = usize::try_from(seq % 12).expect("below twelve");
    let mut draw = SplitMix::new(seed, seq.wrapping_add(1));
    let word = words.get(at).copied().unwrap_or_else(|| words[pick(&mut draw, words.len())]);
    let completion = SplitMix::new(seed, 0xC0_4911E7).draw();
    format!(
        r#"{{"id":"chatcmpl-{completion:016x}","object":"chat.completion.chunk","created":1738324800,"model":"example-large","choices":[{{"index":0,"delta":{{"content":"{word}"}},"finish_reason":null}}]}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_is_a_word_in_its_json() {
        for seq in 0..500 {
            let delta: serde_json::Value = serde_json::from_str(&body(1, seq)).unwrap();
            let word = delta["choices"][0]["delta"]["content"].as_str().unwrap();
            assert!((1..24).contains(&word.len()), "{word}");
        }
    }
}
