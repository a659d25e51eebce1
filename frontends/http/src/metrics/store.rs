//! Metrics for the store.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use nebula_runtime::StoreHealth;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

/// Whether the store can be read, where there is one to show.
#[derive(Debug)]
pub(super) struct StoreReads(pub(super) Arc<OnceLock<StoreHealth>>);

impl Collector for StoreReads {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(health) = self.0.get() else { return Ok(()) };
        let away = ConstGauge::new(i64::from(health.is_away()));
        let help = "1 while functions are served as they are known, because the store is out of reach";
        away.encode(encoder.encode_descriptor("store_away", help, None, away.metric_type())?)?;
        let failed = ConstCounter::new(health.failed_reads());
        let help = "Reads of functions that failed because the store was out of reach";
        failed.encode(encoder.encode_descriptor("store_failed_reads", help, None, failed.metric_type())?)
    }
}
