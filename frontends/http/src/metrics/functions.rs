//! The series of functions: a bounded number, whatever callers send.

use std::{
    collections::HashMap,
    sync::{
        PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use nebula_runtime::{FunctionName, Report};

use super::{
    outcomes::Outcomes,
    usage::Usage,
    versions::{VersionCalls, Versions, began},
};

/// How many functions have series of their own. All others share one set of series.
const FUNCTIONS: usize = 500;

/// The label of the functions that share their series. No function has this name.
pub(super) const OTHER: &str = "_other";

/// For how many seconds a function must not have been called before another function gets its place.
const IDLE: u64 = 60;

/// The series of all functions.
///
/// - A report costs one look-up and some additions to atomics: it builds no label and takes no lock of a metric.
/// - A function that was not called for a minute may lose its series to another one. What they counted is then in the
///   series that several functions share, so that sums over all functions only grow.
pub(super) struct Functions {
    called: RwLock<HashMap<FunctionName, Function>>,
    others: Function,
    /// The calls of functions that do not exist.
    pub(super) unknown: Outcomes,
    /// When a place is looked for again, in seconds since 1970. Looking each time would make every call of the
    /// functions without a place wait for a lock.
    next_look: AtomicU64,
}

/// The series of one function, or of several that share them.
pub(super) struct Function {
    pub(super) versions: Versions,
    pub(super) usage: Usage,
}

impl Functions {
    pub(super) fn new() -> Self {
        let (called, next_look) = (RwLock::default(), AtomicU64::new(0));
        Self { called, others: Function::new(), unknown: Outcomes::new(), next_look }
    }

    /// Counts one invocation that has ended.
    pub(super) fn record(&self, report: &Report) {
        let Some(version) = report.version else {
            return self.unknown.count(report);
        };
        let name = report.function.name();
        let called = self.read();
        match called.get(name) {
            Some(function) if function.record(report) => return,
            None if called.len() >= FUNCTIONS && began(report) < self.next_look.load(Relaxed) => {
                return self.others.record_as_other(report);
            }
            _ => drop(called),
        }
        self.record_first(name, version, report);
    }

    /// The calls of each version of a function that has series.
    pub(super) fn calls(&self, function: &FunctionName) -> Vec<VersionCalls> {
        self.read().get(function).map(|function| function.versions.calls()).unwrap_or_default()
    }

    /// Shows each function and its label: by name, and the others last.
    pub(super) fn each(&self, mut show: impl FnMut(&str, &Function)) {
        let called = self.read();
        let mut named: Vec<_> = called.iter().collect();
        named.sort_by_key(|(name, _)| *name);
        named.into_iter().for_each(|(name, function)| show(name.as_str(), function));
        show(OTHER, &self.others);
    }

    /// The functions that have series, by name.
    pub(super) fn names(&self) -> Vec<FunctionName> {
        let mut names: Vec<_> = self.read().keys().cloned().collect();
        names.sort();
        names
    }

    /// Counts an invocation whose function or version has no series yet.
    fn record_first(&self, name: &FunctionName, version: u64, report: &Report) {
        let mut called = self.called.write().unwrap_or_else(PoisonError::into_inner);
        if !called.contains_key(name) && called.len() >= FUNCTIONS && !self.make_room(&mut called, began(report)) {
            return self.others.record_as_other(report);
        }
        let function = called.entry(name.clone()).or_insert_with(Function::new);
        // Another thread may have added the version meanwhile.
        if !function.record(report) {
            function.versions.give_series(version);
            function.record(report);
        }
    }

    /// Takes the series from functions that were not called lately. Returns whether there were any.
    fn make_room(&self, called: &mut HashMap<FunctionName, Function>, now: u64) -> bool {
        self.next_look.store(now + 1, Relaxed);
        for (_, idle) in called.extract_if(|_, function| function.versions.last().saturating_add(IDLE) <= now) {
            self.others.add(&idle);
        }
        called.len() < FUNCTIONS
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<FunctionName, Function>> {
        self.called.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Function {
    fn new() -> Self {
        Self { versions: Versions::new(), usage: Usage::new() }
    }

    /// Counts an invocation, if its version has series. Returns whether it has.
    fn record(&self, report: &Report) -> bool {
        let recorded = self.versions.record(report);
        if recorded {
            self.usage.record(report);
        }
        recorded
    }

    fn record_as_other(&self, report: &Report) {
        self.versions.record_as_other(report);
        self.usage.record(report);
    }

    fn add(&self, other: &Self) {
        self.versions.add(&other.versions);
        self.usage.add(&other.usage);
    }
}
