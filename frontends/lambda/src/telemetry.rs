//! What this program sends to an OpenTelemetry collector, as the variables `OTEL_*` say.

use std::{sync::Arc, time::Duration};

use nebula_http::{Metrics, error_status};
use nebula_lambda::{Flush, LogLayer};
use nebula_otel::{Config, TlsError};
use nebula_runtime::RuntimeBuilder;

/// How long the next event waits for the collector.
const PATIENCE: Duration = Duration::from_secs(1);

/// What describes an environment of Lambda in the semantic conventions, and the variables that say it.
const RESOURCE: [(&str, &str); 5] = [
    ("cloud.region", "AWS_REGION"),
    ("faas.instance", "AWS_LAMBDA_LOG_STREAM_NAME"),
    ("faas.name", "AWS_LAMBDA_FUNCTION_NAME"),
    ("faas.version", "AWS_LAMBDA_FUNCTION_VERSION"),
    ("service.name", "AWS_LAMBDA_FUNCTION_NAME"),
];

/// The connection to a collector, if the variables name one.
pub(crate) struct Telemetry(Option<nebula_otel::Telemetry>);

impl Telemetry {
    /// Reads the variables. Also returns what is wrong with them.
    pub(crate) fn open() -> Result<(Self, Vec<String>), TlsError> {
        let variable = |name: &str| std::env::var(name).ok();
        let said = RESOURCE.into_iter().filter_map(|(attribute, name)| Some((attribute, variable(name)?)));
        let resource = said.chain([("cloud.platform", "aws_lambda".to_owned()), ("cloud.provider", "aws".to_owned())]);
        let (config, warnings) = Config::from_vars(variable, resource);
        Ok((Self(config.map(nebula_otel::Telemetry::new).transpose()?), warnings))
    }

    /// Takes the lines of the log.
    pub(crate) fn log_layer(&self) -> Option<LogLayer> {
        let layer = self.0.as_ref()?.log_layer()?;
        Some(Box::new(layer))
    }

    /// Takes the spans of a runtime.
    pub(crate) fn trace(&self, builder: RuntimeBuilder) -> RuntimeBuilder {
        match self.0.as_ref().and_then(nebula_otel::Telemetry::tracer) {
            Some(tracer) => builder.tracer(tracer, |error| error_status(error).as_u16()),
            None => builder,
        }
    }

    /// Sends from now on. The result sends what waits.
    pub(crate) fn start(self, metrics: &Metrics) -> Option<Flush> {
        let (telemetry, shown) = (self.0?, metrics.clone());
        telemetry.start(move || shown.encode());
        Some(Arc::new(move || {
            let telemetry = telemetry.clone();
            Box::pin(async move { telemetry.flush(PATIENCE).await })
        }))
    }
}
