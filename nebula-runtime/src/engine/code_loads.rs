//! Where the code came from that was loaded.

#[cfg(feature = "compiler")]
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Where the code came from that a runtime has loaded into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CodeLoads {
    /// How often it was in the code cache.
    pub cached: u64,
    /// How often it was compiled.
    pub compiled: u64,
    /// How often it could not be compiled.
    pub failed: u64,
    /// The time that compiling took, also where it failed.
    pub compiling: Duration,
}

/// Counts loads.
#[derive(Default)]
#[cfg(feature = "compiler")]
pub(super) struct CountedLoads {
    cached: AtomicU64,
    compiled: AtomicU64,
    failed: AtomicU64,
    compiling_nanos: AtomicU64,
}

#[cfg(feature = "compiler")]
impl CountedLoads {
    pub(super) fn count_cached(&self) {
        self.cached.fetch_add(1, Relaxed);
    }

    pub(super) fn count_compiled(&self, is_ok: bool, time: Duration) {
        if is_ok { &self.compiled } else { &self.failed }.fetch_add(1, Relaxed);
        self.compiling_nanos.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(super) fn counted(&self) -> CodeLoads {
        CodeLoads {
            cached: self.cached.load(Relaxed),
            compiled: self.compiled.load(Relaxed),
            failed: self.failed.load(Relaxed),
            compiling: Duration::from_nanos(self.compiling_nanos.load(Relaxed)),
        }
    }
}
