//! How much was sent and dropped.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How much of one signal was sent and dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SignalCounts {
    /// Spans, data points or lines that the collector has taken.
    pub sent: u64,
    /// Those that were dropped: there was no room, or the collector was away or refused them.
    pub dropped: u64,
}

/// How much of each signal was sent and dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Of spans.
    pub spans: SignalCounts,
    /// Of the data points of metrics.
    pub points: SignalCounts,
    /// Of lines of the log.
    pub lines: SignalCounts,
}

/// Counts what is sent and dropped.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    sent: AtomicU64,
    dropped: AtomicU64,
}

impl Counter {
    pub(crate) fn sent(&self, count: u64) {
        self.sent.fetch_add(count, Relaxed);
    }

    pub(crate) fn dropped(&self, count: u64) {
        self.dropped.fetch_add(count, Relaxed);
    }

    pub(crate) fn counted(&self) -> SignalCounts {
        SignalCounts { sent: self.sent.load(Relaxed), dropped: self.dropped.load(Relaxed) }
    }
}
