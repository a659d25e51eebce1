//! Calls without a stack of their own.
//!
//! A guest can only yield from a stack of its own, and making one takes a third of a short call. So a call of a pure function
//! begins on the stack of the thread that asks for it. If it is not over at the next tick, it is ended there and starts anew
//! on its own: what imports nothing depends on nothing but its arguments, and nobody can have seen the first attempt.

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;
use wasmtime::Trap;

/// What a call may take and be called brief. One that takes this long may be met by a tick, and run twice, once in twenty
/// times: it would lose more by that than it can gain.
const BRIEF: Duration = Duration::from_micros(50);

/// How many calls of a function that was not brief go without an attempt.
const AGAIN_AFTER: u32 = 1_000;

/// Whether a function's calls are brief, as far as its last ones tell.
#[derive(Default)]
pub(super) struct Brevity(AtomicU32);

impl Brevity {
    /// Whether the next call is worth an attempt.
    pub(super) fn is_likely(&self) -> bool {
        let others_first = self.0.load(Relaxed);
        if others_first > 0 {
            // Two at once may count as one, which does no harm.
            self.0.store(others_first - 1, Relaxed);
        }
        others_first == 0
    }

    /// Whether the attempt that `began` then has come to its end, and not to that of its time.
    pub(super) fn has_ended<T>(&self, attempt: &wasmtime::Result<T>, began: Instant) -> bool {
        let interrupted = matches!(attempt, Err(error) if error.downcast_ref() == Some(&Trap::Interrupt));
        if interrupted && began.elapsed() > BRIEF {
            self.0.store(AGAIN_AFTER, Relaxed);
        }
        !interrupted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interrupted() -> wasmtime::Result<()> {
        Err(Trap::Interrupt.into())
    }

    #[test]
    fn a_call_that_was_not_brief_keeps_the_next_ones_from_being_attempted() {
        let brevity = Brevity::default();
        assert!(brevity.is_likely());
        assert!(!brevity.has_ended(&interrupted(), Instant::now() - 2 * BRIEF));
        assert!((0..AGAIN_AFTER).all(|_| !brevity.is_likely()));
        assert!(brevity.is_likely());
    }

    #[test]
    fn neither_a_result_nor_a_failure_of_its_own_says_that_a_call_was_not_brief() {
        let brevity = Brevity::default();
        let long_ago = Instant::now() - 2 * BRIEF;
        for attempt in [Ok(()), Err(Trap::UnreachableCodeReached.into())] {
            assert!(brevity.has_ended(&attempt, long_ago));
            assert!(brevity.is_likely());
        }
    }
}
