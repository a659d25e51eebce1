//! `wasi:otel/tracing`: the spans of guests.

use std::sync::Arc;

use wasmtime::{
    StoreContextMut,
    component::{ComponentType, Lift},
};

use super::records::{Datetime, InstrumentationScope, KeyValue, SpanContextRecord, TraceFlags, attributes, size};
use crate::{
    call::{Link, Span, SpanContext, SpanEvent, SpanId, SpanKind, SpanScope, SpanStatus, TraceId},
    engine::Host,
    host::system::System,
};

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct SpanData {
    #[component(name = "span-context")]
    context: SpanContextRecord,
    #[component(name = "parent-span-id")]
    parent: String,
    #[component(name = "span-kind")]
    kind: Kind,
    name: String,
    #[component(name = "start-time")]
    began: Datetime,
    #[component(name = "end-time")]
    ended: Datetime,
    attributes: Vec<KeyValue>,
    events: Vec<Event>,
    links: Vec<LinkRecord>,
    status: Status,
    #[component(name = "instrumentation-scope")]
    scope: InstrumentationScope,
    #[component(name = "dropped-attributes")]
    _dropped_attributes: u32,
    #[component(name = "dropped-events")]
    _dropped_events: u32,
    #[component(name = "dropped-links")]
    _dropped_links: u32,
}

#[derive(ComponentType, Lift, Clone, Copy)]
#[expect(dead_code, reason = "guests make the values")]
#[component(enum)]
#[repr(u8)]
pub(super) enum Kind {
    #[component(name = "client")]
    Client,
    #[component(name = "server")]
    Server,
    #[component(name = "producer")]
    Producer,
    #[component(name = "consumer")]
    Consumer,
    #[component(name = "internal")]
    Internal,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Event {
    name: String,
    time: Datetime,
    attributes: Vec<KeyValue>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct LinkRecord {
    #[component(name = "span-context")]
    context: SpanContextRecord,
    attributes: Vec<KeyValue>,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(super) enum Status {
    #[component(name = "unset")]
    Unset,
    #[component(name = "ok")]
    Ok,
    #[component(name = "error")]
    Error(String),
}

/// A span is known when it has ended.
pub(super) fn on_start(_: StoreContextMut<'_, Host<System>>, (_,): (SpanContextRecord,)) -> wasmtime::Result<()> {
    Ok(())
}

/// Records a span of the guest, if the spans of its invocation are recorded.
pub(super) fn on_end(mut host: StoreContextMut<'_, Host<System>>, (data,): (SpanData,)) -> wasmtime::Result<()> {
    let Some(recording) = host.data().caller().trace.recording().cloned() else { return Ok(()) };
    let size = data.size();
    let left = host.data_mut().wasi.spans_left();
    // The host keeps the spans until the invocation has ended.
    let Some(rest) = left.checked_sub(size) else {
        recording.leave_out();
        return Ok(());
    };
    *left = rest;
    if let Some(span) = data.span(&recording.guest()) {
        recording.add(span);
    }
    Ok(())
}

/// The span of the guest; the one of zeros, which is no span, where none is recorded.
pub(super) fn current(host: StoreContextMut<'_, Host<System>>, (): ()) -> wasmtime::Result<(SpanContextRecord,)> {
    let trace = &host.data().caller().trace;
    let guest = trace.recording().map(|recording| recording.guest());
    let state = trace.state().and_then(|state| state.to_str().ok()).map(pairs).unwrap_or_default();
    Ok((match guest {
        Some(guest) => SpanContextRecord {
            trace: guest.trace.to_string(),
            span: guest.span.to_string(),
            flags: TraceFlags::SAMPLED,
            is_remote: true,
            state,
        },
        None => SpanContextRecord {
            trace: "0".repeat(32),
            span: "0".repeat(16),
            flags: TraceFlags::default(),
            is_remote: false,
            state: Vec::new(),
        },
    },))
}

impl SpanData {
    /// How large it is, about.
    fn size(&self) -> usize {
        let events = self.events.iter().map(|event| event.name.len() + size(&event.attributes));
        let links = self.links.iter().map(|link| link.context.size() + size(&link.attributes));
        let own = self.context.size() + self.name.len() + self.scope.name.len() + size(&self.scope.attributes);
        own + size(&self.attributes) + events.sum::<usize>() + links.sum::<usize>()
    }

    /// The span, if its ids are valid and it is sampled. One without a parent is a part of the guest's span.
    fn span(self, guest: &SpanContext) -> Option<Span> {
        let context = self.context.context().filter(|context| context.is_sampled)?;
        let parent = SpanId::parse(&self.parent).or_else(|| (context.trace == guest.trace).then_some(guest.span));
        Some(Span {
            context,
            parent,
            state: Some(text(&self.context.state)).filter(|state| !state.is_empty()),
            name: self.name.into(),
            kind: self.kind.kind(),
            began: self.began.time(),
            ended: self.ended.time(),
            attributes: attributes(self.attributes),
            events: self.events.into_iter().map(Event::event).collect(),
            links: self.links.into_iter().filter_map(LinkRecord::link).collect(),
            status: match self.status {
                Status::Unset => SpanStatus::Unset,
                Status::Ok => SpanStatus::Ok,
                Status::Error(why) => SpanStatus::Error(why),
            },
            scope: Some(Arc::new(scope(self.scope))),
        })
    }
}

impl SpanContextRecord {
    fn context(&self) -> Option<SpanContext> {
        let (trace, span) = (TraceId::parse(&self.trace)?, SpanId::parse(&self.span)?);
        Some(SpanContext { trace, span, is_sampled: self.flags == TraceFlags::SAMPLED })
    }

    fn size(&self) -> usize {
        self.state.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}

impl Kind {
    fn kind(self) -> SpanKind {
        match self {
            Self::Client => SpanKind::Client,
            Self::Server => SpanKind::Server,
            Self::Producer => SpanKind::Producer,
            Self::Consumer => SpanKind::Consumer,
            Self::Internal => SpanKind::Internal,
        }
    }
}

impl Event {
    fn event(self) -> SpanEvent {
        SpanEvent { name: self.name, time: self.time.time(), attributes: attributes(self.attributes) }
    }
}

impl LinkRecord {
    fn link(self) -> Option<Link> {
        let (context, state) = (self.context.context()?, text(&self.context.state));
        Some(Link { context, state, attributes: attributes(self.attributes) })
    }
}

fn scope(scope: InstrumentationScope) -> SpanScope {
    SpanScope {
        name: scope.name,
        version: scope.version.unwrap_or_default(),
        schema_url: scope.schema_url.unwrap_or_default(),
        attributes: attributes(scope.attributes),
    }
}

/// The field `tracestate`.
fn text(state: &[(String, String)]) -> String {
    state.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}

/// The entries of the field `tracestate`.
fn pairs(state: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| pair.trim().split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    state.split(',').filter_map(pair).collect()
}
