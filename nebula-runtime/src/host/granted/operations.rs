//! The operations of one function on one service.

use std::time::Duration;

use tokio::{sync::Semaphore, time::Instant};

use crate::{
    call::{Caller, OpenSpan, OperationEnd, SpanKind, TraceContext, with_causes},
    function::ServiceName,
    host::failure::{ServiceError, ServiceErrorKind},
};

/// The operations of one function on one service: so many go on at once, and each is noted in the report of its
/// invocation.
pub(super) struct Operations {
    service: ServiceName,
    places: Semaphore,
}

/// How many operations go on at once. Others wait.
const AT_ONCE: usize = 64;

impl Operations {
    pub(super) fn of(service: &ServiceName) -> Self {
        Self { service: service.clone(), places: Semaphore::new(AT_ONCE) }
    }

    /// Runs the operation `name`, and notes it in the report. An operation that is dropped before its end has failed: the
    /// guest's deadline has passed.
    pub(super) async fn run<T>(
        &self,
        caller: &Caller,
        name: &'static str,
        operation: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<T, ServiceError> {
        let (span, trace) = self.begin(caller, name);
        let mut running = Running { operations: self, caller, began: Instant::now(), has_ended: false };
        // The semaphore is never closed.
        let _place = self.places.acquire().await;
        let done = trace.scope(operation).await;
        running.has_ended = true;
        end_span(span, done.as_ref().err());
        self.note(caller, running.began.elapsed(), done.as_ref().err());
        done
    }

    /// A span of an operation that begins now, if the invocation's spans are recorded, and the place in the trace of
    /// those who do the work.
    pub(super) fn begin(&self, caller: &Caller, name: &'static str) -> (Option<OpenSpan>, TraceContext) {
        let span = self.span(caller, name);
        let trace = span.as_ref().map_or_else(|| caller.trace.clone(), TraceContext::within);
        (span, trace)
    }

    fn span(&self, caller: &Caller, name: &'static str) -> Option<OpenSpan> {
        let mut span = caller.trace.begin(SpanKind::Client, || format!("{name} {}", self.service).into())?;
        span.note("nebula.service", self.service.to_string());
        span.note("nebula.operation", name);
        Some(span)
    }

    /// Notes an operation that took so long, and its error in the log if the service is to blame.
    pub(super) fn note(&self, caller: &Caller, time: Duration, error: Option<&ServiceError>) {
        caller.report.update(|report| report.note_service(&self.service, time, end(error)));
        self.log(caller, error);
    }

    /// Notes that an operation that was noted before went on for so long.
    pub(super) fn note_more(&self, caller: &Caller, time: Duration, error: Option<&ServiceError>) {
        caller.report.update(|report| report.note_more_of_service(&self.service, time, end(error)));
        self.log(caller, error);
    }

    fn log(&self, caller: &Caller, error: Option<&ServiceError>) {
        if let Some(error) = error.filter(|error| error.kind() == ServiceErrorKind::Unavailable) {
            let (service, causes) = (&self.service, with_causes(error));
            tracing::warn!(id = %caller.id, %service, error = causes, "a service failed");
        }
    }
}

/// Ends an operation's span.
pub(super) fn end_span(span: Option<OpenSpan>, error: Option<&ServiceError>) {
    if let Some(span) = span {
        span.end(error.map(|error| error.kind().as_str().to_owned()));
    }
}

fn end(error: Option<&ServiceError>) -> OperationEnd {
    match error.map(ServiceError::kind) {
        None => OperationEnd::Ok,
        Some(ServiceErrorKind::Unavailable) => OperationEnd::Unavailable,
        Some(_) => OperationEnd::Failed,
    }
}

/// An operation that is going on.
struct Running<'a> {
    operations: &'a Operations,
    caller: &'a Caller,
    began: Instant,
    has_ended: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            let (service, time) = (&self.operations.service, self.began.elapsed());
            self.caller.report.update(|report| report.note_service(service, time, OperationEnd::Failed));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_util::FutureExt as _;

    use super::*;
    use crate::{
        call::{Event, Invocation},
        function::FunctionRef,
    };

    #[tokio::test]
    async fn an_operation_that_is_cut_off_is_in_the_report() {
        let invocation = Invocation::new("counter".parse::<FunctionRef>().unwrap(), Event::json("[]"));
        let (caller, operations) = (Caller::of(&invocation), Operations::of(&"state".parse().unwrap()));
        operations.run(&caller, "get", ready(Ok(()))).await.unwrap();
        assert!(operations.run(&caller, "get", pending::<Result<(), _>>()).now_or_never().is_none());
        let report = invocation.report.snapshot();
        let [used] = report.services.as_slice() else { panic!("{:?}", report.services) };
        assert_eq!((used.operations, used.failed), (2, 1));
    }
}
