//! Metrics for Prometheus: counters and times of each function, and what the server, its runtime and its process hold.

mod encode;
mod functions;
mod held;
mod live;
mod outcomes;
mod process;
mod reading;
mod runtime;
mod services;
mod times;
mod usage;
mod versions;

use std::{
    fmt,
    sync::{Arc, Weak},
};

use encode::ShowFunctions;
use functions::Functions;
use held::Held;
use live::Live;
use nebula_runtime::{FunctionName, HeldBack, Observer, Report, Runtime, StoreHealth, stderr};
use prometheus_client::{encoding::text, metrics::gauge::Gauge, registry::Registry};
use reading::Readings;

pub use self::{
    reading::{Number, Reading},
    versions::VersionCalls,
};

/// The media type of [`Metrics::encode`]'s text.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics of one server, in Prometheus' text format (OpenMetrics 1.0).
///
/// - Clones are cheap, and share the metrics.
/// - The number of series is bounded, whatever callers send. 500 functions have series of their own, and of each
///   function the eight versions that were called last. All others share one set of series, and so do the calls of
///   functions that do not exist.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    functions: Arc<Functions>,
    in_flight: Gauge,
    held: Held,
    readings: Readings,
}

impl Metrics {
    /// Metrics without values.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let (functions, in_flight, held) = (Arc::new(Functions::new()), Gauge::default(), Held::default());
        let readings = Readings::default();
        registry.register_collector(Box::new(ShowFunctions(Arc::clone(&functions))));
        let help = "Invocations whose guests run now, also after their response";
        registry.register("nebula_in_flight", help, in_flight.clone());
        registry.register_collector(Box::new(held.clone()));
        registry.register_collector(Box::new(readings.clone()));
        readings.add(Box::new(|| vec![log()]));
        Self(Arc::new(Inner { registry, functions, in_flight, held, readings }))
    }

    /// Shows from now on what `source` reads. Each source has metrics of its own.
    pub fn show(&self, source: impl Fn() -> Vec<Reading> + Send + Sync + 'static) {
        self.0.readings.add(Box::new(source));
    }

    /// Shows from now on whether the store can be read.
    pub fn show_store(&self, health: StoreHealth) {
        self.show(move || runtime::store(&health));
    }

    /// Shows from now on what the runtime holds, and its store, as long as the runtime is there.
    pub fn show_runtime(&self, runtime: &Arc<Runtime>) {
        self.show_store(runtime.store_health());
        let runtime = Arc::downgrade(runtime);
        self.show(move || {
            let runtime = Weak::upgrade(&runtime);
            runtime.map(|runtime| runtime::readings(&runtime.resources())).unwrap_or_default()
        });
    }

    /// Shows from now on what the process uses: memory, time, file descriptors.
    pub fn show_process(&self) {
        self.show(process::readings);
    }

    /// Counts one invocation that has ended.
    pub fn record(&self, report: &Report) {
        self.0.functions.record(report);
    }

    /// How many invocations of each version of a function ended, and how many failed: of the versions that were called
    /// last, by number.
    pub fn calls(&self, function: &FunctionName) -> Vec<VersionCalls> {
        self.0.functions.calls(function)
    }

    /// Shows what is held back from now on, instead of what was.
    pub(crate) fn hold_back(&self, held_back: &[HeldBack]) {
        self.0.held.replace(held_back);
    }

    /// Whether guests run now, also after their responses.
    #[must_use]
    pub fn are_guests_running(&self) -> bool {
        self.0.in_flight.get() > 0
    }

    /// All metrics, as `/metrics` shows them.
    pub fn encode(&self) -> String {
        let mut encoded = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut encoded, &self.0.registry);
        encoded
    }

    /// What the page that lists functions draws: the counts of all functions together, and of those that `select` keeps
    /// of the functions that were called, by name.
    pub(crate) fn live(&self, select: impl FnOnce(Vec<FunctionName>) -> Vec<FunctionName>) -> Live {
        let selected = select(self.0.functions.names());
        Live::of(&self.0.functions, &selected, self.0.in_flight.get())
    }

    /// Counts an invocation as running until the value is dropped.
    pub(crate) fn enter(&self) -> InFlight {
        self.0.in_flight.inc();
        InFlight(self.0.in_flight.clone())
    }
}

/// The lines of the process's log that could not be written.
fn log() -> Reading {
    let help = "Lines of the log that could not be written, or found its queue full";
    Reading::counter("nebula_log_lines_lost", help, stderr::lines_lost())
}

impl Observer for Metrics {
    fn ended(&self, report: &Report) {
        self.record(report);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// A running invocation.
pub(crate) struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests;
