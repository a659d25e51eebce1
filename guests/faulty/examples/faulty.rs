//! Divides, and traps if there is nothing to divide by. `dig` overflows the stack.

#[unsafe(no_mangle)]
extern "C" fn share(total: i32, parts: i32) -> i32 {
    faulty::share(total, parts)
}

#[unsafe(no_mangle)]
extern "C" fn dig(depth: i32) -> i32 {
    faulty::dig(depth)
}
