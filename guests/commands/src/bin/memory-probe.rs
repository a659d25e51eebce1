//! Allocates memory until the host refuses it. Then it writes how many mebibytes it got.

use std::hint::black_box;

const MEBIBYTE: usize = 1024 * 1024;

fn main() {
    let mut taken = Vec::with_capacity(4096);
    while taken.len() < taken.capacity() {
        let mut block = Vec::<u8>::new();
        if block.try_reserve_exact(MEBIBYTE).is_err() {
            break;
        }
        taken.push(black_box(block));
    }
    println!("{}", serde_json::json!({ "mebibytes": taken.len() }));
}
