//! The caller's place in a distributed trace.

use std::{borrow::Cow, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::{task_local, time::Instant};

use super::{
    super::error::InvokeError,
    ids::{SpanContext, SpanId, TraceId},
    recording::Recording,
    scope::OpenSpan,
    span::SpanKind,
};

const PARENT: HeaderName = HeaderName::from_static("traceparent");
const STATE: HeaderName = HeaderName::from_static("tracestate");

/// The caller's place in a distributed trace, as the headers of W3C Trace Context carry it.
#[derive(Debug, Clone, Default)]
pub struct TraceContext(Place);

#[derive(Debug, Clone, Default)]
enum Place {
    /// The caller has no trace.
    #[default]
    None,
    /// The caller has no trace, and it was decided that no spans are recorded.
    Unsampled,
    /// The caller's trace.
    Given(Arc<(HeaderValue, Option<HeaderValue>)>),
    /// The guest's place in a trace whose spans are recorded.
    Recorded(Arc<Recorded>),
}

#[derive(Debug)]
struct Recorded {
    parent: HeaderValue,
    recording: Arc<Recording>,
}

impl TraceContext {
    /// The place that `traceparent` and `tracestate` tell.
    pub fn new(parent: HeaderValue, state: Option<HeaderValue>) -> Self {
        Self(Place::Given(Arc::new((parent, state))))
    }

    /// The place of a span that is going on, for those who do its work.
    pub(crate) fn within(span: &OpenSpan) -> Self {
        let (context, state) = span.place();
        Self::new(context.to_header(), state)
    }

    /// The place of the guest whose invocation is recorded.
    pub(crate) fn recorded(recording: &Arc<Recording>) -> Self {
        let parent = recording.guest().to_header();
        Self(Place::Recorded(Arc::new(Recorded { parent, recording: Arc::clone(recording) })))
    }

    /// The place of a guest whose invocation begins a trace that is not sampled.
    pub(crate) fn unsampled() -> Self {
        Self(Place::Unsampled)
    }

    /// `traceparent`, where the caller has a trace.
    pub fn parent(&self) -> Option<&HeaderValue> {
        match &self.0 {
            Place::None | Place::Unsampled => None,
            Place::Given(given) => Some(&given.0),
            Place::Recorded(recorded) => Some(&recorded.parent),
        }
    }

    /// `tracestate`, where the caller's trace has one.
    pub fn state(&self) -> Option<&HeaderValue> {
        match &self.0 {
            Place::None | Place::Unsampled => None,
            Place::Given(given) => given.1.as_ref(),
            Place::Recorded(recorded) => recorded.recording.state(),
        }
    }

    /// The spans of the invocation, if they are recorded.
    pub(crate) fn recording(&self) -> Option<&Arc<Recording>> {
        match &self.0 {
            Place::Recorded(recorded) => Some(&recorded.recording),
            Place::None | Place::Unsampled | Place::Given(_) => None,
        }
    }

    /// Begins a span of the guest's work, if the invocation's spans are recorded.
    pub(crate) fn begin(&self, kind: SpanKind, name: impl FnOnce() -> Cow<'static, str>) -> Option<OpenSpan> {
        self.recording().map(|recording| OpenSpan::begin(recording, kind, name()))
    }

    /// Records a step of the invocation that took from `began` until now, if the invocation's spans are recorded.
    pub(crate) fn note_step(&self, name: &'static str, began: Instant, error: Option<&InvokeError>) {
        if let Some(recording) = self.recording() {
            let parent = recording.invocation;
            OpenSpan::since(recording, parent, SpanKind::Internal, name.into(), began)
                .end(error.map(|error| error.kind().to_string()));
        }
    }

    /// Adds the place to a request, unless the request has one of its own. A guest that passes on the place that it was
    /// given has none of its own.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap, given: &Self) {
        if headers.get(&PARENT).is_some_and(|own| Some(own) != given.parent()) {
            return;
        }
        if let Some(parent) = self.parent() {
            headers.insert(PARENT, parent.clone());
            if let Some(state) = self.state() {
                headers.insert(STATE, state.clone());
            }
        } else if let Place::Unsampled = self.0 {
            // The next service must not begin a sampled trace in the middle of this one.
            let (trace, span) = (TraceId::random(), SpanId::random());
            headers.insert(PARENT, SpanContext { trace, span, is_sampled: false }.to_header());
        }
    }

    /// Replaces the place that the headers of a guest's request tell by this one.
    pub(crate) fn replace_in(&self, headers: &mut HeaderMap) {
        if let Some(parent) = self.parent() {
            headers.insert(PARENT, parent.clone());
        }
    }

    /// Works for this caller: [`TraceContext::current`] is this place meanwhile.
    pub(crate) fn scope<W: Future>(&self, work: W) -> impl Future<Output = W::Output> + use<W> {
        CURRENT.scope(self.clone(), work)
    }

    /// The place of the caller for whom the current task works; none outside of [`TraceContext::scope`].
    #[cfg(feature = "cloud")]
    pub(crate) fn current() -> Self {
        CURRENT.try_with(Self::clone).unwrap_or_default()
    }
}

/// Places are equal if their headers are.
impl PartialEq for TraceContext {
    fn eq(&self, other: &Self) -> bool {
        (self.parent(), self.state()) == (other.parent(), other.state())
    }
}

impl Eq for TraceContext {}

task_local! {
    static CURRENT: TraceContext;
}
