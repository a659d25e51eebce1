//! The last invocations, and what their guests logged.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use nebula_runtime::{FunctionName, FunctionRef, Observer, Outcome, Report};
use serde::Serialize;

use super::{
    lines::{Lines, LogLine},
    ring::Ring,
};

/// How many invocations are kept.
const INVOCATIONS: usize = 1_000;

/// How many invocations that failed are kept besides, so that many that succeed do not push them out.
const FAILURES: usize = 250;

/// How many bytes of the text are kept that says why a guest failed.
const FAILURE_TEXT: usize = 1 << 10;

/// A longer name of an export is left out. Callers choose these names, also where there is no such export.
const EXPORT: usize = 256;

/// The last invocations of a server, and what their guests logged: an [`Observer`] for its runtime.
///
/// - Clones share the invocations.
/// - Memory is bounded: 1,000 reports of at most a few KiB, 250 more of invocations that failed, and 4 KiB of log for each
///   of the 1,000 invocations that logged last.
/// - A call takes one lock for the time of two moves in memory. A line of a guest takes another one.
#[derive(Clone)]
pub struct RecentInvocations(Arc<Inner>);

struct Inner {
    reports: Mutex<Reports>,
    lines: Mutex<Lines>,
}

struct Reports {
    /// The place of the last report. Places begin at the time at which this value was made, in microseconds since 1970,
    /// so that those of a server that was started anew are behind those that its clients know.
    last: u64,
    all: Ring,
    failed: Ring,
}

/// Which invocations are wanted.
pub(crate) struct Wanted<'a> {
    /// Whether a function's invocations are.
    pub(crate) includes: &'a dyn Fn(&FunctionName) -> bool,
    /// Only those that failed.
    pub(crate) failed: bool,
    /// Only those behind this place.
    pub(crate) after: u64,
    /// At most so many: the newest.
    pub(crate) limit: usize,
}

/// An invocation, as it is answered.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    /// Its place in the order in which invocations ended.
    pub(crate) place: u64,
    #[serde(flatten)]
    report: Report,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    log: Vec<LogLine>,
    /// Whether lines of its log were left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    log_is_cut: bool,
}

impl RecentInvocations {
    /// Without invocations.
    #[must_use]
    pub fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let (all, failed) = (Ring::new(INVOCATIONS), Ring::new(FAILURES));
        let reports = Reports { last: u64::try_from(now).unwrap_or_default(), all, failed };
        Self(Arc::new(Inner { reports: Mutex::new(reports), lines: Mutex::default() }))
    }

    /// Keeps a line that the guest of an invocation logged, as long as the invocation is kept.
    pub fn log(&self, invocation: &str, line: LogLine) {
        lock(&self.0.lines).push(invocation, line);
    }

    /// The invocations that are wanted, the newest first.
    pub(crate) fn find(&self, wanted: &Wanted<'_>) -> Vec<Shown> {
        let found: Vec<_> = {
            let reports = lock(&self.0.reports);
            let ring = if wanted.failed { &reports.failed } else { &reports.all };
            let found = ring.after(wanted.after).filter(|(_, report)| (wanted.includes)(report.function.name()));
            found.take(wanted.limit).map(|(place, report)| (place, report.clone())).collect()
        };
        let lines = lock(&self.0.lines);
        found.into_iter().map(|(place, report)| Shown::new(place, report, &lines)).collect()
    }
}

impl Shown {
    fn new(place: u64, report: Report, lines: &Lines) -> Self {
        let log = lines.of(&report.id.to_string());
        let (log_is_cut, log) = log.map_or_else(Default::default, |log| (log.is_cut, log.lines.clone()));
        Self { place, report, log, log_is_cut }
    }
}

impl Observer for RecentInvocations {
    fn ended(&self, report: &Report) {
        let report = kept(report.clone());
        let failed = matches!(report.outcome, Some(Outcome::Failed(_))).then(|| report.clone());
        let mut reports = lock(&self.0.reports);
        reports.last += 1;
        let place = reports.last;
        let oldest = (reports.all.push(place, report), failed.and_then(|failed| reports.failed.push(place, failed)));
        drop(reports);
        drop(oldest);
    }
}

/// The report with at most a certain part of the texts that guests and callers choose.
fn kept(mut report: Report) -> Report {
    if report.function.export().is_some_and(|export| export.len() > EXPORT) {
        let version = report.function.version().clone();
        report.function = FunctionRef::from(report.function.name().clone()).with_version(version);
    }
    if let Some(failure) = &mut report.failure {
        failure.truncate(failure.floor_char_boundary(FAILURE_TEXT));
        failure.shrink_to_fit();
    }
    report
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Neither reports nor lines have an invariant that a panic between two writes could break.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for RecentInvocations {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RecentInvocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecentInvocations").finish_non_exhaustive()
    }
}
