//! Calls itself until its stack overflows.

use std::hint::black_box;

fn main() {
    println!("{}", depth(0));
}

#[expect(unconditional_recursion, reason = "this guest must overflow its stack")]
fn depth(level: u64) -> u64 {
    black_box(depth(black_box(level) + 1)) + 1
}
