//! Metrics for Prometheus: counters and times of each function, and the number of running invocations.

mod log;
mod series;
mod services;
mod store;
mod versions;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use log::LinesLost;
use nebula_runtime::{FunctionName, HeldBack, Observer, Report, StoreHealth};
use prometheus_client::{encoding::text, metrics::gauge::Gauge, registry::Registry};
use series::{Families, Series};
use store::StoreReads;
use versions::Outcomes;

pub use self::versions::VersionCalls;

/// The media type of [`Metrics::encode`]'s text.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics of one server, in Prometheus' text format (OpenMetrics 1.0).
///
/// - Clones are cheap, and share the metrics.
/// - The memory grows with the functions that exist and were called, not with names of functions that do not exist.
///   Eight versions of each function have series of their own: those that were called last.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    families: Families,
    /// The series of each function that was called. So a report needs one look-up and builds no label.
    functions: RwLock<HashMap<FunctionName, Series>>,
    /// The series of all functions that do not exist.
    unknown: Outcomes,
    in_flight: Gauge,
    store: Arc<OnceLock<StoreHealth>>,
}

impl Metrics {
    /// Metrics without values.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("nebula");
        let families = Families::register(&mut registry);
        let in_flight = Gauge::default();
        registry.register(
            "in_flight",
            "Invocations whose guests run now, also after their response",
            in_flight.clone(),
        );
        registry.register_collector(Box::new(LinesLost));
        let store = Arc::new(OnceLock::new());
        registry.register_collector(Box::new(StoreReads(Arc::clone(&store))));
        let unknown = Outcomes::new(String::new());
        Self(Arc::new(Inner { registry, families, functions: RwLock::default(), unknown, in_flight, store }))
    }

    /// Shows from now on whether the store can be read. A second store is not shown.
    pub fn show_store(&self, health: StoreHealth) {
        let _ = self.0.store.set(health);
    }

    /// Counts one invocation that has ended.
    pub fn record(&self, report: &Report) {
        let Some(version) = report.version else {
            // There is no such function.
            return self.0.families.count_unknown(&self.0.unknown, report);
        };
        let name = report.function.name();
        let functions = self.0.functions.read().unwrap_or_else(PoisonError::into_inner);
        if functions.get(name).is_some_and(|series| series.record(report)) {
            return;
        }
        drop(functions);
        let mut functions = self.0.functions.write().unwrap_or_else(PoisonError::into_inner);
        let series = functions.entry(name.clone()).or_insert_with(|| self.0.families.series(name.to_string()));
        // Another thread may have added the version meanwhile.
        if !series.record(report) {
            series.add(version);
            series.record(report);
        }
    }

    /// How many invocations of each version of a function ended, and how many failed: of the versions that were called
    /// last, by number.
    pub fn calls(&self, function: &FunctionName) -> Vec<VersionCalls> {
        let functions = self.0.functions.read().unwrap_or_else(PoisonError::into_inner);
        functions.get(function).map(Series::calls).unwrap_or_default()
    }

    /// Shows what is held back from now on, instead of what was.
    pub(crate) fn hold_back(&self, held_back: &[HeldBack]) {
        self.0.families.hold_back(held_back);
    }

    /// All metrics, as `/metrics` shows them.
    pub fn encode(&self) -> String {
        let mut encoded = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut encoded, &self.0.registry);
        encoded
    }

    /// Counts an invocation as running until the value is dropped.
    pub(crate) fn enter(&self) -> InFlight {
        self.0.in_flight.inc();
        InFlight(self.0.in_flight.clone())
    }
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
mod tests {
    use std::time::{Duration, SystemTime};

    use nebula_runtime::{ErrorKind, Event, FunctionRef, Invocation, Outcome, Start};

    use super::*;

    fn report(function: &str, version: Option<u64>, outcome: Outcome) -> Report {
        let handle = Invocation::new(function.parse::<FunctionRef>().unwrap(), Event::default()).report;
        handle.update(|report| {
            report.version = version;
            report.start = Start::Warm;
            report.running = Duration::from_millis(2);
            report.cpu = Duration::from_millis(1);
            report.bytes_in = 3;
            report.bytes_out = 5;
            report.peak_memory = 64;
        });
        handle.finish(outcome);
        handle.snapshot()
    }

    /// The samples, without comments and without the buckets of the histogram.
    fn samples(metrics: &Metrics) -> Vec<String> {
        let shown = |line: &&str| !line.starts_with('#') && !line.contains("_bucket{");
        let mut samples: Vec<_> = metrics.encode().lines().filter(shown).map(str::to_owned).collect();
        samples.sort();
        samples
    }

