//! Seeded numbers that never change with a library: SplitMix64 (Steele, Lea, Flood 2014).
//!
//! Own code, because a schedule and a body must be the same bytes on every machine and in every
//! later version; a random crate may change its streams with a release, and golden hashes would
//! change with it.

/// Another seed, for repetition `repetition` of whatever is seeded with `seed`: repetitions must not draw the same.
#[must_use]
pub fn repeated(seed: u64, repetition: u64) -> u64 {
    SplitMix::new(seed, 0x005E_ED00 ^ repetition).draw()
}

/// A stream of 64-bit numbers that depends on nothing but its seed.
#[derive(Clone, Debug)]
pub struct SplitMix(u64);

impl SplitMix {
    /// A stream for `seed` and a `purpose`, so that two uses of one seed do not walk together.
    #[must_use]
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut stream = Self(seed ^ purpose.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        stream.0 = stream.draw();
        stream
    }

    /// The next number, uniform over all 64-bit values.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..n` (`n` > 0), by multiplication; the bias is below 2^-32 for n < 2^32.
    pub fn below(&mut self, n: u64) -> u64 {
        let wide = u128::from(self.draw()) * u128::from(n);
        u64::try_from(wide >> 64).expect("the upper half of a product of two u64 fits u64")
    }

    /// A number in (0, 1], with 53 bits.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
    pub fn unit(&mut self) -> f64 {
        ((self.draw() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Shuffles in place (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = usize::try_from(self.below(i as u64 + 1)).expect("an index of this slice");
            items.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference output of SplitMix64 for seed 1234567, from the algorithm's published C code.
    #[test]
    fn the_generator_is_splitmix64() {
        let mut stream = SplitMix(1_234_567);
        assert_eq!(stream.draw(), 6_457_827_717_110_365_317);
        assert_eq!(stream.draw(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn draws_stay_in_range_and_purposes_differ() {
        let mut stream = SplitMix::new(7, 1);
        assert!((0..10_000).all(|_| stream.below(3) < 3));
        assert!((0..10_000).all(|_| (f64::MIN_POSITIVE..=1.0).contains(&stream.unit())));
        assert_ne!(SplitMix::new(7, 1).draw(), SplitMix::new(7, 2).draw());
    }
}
