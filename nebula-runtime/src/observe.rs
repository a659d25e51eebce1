//! The outermost layer: sees every invocation end, and hands its report on.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::{Body, Invocation, InvokeError, Invoker, Outcome, Report, ReportHandle, Response};

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

#[async_trait]
impl Invoker for Observed {
    async fn invoke(&self, invocation: Invocation) -> Result<Response, InvokeError> {
        let report = invocation.report.clone();
        report.update(|report| report.frontend = self.frontend);
        let ending = Ending { report, sink: Arc::clone(&self.sink) };
        match self.inner.invoke(invocation).await {
            Ok(mut response) => {
                if response.body.as_whole().is_some() {
                    ending.report.finish(Outcome::Ok);
                } else {
                    response.body = Body::stream(ObservedBody { inner: response.body, ending });
                }
                Ok(response)
            }
            Err(error) => {
                ending.report.finish(Outcome::Failed(error.kind()));
                Err(error)
            }
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

struct ObservedBody {
    inner: Body,
    ending: Ending,
}

impl http_body::Body for ObservedBody {
    type Data = Bytes;
    type Error = InvokeError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InvokeError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        match &polled {
            Poll::Ready(None) => drop(self.ending.report.finish(Outcome::Ok)),
            Poll::Ready(Some(Err(error))) => drop(self.ending.report.finish(Outcome::Failed(error.kind()))),
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
