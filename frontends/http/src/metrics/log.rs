//! A metric for the log.

use std::fmt;

use nebula_runtime::stderr;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::counter::ConstCounter,
};

/// Counts the lines of the process's log that could not be written.
#[derive(Debug)]
pub(super) struct LinesLost;

impl Collector for LinesLost {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let lost = ConstCounter::new(stderr::lines_lost());
        let help = "Lines of the log that could not be written, or found its queue full";
        lost.encode(encoder.encode_descriptor("log_lines_lost", help, None, lost.metric_type())?)
    }
}
