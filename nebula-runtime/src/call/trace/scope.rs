//! A span that is going on.

use std::{borrow::Cow, sync::Arc};

use http::HeaderValue;
use tokio::time::Instant;

use super::{
    ids::{SpanContext, SpanId},
    recording::Recording,
    span::{AttributeValue, Span, SpanKind, SpanStatus},
};

/// A span that is going on, of an invocation that is sampled. It ends when this is dropped. A span that is dropped without
/// [`OpenSpan::end`] was cut off.
pub(crate) struct OpenSpan {
    recording: Arc<Recording>,
    began: Instant,
    span: Option<Span>,
}

impl OpenSpan {
    /// A span that begins now, as a part of the guest's.
    pub(super) fn begin(recording: &Arc<Recording>, kind: SpanKind, name: Cow<'static, str>) -> Self {
        let parent = recording.guest;
        Self::since(recording, parent, kind, name, Instant::now())
    }

    /// A span that has begun.
    pub(super) fn since(
        recording: &Arc<Recording>,
        parent: SpanId,
        kind: SpanKind,
        name: Cow<'static, str>,
        began: Instant,
    ) -> Self {
        let time = recording.time(began);
        let span = Span {
            context: recording.context(SpanId::random()),
            parent: Some(parent),
            state: recording.state().and_then(|state| Some(state.to_str().ok()?.to_owned())),
            name,
            kind,
            began: time,
            ended: time,
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
            status: SpanStatus::Error("cut off".to_owned()),
            scope: None,
        };
        Self { recording: Arc::clone(recording), began, span: Some(span) }
    }

    /// The span, and the vendors' parts of its trace context: for those who do its work.
    pub(super) fn place(&self) -> (SpanContext, Option<HeaderValue>) {
        let span = self.span.as_ref().map_or(self.recording.guest, |span| span.context.span);
        (self.recording.context(span), self.recording.state().cloned())
    }

    /// Describes the span.
    pub(crate) fn note(&mut self, name: &'static str, value: impl Into<AttributeValue>) {
        if let Some(span) = &mut self.span {
            span.attributes.push((name.into(), value.into()));
        }
    }

    /// Ends the span: `error` is why it failed, if it did.
    pub(crate) fn end(mut self, error: Option<String>) {
        if let Some(span) = &mut self.span {
            span.status = error.map_or(SpanStatus::Unset, SpanStatus::Error);
        }
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        if let Some(mut span) = self.span.take() {
            span.ended = self.recording.time(self.began + self.began.elapsed());
            self.recording.add(span);
        }
    }
}
