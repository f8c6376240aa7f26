//! Student's t distribution for whole degrees of freedom: the chance of a value so large, and the value of a chance.
//!
//! Own code, because it is forty lines and no dependency of this project has it; held to scipy by the table beside
//! [`super::interval`].

/// Chance of a |t| at least so large, both sides together.
#[must_use]
pub fn two_sided(t: f64, freedom: u32) -> f64 {
    if !t.is_finite() {
        return if t.is_nan() { 1.0 } else { 0.0 };
    }
    let n = f64::from(freedom);
    incomplete_beta(n / (n + t * t), freedom)
}

/// The |t| that is exceeded with this chance, both sides together.
#[must_use]
pub fn quantile(chance: f64, freedom: u32) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while two_sided(high, freedom) > chance && high < 1e12 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if two_sided(middle, freedom) > chance { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The regularised incomplete beta function I_x(freedom / 2, 1/2).
fn incomplete_beta(x: f64, freedom: u32) -> f64 {
    let (a, b) = (f64::from(freedom) / 2.0, 0.5);
    if x <= 0.0 || x >= 1.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    let front = x.powf(a) * (1.0 - x).powf(b) / beta_with_half(freedom);
    // The fraction converges quickly on its own side of the mean, and the function mirrors to the other.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(x, a, b) / a
    } else {
        1.0 - front * fraction(1.0 - x, b, a) / b
    }
}

/// B(freedom / 2, 1/2), by its recurrence from B(1/2, 1/2) or B(1, 1/2).
fn beta_with_half(freedom: u32) -> f64 {
    let (mut at, mut beta) = if freedom % 2 == 1 { (1, std::f64::consts::PI) } else { (2, 2.0) };
    while at < freedom {
        beta *= f64::from(at) / f64::from(at + 1);
        at += 2;
    }
    beta
}

/// The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8), by Lentz's method.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let held = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / held(1.0 - (a + b) * x / (a + 1.0));
    let mut sum = d;
    for m in 1..500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = sum;
        for step in [even, odd] {
            d = 1.0 / held(1.0 + step * d);
            c = held(1.0 + step / c);
            sum *= c * d;
        }
        if (sum - before).abs() <= sum.abs() * f64::EPSILON {
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One and two degrees of freedom have closed forms.
    #[test]
    fn closed_forms() {
        for t in [0.1, 1.0, 3.0, 50.0] {
            let one = 1.0 - 2.0 / std::f64::consts::PI * f64::atan(t);
            assert!((two_sided(t, 1) - one).abs() < 1e-13, "{t}");
            let two = 1.0 - t / f64::sqrt(2.0 + t * t);
            assert!((two_sided(t, 2) - two).abs() < 1e-13, "{t}");
        }
        assert_eq!([two_sided(f64::INFINITY, 5), two_sided(0.0, 5), two_sided(f64::NAN, 5)], [0.0, 1.0, 1.0]);
    }

    #[test]
    fn a_quantile_has_its_chance() {
        for freedom in [1, 2, 11, 95, 1_000] {
            for chance in [0.5, 0.01, 0.0002, 1e-7] {
                let back = two_sided(quantile(chance, freedom), freedom);
                assert!((back / chance - 1.0).abs() < 1e-9, "{freedom} {chance}: {back}");
            }
        }
    }
}
