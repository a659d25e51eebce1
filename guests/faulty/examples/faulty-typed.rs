//! Divides, and traps if there is nothing to divide by. `dig` overflows the stack.

#![cfg(target_env = "p2")]

wit_bindgen::generate!({ path: "wit/faulty-typed.wit" });

struct Faulty;

export!(Faulty);

impl Guest for Faulty {
    fn share(total: i32, parts: i32) -> i32 {
        faulty::share(total, parts)
    }

    fn dig() -> i32 {
        faulty::dig(0)
    }
}
