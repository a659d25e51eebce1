//! The context of a request.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use nebula_runtime::{InvocationId, TraceContext};
use tokio::time::Instant;

/// An extension of a request: the context of its invocation, which a platform such as AWS Lambda decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvocationContext {
    /// The invocation's id.
    pub id: InvocationId,
    /// The time after which the answer is useless.
    pub deadline: Option<Instant>,
    /// The name of the frontend in reports.
    pub frontend: &'static str,
    /// The platform's trace context, for requests without one.
    pub trace: TraceContext,
}

impl Default for InvocationContext {
    /// The context of a request without a platform.
    fn default() -> Self {
        Self { id: InvocationId::random(), deadline: None, frontend: "http", trace: TraceContext::default() }
    }
}

/// An extension of a request: the address of the client, as the server sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The trace context in the request's headers (W3C Trace Context), if it has one.
#[must_use]
pub fn trace_context(headers: &HeaderMap) -> Option<TraceContext> {
    const PARENT: HeaderName = HeaderName::from_static("traceparent");
    const STATE: HeaderName = HeaderName::from_static("tracestate");
    // Section 3.3.1.3: without a parent, the state means nothing.
    let parent = headers.get(PARENT)?;
    Some(TraceContext::new(parent.clone(), headers.get(STATE).cloned()))
}