    #[test]
    fn invocations_are_counted_by_function_and_outcome() {
        let metrics = Metrics::new();
        let _in_flight = metrics.enter();
        drop(metrics.enter());
        for outcome in [Outcome::Ok, Outcome::Ok, Outcome::Failed(ErrorKind::Timeout), Outcome::Cancelled] {
            metrics.ended(&report("treats@3", Some(3), outcome));
        }
        let expected = [
            "nebula_cpu_seconds_total{function=\"treats\"} 0.004",
            "nebula_duration_seconds_count{function=\"treats\"} 4",
            "nebula_duration_seconds_sum{function=\"treats\"} 0.008",
            "nebula_in_flight 1",
            "nebula_invocations_total{function=\"treats\",version=\"3\",outcome=\"cancelled\"} 1",
            "nebula_invocations_total{function=\"treats\",version=\"3\",outcome=\"ok\"} 2",
            "nebula_invocations_total{function=\"treats\",version=\"3\",outcome=\"timeout\"} 1",
            "nebula_log_lines_lost_total 0",
            "nebula_peak_memory_bytes{function=\"treats\"} 64",
            "nebula_request_bytes_total{function=\"treats\"} 12",
            "nebula_response_bytes_total{function=\"treats\"} 20",
        ];
        assert_eq!(samples(&metrics), expected);
    }

    #[test]
    fn functions_that_do_not_exist_share_their_series() {
        let metrics = Metrics::new();
        for number in 0..1_000 {
            metrics.record(&report(&format!("made-up-{number}"), None, Outcome::Failed(ErrorKind::NotFound)));
        }
        let expected = [
            "nebula_in_flight 0",
            "nebula_invocations_total{function=\"\",version=\"\",outcome=\"not_found\"} 1000",
            "nebula_log_lines_lost_total 0",
        ];
        assert_eq!(samples(&metrics), expected);
    }

    #[test]
    fn calls_and_failures_are_counted_by_version_and_only_the_last_versions_have_series() {
        let metrics = Metrics::new();
        for (seconds, version) in (1..).zip([1, 2, 3, 4, 5, 6, 7, 8, 1, 9, 10]) {
            for outcome in [Outcome::Ok, Outcome::Failed(ErrorKind::GuestFault)] {
                let mut ended = report("treats", Some(version), outcome);
                ended.started = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
                metrics.record(&ended);
            }
        }
        let calls = metrics.calls(&"treats".parse().unwrap());
        let shown: Vec<_> = calls.iter().map(|calls| (calls.version, calls.calls, calls.failures)).collect();
        let mut expected = vec![(1, 4, 2)];
        expected.extend((4..=10).map(|version| (version, 2, 1)));
        assert_eq!(shown, expected);
        let counted = |version: &str, outcome: &str, count: u64| {
            let sample = format!("{{function=\"treats\",version=\"{version}\",outcome=\"{outcome}\"}} {count}");
            samples(&metrics).contains(&format!("nebula_invocations_total{sample}"))
        };
        assert!(counted("other", "ok", 2) && counted("other", "guest_fault", 2) && counted("1", "ok", 2));
        assert!(!samples(&metrics).iter().any(|sample| sample.contains("version=\"2\"")));
        assert!(metrics.calls(&"other".parse().unwrap()).is_empty());
    }

    #[test]
    fn what_is_held_back_is_shown_as_long_as_it_is() {
        let metrics = Metrics::new();
        let held = serde_json::from_value(serde_json::json!({
            "function": "shop@prod", "version": 4, "serves": {"weights": {"3": 1}}, "wanted": {"weights": {"4": 1}},
        }));
        metrics.hold_back(&[held.unwrap()]);
        let sample = "nebula_held_back{function=\"shop\",alias=\"prod\",version=\"4\"} 1";
        assert!(samples(&metrics).contains(&sample.to_owned()));
        metrics.hold_back(&[]);
        assert!(!samples(&metrics).iter().any(|sample| sample.contains("held_back")));
    }

    #[test]
    fn a_cold_start_is_counted() {
        let metrics = Metrics::new();
        let mut cold = report("treats", Some(1), Outcome::Ok);
        cold.start = Start::Cold;
        metrics.record(&cold);
        assert!(samples(&metrics).contains(&"nebula_cold_starts_total{function=\"treats\"} 1".to_owned()));
    }
}
