//! Does what a function should not do.

use std::{
    hint::black_box,
    sync::atomic::{AtomicU32, Ordering},
};

wit_bindgen::generate!({ path: "wit/typed-trap.wit" });

struct Trap;

export!(Trap);

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Guest for Trap {
    fn trap() {
        panic!("on purpose");
    }

    fn spin() {
        loop {
            black_box(());
        }
    }

    fn allocate() {
        let mut held = Vec::new();
        loop {
            held.push(black_box(vec![1_u8; 1 << 20]));
        }
    }

    fn flood(mebibytes: u32) -> String {
        "0123456789abcdef".repeat(mebibytes as usize * 65_536)
    }

    fn count() -> u32 {
        COUNT.fetch_add(1, Ordering::Relaxed) + 1
    }
}
