//! A number that may be missing for a reason, and how numbers are written for people.
//!
//! "Too few events" and "not delivered" are answers of their own: printing a figure instead would
//! claim something that was not measured (METHOD M4, M18).

/// What is known of a quantity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// Measured.
    Known(f64),
    /// The quantile would rest on too few independent events.
    TooFew,
    /// The quantile lies among events that never arrived.
    NotDelivered,
    /// Not measured in this run.
    Absent,
}

impl Value {
    /// The number, if there is one.
    #[must_use]
    pub const fn known(self) -> Option<f64> {
        match self {
            Self::Known(value) => Some(value),
            Self::TooFew | Self::NotDelivered | Self::Absent => None,
        }
    }

    /// Why there is no number; empty when there is one.
    #[must_use]
    pub const fn note(self) -> &'static str {
        match self {
            Self::Known(_) => "",
            Self::TooFew => "too few events",
            Self::NotDelivered => "not delivered",
            Self::Absent => "not measured",
        }
    }

    /// The number as [`number`] writes it, or the reason why there is none.
    #[must_use]
    pub fn text(self) -> String {
        self.known().map_or_else(|| self.note().to_owned(), number)
    }
}

impl From<Option<f64>> for Value {
    fn from(value: Option<f64>) -> Self {
        value.filter(|value| value.is_finite()).map_or(Self::Absent, Self::Known)
    }
}

/// Three to four significant digits; whole numbers and thousands in full.
#[must_use]
pub fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return "unbounded".into();
    }
    if size >= 999.95 || (value.fract() == 0.0) {
        return grouped(value);
    }
    let decimals = match size {
        s if s >= 9.995 => 1,
        s if s >= 0.9995 => 2,
        s if s >= 0.09995 => 3,
        _ => 4,
    };
    format!("{value:.decimals$}")
}

/// A ratio with two decimals.
#[must_use]
pub fn ratio(value: f64) -> String {
    match value {
        v if !v.is_finite() => "unbounded".into(),
        v if v >= 9.995 => number(v),
        v => format!("{v:.2}"),
    }
}

fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if value < 0.0 && digits != "0" { format!("-{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_keep_what_matters() {
        let cases = [
            (0.0, "0"),
            (0.012_34, "0.0123"),
            (0.123_4, "0.123"),
            (1.234, "1.23"),
            (9.999, "10.0"),
            (152.44, "152.4"),
            (152.0, "152"),
            (999.99, "1,000"),
            (2_250_000.0, "2,250,000"),
            (-1_234.5, "-1,234"),
            (f64::INFINITY, "unbounded"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }
}
