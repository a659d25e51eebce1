//! The metrics of the services that functions use.

use std::sync::{Arc, atomic::AtomicU64};

use nebula_runtime::{Report, ServiceUse};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::{Registry, Unit},
};

/// The metrics of services. There are as many series as functions are granted services.
#[derive(Clone, Default)]
pub(super) struct Services {
    operations: Family<OutcomeLabels, Counter>,
    time: Family<ServiceLabels, Counter<f64, AtomicU64>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServiceLabels {
    function: Arc<String>,
    service: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    function: Arc<String>,
    service: String,
    outcome: &'static str,
}

impl Services {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let services = Self::default();
        let Self { operations, time } = services.clone();
        registry.register("service_operations", "Operations of services, by how they ended", operations);
        registry.register_with_unit("service", "Time that guests spent in services", Unit::Seconds, time);
        services
    }

    /// Counts what an invocation of `function` used.
    pub(super) fn record(&self, function: &Arc<String>, report: &Report) {
        for ServiceUse { service, operations, failed, time, .. } in &report.services {
            let service = service.to_string();
            for (outcome, count) in [("ok", operations - failed), ("failed", *failed)] {
                let labels = OutcomeLabels { function: Arc::clone(function), service: service.clone(), outcome };
                self.operations.get_or_create(&labels).inc_by(count);
            }
            let labels = ServiceLabels { function: Arc::clone(function), service };
            self.time.get_or_create(&labels).inc_by(time.as_secs_f64());
        }
    }
}
