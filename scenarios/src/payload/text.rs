//! Printable text of an exact size, for questions about size alone.

use super::SELF_IDENTIFYING_BYTES;
use crate::seed::SplitMix;

const LETTERS: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789";

/// So many bytes; where there is room, they begin with the sequence number.
pub fn body(seed: u64, seq: u64, bytes: u64) -> Vec<u8> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_has_its_size_and_no_line_ends(seed: u64, seq in 0u64..1_000_000, bytes in 0u64..5_000) {
            let text = body(seed, seq, bytes);
            prop_assert_eq!(text.len() as u64, bytes);
            prop_assert!(text.iter().all(|byte| (b' '..=b'~').contains(byte)));
        }
    }
}
