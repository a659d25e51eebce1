//! The seam between frontends and the runtime: an [`Invoker`] takes an [`Invocation`] and gives a [`Response`].

mod body;
mod caller;
mod error;
mod event;
mod gate;
mod guards;
mod id;
mod invocation;
mod invocation_spans;
mod invoker;
mod log;
mod occupancy;
mod overdue;
mod places;
#[cfg(feature = "compiler")]
mod profile;
mod rate_limit;
mod report;
mod resolved;
mod response;
mod rotation;
mod rounds;
mod stack;
mod stderr_lines;
mod trace;
mod value;

#[cfg(feature = "compiler")]
pub use self::profile::{Profile, ProfileFrame, ProfileSample};
pub use self::{
    body::Body,
    error::{ErrorKind, InvokeError, Overload},
    event::{Event, Input},
    gate::QUEUE_TIMEOUT,
    guards::Guards,
    id::InvocationId,
    invocation::{AfterResponse, Buffering, Invocation},
    invoker::{Invoker, invoker_fn},
    log::with_causes,
    occupancy::Occupancy,
    rate_limit::RateLimit,
    report::{Outcome, Report, ReportHandle, ServiceUse, Start},
    resolved::Resolved,
    response::Response,
    stack::StackFrame,
    stderr_lines::StderrLines,
    trace::{
        AttributeValue, Attributes, Link, Span, SpanContext, SpanEvent, SpanId, SpanKind, SpanScope, SpanStatus,
        TraceContext, TraceId, Tracer,
    },
    value::{append_json_value, is_text},
};
pub(crate) use self::{
    body::too_large,
    caller::Caller,
    gate::{Gate, RETRY_AFTER},
    invocation_spans::{InvocationSpans, RequestFacts},
    log::{causes, in_words},
    overdue::Evictable,
    places::{Place, Registration, Request},
    report::OperationEnd,
    resolved::Deployed,
    rotation::Rotation,
    rounds::{Rounds, TooLong},
    trace::{OpenSpan, Parts, Recording},
};
