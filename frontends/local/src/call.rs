//! Calls the function with one event, and writes its answer as a line.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use nebula_runtime::{
    ErrorKind, Event, FunctionRef, Invocation, InvokeError, Invoker, Outcome, ReportHandle, Response,
};

use crate::{
    encode::{self, CollectedResponse},
    job::{Job, Output},
};

/// Calls the function of a job.
pub(crate) struct Call {
    invoker: Arc<dyn Invoker>,
    function: FunctionRef,
    output: Output,
    max_event: u64,
    max_result: u64,
}

/// The answer to one event.
pub(crate) struct Answer {
    /// The line, with its line feed.
    pub(crate) text: Vec<u8>,
    /// The failure, if the line is one.
    pub(crate) failure: Option<InvokeError>,
}

impl Call {
    pub(crate) fn new(invoker: Arc<dyn Invoker>, job: &Job) -> Self {
        Self {
            invoker,
            function: job.function.clone(),
            output: job.output,
            max_event: job.max_event,
            max_result: job.max_result,
        }
    }

    /// The size of the largest event, in bytes.
    pub(crate) fn max_event(&self) -> u64 {
        self.max_event
    }

    /// Makes an invocation of the function with `event`.
    pub(crate) fn invocation(&self, event: Event) -> Invocation {
        Invocation::new(self.function.clone(), event).through(FRONTEND)
    }

    /// Starts an invocation.
    pub(crate) async fn invoke(&self, invocation: Invocation) -> Result<Response, InvokeError> {
        self.invoker.invoke(invocation).await
    }

    /// Runs the function on `event`, and makes a line of its result.
    pub(crate) async fn answer(&self, event: Event) -> Answer {
        let invocation = self.invocation(event);
        let report = invocation.report.clone();
        match self.run(invocation).await {
            Ok(whole) => {
                report.finish(Outcome::Ok);
                Answer { text: self.line(&whole, &report), failure: None }
            }
            Err(error) => self.failed(error, &report),
        }
    }

    /// The answer to an event that no function can take.
    pub(crate) fn refuse(&self, error: InvokeError) -> Answer {
        let report = self.invocation(Event::default()).report;
        self.failed(error, &report)
    }

    async fn run(&self, invocation: Invocation) -> Result<CollectedResponse, InvokeError> {
        let mut response = self.invoke(invocation).await?;
        let headers = response.take_headers();
        let max = self.max_result;
        let body = response.body.collect_or(max, || too_large(max)).await?;
        Ok(CollectedResponse { status: response.status, headers, body })
    }

    fn line(&self, whole: &CollectedResponse, report: &ReportHandle) -> Vec<u8> {
        match self.output {
            Output::Body => encode::value_line(whole.headers.get(CONTENT_TYPE), &whole.body),
            Output::Full => encode::full_line(whole, &report.snapshot()),
        }
    }

    fn failed(&self, error: InvokeError, report: &ReportHandle) -> Answer {
        report.finish(Outcome::Failed(error.kind()));
        let text = match self.output {
            Output::Body => encode::error_line(&error, None),
            Output::Full => encode::error_line(&error, Some(&report.snapshot())),
        };
        Answer { text, failure: Some(error) }
    }
}

const FRONTEND: &str = "local";

fn too_large(max: u64) -> InvokeError {
    let detail =
        format!("the result is larger than the {max} bytes that one line may hold; --raw streams results of any size");
    InvokeError::new(ErrorKind::LimitExceeded, detail)
}
