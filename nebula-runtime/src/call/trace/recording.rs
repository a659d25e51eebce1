//! The spans of one invocation while it goes on.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use http::HeaderValue;
use tokio::time::Instant;

use super::{
    ids::{SpanContext, SpanId, TraceId},
    span::{Span, Tracer},
};
use crate::sync::lock;

/// How many spans of one invocation are recorded. A guest may send any number of requests.
const SPANS: usize = 1_000;

/// The spans of one invocation that is sampled. They are given to the [`Tracer`] when the invocation and its guest have
/// ended.
pub(crate) struct Recording {
    tracer: Arc<dyn Tracer>,
    trace: TraceId,
    /// The span that the invocation is a part of, and the vendors' parts of the trace context.
    parent: Option<SpanId>,
    state: Option<HeaderValue>,
    /// The spans whose ids their children must know before they end.
    pub(crate) invocation: SpanId,
    pub(crate) guest: SpanId,
    /// One and the same moment, on both clocks.
    moment: (Instant, SystemTime),
    state_of_spans: Mutex<State>,
}

#[derive(Default)]
struct State {
    spans: Vec<Span>,
    left_out: u64,
    /// When nothing was left to wait for, and the instance began to be made.
    ready: Option<Instant>,
    guest_ended: Option<Instant>,
    has_ended: bool,
    is_given: bool,
}

/// What the recording itself knows of the invocation.
pub(crate) struct Parts {
    pub(crate) began: SystemTime,
    pub(crate) ready: Option<SystemTime>,
    pub(crate) guest_ended: SystemTime,
}

impl Recording {
    /// A recording of an invocation that begins now, in the trace of `parent` or in one of its own.
    pub(crate) fn new(
        tracer: Arc<dyn Tracer>,
        trace: TraceId,
        parent: Option<SpanId>,
        state: Option<HeaderValue>,
    ) -> Self {
        Self {
            tracer,
            trace,
            parent,
            state,
            invocation: SpanId::random(),
            guest: SpanId::random(),
            moment: (Instant::now(), SystemTime::now()),
            state_of_spans: Mutex::default(),
        }
    }

    /// A span of the trace.
    pub(crate) fn context(&self, span: SpanId) -> SpanContext {
        SpanContext { trace: self.trace, span, is_sampled: true }
    }

    /// The span of the guest.
    pub(crate) fn guest(&self) -> SpanContext {
        self.context(self.guest)
    }

    /// The span that the invocation is a part of.
    pub(crate) fn parent(&self) -> Option<SpanId> {
        self.parent
    }

    /// The vendors' parts of the trace context.
    pub(crate) fn state(&self) -> Option<&HeaderValue> {
        self.state.as_ref()
    }

    /// The time of a moment.
    pub(crate) fn time(&self, at: Instant) -> SystemTime {
        let (moment, time) = self.moment;
        match at.checked_duration_since(moment) {
            Some(later) => time.checked_add(later).unwrap_or(time),
            None => time.checked_sub(moment - at).unwrap_or(time),
        }
    }

    /// Adds a span that has ended.
    pub(crate) fn add(&self, span: Span) {
        let mut state = lock(&self.state_of_spans);
        // A host call that is dropped after its guest's end comes too late.
        if state.spans.len() < SPANS && !state.is_given {
            state.spans.push(span);
        } else {
            state.left_out += 1;
        }
    }

    /// Counts a span that is not kept.
    pub(crate) fn leave_out(&self) {
        lock(&self.state_of_spans).left_out += 1;
    }

    /// Notes when nothing was left to wait for: the instance begins to be made.
    pub(crate) fn note_ready(&self, at: Instant) {
        lock(&self.state_of_spans).ready = Some(at);
    }

    /// Notes that the guest has ended.
    pub(crate) fn end_guest(&self, make: impl FnOnce(Parts) -> Vec<Span>) {
        lock(&self.state_of_spans).guest_ended = Some(Instant::now());
        self.give(make);
    }

    /// Notes that the invocation has ended.
    pub(crate) fn end(&self, make: impl FnOnce(Parts) -> Vec<Span>) {
        lock(&self.state_of_spans).has_ended = true;
        self.give(make);
    }

    /// Gives the spans to the tracer if invocation and guest have ended, with the spans of both, which `make` makes.
    fn give(&self, make: impl FnOnce(Parts) -> Vec<Span>) {
        let mut state = lock(&self.state_of_spans);
        let Some(guest_ended) = state.guest_ended.filter(|_| state.has_ended && !state.is_given) else { return };
        state.is_given = true;
        let (mut spans, left_out) = (std::mem::take(&mut state.spans), std::mem::take(&mut state.left_out));
        let ready = state.ready;
        drop(state);
        let ready = ready.map(|ready| self.time(ready));
        spans.extend(make(Parts { began: self.moment.1, ready, guest_ended: self.time(guest_ended) }));
        self.tracer.take(spans, left_out);
    }
}

impl Parts {
    /// When the guest's first instruction ran, if it did.
    pub(crate) fn guest_began(&self, instantiating: Duration) -> Option<SystemTime> {
        self.ready?.checked_add(instantiating)
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").field("guest", &self.guest()).finish_non_exhaustive()
    }
}
