//! Whether the store of a process can be read.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::sync::lock;

/// Whether the store of a runtime can be read, for metrics. Clones are cheap and show the same.
///
/// It knows what the runtime's own reads met: a runtime whose functions are not called does not read its store.
#[derive(Debug, Clone, Default)]
pub struct StoreHealth(Arc<Reads>);

#[derive(Debug, Default)]
struct Reads {
    away: AtomicBool,
    reads: AtomicU64,
    failed: AtomicU64,
    told: Mutex<Told>,
}

/// What the log says.
#[derive(Debug, Default)]
struct Told {
    /// That the store is away.
    away: bool,
    /// When it said so last.
    at: Option<Instant>,
}

/// The log says at most so often that the store is away: one that answers for some functions only would fill it.
const AGAIN: Duration = Duration::from_secs(10);

impl StoreHealth {
    /// Whether functions are served as they are known, because the last read of one failed.
    pub fn is_away(&self) -> bool {
        self.0.away.load(Relaxed)
    }

    /// How often functions were read from the store.
    pub fn reads(&self) -> u64 {
        self.0.reads.load(Relaxed)
    }

    /// How many reads of functions failed because the store was out of reach.
    pub fn failed_reads(&self) -> u64 {
        self.0.failed.load(Relaxed)
    }

    /// Counts a read.
    pub(crate) fn count_read(&self) {
        self.0.reads.fetch_add(1, Relaxed);
    }

    /// Counts a read that failed.
    pub(crate) fn count_failed(&self) {
        self.0.failed.fetch_add(1, Relaxed);
    }

    /// Notes that a function is served as it is known. Returns whether the log is to say so now.
    pub(crate) fn begin_away(&self) -> bool {
        self.0.away.store(true, Relaxed);
        let mut told = lock(&self.0.told);
        let is_news = !told.away && told.at.is_none_or(|at| at.elapsed() >= AGAIN);
        if is_news {
            *told = Told { away: true, at: Some(Instant::now()) };
        }
        is_news
    }

    /// Notes that the store has answered. Returns whether the log is to say so.
    pub(crate) fn end_away(&self) -> bool {
        self.0.away.swap(false, Relaxed) && {
            let mut told = lock(&self.0.told);
            std::mem::take(&mut told.away)
        }
    }
}
