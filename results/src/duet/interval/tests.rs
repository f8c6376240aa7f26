//! Every number of an interval against what scipy computes, and exchanging the sides negates them all. Apart for its
//! length.

use super::*;
use proptest::prelude::*;

/// Case, level, six numbers, and the values they are of; made by `scripts/duet-table.py`.
const TABLE: &str = include_str!("scipy.csv");

fn near(own: f64, theirs: f64, what: &str) {
    assert!((own - theirs).abs() <= 1e-9 * theirs.abs().max(1e-6), "{what}: {own}, scipy has {theirs}");
}

#[test]
fn every_number_is_scipys() {
    let mut cases = 0;
    for row in csv::Reader::from_reader(TABLE.as_bytes()).records() {
        let row = row.unwrap();
        let number = |column: usize| row[column].parse::<f64>().unwrap();
        let values: Vec<f64> = row[8].split(' ').map(|value| value.parse().unwrap()).collect();
        let (trimmed, estimate) = (Trimmed::new(&values), estimate(&values, number(1)).unwrap());
        let variance = squares(&trimmed.winsorised) / (values.len() as f64 - 1.0);
        for (own, column, what) in [
            (trimmed.mean, 2, "trimmed mean"),
            (variance, 3, "winsorised variance"),
            (trimmed.yuen().error, 4, "Yuen's error"),
            (trimmed.batched().error, 5, "error of stretches"),
            (estimate.half, 6, "half interval"),
            (estimate.p, 7, "p"),
        ] {
            near(own, number(column), &format!("{} at {}: {what}", &row[0], &row[1]));
        }
        cases += 1;
    }
    assert_eq!(cases, 30);
}

#[test]
fn a_sequence_without_spread_is_known_exactly() {
    let level = estimate(&[0.5; 24], 0.01).unwrap();
    assert_eq!((level.log, level.half, level.p), (0.5, 0.0, 0.0));
    assert_eq!(estimate(&[0.0; 24], 0.01).map(|nothing| nothing.p), Some(1.0));
    assert_eq!(estimate(&[0.0; BATCHES - 1], 0.01), None);
}

proptest! {
    #[test]
    fn the_negative_sequence_has_the_negative_estimate(logs in proptest::collection::vec(-3.0f64..3.0, 12..130)) {
        let negative: Vec<f64> = logs.iter().map(|log| -log).collect();
        let (one, other) = (estimate(&logs, 0.01).unwrap(), estimate(&negative, 0.01).unwrap());
        prop_assert_eq!((one.log, one.half, one.p), (-other.log, other.half, other.p));
    }
}
