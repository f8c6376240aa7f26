//! Axes: a label with its unit, a range, a scale, and ticks where a reader expects them.

use crate::value::number;

/// How values become places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences are equally far apart.
    Linear,
    /// Equal ratios are equally far apart.
    Log,
}

/// One axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What and in which unit; a log axis says so.
    pub label: String,
    /// How values become places.
    pub scale: Scale,
    /// First and last value.
    pub range: (f64, f64),
    /// Where lines are drawn, and what stands there.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From zero to a round number at or above `most`.
    #[must_use]
    pub fn from_zero(label: &str, most: f64) -> Self {
        Self::linear(label, 0.0, most)
    }

    /// Round numbers around `least` to `most`.
    #[must_use]
    pub fn linear(label: &str, least: f64, most: f64) -> Self {
        let span = if most > least { most - least } else { 1.0 };
        let power = 10f64.powf((span / 5.0).log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|m| m * power).into_iter().find(|step| span / step <= 5.0);
        let step = step.unwrap_or(span);
        let (first, last) = ((least / step + 1e-9).floor(), ((least + span) / step - 1e-9).ceil());
        let ticks = (first as i64..=last as i64).map(|i| i as f64 * step);
        let ticks = ticks.map(|at| (at, short(at))).collect();
        Self { label: label.into(), scale: Scale::Linear, range: (first * step, last * step), ticks }
    }

    /// Logarithmic, with ticks at 1, 2 and 5 of each power of ten (fewer where many).
    #[must_use]
    pub fn log(label: &str, least: f64, most: f64) -> Self {
        let (least, most) = (least.max(1e-9), most.max(least.max(1e-9) * 1.5));
        let wide = (most / least).log10() > 2.5;
        let multiples: &[f64] = if wide { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let powers = least.log10().floor() as i32..=most.log10().ceil() as i32;
        let places = powers.flat_map(|power| multiples.iter().map(move |m| m * 10f64.powi(power)));
        let places: Vec<f64> = places.collect();
        let low = places.iter().copied().rfind(|at| *at <= least * 1.001).unwrap_or(least);
        let high = places.iter().copied().find(|at| *at >= most * 0.999).unwrap_or(most);
        let ticks = places.into_iter().filter(|at| (low..=high).contains(at)).map(|at| (at, short(at)));
        Self {
            label: format!("{label}, log scale"),
            scale: Scale::Log,
            range: (low, high),
            ticks: ticks.collect(),
        }
    }

    /// The same range with ticks of one's own; those outside of it are dropped.
    #[must_use]
    pub fn with_ticks(mut self, range: (f64, f64), ticks: Vec<(f64, String)>) -> Self {
        self.range = range;
        self.ticks = ticks.into_iter().filter(|tick| (range.0..=range.1).contains(&tick.0)).collect();
        self
    }

    /// Where a value lies, 0 to 1 over the range; values outside are drawn at the edge.
    #[must_use]
    pub fn place(&self, value: f64) -> f64 {
        let (low, high) = self.range;
        let share = match self.scale {
            Scale::Linear => (value - low) / (high - low),
            Scale::Log => (value.max(1e-12) / low).ln() / (high / low).ln(),
        };
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }
}

fn short(value: f64) -> String {
    let text = number(value);
    let fraction = text.contains('.');
    if fraction { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.1.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_enclose_the_data() {
        assert_eq!(ticks(&Axis::from_zero("x", 11.3)), ["0", "2.5", "5", "7.5", "10", "12.5"]);
        assert_eq!(ticks(&Axis::log("x", 3.0, 40.0)), ["2", "5", "10", "20", "50"]);
        assert_eq!(ticks(&Axis::log("x", 16.0, 65_536.0)), ["10", "100", "1,000", "10,000", "100,000"]);
        assert_eq!(Axis::from_zero("x", 0.0).range, (0.0, 1.0));
    }

    #[test]
    fn equal_ratios_are_equally_far_apart_on_a_log_axis() {
        let axis = Axis::log("x", 1.0, 100.0);
        assert!((axis.place(10.0) - 0.5).abs() < 1e-9);
        assert_eq!((axis.place(0.0), axis.place(1e9), axis.place(f64::NAN)), (0.0, 1.0, 0.0));
    }
}
