//! What the faulty guests do: they divide, and trap if there is nothing to divide by.

/// The share that each of `parts` gets.
#[inline(never)]
pub fn share(total: i32, parts: i32) -> i32 {
    total / nonzero(parts)
}

#[inline(always)]
fn nonzero(parts: i32) -> i32 {
    if parts == 0 {
        trap();
    }
    parts
}

/// Traps at once. A panic would first write a message, through many functions.
#[inline(never)]
fn trap() -> ! {
    #[cfg(target_family = "wasm")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_family = "wasm"))]
    std::process::abort();
}

/// Calls itself without end.
#[inline(never)]
#[expect(unconditional_recursion, reason = "this guest must overflow its stack")]
pub fn dig(depth: i32) -> i32 {
    std::hint::black_box(dig(std::hint::black_box(depth) + 1)) + 1
}
