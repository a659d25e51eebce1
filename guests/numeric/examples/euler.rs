//! Euler's number, by the series of the inverse factorials.

/// The sum of 1/k! for all k from 0 to n. From n = 17 on, every digit of the `f64` is right.
#[unsafe(no_mangle)]
extern "C" fn euler(n: i32) -> f64 {
    (1..=n).rev().fold(1.0, |sum, k| 1.0 + sum / f64::from(k))
}
