//! The n-th Fibonacci number by its recursive definition. It takes exponential time, so a small argument takes long.

#[unsafe(no_mangle)]
extern "C" fn recursive_fibonacci(n: i32) -> i64 {
    if n < 2 { i64::from(n) } else { recursive_fibonacci(n - 1) + recursive_fibonacci(n - 2) }
}
