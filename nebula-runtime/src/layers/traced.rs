//! Traces: the layer that decides whether an invocation's spans are recorded, and makes those of the invocation itself.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering::Relaxed},
    },
    time::SystemTime,
};

use futures_util::future::BoxFuture;

use crate::{
    call::{
        Invocation, InvocationSpans, InvokeError, Invoker, Outcome, Parts, Recording, ReportHandle, RequestFacts,
        Response, SpanContext, TraceContext, TraceId, Tracer,
    },
    sync::lock,
};

/// A layer that records the spans of invocations whose traces are sampled.
///
/// [`RuntimeBuilder::tracer`](crate::RuntimeBuilder::tracer) puts it around a runtime.
pub(crate) struct Traced {
    inner: Arc<dyn Invoker>,
    tracer: Arc<dyn Tracer>,
    status: StatusOf,
}

/// The status with which a failure is answered over HTTP.
pub(crate) type StatusOf = fn(&InvokeError) -> u16;

impl Traced {
    /// Gives the spans of the invocations of `inner` to `tracer`.
    pub(crate) fn new(inner: Arc<dyn Invoker>, tracer: Arc<dyn Tracer>, status: StatusOf) -> Self {
        Self { inner, tracer, status }
    }

    /// Begins to record the invocation's spans.
    fn record(&self, invocation: &mut Invocation, trace: TraceId, caller: Option<SpanContext>) -> Arc<Call> {
        let state = invocation.trace.state().filter(|_| caller.is_some()).cloned();
        let parent = caller.map(|caller| caller.span);
        let recording = Arc::new(Recording::new(Arc::clone(&self.tracer), trace, parent, state));
        invocation.trace = TraceContext::recorded(&recording);
        let span = recording.context(recording.invocation);
        invocation.report.update(|report| report.traceparent = Some(span));
        let call = Arc::new(Call {
            recording,
            request: RequestFacts::of(&invocation.event),
            report: invocation.report.clone(),
            status: AtomicU16::new(0),
            ended: Mutex::default(),
        });
        // The guest sees its own place, and passes that on.
        if let Some(headers) = invocation.event.headers_mut() {
            invocation.trace.replace_in(headers);
        }
        invocation.attach(GuestEnd(Arc::clone(&call)));
        call
    }
}

impl Invoker for Traced {
    /// Written without `async fn`: an invocation that is not sampled needs no future of its own here.
    fn invoke<'a, 'call>(&'a self, mut invocation: Invocation) -> BoxFuture<'call, Result<Response, InvokeError>>
    where
        'a: 'call,
        Self: 'call,
    {
        let caller = invocation.trace.parent().and_then(SpanContext::parse);
        let trace = caller.map_or_else(TraceId::random, |caller| caller.trace);
        if !self.tracer.is_sampled(trace, caller.as_ref()) {
            if caller.is_none() {
                invocation.trace = TraceContext::unsampled();
            }
            return self.inner.invoke(invocation);
        }
        let call = self.record(&mut invocation, trace, caller);
        Box::pin(watch(self.inner.invoke(invocation), End(call), self.status))
    }
}

/// Notes how the invocation is answered, and when the answer ends.
async fn watch(
    response: impl Future<Output = Result<Response, InvokeError>>,
    end: End,
    status: StatusOf,
) -> Result<Response, InvokeError> {
    match response.await {
        Ok(mut response) => {
            end.0.status.store(response.status.as_u16(), Relaxed);
            response.body = response.body.on_end(move |ended| {
                let failed = |error: &InvokeError| Outcome::Failed(error.kind());
                end.0.report.finish(ended.map_or_else(failed, |()| Outcome::Ok));
            });
            Ok(response)
        }
        Err(error) => {
            end.0.status.store(status(&error), Relaxed);
            end.0.report.finish(Outcome::Failed(error.kind()));
            Err(error)
        }
    }
}

/// What is known of one recorded invocation beside its report.
struct Call {
    recording: Arc<Recording>,
    request: Option<RequestFacts>,
    report: ReportHandle,
    status: AtomicU16,
    ended: Mutex<Option<SystemTime>>,
}

impl Call {
    fn spans(&self, parts: Parts) -> InvocationSpans<'_> {
        InvocationSpans {
            recording: &self.recording,
            report: self.report.snapshot(),
            request: self.request.as_ref(),
            status: self.status.load(Relaxed),
            ended: lock(&self.ended).unwrap_or(parts.guest_ended),
            parts,
        }
    }
}

/// Ends the invocation when it is dropped. An invocation without an outcome was left by its caller.
struct End(Arc<Call>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.report.finish(Outcome::Cancelled);
        *lock(&self.0.ended) = Some(SystemTime::now());
        self.0.recording.end(|parts| self.0.spans(parts).all());
    }
}

/// Ends the guest's span when it is dropped.
struct GuestEnd(Arc<Call>);

impl Drop for GuestEnd {
    fn drop(&mut self) {
        self.0.recording.end_guest(|parts| self.0.spans(parts).all());
    }
}
