//! Runs one event, and writes its result.

use http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;
use nebula_runtime::{Buffering, Event, InvokeError, is_text};

use crate::{
    call::Call,
    line_end::LineEndCheck,
    outcome::{JobOutcome, LocalError},
    output::{Writer, Written},
};

/// The form of the result.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    /// Its body, streamed.
    Body(End),
    /// The whole response as one line.
    Full,
}

/// What is written after a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// A line feed, if the body is a text without one at its end: the `read` of a shell loses a line without its line
    /// feed.
    LineFeed,
    /// Nothing.
    Nothing,
}

/// Runs the function on one event.
pub(crate) async fn run(
    call: &Call,
    event: Event,
    form: Form,
    (writer, mut written): (Writer, Written),
) -> Result<JobOutcome, LocalError> {
    let failure = tokio::select! {
        biased;
        error = written.failed() => return JobOutcome::after_write_error(error),
        failure = answer(call, event, form, &writer) => failure,
    };
    match (written.finish(writer).await, failure) {
        (Err(error), _) => JobOutcome::after_write_error(error),
        (Ok(()), Some(error)) => Ok(JobOutcome::Failed(error)),
        (Ok(()), None) => Ok(JobOutcome::Answered),
    }
}

async fn answer(call: &Call, event: Event, form: Form, writer: &Writer) -> Option<InvokeError> {
    match form {
        Form::Body(end) => stream(call, event, end, writer).await.err(),
        Form::Full => {
            let answer = call.answer(event).await;
            writer.write(answer.text).await;
            answer.failure
        }
    }
}

async fn stream(call: &Call, event: Event, end: End, writer: &Writer) -> Result<(), InvokeError> {
    let mut invocation = call.invocation(event);
    invocation.buffering = Buffering::Off;
    let mut response = call.invoke(invocation).await?;
    let headers = response.take_headers();
    let mut check = (end == End::LineFeed && is_text(headers.get(CONTENT_TYPE))).then(LineEndCheck::default);
    let mut body = response.body;
    while let Some(frame) = body.frame().await {
        if let Ok(bytes) = frame?.into_data() {
            check.iter_mut().for_each(|check| check.push(&bytes));
            writer.write(bytes).await;
        }
    }
    if check.is_some_and(|check| check.lacks_line_end()) {
        writer.write("\n").await;
    }
    Ok(())
}
