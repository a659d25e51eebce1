//! The invocations of one function, by version.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::UNIX_EPOCH,
};

use nebula_runtime::{Outcome, Report};
use serde::Serialize;

use super::{outcomes::Outcomes, services::Services};

/// How many versions of a function have series of their own: a canary beside its predecessor, and some that were called
/// before. The others of the function share one series.
const VERSIONS: usize = 8;

/// The label of the versions that share one series.
const OTHER: &str = "other";

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

/// The invocations of one function, by version.
pub(super) struct Versions {
    called: Vec<(u64, Version)>,
    others: Version,
}

/// The invocations of one version, or of several that share their series.
pub(super) struct Version {
    pub(super) outcomes: Outcomes,
    pub(super) services: Services,
    /// When the last invocation began, in seconds since 1970.
    last: AtomicU64,
}

impl Versions {
    pub(super) fn new() -> Self {
        Self { called: Vec::new(), others: Version::new() }
    }

    /// Counts an invocation, if its version has series of its own. Returns whether it has.
    pub(super) fn record(&self, report: &Report) -> bool {
        let own = self.called.iter().find(|(number, _)| Some(*number) == report.version);
        if let Some((_, version)) = own {
            version.record(report);
        }
        own.is_some()
    }

    /// Counts an invocation in the series that several versions share.
    pub(super) fn record_as_other(&self, report: &Report) {
        self.others.record(report);
    }

    /// Gives a version series of its own. Where there are too many, those of the version that was called the longest
    /// time ago are added to the series of the others.
    pub(super) fn give_series(&mut self, number: u64) {
        if self.called.len() >= VERSIONS {
            let oldest =
                (0..).zip(&self.called).min_by_key(|(_, (number, version))| (version.last.load(Relaxed), *number));
            if let Some((oldest, _)) = oldest {
                self.others.add(&self.called.remove(oldest).1);
            }
        }
        self.called.push((number, Version::new()));
    }

    /// Adds what all versions of `other` have counted to the series that several versions share.
    pub(super) fn add(&self, other: &Self) {
        other.called.iter().for_each(|(_, version)| self.others.add(version));
        self.others.add(&other.others);
    }

    /// When the last invocation began, in seconds since 1970.
    pub(super) fn last(&self) -> u64 {
        self.called.iter().map(|(_, version)| version.last.load(Relaxed)).max().unwrap_or_default()
    }

    /// The calls of each version that has series of its own, by number.
    pub(super) fn calls(&self) -> Vec<VersionCalls> {
        let mut calls: Vec<_> = self.called.iter().map(|(number, version)| version.calls(*number)).collect();
        calls.sort_by_key(|calls| calls.version);
        calls
    }

    /// How many invocations of all versions together ended, and how many failed.
    pub(super) fn sums(&self) -> (u64, u64) {
        let versions = self.called.iter().map(|(_, version)| version).chain([&self.others]);
        let calls = versions.map(|version| version.calls(0));
        calls.fold((0, 0), |(calls, failures), more| (calls + more.calls, failures + more.failures))
    }

    /// Shows each version and its label: by number, and the others last.
    pub(super) fn each(&self, mut show: impl FnMut(&str, &Version)) {
        let mut called: Vec<_> = self.called.iter().collect();
        called.sort_by_key(|(number, _)| *number);
        called.into_iter().for_each(|(number, version)| show(&number.to_string(), version));
        show(OTHER, &self.others);
    }
}

impl Version {
    fn new() -> Self {
        Self { outcomes: Outcomes::new(), services: Services::default(), last: AtomicU64::new(0) }
    }

    fn record(&self, report: &Report) {
        self.outcomes.count(report);
        self.services.record(&report.services);
        let began = began(report);
        // Most invocations begin in the same second as the last one, and a read is faster than a write.
        if began > self.last.load(Relaxed) {
            self.last.store(began, Relaxed);
        }
    }

    fn add(&self, other: &Self) {
        self.outcomes.add(&other.outcomes);
        self.services.add(&other.services);
    }

    fn calls(&self, version: u64) -> VersionCalls {
        self.outcomes.counted().fold(VersionCalls { version, calls: 0, failures: 0 }, |sum, counted| {
            let failed = if matches!(counted.outcome, Outcome::Failed(_)) { counted.count } else { 0 };
            VersionCalls { version, calls: sum.calls + counted.count, failures: sum.failures + failed }
        })
    }
}

/// When the invocation began, in seconds since 1970.
pub(super) fn began(report: &Report) -> u64 {
    report.started.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
