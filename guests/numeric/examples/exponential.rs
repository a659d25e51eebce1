//! e to the power of x, by its power series.

/// As many terms as the largest power that fits an `f64`, that of 709, needs for all its digits.
const TERMS: u32 = 1000;

/// Sums for the magnitude of x and inverts for a negative one: terms of one sign lose no digits to cancellation.
#[unsafe(no_mangle)]
extern "C" fn exponential(x: f64) -> f64 {
    let power = series(x.abs());
    if x < 0.0 { 1.0 / power } else { power }
}

/// 1 + x/1 (1 + x/2 (1 + x/3 (...))), from the innermost on: the smallest terms first.
fn series(x: f64) -> f64 {
    (1..=TERMS).rev().fold(1.0, |sum, n| 1.0 + x / f64::from(n) * sum)
}
