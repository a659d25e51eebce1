//! The n-th Fibonacci number, by iteration.

use std::process::abort;

/// Traps below 0 and above 92, the last Fibonacci number that fits.
#[unsafe(no_mangle)]
extern "C" fn fibonacci(n: i32) -> i64 {
    let (mut this, mut next) = (0_u64, 1_u64);
    if !(0..=92).contains(&n) {
        abort();
    }
    for _ in 0..n {
        (this, next) = (next, this + next);
    }
    this as i64
}
