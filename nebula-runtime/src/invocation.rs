//! One call of one function, as it travels from a frontend through the layers to the runtime.

use std::{fmt, sync::Arc};

use tokio::time::Instant;

use crate::{Event, FunctionRef, Guards, ReportHandle, digest::Hex};

/// One call of one function.
#[derive(Debug)]
#[non_exhaustive]
pub struct Invocation {
    /// Which function.
    pub function: FunctionRef,
    /// Its input.
    pub event: Event,
    /// The invocation's name in logs, reports and error bodies.
    pub id: InvocationId,
    /// When the answer is of no use any more. The function's own timeout holds as well.
    pub deadline: Option<Instant>,
    /// The caller's trace.
    pub trace: TraceContext,
    /// When the response's body may begin.
    pub delivery: Delivery,
    /// When it ends.
    pub ending: Ending,
    /// What is known about the invocation so far; each layer adds what it knows.
    pub report: ReportHandle,
    /// What is kept until the guest has ended.
    pub guards: Guards,
}

/// When a response may begin, for guests whose success is known only at their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// When the guest has ended well, or has written more than is held back for that. A guest that fails before
    /// then is an error and not half a response.
    #[default]
    Settled,
    /// With the first byte: the caller wants output while the guest runs, and learns of a failure at the end of the body.
    Immediate,
}

/// When a response ends, of guests that may go on after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ending {
    /// When the guest has ended: then nothing is left to do, and the process or its sandbox may go.
    #[default]
    WithGuest,
    /// With its last byte. A guest that goes on does so by itself, within its time; what it still costs is not in the report.
    WithBody,
}

impl Invocation {
    /// A call of `function` with `event`, under a fresh id.
    pub fn new(function: impl Into<FunctionRef>, event: Event) -> Self {
        Self::with_id(function, event, InvocationId::random())
    }

    /// A call of `function` with `event`, under an id that the frontend was given.
    pub fn with_id(function: impl Into<FunctionRef>, event: Event, id: InvocationId) -> Self {
        let function = function.into();
        let report = ReportHandle::new(id.clone(), function.clone());
        Self {
            function,
            event,
            id,
            deadline: None,
            trace: TraceContext::default(),
            delivery: Delivery::Settled,
            ending: Ending::WithGuest,
            report,
            guards: Guards::default(),
        }
    }

    /// Keeps `guard` until the guest has ended, and drops it then: a place in a queue, a span, a count of what goes on.
    ///
    /// - The guest may end before its response's last byte has been read, or go on after that.
    /// - It is dropped on every path: with the invocation, where a layer or the runtime refuses that; with the guest,
    ///   where its caller leaves; and with the task of a guest that goes on by itself.
    /// - The values are dropped in the opposite order, those of the inner layers first. Dropping one must not block.
    pub fn attach(&mut self, guard: impl Send + 'static) {
        self.guards.add(guard);
    }
}

/// The name of one invocation: random, or the one that the platform gave.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct InvocationId(Id);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Id {
    Random(u128),
    Given(Arc<str>),
}

impl InvocationId {
    /// A fresh id: 128 random bits, printed as 32 hexadecimal digits. It is unique, not secret.
    pub fn random() -> Self {
        Self(Id::Random(fastrand::u128(..)))
    }

    /// The id that the platform gave, such as Lambda's request id.
    pub fn given(id: impl Into<Arc<str>>) -> Self {
        Self(Id::Given(id.into()))
    }
}

impl fmt::Display for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Id::Random(bits) => Hex(bits.to_be_bytes()).fmt(f),
            Id::Given(id) => f.write_str(id),
        }
    }
}

impl fmt::Debug for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The caller's place in a distributed trace, as the headers of W3C Trace Context carry it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceContext {
    /// `traceparent`.
    pub parent: Option<http::HeaderValue>,
    /// `tracestate`.
    pub state: Option<http::HeaderValue>,
}
