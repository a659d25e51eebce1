//! Durations, counted in buckets.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use prometheus_client::encoding::{MetricEncoder, NoLabelSet};

/// Durations, counted in `N` buckets and one for the longer ones. The library's own histogram has a lock, which each
/// invocation would take several times.
pub(super) struct Times<const N: usize> {
    /// The longest duration of each bucket, in nanoseconds.
    longest: &'static [u64; N],
    counts: [AtomicU64; N],
    longer: AtomicU64,
    nanos: AtomicU64,
}

impl<const N: usize> Times<N> {
    pub(super) fn new(longest: &'static [u64; N]) -> Self {
        let counts = [const { AtomicU64::new(0) }; N];
        Self { longest, counts, longer: AtomicU64::new(0), nanos: AtomicU64::new(0) }
    }

    pub(super) fn observe(&self, time: Duration) {
        let nanos = nanos(time);
        let bucket = self.longest.iter().zip(&self.counts).find(|(longest, _)| nanos <= **longest);
        bucket.map_or(&self.longer, |(_, count)| count).fetch_add(1, Relaxed);
        if nanos > 0 {
            self.nanos.fetch_add(nanos, Relaxed);
        }
    }

    /// Adds what `other` has counted.
    pub(super) fn add(&self, other: &Self) {
        for (count, more) in self.counts.iter().zip(&other.counts) {
            count.fetch_add(more.load(Relaxed), Relaxed);
        }
        self.longer.fetch_add(other.longer.load(Relaxed), Relaxed);
        self.nanos.fetch_add(other.nanos.load(Relaxed), Relaxed);
    }

    /// Writes the buckets, unless nothing was counted.
    pub(super) fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let longest = self.longest.iter().map(|nanos| seconds(*nanos)).chain([f64::INFINITY]);
        let buckets: Vec<_> = longest.zip(self.counts()).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(seconds(self.nanos.load(Relaxed)), count, &buckets, None)
    }

    /// How many durations each bucket has, the longer ones last.
    pub(super) fn counts(&self) -> Vec<u64> {
        self.counts.iter().chain([&self.longer]).map(|count| count.load(Relaxed)).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts().iter().all(|count| *count == 0)
    }
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "a sum of nanoseconds needs no more digits than a float has")]
pub(super) fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}
