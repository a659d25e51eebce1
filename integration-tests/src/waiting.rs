//! Waiting for an effect.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::PATIENCE;

/// Waits until `look` returns a value.
pub fn eventually<T>(effect: &str, mut look: impl FnMut() -> Option<T>) -> T {
    /// The time between two calls of `look`.
    const PAUSE: Duration = Duration::from_millis(5);

    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {effect}");
        thread::sleep(PAUSE);
    }
}
