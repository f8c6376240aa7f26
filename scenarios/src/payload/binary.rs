//! Bytes that are no text: records with noise behind them, and chunks of a video stream.

use crate::seed::SplitMix;

/// One record: big-endian sequence number, and index.
const RECORD: usize = 16;

/// Chunks of a group of pictures; the first is a key frame.
const GROUP: u64 = 8;

/// A quarter of counted records, as measurements are sent, then noise that no coding makes smaller.
pub fn body(seed: u64, seq: u64, bytes: u64) -> Vec<u8> {
    let bytes = usize::try_from(bytes).expect("a body fits memory");
    let mut out = Vec::with_capacity(bytes + RECORD);
    let mut index = 0_u64;
    while out.len() < bytes.div_ceil(4) {
        out.extend(seq.to_be_bytes());
        out.extend(index.to_be_bytes());
        index += 1;
    }
    noise(&mut out, seed, seq, bytes);
    out.truncate(bytes);
    out
}

/// A fragment of a video stream (`moof` and `mdat` boxes, ISO/IEC 14496-12), about `mean` bytes: of
/// eight, the first is a key frame and three times as large.
pub fn video(seed: u64, seq: u64, mean: u64) -> Vec<u8> {
    let of_eight = if seq.is_multiple_of(GROUP) { 3 * mean } else { mean * (GROUP - 3) / (GROUP - 1) };
    let wobble = 90 + SplitMix::new(seed, seq ^ 0x51DE0).below(21);
    let size = usize::try_from(of_eight * wobble / 100).expect("a body fits memory");
    let number = u32::try_from(seq & 0xFFFF_FFFF).expect("masked").to_be_bytes();
    let header = [&[0; 4], &number[..]].concat();
    let mut out = in_box(*b"moof", &in_box(*b"mfhd", &header));
    let mut frames = Vec::with_capacity(size);
    noise(&mut frames, seed, seq, size.saturating_sub(out.len() + 8));
    out.extend(in_box(*b"mdat", &frames));
    out
}

fn in_box(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len() + 8).expect("the scenario bounds a body at 1 MiB").to_be_bytes();
    [&size, &kind[..], content].concat()
}

/// Adds noise until there are so many bytes, or a few more.
fn noise(out: &mut Vec<u8>, seed: u64, seq: u64, until: usize) {
    let mut draw = SplitMix::new(seed, seq.wrapping_add(1));
    while out.len() < until {
        out.extend(draw.draw().to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_its_size_and_is_no_text() {
        for bytes in [0, 1, 7, 100, 16_384] {
            assert_eq!(body(1, 9, bytes).len() as u64, bytes);
        }
        assert!(std::str::from_utf8(&body(1, 9, 16_384)).is_err());
        assert_eq!(
            body(1, 9, 1_000)[..24],
            [&9_u64.to_be_bytes()[..], &[0; 8], &9_u64.to_be_bytes()].concat()
        );
    }

    #[test]
    fn video_keeps_its_mean_and_its_boxes_add_up() {
        let chunks: Vec<Vec<u8>> = (0..800).map(|seq| video(1, seq, 20_000)).collect();
        let mean = chunks.iter().map(Vec::len).sum::<usize>() / chunks.len();
        assert!((19_500..20_500).contains(&mean), "{mean}");
        for chunk in &chunks {
            let size = |at: usize| u32::from_be_bytes(chunk[at..at + 4].try_into().unwrap()) as usize;
            assert_eq!((&chunk[4..8], size(0) + size(size(0))), (&b"moof"[..], chunk.len()));
        }
    }
}
