//! What the invocations of one version used of services.

use std::sync::{
    PoisonError, RwLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use nebula_runtime::{ServiceName, ServiceUse};

use super::times::nanos;

/// How many services of a version have series of their own: far more than functions use. All others share one series.
const SERVICES: usize = 16;

/// The label of the services that share their series.
const OTHER: &str = "_other";

/// What the invocations of one version used of each service.
#[derive(Default)]
pub(super) struct Services(RwLock<Vec<(Label, Used)>>);

/// The service, or `None` for those that share their series.
type Label = Option<ServiceName>;

/// What was used of one service.
#[derive(Default)]
pub(super) struct Used {
    ok: AtomicU64,
    failed: AtomicU64,
    unavailable: AtomicU64,
    nanos: AtomicU64,
}

impl Services {
    /// Counts what one invocation used.
    pub(super) fn record(&self, services: &[ServiceUse]) {
        for used in services {
            self.at(&Some(used.service.clone()), |series| series.record(used));
        }
    }

    /// Adds what `other` has counted.
    pub(super) fn add(&self, other: &Self) {
        for (service, used) in &*other.0.read().unwrap_or_else(PoisonError::into_inner) {
            self.at(service, |series| series.add(used));
        }
    }

    /// Shows the services that were used, and what of each.
    pub(super) fn each(&self, mut show: impl FnMut(&str, &Used)) {
        for (service, used) in &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            show(service.as_ref().map_or(OTHER, ServiceName::as_str), used);
        }
    }

    /// Finds the series of a service, or makes it.
    fn at(&self, service: &Label, count: impl Fn(&Used)) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, used)) = known.iter().find(|(known, _)| known == service) {
            return count(used);
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let service = if known.len() < SERVICES { service } else { &None };
        match known.iter().find(|(known, _)| known == service) {
            // Another thread may have made it meanwhile.
            Some((_, used)) => count(used),
            None => {
                let used = Used::default();
                count(&used);
                known.push((service.clone(), used));
            }
        }
    }
}

impl Used {
    fn record(&self, used: &ServiceUse) {
        self.ok.fetch_add(used.operations.saturating_sub(used.failed), Relaxed);
        self.failed.fetch_add(used.failed.saturating_sub(used.unavailable), Relaxed);
        self.unavailable.fetch_add(used.unavailable, Relaxed);
        self.nanos.fetch_add(nanos(used.time), Relaxed);
    }

    fn add(&self, other: &Self) {
        for ((_, counter), (_, more)) in self.counters().into_iter().zip(other.counters()) {
            counter.fetch_add(more.load(Relaxed), Relaxed);
        }
        self.nanos.fetch_add(other.nanos.load(Relaxed), Relaxed);
    }

    /// The operations by outcome.
    pub(super) fn operations(&self) -> [(&'static str, u64); 3] {
        self.counters().map(|(outcome, counter)| (outcome, counter.load(Relaxed)))
    }

    /// The time that was spent in it, in nanoseconds.
    pub(super) fn nanos(&self) -> u64 {
        self.nanos.load(Relaxed)
    }

    fn counters(&self) -> [(&'static str, &AtomicU64); 3] {
        [("ok", &self.ok), ("failed", &self.failed), ("unavailable", &self.unavailable)]
    }
}
