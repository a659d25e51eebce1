//! The log is written before the next event is asked for: Lambda then freezes the environment, and with it the thread
//! that writes.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use lambda_runtime::{Error, LambdaInvocation, Service, tower::Layer};
use nebula_runtime::stderr;
use tokio::time::timeout;

/// How long the next event, or the process's end, waits for the log: Lambda kills a process two seconds after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waits until what has been logged so far is written, or cannot be written for now.
pub(crate) async fn flush() {
    drop(timeout(PATIENCE, stderr::written()).await);
}

/// A layer of the Lambda runtime that waits, after each answer, until the log is written.
#[derive(Clone)]
pub(crate) struct Flushing;

/// A runtime with [`Flushing`] around it.
#[derive(Clone)]
pub(crate) struct Flushed<S>(S);

impl<S> Layer<S> for Flushing {
    type Service = Flushed<S>;

    fn layer(&self, inner: S) -> Flushed<S> {
        Flushed(inner)
    }
}

impl<S> Service<LambdaInvocation> for Flushed<S>
where
    S: Service<LambdaInvocation, Response = (), Error = Error, Future: Send + 'static>,
{
    type Response = ();
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let answering = self.0.call(invocation);
        Box::pin(async move {
            let answered = answering.await;
            flush().await;
            answered
        })
    }
}
