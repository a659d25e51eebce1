//! How the invocations of each version ended.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::UNIX_EPOCH,
};

use nebula_runtime::{ErrorKind, Outcome, Report};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};
use serde::Serialize;

/// How many versions of a function have series of their own: a canary beside its predecessor, and some that were called
/// before. The others of the function share one series.
const VERSIONS: usize = 8;

/// The label of the versions that share one series.
const OTHER: &str = "other";

/// Invocations by function, version and outcome.
pub(super) type Invocations = Family<OutcomeLabels, Counter>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OutcomeLabels {
    function: Arc<String>,
    version: Arc<String>,
    outcome: &'static str,
}

/// How many invocations of a version ended, and how many of these failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
#[non_exhaustive]
pub struct VersionCalls {
    /// The version's number.
    pub version: u64,
    /// The invocations that ended.
    pub calls: u64,
    /// Those of them that failed, for whatever reason.
    pub failures: u64,
}

/// The outcomes of one function's invocations, by version.
pub(super) struct Versions {
    invocations: Invocations,
    function: Arc<String>,
    called: Vec<Version>,
    others: Outcomes,
}

struct Version {
    number: u64,
    outcomes: Outcomes,
    /// When the last invocation began, in seconds since 1970.
    last: AtomicU64,
}

/// A counter for each outcome, made with its first value.
pub(super) struct Outcomes {
    version: Arc<String>,
    counters: [OnceLock<Counter>; 2 + ErrorKind::ALL.len()],
}

impl Versions {
    pub(super) fn new(invocations: Invocations, function: Arc<String>) -> Self {
        Self { invocations, function, called: Vec::new(), others: Outcomes::new(OTHER.to_owned()) }
    }

    /// Counts an invocation, if its version has series of its own. Returns whether it has.
    pub(super) fn record(&self, report: &Report) -> bool {
        let Some(version) = self.called.iter().find(|version| Some(version.number) == report.version) else {
            return false;
        };
        version.outcomes.count(&self.invocations, &self.function, report);
        let began = began(report);
        // Most invocations begin in the same second as the last one, and a read is faster than a write.
        if began > version.last.load(Relaxed) {
            version.last.store(began, Relaxed);
        }
        true
    }

    /// Gives a version series of its own. Where there are too many, those of the version that was called the longest
    /// time ago are added to the series of the others.
    pub(super) fn add(&mut self, number: u64) {
        if self.called.len() >= VERSIONS {
            let oldest =
                (0..).zip(&self.called).min_by_key(|(_, version)| (version.last.load(Relaxed), version.number));
            if let Some((oldest, _)) = oldest {
                let removed = self.called.remove(oldest);
                removed.outcomes.move_to(&self.others, &self.invocations, &self.function);
            }
        }
        let outcomes = Outcomes::new(number.to_string());
        self.called.push(Version { number, outcomes, last: AtomicU64::new(0) });
    }

    /// The calls of each version that has series of its own, by number.
    pub(super) fn calls(&self) -> Vec<VersionCalls> {
        let mut calls: Vec<_> = self.called.iter().map(Version::calls).collect();
        calls.sort_by_key(|calls| calls.version);
        calls
    }
}

impl Version {
    fn calls(&self) -> VersionCalls {
        let sum = |is_counted: fn(&Outcome) -> bool| {
            let counters = outcomes().zip(&self.outcomes.counters).filter(|(outcome, _)| is_counted(outcome));
            counters.filter_map(|(_, counter)| counter.get()).map(Counter::get).sum()
        };
        let failures = sum(|outcome| matches!(outcome, Outcome::Failed(_)));
        VersionCalls { version: self.number, calls: sum(|_| true), failures }
    }
}

impl Outcomes {
    pub(super) fn new(version: String) -> Self {
        Self { version: Arc::new(version), counters: [const { OnceLock::new() }; _] }
    }

    pub(super) fn count(&self, invocations: &Invocations, function: &Arc<String>, report: &Report) {
        let outcome = report.outcome.unwrap_or(Outcome::Cancelled);
        let index = match outcome {
            Outcome::Ok => 0,
            Outcome::Cancelled => 1,
            Outcome::Failed(kind) => 2 + kind as usize,
        };
        if let Some(counter) = self.counter(invocations, function, index, outcome) {
            counter.inc();
        }
    }

    /// Adds what was counted here to others, and removes the series.
    fn move_to(&self, others: &Self, invocations: &Invocations, function: &Arc<String>) {
        for ((index, outcome), counter) in (0..).zip(outcomes()).zip(&self.counters) {
            let Some(counter) = counter.get() else { continue };
            let other = others.counter(invocations, function, index, outcome);
            if let Some(other) = other {
                other.inc_by(counter.get());
            }
            invocations.remove(&self.labels(function, outcome));
        }
    }

    fn counter(
        &self,
        invocations: &Invocations,
        function: &Arc<String>,
        index: usize,
        outcome: Outcome,
    ) -> Option<&Counter> {
        let make = || invocations.get_or_create_owned(&self.labels(function, outcome));
        Some(self.counters.get(index)?.get_or_init(make))
    }

    fn labels(&self, function: &Arc<String>, outcome: Outcome) -> OutcomeLabels {
        let (function, version) = (Arc::clone(function), Arc::clone(&self.version));
        OutcomeLabels { function, version, outcome: outcome.as_str() }
    }
}

/// All outcomes, in the order of their counters.
fn outcomes() -> impl Iterator<Item = Outcome> {
    [Outcome::Ok, Outcome::Cancelled].into_iter().chain(ErrorKind::ALL.map(Outcome::Failed))
}

fn began(report: &Report) -> u64 {
    report.started.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
