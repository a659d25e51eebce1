//! What is around the service of the Lambda runtime.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use lambda_runtime::{Error, LambdaInvocation, Service, tower::Layer};

/// The answer to an invocation, on its way.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// What is done around the answer to each invocation.
pub(crate) trait Around: Clone {
    /// Answers an invocation. `inner` answers it as if there were nothing around it.
    fn answer(&self, invocation: LambdaInvocation, inner: impl FnOnce(LambdaInvocation) -> Answering) -> Answering;
}

/// A layer of the Lambda runtime that puts `A` around its service.
#[derive(Clone)]
pub(crate) struct Layered<A>(pub(crate) A);

/// A service of the Lambda runtime with `A` around it.
#[derive(Clone)]
pub(crate) struct Surrounded<A, S> {
    around: A,
    inner: S,
}

impl<A: Around, S> Layer<S> for Layered<A> {
    type Service = Surrounded<A, S>;

    fn layer(&self, inner: S) -> Surrounded<A, S> {
        Surrounded { around: self.0.clone(), inner }
    }
}

impl<A, S> Service<LambdaInvocation> for Surrounded<A, S>
where
    A: Around,
    S: Service<LambdaInvocation, Response = (), Error = Error, Future: Send + 'static>,
{
    type Response = ();
    type Error = Error;
    type Future = Answering;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Answering {
        let Self { around, inner } = self;
        around.answer(invocation, |invocation| Box::pin(inner.call(invocation)))
    }
}
