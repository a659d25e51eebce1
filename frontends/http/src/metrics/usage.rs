//! What the invocations of one function used.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use nebula_runtime::Report;

use super::times::{Times, nanos};

/// The buckets of whole invocations: from a tenth of a millisecond, which a small function takes, to half a minute, the
/// default time-out.
pub(super) const WHOLE: [u64; 12] = [
    100_000,
    500_000,
    1_000_000,
    5_000_000,
    10_000_000,
    50_000_000,
    100_000_000,
    500_000_000,
    1_000_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
];

/// The buckets of phases: from ten microseconds to ten seconds.
const PHASE: [u64; 7] = [10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000];

/// What the invocations of one function used.
pub(super) struct Usage {
    pub(super) duration: Times<{ WHOLE.len() }>,
    phases: [Times<{ PHASE.len() }>; PHASES.len()],
    cpu_nanos: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    peak_memory: AtomicU64,
}

/// The phases of an invocation.
const PHASES: [&str; 5] = ["queue", "load", "instantiate", "run", "service"];

impl Usage {
    pub(super) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            duration: Times::new(&WHOLE),
            phases: PHASES.map(|_| Times::new(&PHASE)),
            cpu_nanos: zero(),
            bytes_in: zero(),
            bytes_out: zero(),
            peak_memory: zero(),
        }
    }

    pub(super) fn record(&self, report: &Report) {
        self.duration.observe(report.queued + report.loading + report.instantiating + report.running);
        let [queue, load, instantiate, run, service] = &self.phases;
        queue.observe(report.queued);
        load.observe(report.loading);
        instantiate.observe(report.instantiating);
        run.observe(report.running);
        if !report.services.is_empty() {
            service.observe(report.services.iter().map(|used| used.time).sum::<Duration>());
        }
        self.cpu_nanos.fetch_add(nanos(report.cpu), Relaxed);
        self.bytes_in.fetch_add(report.bytes_in, Relaxed);
        self.bytes_out.fetch_add(report.bytes_out, Relaxed);
        self.note_peak(report.peak_memory);
    }

    /// Adds what `other` has counted.
    pub(super) fn add(&self, other: &Self) {
        self.duration.add(&other.duration);
        for (phase, more) in self.phases.iter().zip(&other.phases) {
            phase.add(more);
        }
        for (counter, more) in self.counters().into_iter().zip(other.counters()) {
            counter.fetch_add(more.load(Relaxed), Relaxed);
        }
        self.note_peak(other.peak_memory());
    }

    /// The phases, by name.
    pub(super) fn phases(&self) -> impl Iterator<Item = (&'static str, &Times<{ PHASE.len() }>)> {
        PHASES.into_iter().zip(&self.phases)
    }

    pub(super) fn cpu_nanos(&self) -> u64 {
        self.cpu_nanos.load(Relaxed)
    }

    pub(super) fn bytes_in(&self) -> u64 {
        self.bytes_in.load(Relaxed)
    }

    pub(super) fn bytes_out(&self) -> u64 {
        self.bytes_out.load(Relaxed)
    }

    pub(super) fn peak_memory(&self) -> u64 {
        self.peak_memory.load(Relaxed)
    }

    fn counters(&self) -> [&AtomicU64; 3] {
        [&self.cpu_nanos, &self.bytes_in, &self.bytes_out]
    }

    fn note_peak(&self, peak: u64) {
        // Most invocations are not a new peak, and a read is faster than a compare-and-swap.
        if peak > self.peak_memory() {
            self.peak_memory.fetch_max(peak, Relaxed);
        }
    }
}
