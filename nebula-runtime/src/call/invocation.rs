//! One call of one function, as it travels from a frontend through the layers to the runtime.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    event::Event,
    guards::Guards,
    id::InvocationId,
    places::Request,
    rate_limit::RateLimit,
    report::ReportHandle,
    resolved::{Deployed, Resolved},
    stderr_lines::StderrLines,
    trace::TraceContext,
};
use crate::function::FunctionRef;

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
    /// When the caller stops waiting for the answer. The function's own timeout holds as well.
    pub deadline: Option<Instant>,
    /// The caller's trace.
    pub trace: TraceContext,
    /// Whether the response is held back until it is known to be a success.
    pub buffering: Buffering,
    /// What becomes of the guest if it goes on after its response.
    pub after_response: AfterResponse,
    /// Facts about the invocation so far. Each layer adds to them.
    pub report: ReportHandle,
    /// Where the guest's stderr goes as well as to the log, line by line.
    pub stderr: Option<StderrLines>,
    /// Values that are kept until the guest has ended.
    pub guards: Guards,
    pub(crate) deployed: Option<Arc<dyn Deployed>>,
    /// Since when nothing is waited for. `None` where that must be asked of the clock.
    pub(crate) ready_since: Option<Instant>,
}

/// Whether the response of a command is held back until it is known to be a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Buffering {
    /// The response begins when the command has ended well, or has written more than the buffer holds (64 KiB). A
    /// command that fails before that gives an error and not half a response.
    #[default]
    On,
    /// The response begins with the first byte. A later failure is the end of the body.
    Off,
}

/// What becomes of an HTTP handler that goes on after its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AfterResponse {
    /// The response's body ends when the guest has ended: after that the process may stop.
    #[default]
    Wait,
    /// The response's body ends with its last byte. The guest goes on in a task of its own, within its timeout. The
    /// report does not count what it still uses.
    Detach,
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
            buffering: Buffering::On,
            after_response: AfterResponse::Wait,
            report,
            stderr: None,
            guards: Guards::default(),
            deployed: None,
            ready_since: None,
        }
    }

    /// The same invocation, of an event that came through this frontend: `http`, `local`, `lambda`. Without it, the
    /// frontend is `embedded`.
    #[must_use]
    pub fn through(self, frontend: &'static str) -> Self {
        self.report.update(|report| report.frontend = frontend);
        self
    }

    /// The version that the function's reference means. `None` before the runtime has resolved it: layers see the
    /// version, and observers of the invocation's start do not.
    pub fn resolved(&self) -> Option<&Resolved> {
        self.deployed.as_ref().map(|deployed| deployed.resolved())
    }

    /// The limit of the function's own `rate`, if it has one.
    pub(crate) fn rate(&self) -> Option<&RateLimit> {
        self.deployed.as_ref()?.rate()
    }

    /// `count` places of a gate that functions share.
    pub(crate) fn request(&self, count: u32) -> Request {
        Request { function: self.function.name().clone(), count, sharer: self.deployed.clone() }
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
