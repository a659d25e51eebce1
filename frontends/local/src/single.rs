//! One event, and its result as it is.

use http_body_util::BodyExt as _;
use nebula_runtime::{Delivery, Event, InvokeError};

use crate::{
    Ending, LocalError, Output,
    call::Call,
    output::{Writer, Written},
};

/// Runs the function on one event.
pub(crate) async fn run(
    call: &Call,
    event: Event,
    output: Output,
    (writer, mut written): (Writer, Written),
) -> Result<Ending, LocalError> {
    let failure = tokio::select! {
        biased;
        error = written.failed() => return Ending::after_write_error(error),
        failure = answer(call, event, output, &writer) => failure,
    };
    match (written.finish(writer).await, failure) {
        (Err(error), _) => Ending::after_write_error(error),
        (Ok(()), Some(error)) => Ok(Ending::Failed(error)),
        (Ok(()), None) => Ok(Ending::Answered),
    }
}

async fn answer(call: &Call, event: Event, output: Output, writer: &Writer) -> Option<InvokeError> {
    match output {
        Output::Body => stream(call, event, writer).await.err(),
        Output::Full => {
            let answer = call.answer(event).await;
            writer.write(answer.text).await;
            answer.failure
        }
    }
}

async fn stream(call: &Call, event: Event, writer: &Writer) -> Result<(), InvokeError> {
    let mut invocation = call.invocation(event);
    invocation.delivery = Delivery::Immediate;
    let mut body = call.invoke(invocation).await?.body;
    while let Some(frame) = body.frame().await {
        if let Ok(bytes) = frame?.into_data() {
            writer.write(bytes).await;
        }
    }
    Ok(())
}
