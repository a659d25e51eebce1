//! This program without the feature `otel`: it sends nothing to a collector.

use std::convert::Infallible;

use nebula_http::Metrics;
use nebula_lambda::{Flush, LogLayer};
use nebula_runtime::RuntimeBuilder;

/// No connection to a collector.
pub(crate) struct Telemetry;

impl Telemetry {
    /// Nothing, and what is wrong with the variables.
    pub(crate) fn open() -> Result<(Self, Vec<String>), Infallible> {
        let is_wanted = std::env::vars_os().any(|(name, _)| {
            let name = name.to_string_lossy();
            name.starts_with("OTEL_EXPORTER_OTLP_") && name.ends_with("ENDPOINT")
        });
        let warning = "OTEL_EXPORTER_OTLP_ENDPOINT has no effect: only bootstrap-services sends to a collector";
        Ok((Self, is_wanted.then(|| warning.to_owned()).into_iter().collect()))
    }

    /// Takes no lines.
    pub(crate) fn log_layer(&self) -> Option<LogLayer> {
        None
    }

    /// Takes no spans.
    pub(crate) fn trace(&self, builder: RuntimeBuilder) -> RuntimeBuilder {
        builder
    }

    /// Sends nothing.
    pub(crate) fn start(self, _: &Metrics) -> Option<Flush> {
        None
    }
}
