//! Calls on the stack of the thread that asks for them.
//!
//! A guest can only yield from a stack of its own, and making that stack takes a third of a short call. So a call of a pure
//! function is tried inline first: on the caller's thread, without a stack of its own. If it has not ended at the next tick
//! of the clock, it is stopped there and starts anew on a stack of its own. Nobody can have seen the first attempt: a
//! function that imports nothing depends on its arguments alone.

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;
use wasmtime::Trap;

/// The longest call that is still worth an attempt. A tick meets one call in twenty of this length, which then runs twice:
/// for longer calls that costs more than the stack.
const SHORT: Duration = Duration::from_micros(50);

/// How many calls of a function go without an attempt after one that was too long.
const SKIPPED: u32 = 1_000;

/// Whether a function's calls are worth an inline attempt, as far as its last calls tell.
#[derive(Default)]
pub(super) struct InlineCalls {
    /// How many calls are still to go without an attempt.
    skip: AtomicU32,
}

impl InlineCalls {
    /// Whether the next call is worth an attempt.
    pub(super) fn are_worthwhile(&self) -> bool {
        let skip = self.skip.load(Relaxed);
        if skip > 0 {
            // Two calls at once may count as one, which does no harm.
            self.skip.store(skip - 1, Relaxed);
        }
        skip == 0
    }

    /// Whether an attempt that began at `began` ended by itself, and was not stopped by the clock.
    pub(super) fn has_ended<T>(&self, attempt: &wasmtime::Result<T>, began: Instant) -> bool {
        let stopped = matches!(attempt, Err(error) if error.downcast_ref() == Some(&Trap::Interrupt));
        if stopped && began.elapsed() > SHORT {
            self.skip.store(SKIPPED, Relaxed);
        }
        !stopped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped() -> wasmtime::Result<()> {
        Err(Trap::Interrupt.into())
    }

    #[test]
    fn after_a_long_call_the_next_calls_are_not_tried_inline() {
        let inline = InlineCalls::default();
        assert!(inline.are_worthwhile());
        assert!(!inline.has_ended(&stopped(), Instant::now() - 2 * SHORT));
        assert!((0..SKIPPED).all(|_| !inline.are_worthwhile()));
        assert!(inline.are_worthwhile());
    }

    #[test]
    fn a_result_or_a_trap_of_the_guest_does_not_count_as_a_long_call() {
        let inline = InlineCalls::default();
        let long_ago = Instant::now() - 2 * SHORT;
        for attempt in [Ok(()), Err(Trap::UnreachableCodeReached.into())] {
            assert!(inline.has_ended(&attempt, long_ago));
            assert!(inline.are_worthwhile());
        }
    }
}
