//! The caller's place in a distributed trace.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::task_local;

/// The caller's place in a distributed trace, as the headers of W3C Trace Context carry it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceContext(Option<Arc<(HeaderValue, Option<HeaderValue>)>>);

impl TraceContext {
    /// The place that `traceparent` and `tracestate` tell.
    pub fn new(parent: HeaderValue, state: Option<HeaderValue>) -> Self {
        Self(Some(Arc::new((parent, state))))
    }

    /// `traceparent`, where the caller has a trace.
    pub fn parent(&self) -> Option<&HeaderValue> {
        self.0.as_deref().map(|(parent, _)| parent)
    }

    /// `tracestate`, where the caller's trace has one.
    pub fn state(&self) -> Option<&HeaderValue> {
        self.0.as_deref().and_then(|(_, state)| state.as_ref())
    }

    /// Adds the place to a request, unless the request has one of its own.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        const PARENT: HeaderName = HeaderName::from_static("traceparent");
        const STATE: HeaderName = HeaderName::from_static("tracestate");

        let Some(parent) = self.parent() else { return };
        if headers.contains_key(&PARENT) {
            return;
        }
        headers.insert(PARENT, parent.clone());
        if let Some(state) = self.state() {
            headers.insert(STATE, state.clone());
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

task_local! {
    static CURRENT: TraceContext;
}
