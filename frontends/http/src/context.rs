//! What a platform that carries requests decides for their invocations.

use std::net::IpAddr;

use nebula_runtime::{InvocationId, TraceContext};
use tokio::time::Instant;

/// A request's extension: what the platform that carried the request, such as AWS Lambda, decides for its invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvocationContext {
    /// The invocation's id.
    pub id: InvocationId,
    /// When its answer is of no use any more.
    pub deadline: Option<Instant>,
    /// The name of the frontend in reports.
    pub frontend: &'static str,
    /// The platform's trace, for requests that have none of their own.
    pub trace: TraceContext,
}

impl Default for InvocationContext {
    /// Of a request that no platform carried.
    fn default() -> Self {
        Self { id: InvocationId::random(), deadline: None, frontend: "http", trace: TraceContext::default() }
    }
}

/// A request's extension: who sent it, as far as the server sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);
