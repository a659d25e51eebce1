//! What a server sends to an OpenTelemetry collector.

use std::{process, time::Duration};

use nebula_http::{Metrics, Reading, error_status};
use nebula_otel::{Config, Counts, Telemetry};
use nebula_runtime::{InvocationId, RuntimeBuilder};

use crate::failure::Failure;

/// How long a server waits at its end for what is not sent yet.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the variables `OTEL_*` ask for, and what is wrong with them. Only servers send anything.
pub(crate) fn open(is_server: bool) -> Result<(Option<Telemetry>, Vec<String>), Failure> {
    if !is_server {
        return Ok((None, Vec::new()));
    }
    let resource = [
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", InvocationId::random().to_string()),
        ("process.pid", process::id().to_string()),
    ];
    let (config, warnings) = Config::from_vars(|name| std::env::var(name).ok(), resource);
    let telemetry = config.map(Telemetry::new).transpose().map_err(Failure::Telemetry)?;
    Ok((telemetry, warnings))
}

/// Gives the spans of a runtime to the collector, if it wants spans.
pub(crate) fn trace(builder: RuntimeBuilder, telemetry: Option<&Telemetry>) -> RuntimeBuilder {
    match telemetry.and_then(Telemetry::tracer) {
        Some(tracer) => builder.tracer(tracer, |error| error_status(error).as_u16()),
        None => builder,
    }
}

/// Sends from now on, the metrics too, which show how much is sent.
pub(crate) fn start(telemetry: Option<&Telemetry>, metrics: &Metrics) {
    let Some(telemetry) = telemetry.cloned() else { return };
    let (shown, counted) = (metrics.clone(), telemetry.clone());
    telemetry.start(move || shown.encode());
    metrics.show(move || readings(counted.counts()));
}

/// Sends what waits.
pub(crate) async fn flush(telemetry: Option<Telemetry>) {
    if let Some(telemetry) = telemetry {
        telemetry.shut_down(PATIENCE).await;
    }
}

fn readings(counts: Counts) -> Vec<Reading> {
    let signals = [("spans", counts.spans), ("points", counts.points), ("lines", counts.lines)];
    let sent = signals.map(|(signal, counts)| (signal, counts.sent));
    let dropped = signals.map(|(signal, counts)| (signal, counts.dropped));
    let help = "What was not sent to the collector: there was no room, or it was away or refused it";
    vec![
        Reading::counters("nebula_telemetry_sent", "What the collector has taken", "signal", sent),
        Reading::counters("nebula_telemetry_dropped", help, "signal", dropped),
    ]
}
