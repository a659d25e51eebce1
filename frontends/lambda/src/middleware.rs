//! Middleware around the service of the Lambda runtime.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use lambda_runtime::{Error, LambdaInvocation, Service, tower::Layer};

/// The future of the answer to an invocation.
pub(crate) type AnswerFuture = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// Code that runs around the answer to each invocation.
pub(crate) trait Middleware: Clone {
    /// Answers an invocation. `inner` answers it without this middleware.
    fn answer(
        &self,
        invocation: LambdaInvocation,
        inner: impl FnOnce(LambdaInvocation) -> AnswerFuture,
    ) -> AnswerFuture;
}

/// A layer of the Lambda runtime for the middleware `M`.
#[derive(Clone)]
pub(crate) struct MiddlewareLayer<M>(pub(crate) M);

/// A service of the Lambda runtime with the middleware `M`.
#[derive(Clone)]
pub(crate) struct MiddlewareService<M, S> {
    middleware: M,
    inner: S,
}

impl<M: Middleware, S> Layer<S> for MiddlewareLayer<M> {
    type Service = MiddlewareService<M, S>;

    fn layer(&self, inner: S) -> MiddlewareService<M, S> {
        MiddlewareService { middleware: self.0.clone(), inner }
    }
}

impl<M, S> Service<LambdaInvocation> for MiddlewareService<M, S>
where
    M: Middleware,
    S: Service<LambdaInvocation, Response = (), Error = Error, Future: Send + 'static>,
{
    type Response = ();
    type Error = Error;
    type Future = AnswerFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> AnswerFuture {
        let Self { middleware, inner } = self;
        middleware.answer(invocation, |invocation| Box::pin(inner.call(invocation)))
    }
}
