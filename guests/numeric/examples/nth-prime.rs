//! The n-th prime, by trial division.

use std::process::abort;

/// Counts from 1: the first prime number is 2. Traps below 1.
#[unsafe(no_mangle)]
extern "C" fn nth_prime(n: i32) -> i32 {
    if n < 1 {
        abort();
    }
    let mut candidate = 2;
    for _ in 1..n {
        candidate += 1;
        while !is_prime(candidate) {
            candidate += 1;
        }
    }
    candidate
}

/// Whether a number from 2 on is prime.
fn is_prime(number: i32) -> bool {
    (2..number).take_while(|divisor| *divisor <= number / divisor).all(|divisor| number % divisor != 0)
}
