//! Invocations, counted by how they ended and how they started.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nebula_runtime::{ErrorKind, Outcome, Report, Start};

/// How many outcomes there are: `ok`, `cancelled` and each kind of error.
const OUTCOMES: usize = 2 + ErrorKind::ALL.len();

/// How an invocation started, as the metrics tell it.
const STARTS: [&str; 4] = ["none", "cold", "warm", "cached"];

/// A counter for each outcome and start.
pub(super) struct Outcomes([[AtomicU64; STARTS.len()]; OUTCOMES]);

/// What one counter has counted.
pub(super) struct Counted {
    pub(super) outcome: Outcome,
    pub(super) start: &'static str,
    pub(super) count: u64,
}

impl Outcomes {
    pub(super) fn new() -> Self {
        Self([const { [const { AtomicU64::new(0) }; STARTS.len()] }; OUTCOMES])
    }

    pub(super) fn count(&self, report: &Report) {
        let outcome = match report.outcome.unwrap_or(Outcome::Cancelled) {
            Outcome::Ok => 0,
            Outcome::Cancelled => 1,
            Outcome::Failed(kind) => 2 + kind as usize,
        };
        if let Some(counter) = self.0.get(outcome).and_then(|starts| starts.get(start(report))) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// Adds what `other` has counted.
    pub(super) fn add(&self, other: &Self) {
        for (counter, more) in self.0.iter().flatten().zip(other.0.iter().flatten()) {
            counter.fetch_add(more.load(Relaxed), Relaxed);
        }
    }

    /// What each counter has counted that has counted something.
    pub(super) fn counted(&self) -> impl Iterator<Item = Counted> {
        let outcomes = [Outcome::Ok, Outcome::Cancelled].into_iter().chain(ErrorKind::ALL.map(Outcome::Failed));
        let counted = outcomes.zip(&self.0).flat_map(|(outcome, starts)| {
            let counted = STARTS.iter().zip(starts);
            counted.map(move |(start, counter)| Counted { outcome, start, count: counter.load(Relaxed) })
        });
        counted.filter(|counted| counted.count > 0)
    }
}

/// The index of the invocation's start. `none` is the start of an invocation whose code was not looked for: its
/// function does not exist, or it was refused before that.
fn start(report: &Report) -> usize {
    match report.start {
        Start::Cold if report.version.is_none() => 0,
        Start::Cold if report.outcome == Some(Outcome::Failed(ErrorKind::Overloaded)) => 0,
        Start::Cold => 1,
        Start::Warm => 2,
        Start::Cached => 3,
    }
}
