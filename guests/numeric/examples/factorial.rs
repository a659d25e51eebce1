//! The factorial of n.

use std::process::abort;

/// Traps below 0 and above 20, the largest number whose factorial fits.
#[unsafe(no_mangle)]
extern "C" fn factorial(n: i64) -> i64 {
    if !(0..=20).contains(&n) {
        abort();
    }
    (1..=n).product()
}
