//! e to the power of x, by its power series.

/// The number of terms that e to the power of 709 needs for all digits of an `f64`. It is the largest that fits one.
const TERMS: u32 = 1000;

/// Sums the series for the magnitude of x, and inverts the sum if x is negative. Terms of the same sign cancel no
/// digits.
#[unsafe(no_mangle)]
extern "C" fn exponential(x: f64) -> f64 {
    let power = series(x.abs());
    if x < 0.0 { 1.0 / power } else { power }
}

/// Computes 1 + x/1 (1 + x/2 (1 + x/3 (...))) from the inside: the smallest terms come first.
fn series(x: f64) -> f64 {
    (1..=TERMS).rev().fold(1.0, |sum, n| 1.0 + x / f64::from(n) * sum)
}
