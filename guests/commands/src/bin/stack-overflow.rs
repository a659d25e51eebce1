//! Calls itself without end.

use std::hint::black_box;

fn main() {
    println!("{}", depth(0));
}

#[expect(unconditional_recursion, reason = "to overflow the stack is this guest's purpose")]
fn depth(level: u64) -> u64 {
    black_box(depth(black_box(level) + 1)) + 1
}
