//! Loops forever without calling the host. Only an interruption of its code stops it.

fn main() {
    #[expect(clippy::empty_loop, reason = "this guest must spin")]
    loop {}
}
