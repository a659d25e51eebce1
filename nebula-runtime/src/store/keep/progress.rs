//! How far long work has come.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How far long work has come, for others to show while it goes on.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// How many things are done.
    pub fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }

    /// How many things there are, as far as that is known by now.
    pub fn total(&self) -> u64 {
        self.total.load(Relaxed)
    }

    /// More things are to be done.
    pub(crate) fn expect(&self, things: usize) {
        self.total.fetch_add(things as u64, Relaxed);
    }

    /// One more thing is done.
    pub(crate) fn advance(&self) {
        self.done.fetch_add(1, Relaxed);
    }
}
