//! The last reports.

use std::collections::VecDeque;

use nebula_runtime::Report;

/// The last reports, each with its place in the order in which invocations ended.
pub(super) struct Ring {
    reports: VecDeque<(u64, Report)>,
    most: usize,
}

impl Ring {
    /// A ring of at most so many reports.
    pub(super) fn new(most: usize) -> Self {
        Self { reports: VecDeque::new(), most }
    }

    /// Adds a report, and returns the oldest one if there is no room for both: its memory is freed by the caller, who
    /// need not hold a lock for that.
    pub(super) fn push(&mut self, place: u64, report: Report) -> Option<Report> {
        let oldest = if self.reports.len() >= self.most { self.reports.pop_front() } else { None };
        self.reports.push_back((place, report));
        oldest.map(|(_, report)| report)
    }

    /// The reports behind a place, the newest first.
    pub(super) fn after(&self, place: u64) -> impl Iterator<Item = (u64, &Report)> {
        let newest_first = self.reports.iter().rev().map(|(place, report)| (*place, report));
        newest_first.take_while(move |(own, _)| *own > place)
    }
}
