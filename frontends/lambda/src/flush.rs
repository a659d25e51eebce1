//! Writes the log, and sends what else was observed, before the next event is requested: Lambda then freezes the
//! environment, and with it all that would do so later.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use lambda_runtime::LambdaInvocation;
use nebula_runtime::stderr;
use tokio::time::timeout;

use crate::middleware::{AnswerFuture, Middleware};

/// How long the next event, or the end of the process, waits. Lambda kills a process two seconds after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sends what was observed so far, such as spans.
pub type Flush = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// Writes the log, and sends what else was observed: middleware that does so after each answer.
#[derive(Clone)]
pub(crate) struct Flushing(pub(crate) Option<Flush>);

impl Flushing {
    /// Waits until all is written and sent, or until the time is over.
    pub(crate) async fn flush(&self) {
        let sent = async {
            if let Some(send) = &self.0 {
                send().await;
            }
        };
        drop(timeout(PATIENCE, async { tokio::join!(stderr::written(), sent) }).await);
    }
}

impl Middleware for Flushing {
    fn answer(
        &self,
        invocation: LambdaInvocation,
        inner: impl FnOnce(LambdaInvocation) -> AnswerFuture,
    ) -> AnswerFuture {
        let (answering, flushing) = (inner(invocation), self.clone());
        Box::pin(async move {
            let answered = answering.await;
            flushing.flush().await;
            answered
        })
    }
}
