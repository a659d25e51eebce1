//! Spans, and what takes them.

use std::{borrow::Cow, sync::Arc, time::SystemTime};

use super::ids::{SpanContext, SpanId, TraceId};

/// Decides which invocations are traced, and takes their spans.
///
/// - Both functions are called on the way of an invocation, and must not block.
pub trait Tracer: Send + Sync {
    /// Whether the spans of an invocation in this trace are recorded. `parent` is the span of the caller, if it has
    /// one.
    fn is_sampled(&self, trace: TraceId, parent: Option<&SpanContext>) -> bool;

    /// Takes the spans of an invocation that has ended with its guest. `left_out` spans are not among them, because
    /// there were too many.
    fn take(&self, spans: Vec<Span>, left_out: u64);
}

/// Names and values that describe something.
pub type Attributes = Vec<(Cow<'static, str>, AttributeValue)>;

/// A part of the work of an invocation.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Its id, its trace, and whether it is recorded, which it is.
    pub context: SpanContext,
    /// The span that it is a part of.
    pub parent: Option<SpanId>,
    /// The vendors' parts of the trace context.
    pub state: Option<String>,
    /// Its name, of which there are few.
    pub name: Cow<'static, str>,
    /// Its part in a conversation.
    pub kind: SpanKind,
    /// When it began.
    pub began: SystemTime,
    /// When it ended.
    pub ended: SystemTime,
    /// More about it.
    pub attributes: Attributes,
    /// What happened in it.
    pub events: Vec<SpanEvent>,
    /// Other spans that it has to do with.
    pub links: Vec<Link>,
    /// Whether it succeeded.
    pub status: SpanStatus,
    /// The library that made it. `None` for Nebula itself.
    pub scope: Option<Arc<SpanScope>>,
}

/// The part of a span in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// It is no part of one.
    Internal,
    /// It answers a request.
    Server,
    /// It sends a request.
    Client,
    /// It sends a message.
    Producer,
    /// It takes a message.
    Consumer,
}

/// Whether a span succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpanStatus {
    /// It is not known.
    Unset,
    /// It succeeded.
    Ok,
    /// It failed, for this reason.
    Error(String),
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    /// A text.
    Text(Cow<'static, str>),
    /// A number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Several values.
    List(Vec<AttributeValue>),
    /// Values with names.
    Map(Vec<(String, AttributeValue)>),
    /// None.
    Null,
}

/// Something that happened in a span.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanEvent {
    /// What happened.
    pub name: String,
    /// When.
    pub time: SystemTime,
    /// More about it.
    pub attributes: Attributes,
}

/// Another span that a span has to do with.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// The span.
    pub context: SpanContext,
    /// The vendors' parts of its trace context.
    pub state: String,
    /// More about the link.
    pub attributes: Attributes,
}

/// A library that makes spans.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SpanScope {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where the names of its attributes are defined.
    pub schema_url: String,
    /// More about it.
    pub attributes: Attributes,
}

impl From<&'static str> for AttributeValue {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for AttributeValue {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<bool> for AttributeValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

/// A number above the largest of 63 bits is that.
impl From<u64> for AttributeValue {
    fn from(value: u64) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<u16> for AttributeValue {
    fn from(value: u16) -> Self {
        Self::Integer(value.into())
    }
}
