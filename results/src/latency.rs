//! A histogram of nanoseconds with fixed bounds, which counts what it cannot hold.
//!
//! `hdrhistogram::Histogram::new(3)` with `saturating_record` records 1 ns for everything without
//! an error; here the bounds are explicit, values above them are counted apart, and lost events
//! stand as censored samples above every quantile (METHOD M4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer as V2Reader, Serializer as _, V2Serializer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The largest value held: two minutes.
pub const MAX_NS: u64 = 120_000_000_000;

/// Most values that a histogram read from a file may hold: a million a second for nine years.
const MOST: u64 = 1 << 48;

/// Bytes before the counts of a V2 blob: cookie, length, offset, digits, bounds, ratio.
const HEAD: usize = 40;

/// Nanoseconds, 1 to [`MAX_NS`], three significant digits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Written", into = "Written")]
#[schemars(with = "Written")]
pub struct LatencyHistogram {
    held: Histogram<u64>,
    saturated: u64,
    lost: u64,
}

/// As it stands in a run file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Written {
    /// HdrHistogram V2 encoding, base64, without compression.
    v2: String,
    /// Values above the upper bound (counted, not held).
    saturated: u64,
    /// Events that never arrived: above every quantile of what did.
    lost: u64,
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        let held = Histogram::new_with_bounds(1, MAX_NS, 3).expect("the bounds are valid");
        Self { held, saturated: 0, lost: 0 }
    }
}

impl LatencyHistogram {
    /// Counts one value, ns. 0 is held as 0.
    #[inline]
    pub fn record(&mut self, nanos: u64) {
        if self.held.record(nanos).is_err() {
            self.saturated += 1;
        }
    }

    /// Counts events that never arrived.
    pub fn add_lost(&mut self, events: u64) {
        self.lost += events;
    }

    /// Adds all of another histogram.
    pub fn merge(&mut self, other: &Self) {
        self.held.add(&other.held).expect("all histograms have the same bounds");
        self.saturated += other.saturated;
        self.lost += other.lost;
    }

    /// Values recorded, held or saturated; lost events are not among them.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.held.len() + self.saturated
    }

    /// Values above the bound.
    #[must_use]
    pub const fn saturated(&self) -> u64 {
        self.saturated
    }

    /// Events that never arrived.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// The value at quantile `q` of delivered and lost together, ns: the smallest value that at
    /// least `q` of all are not above. `None` when nothing was recorded or when the quantile lies
    /// among the lost or saturated ("not delivered").
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts stay below 2^53"
    )]
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let all = self.count() + self.lost;
        let rank = ((q * all as f64).ceil() as u64).clamp(1, all.max(1));
        if all == 0 || rank > self.held.len() {
            return None;
        }
        // Half a count short of the rank: a quotient rounded up would name the next value.
        Some(self.held.value_at_quantile((rank as f64 - 0.5) / self.held.len() as f64))
    }

    /// The mean of what is held, ns (from bucket mid-points).
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (!self.held.is_empty()).then(|| self.held.mean())
    }

    /// The largest value held, ns.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        (!self.held.is_empty()).then(|| self.held.max())
    }

    /// The counts of what is held.
    #[must_use]
    pub const fn held(&self) -> &Histogram<u64> {
        &self.held
    }
}

impl From<LatencyHistogram> for Written {
    fn from(histogram: LatencyHistogram) -> Self {
        let mut blob = Vec::new();
        V2Serializer::new().serialize(&histogram.held, &mut blob).expect("a Vec takes all");
        Self { v2: STANDARD.encode(blob), saturated: histogram.saturated, lost: histogram.lost }
    }
}

impl TryFrom<Written> for LatencyHistogram {
    type Error = String;
    fn try_from(written: Written) -> Result<Self, String> {
        let blob = STANDARD.decode(&written.v2).map_err(|err| format!("histogram is not base64: {err}"))?;
        vet(&blob)?;
        let read: Histogram<u64> = V2Reader::new()
            .deserialize(&mut blob.as_slice())
            .map_err(|err| format!("histogram is not V2: {err:?}"))?;
        let (sum, lost) = (read.len().saturating_add(written.saturated), written.lost);
        if sum.saturating_add(lost) > MOST {
            return Err(format!("histogram counts {sum} values and {lost} lost, more than any run has"));
        }
        let mut own = Self { saturated: written.saturated, lost: written.lost, ..Self::default() };
        own.held.add(&read).map_err(|err| format!("histogram does not fit our bounds: {err:?}"))?;
        Ok(own)
    }
}

