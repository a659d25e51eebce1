//! Allocates memory until the host refuses it. Then it aborts, as most programs do.

use std::hint::black_box;

fn main() {
    let mut taken = Vec::new();
    loop {
        taken.push(black_box(vec![1_u8; 1024 * 1024]));
    }
}
