//! What is around the service of the Lambda runtime.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use lambda_runtime::{Error, LambdaInvocation, Service, tower::Layer};

/// The answer to an invocation, on its way.
pub(crate) type AnswerFuture = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// What is done around the answer to each invocation.
pub(crate) trait Middleware: Clone {
    /// Answers an invocation. `inner` answers it as if there were nothing around it.
    fn answer(
        &self,
        invocation: LambdaInvocation,
        inner: impl FnOnce(LambdaInvocation) -> AnswerFuture,
    ) -> AnswerFuture;
}

/// A layer of the Lambda runtime that puts `A` around its service.
#[derive(Clone)]
pub(crate) struct MiddlewareLayer<A>(pub(crate) A);

/// A service of the Lambda runtime with `A` around it.
#[derive(Clone)]
pub(crate) struct MiddlewareService<A, S> {
    around: A,
    inner: S,
}

impl<A: Middleware, S> Layer<S> for MiddlewareLayer<A> {
    type Service = MiddlewareService<A, S>;

    fn layer(&self, inner: S) -> MiddlewareService<A, S> {
        MiddlewareService { around: self.0.clone(), inner }
    }
}

impl<A, S> Service<LambdaInvocation> for MiddlewareService<A, S>
where
    A: Middleware,
    S: Service<LambdaInvocation, Response = (), Error = Error, Future: Send + 'static>,
{
    type Response = ();
    type Error = Error;
    type Future = AnswerFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> AnswerFuture {
        let Self { around, inner } = self;
        around.answer(invocation, |invocation| Box::pin(inner.call(invocation)))
    }
}
