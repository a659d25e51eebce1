//! Euler's number, by the series of the inverse factorials.

/// The sum of 1/k! for all k from 0 to n: from 17 on, all the digits that an `f64` has.
#[unsafe(no_mangle)]
extern "C" fn euler(n: i32) -> f64 {
    (1..=n).rev().fold(1.0, |sum, k| 1.0 + sum / f64::from(k))
}
