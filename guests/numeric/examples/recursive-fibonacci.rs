//! The n-th Fibonacci number by its definition: exponential time, so that a small argument is a long computation.

#[unsafe(no_mangle)]
extern "C" fn recursive_fibonacci(n: i32) -> i64 {
    if n < 2 { i64::from(n) } else { recursive_fibonacci(n - 1) + recursive_fibonacci(n - 2) }
}
