//! How far a stream of events has come.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How far a stream of events has come. The stream counts, and any thread may look.
///
/// The numbers are those of events whose results were handed to the output, in the order of the input. Each number is
/// right, but the three need not belong to the same moment.
#[derive(Debug, Default)]
pub struct Progress {
    events: AtomicU64,
    failures: AtomicU64,
    bytes: AtomicU64,
}

impl Progress {
    /// The number of events.
    pub fn events(&self) -> u64 {
        self.events.load(Relaxed)
    }

    /// The number of events that failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    /// How many bytes of the input these events took, with blank lines and line ends.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Counts the next event, which ends at the byte `end` of the input. Only one thread counts at a time.
    pub(crate) fn count(&self, failed: bool, end: u64) {
        self.events.fetch_add(1, Relaxed);
        self.failures.fetch_add(failed.into(), Relaxed);
        self.bytes.store(end, Relaxed);
    }
}