/// Refuses what the reader would trust: bounds it would reserve memory for, and numbers it would negate or add.
///
/// The counts are zig-zag LEB128 of at most nine bytes; a negative one stands for so many zeros
/// (<https://github.com/HdrHistogram/HdrHistogram/blob/master/src/main/java/org/HdrHistogram/ZigZagEncoding.java>).
fn vet(blob: &[u8]) -> Result<(), String> {
    let field =
        |at: usize, long: usize| blob[at..at + long].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    if blob.len() < HEAD {
        return Err(format!("histogram of {} bytes is no V2", blob.len()));
    }
    let (length, digits, low, high) = (field(4, 4), field(12, 4), field(16, 8), field(24, 8));
    if length != (blob.len() - HEAD) as u64 {
        return Err(format!("histogram names {length} bytes of counts and has {}", blob.len() - HEAD));
    }
    if high > MAX_NS || low != 1 || digits != 3 {
        return Err(format!("histogram has bounds {low} to {high} ns and {digits} digits, not ours"));
    }
    let (mut number, mut shift) = (0_u64, 0);
    for byte in &blob[HEAD..] {
        let is_ninth = shift == 56;
        number |= u64::from(if is_ninth { *byte } else { byte & 0x7f }) << shift;
        if is_ninth || byte & 0x80 == 0 {
            if number >> 1 > MOST {
                return Err("histogram holds a count that no run has".into());
            }
            (number, shift) = (0, 0);
        } else {
            shift += 7;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: impl IntoIterator<Item = u64>) -> LatencyHistogram {
        let mut histogram = LatencyHistogram::default();
        values.into_iter().for_each(|value| histogram.record(value));
        histogram
    }

    #[test]
    fn it_records_what_it_is_given() {
        let histogram = of([1_000_000; 100]);
        let p50 = histogram.quantile(0.5).unwrap();
        assert!((999_000..=1_001_000).contains(&p50), "{p50}");
        assert_eq!(of([]).quantile(0.5), None);
    }

    #[test]
    fn what_is_too_large_is_counted_and_makes_the_tail_unknown() {
        let mut histogram = of([5; 98]);
        histogram.record(MAX_NS * 2);
        histogram.record(MAX_NS * 2);
        assert_eq!((histogram.saturated(), histogram.count()), (2, 100));
        assert_eq!(histogram.quantile(0.98), Some(5));
        assert_eq!(histogram.quantile(0.99), None);
    }

    /// METHOD M4: with 2 % lost, p98 is the largest delivered, p99 was not delivered.
    #[test]
    fn lost_events_are_censored_samples() {
        let mut histogram = of(1..=98);
        histogram.add_lost(2);
        assert_eq!(histogram.quantile(0.5), Some(50));
        assert_eq!(histogram.quantile(0.98), Some(98));
        assert_eq!(histogram.quantile(0.99), None);
    }

    /// Bounds are in the blob and memory would be reserved for them; counts are added.
    #[test]
    fn what_is_no_histogram_of_ours_is_refused() {
        let mut blob = Vec::new();
        V2Serializer::new().serialize(&of([5, 5, 7]).held, &mut blob).unwrap();
        let edited = |edit: &dyn Fn(&mut Vec<u8>)| {
            let mut blob = blob.clone();
            edit(&mut blob);
            LatencyHistogram::try_from(Written { v2: STANDARD.encode(blob), saturated: 0, lost: 0 })
        };
        assert_eq!(edited(&|_| {}), Ok(of([5, 5, 7])));
        type Edit<'a> = (&'a dyn Fn(&mut Vec<u8>), &'a str);
        let cases: [Edit<'_>; 9] = [
            (&|blob| blob.clear(), "histogram of 0 bytes"),
            (&|blob| blob.truncate(39), "histogram of 39 bytes"),
            (&|blob| blob.truncate(blob.len() - 1), "names"),
            (&|blob| blob[4] = 0xff, "names"),
            (&|blob| blob[24] = 0x7f, "not ours"),
            (&|blob| blob[15] = 5, "not ours"),
            (&|blob| blob[0] = 9, "not V2"),
            (
                &|blob| {
                    blob.truncate(HEAD);
                    blob.extend([0xff; 9]);
                    blob[7] = 9;
                    blob[4..7].fill(0);
                },
                "no run has",
            ),
            (
                &|blob| {
                    blob.truncate(HEAD);
                    blob.extend([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
                    blob[7] = 8;
                    blob[4..7].fill(0);
                },
                "no run has",
            ),
        ];
        for (edit, part) in cases {
            let said = edited(edit).unwrap_err();
            assert!(said.contains(part), "no `{part}` in {said}");
        }
        let lost = Written { v2: STANDARD.encode(&blob), saturated: u64::MAX, lost: u64::MAX };
        assert!(LatencyHistogram::try_from(lost).unwrap_err().contains("more than any run has"));
    }

    proptest! {
        #[test]
        fn merging_is_recording_all_and_files_read_back(
            a in proptest::collection::vec(0u64..MAX_NS, 0..50), b in proptest::collection::vec(0u64..MAX_NS, 0..50), lost in 0u64..9,
        ) {
            let mut merged = of(a.clone());
            merged.merge(&of(b.clone()));
            prop_assert_eq!(&merged, &of(a.into_iter().chain(b)));
            merged.add_lost(lost);
            let json = serde_json::to_string(&merged).unwrap();
            prop_assert_eq!(serde_json::from_str::<LatencyHistogram>(&json).unwrap(), merged);
        }
    }
}
