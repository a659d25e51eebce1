//! Waiting for locks of other processes, on a thread of the store's own.

use std::{thread, time::Duration};

/// The first pause between two attempts. Each pause is twice as long as the one before.
const SHORTEST: Duration = Duration::from_micros(20);

/// The longest pause between two attempts.
const LONGEST: Duration = Duration::from_millis(5);

/// Tries until it succeeds, or until `go_on` says that nobody needs it any more. Returns whether it succeeded.
///
/// A lock that is waited for in the kernel cannot be given up, so that a process that never unlocks would keep the thread
/// for ever.
pub(super) fn wait_until<E>(mut attempt: impl FnMut() -> Result<bool, E>, go_on: impl Fn() -> bool) -> Result<bool, E> {
    let mut pause = SHORTEST;
    loop {
        if attempt()? {
            return Ok(true);
        }
        if !go_on() {
            return Ok(false);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST);
    }
}
