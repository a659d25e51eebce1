//! The log is written before the next event is asked for: Lambda then freezes the environment, and with it the thread
//! that writes.

use std::time::Duration;

use lambda_runtime::LambdaInvocation;
use nebula_runtime::stderr;
use tokio::time::timeout;

use crate::middleware::{AnswerFuture, Middleware};

/// How long the next event, or the process's end, waits for the log: Lambda kills a process two seconds after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waits until what has been logged so far is written, or cannot be written for now.
pub(crate) async fn flush() {
    drop(timeout(PATIENCE, stderr::written()).await);
}

/// Waits, after each answer, until the log is written.
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
