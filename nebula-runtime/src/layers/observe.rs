//! The outermost layer: it sees every invocation begin and end.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::call::{Invocation, InvokeError, Invoker, Outcome, Report, ReportHandle, Response};

/// Sees invocations begin and end. A closure that takes a report is an observer of ends.
///
/// - Each invocation begins once and ends once, however it ends: answered, failed, or left by its caller.
/// - Neither function may block.
pub trait Observer: Send + Sync {
    /// The invocation begins: its function is not resolved yet.
    fn started(&self, _invocation: &Invocation) {}

    /// The invocation has ended, and its report is complete.
    fn ended(&self, report: &Report);
}

impl<F: Fn(&Report) + Send + Sync> Observer for F {
    fn ended(&self, report: &Report) {
        self(report);
    }
}

/// A layer that shows invocations to an [`Observer`].
///
/// [`RuntimeBuilder::observer`](crate::RuntimeBuilder::observer) puts it around a runtime.
pub struct Observed {
    inner: Arc<dyn Invoker>,
    observer: Arc<dyn Observer>,
}

impl Observed {
    /// Shows the invocations of `inner` to `observer`.
    pub fn new(inner: Arc<dyn Invoker>, observer: Arc<dyn Observer>) -> Self {
        Self { inner, observer }
    }
}

impl Invoker for Observed {
    /// Written without `async fn`, whose future would hold the invocation.
    fn invoke<'a, 'call>(&'a self, invocation: Invocation) -> BoxFuture<'call, Result<Response, InvokeError>>
    where
        'a: 'call,
        Self: 'call,
    {
        self.observer.started(&invocation);
        let end = End { report: invocation.report.clone(), observer: Arc::clone(&self.observer) };
        Box::pin(watch(self.inner.invoke(invocation), end))
    }
}

/// Notes how the invocation ends: with this future, or with its response's body.
async fn watch(
    response: impl Future<Output = Result<Response, InvokeError>>,
    end: End,
) -> Result<Response, InvokeError> {
    match response.await {
        Ok(mut response) => {
            response.body = response.body.on_end(move |ended| {
                let failed = |error: &InvokeError| Outcome::Failed(error.kind());
                end.report.finish(ended.map_or_else(failed, |()| Outcome::Ok));
            });
            Ok(response)
        }
        Err(error) => {
            end.report.finish(Outcome::Failed(error.kind()));
            Err(error)
        }
    }
}

/// Shows the report to the observer when it is dropped. An invocation without an outcome was left by its caller.
struct End {
    report: ReportHandle,
    observer: Arc<dyn Observer>,
}

impl Drop for End {
    fn drop(&mut self) {
        self.report.finish(Outcome::Cancelled);
        // A clone, so that an observer may use the handle.
        self.observer.ended(&self.report.snapshot());
    }
}
