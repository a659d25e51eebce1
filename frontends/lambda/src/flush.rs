//! Writes the log before the next event is requested: Lambda then freezes the environment, and with it the thread that
//! writes the log.

use std::time::Duration;

use lambda_runtime::LambdaInvocation;
use nebula_runtime::stderr;
use tokio::time::timeout;

use crate::middleware::{AnswerFuture, Middleware};

/// How long the next event, or the end of the process, waits for the log. Lambda kills a process two seconds after
/// SIGTERM.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waits until the log so far is written, or until the time is over.
pub(crate) async fn flush() {
    drop(timeout(PATIENCE, stderr::written()).await);
}

/// Middleware that writes the log after each answer.
#[derive(Clone)]
pub(crate) struct Flushing;

impl Middleware for Flushing {
    fn answer(
        &self,
        invocation: LambdaInvocation,
        inner: impl FnOnce(LambdaInvocation) -> AnswerFuture,
    ) -> AnswerFuture {
        let answering = inner(invocation);
        Box::pin(async move {
            let answered = answering.await;
            flush().await;
            answered
        })
    }
}
