//! The outermost layer: sees every invocation end, and hands its report on.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::{Invocation, InvokeError, Invoker, Outcome, Report, ReportHandle, Response};

/// Is given each report once, when its invocation has ended. It must not block.
pub type ReportSink = Arc<dyn Fn(&Report) + Send + Sync>;

/// A layer that marks invocations with their frontend and hands each one's report to a sink, however it ends:
/// answered, failed, or left by its caller.
pub struct Observed {
    inner: Arc<dyn Invoker>,
    frontend: &'static str,
    sink: ReportSink,
}

impl Observed {
    /// Observes `inner` for `frontend` (`http`, `local`, `lambda`).
    pub fn new(inner: Arc<dyn Invoker>, frontend: &'static str, sink: ReportSink) -> Self {
        Self { inner, frontend, sink }
    }
}

impl Invoker for Observed {
    /// By hand, as the [`Runtime`](crate::Runtime)'s is: the invocation is no part of this future.
    fn invoke<'a, 'call>(&'a self, invocation: Invocation) -> BoxFuture<'call, Result<Response, InvokeError>>
    where
        'a: 'call,
        Self: 'call,
    {
        let report = invocation.report.clone();
        report.update(|report| report.frontend = self.frontend);
        let ending = Ending { report, sink: Arc::clone(&self.sink) };
        Box::pin(watch(self.inner.invoke(invocation), ending))
    }
}

/// Notes how the invocation ends, now or with its response's body.
async fn watch(
    response: impl Future<Output = Result<Response, InvokeError>>,
    ending: Ending,
) -> Result<Response, InvokeError> {
    match response.await {
        Ok(mut response) => {
            response.body = response.body.on_end(move |ended| {
                let failed = |error: &InvokeError| Outcome::Failed(error.kind());
                ending.report.finish(ended.map_or_else(failed, |()| Outcome::Ok));
            });
            Ok(response)
        }
        Err(error) => {
            ending.report.finish(Outcome::Failed(error.kind()));
            Err(error)
        }
    }
}

/// Hands the report on when it is dropped: an invocation that nobody finished was left by its caller.
struct Ending {
    report: ReportHandle,
    sink: ReportSink,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.report.finish(Outcome::Cancelled);
        // A clone, so that a sink may use the handle it is called from.
        (self.sink)(&self.report.snapshot());
    }
}
