//! Spans as messages.

use nebula_runtime::{Link, Span, SpanEvent, SpanKind, SpanScope, SpanStatus};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::InstrumentationScope,
    trace::v1::{self, ResourceSpans, ScopeSpans, Status, span, status::StatusCode},
};

use crate::{
    attributes::{attributes, own_scope},
    resource::Resource,
    time::nanos,
};

/// The flag of a trace that is sampled.
const SAMPLED: u32 = 1;

/// A request with these spans.
pub(crate) fn request(spans: Vec<Span>, resource: &Resource) -> ExportTraceServiceRequest {
    let mut scopes = vec![ScopeSpans { scope: Some(own_scope()), ..ScopeSpans::default() }];
    for mut span in spans {
        let scope = span.scope.take();
        let scope = scope.as_deref().map_or_else(|| (own_scope(), String::new()), of_guest);
        let known = scopes.iter().position(|known| known.scope.as_ref() == Some(&scope.0));
        let index = known.unwrap_or_else(|| {
            let (scope, schema_url) = scope;
            scopes.push(ScopeSpans { scope: Some(scope), schema_url, ..ScopeSpans::default() });
            scopes.len() - 1
        });
        if let Some(scope) = scopes.get_mut(index) {
            scope.spans.push(message(span));
        }
    }
    scopes.retain(|scope| !scope.spans.is_empty());
    let resource = Some(resource.message());
    let resource_spans = vec![ResourceSpans { resource, scope_spans: scopes, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }
}

/// The scope of a guest's library, and its schema.
fn of_guest(scope: &SpanScope) -> (InstrumentationScope, String) {
    let SpanScope { name, version, schema_url, attributes: described } = scope.clone();
    let scope =
        InstrumentationScope { name, version, attributes: attributes(described), ..InstrumentationScope::default() };
    (scope, schema_url)
}

fn message(span: Span) -> v1::Span {
    v1::Span {
        trace_id: span.context.trace.as_bytes().to_vec(),
        span_id: span.context.span.as_bytes().to_vec(),
        trace_state: span.state.unwrap_or_default(),
        parent_span_id: span.parent.map(|parent| parent.as_bytes().to_vec()).unwrap_or_default(),
        flags: SAMPLED,
        name: span.name.into_owned(),
        kind: kind(span.kind).into(),
        start_time_unix_nano: nanos(span.began),
        end_time_unix_nano: nanos(span.ended),
        attributes: attributes(span.attributes),
        events: span.events.into_iter().map(event).collect(),
        links: span.links.into_iter().map(link).collect(),
        status: status(span.status),
        ..v1::Span::default()
    }
}

fn kind(kind: SpanKind) -> span::SpanKind {
    match kind {
        SpanKind::Internal => span::SpanKind::Internal,
        SpanKind::Server => span::SpanKind::Server,
        SpanKind::Client => span::SpanKind::Client,
        SpanKind::Producer => span::SpanKind::Producer,
        SpanKind::Consumer => span::SpanKind::Consumer,
    }
}

fn status(status: SpanStatus) -> Option<Status> {
    match status {
        SpanStatus::Unset => None,
        SpanStatus::Ok => Some(Status { code: StatusCode::Ok.into(), message: String::new() }),
        SpanStatus::Error(message) => Some(Status { code: StatusCode::Error.into(), message }),
    }
}

fn event(event: SpanEvent) -> span::Event {
    span::Event {
        time_unix_nano: nanos(event.time),
        name: event.name,
        attributes: attributes(event.attributes),
        ..span::Event::default()
    }
}

fn link(link: Link) -> span::Link {
    span::Link {
        trace_id: link.context.trace.as_bytes().to_vec(),
        span_id: link.context.span.as_bytes().to_vec(),
        trace_state: link.state,
        attributes: attributes(link.attributes),
        flags: u32::from(link.context.is_sampled),
        ..span::Link::default()
    }
}
