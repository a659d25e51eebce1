//! The counts that the page of functions draws, as JSON: a small part of the metrics, because the page asks again and
//! again.

use nebula_runtime::FunctionName;
use serde::Serialize;

use super::{
    functions::{Function, Functions},
    times::seconds,
    usage::WHOLE,
    versions::VersionCalls,
};

/// The counts of all functions together, and of some of them.
///
/// - They only grow, unless the server is started anew, or a function loses its series to another one.
#[derive(Serialize)]
pub(crate) struct Live {
    /// How many guests run now.
    running: i64,
    /// The longest duration of each bucket, in seconds. There is one more bucket, for the longer ones.
    bounds: Vec<f64>,
    total: Counts,
    functions: Vec<OfFunction>,
}

/// The counts of one function.
#[derive(Serialize)]
struct OfFunction {
    function: FunctionName,
    #[serde(flatten)]
    counts: Counts,
    versions: Vec<VersionCalls>,
}

/// The invocations that ended, those of them that failed, and how many took how long.
#[derive(Default, Serialize)]
struct Counts {
    calls: u64,
    failures: u64,
    buckets: Vec<u64>,
}

impl Live {
    /// The counts now. `selected` is sorted.
    pub(super) fn of(functions: &Functions, selected: &[FunctionName], running: i64) -> Self {
        let mut total = Counts { buckets: vec![0; WHOLE.len() + 1], ..Counts::default() };
        let mut shown = Vec::with_capacity(selected.len());
        functions.each(|name, function| {
            let counts = Counts::of(function);
            total.add(&counts);
            if let Ok(index) = selected.binary_search_by(|selected| selected.as_str().cmp(name)) {
                let versions = function.versions.calls();
                let function = selected.get(index).cloned();
                shown.extend(function.map(|function| OfFunction { function, counts, versions }));
            }
        });
        Self { running, bounds: WHOLE.iter().map(|nanos| seconds(*nanos)).collect(), total, functions: shown }
    }
}

impl Counts {
    fn of(function: &Function) -> Self {
        let (calls, failures) = function.versions.sums();
        Self { calls, failures, buckets: function.usage.duration.counts() }
    }

    fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.failures += other.failures;
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(sum, more)| *sum += more);
    }
}
