//! `wasi:otel/logs`: lines that guests write to the log.

use wasmtime::{
    StoreContextMut,
    component::{ComponentType, Lift},
};

use super::{
    super::logging::{Level, write},
    records::{Datetime, InstrumentationScope, KeyValue, TraceFlags, value},
};
use crate::{call::AttributeValue, engine::Host, host::system::System};

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct LogRecord {
    #[component(name = "timestamp")]
    _timestamp: Option<Datetime>,
    #[component(name = "observed-timestamp")]
    _observed_timestamp: Option<Datetime>,
    #[component(name = "severity-text")]
    _severity_text: Option<String>,
    #[component(name = "severity-number")]
    severity_number: Option<u8>,
    body: Option<String>,
    #[component(name = "attributes")]
    _attributes: Option<Vec<KeyValue>>,
    #[component(name = "event-name")]
    event_name: Option<String>,
    #[component(name = "resource")]
    _resource: Option<Resource>,
    #[component(name = "instrumentation-scope")]
    scope: Option<InstrumentationScope>,
    #[component(name = "trace-id")]
    _trace_id: Option<String>,
    #[component(name = "span-id")]
    _span_id: Option<String>,
    #[component(name = "trace-flags")]
    _trace_flags: Option<TraceFlags>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Resource {
    #[component(name = "attributes")]
    _attributes: Vec<KeyValue>,
    #[component(name = "schema-url")]
    _schema_url: Option<String>,
}

/// Writes a line to the log, with the name of the guest's library as its context.
pub(super) fn on_emit(host: StoreContextMut<'_, Host<System>>, (record,): (LogRecord,)) -> wasmtime::Result<()> {
    let message = match record.body.map(value) {
        Some(AttributeValue::Text(text)) => text.into_owned(),
        Some(other) => format!("{other:?}"),
        None => record.event_name.unwrap_or_default(),
    };
    let context = record.scope.map(|scope| scope.name).unwrap_or_default();
    write(host, level(record.severity_number), &context, &message);
    Ok(())
}

/// The level of a number (OpenTelemetry's specification, "Log Data Model", "SeverityNumber").
fn level(number: Option<u8>) -> Level {
    match number.unwrap_or_default() {
        1..=4 => Level::Trace,
        5..=8 => Level::Debug,
        13..=16 => Level::Warn,
        17.. => Level::Error,
        _ => Level::Info,
    }
}
