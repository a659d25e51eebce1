//! Lines of the log as messages.

use std::time::SystemTime;

use nebula_runtime::{Attributes, SpanContext};
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::InstrumentationScope,
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber},
};
use tracing::Level;

use crate::{
    attributes::{any_value, attributes},
    resource::Resource,
    time::nanos,
};

/// A line of the log.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) time: SystemTime,
    pub(crate) level: Level,
    /// The part of the program that wrote it.
    pub(crate) target: &'static str,
    pub(crate) message: String,
    pub(crate) attributes: Attributes,
    /// The span that it belongs to, if it names one.
    pub(crate) span: Option<SpanContext>,
}

/// A request with these lines.
pub(crate) fn request(lines: Vec<Line>, resource: &Resource) -> ExportLogsServiceRequest {
    let mut scopes: Vec<ScopeLogs> = Vec::new();
    for line in lines {
        let known = scopes.iter().position(|known| known.scope.as_ref().is_some_and(|scope| scope.name == line.target));
        let index = known.unwrap_or_else(|| {
            let scope = InstrumentationScope { name: line.target.to_owned(), ..InstrumentationScope::default() };
            scopes.push(ScopeLogs { scope: Some(scope), ..ScopeLogs::default() });
            scopes.len() - 1
        });
        if let Some(scope) = scopes.get_mut(index) {
            scope.log_records.push(record(line));
        }
    }
    let resource = Some(resource.message());
    let resource_logs = vec![ResourceLogs { resource, scope_logs: scopes, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }
}

fn record(line: Line) -> LogRecord {
    let time = nanos(line.time);
    let ids = line.span.map(|span| (span.trace.as_bytes().to_vec(), span.span.as_bytes().to_vec()));
    let (trace_id, span_id) = ids.unwrap_or_default();
    LogRecord {
        time_unix_nano: time,
        observed_time_unix_nano: time,
        severity_number: severity(line.level).into(),
        severity_text: line.level.to_string(),
        body: Some(any_value(line.message.into())),
        attributes: attributes(line.attributes),
        flags: u32::from(line.span.is_some_and(|span| span.is_sampled)),
        trace_id,
        span_id,
        ..LogRecord::default()
    }
}

fn severity(level: Level) -> SeverityNumber {
    match level {
        Level::TRACE => SeverityNumber::Trace,
        Level::DEBUG => SeverityNumber::Debug,
        Level::INFO => SeverityNumber::Info,
        Level::WARN => SeverityNumber::Warn,
        Level::ERROR => SeverityNumber::Error,
    }
}
