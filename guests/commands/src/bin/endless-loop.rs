//! Never ends and never calls its host: only an interruption of its code stops it.

fn main() {
    #[expect(clippy::empty_loop, reason = "to spin is this guest's purpose")]
    loop {}
}
