//! A metric for versions that are held back.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use nebula_runtime::HeldBack;
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, metrics::MetricType};

/// How many aliases are shown at most.
const ALIASES: usize = 1_000;

/// The aliases whose version cannot be served here.
#[derive(Debug, Clone, Default)]
pub(super) struct Held(Arc<RwLock<Vec<HeldBack>>>);

impl Held {
    /// Shows these from now on.
    pub(super) fn replace(&self, held: &[HeldBack]) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = held.iter().take(ALIASES).cloned().collect();
    }
}

impl Collector for Held {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Versions that an alias names, and that cannot be served here: the earlier version is";
        let mut family = encoder.encode_descriptor("nebula_held_back", help, None, MetricType::Gauge)?;
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().try_for_each(|held| {
            let (name, alias) = (held.function.name().as_str(), held.function.version().to_string());
            let labels = [("function", name), ("alias", &alias), ("version", &held.version.to_string())];
            family.encode_family(&labels)?.encode_gauge(&1_u64)
        })
    }
}
