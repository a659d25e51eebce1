//! Traces: the caller's place in one, and the spans of an invocation.
//!
//! An invocation whose trace is sampled has a [`Recording`]. The code that does a part of the work notes a span there. The
//! spans of the invocation and of its guest are made from the report when both have ended. An invocation without a
//! recording costs one branch at each of these places.

mod context;
mod ids;
mod recording;
mod scope;
mod span;

pub use self::{
    context::TraceContext,
    ids::{SpanContext, SpanId, TraceId},
    span::{AttributeValue, Attributes, Link, Span, SpanEvent, SpanKind, SpanScope, SpanStatus, Tracer},
};
pub(crate) use self::{
    recording::{Parts, Recording},
    scope::OpenSpan,
};
