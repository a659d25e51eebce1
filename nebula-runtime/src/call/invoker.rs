//! The seam between frontends and the code that runs functions.

use std::future::Future;

use async_trait::async_trait;

use super::{error::InvokeError, invocation::Invocation, response::Response};

/// Runs functions. Frontends call it; the [`Runtime`](crate::Runtime) and every layer around it are one.
///
/// # Contract
/// - **Calling** `invoke` may already take the invocation's place and start its time: await the future at once. It may
///   be called outside of Tokio, and the future awaited in it.
/// - **Dropping** the future, or the response's body, stops the guest within one tick of the epoch clock and frees its
///   instance.
/// - **The body** of a response may be given while the guest still runs; the guest goes on as the body is read, no
///   faster. A failure after that is the body's last item.
/// - **The report** is complete when the body has ended or the error was returned. A layer that answers or refuses by
///   itself completes the report too.
/// - **Guards**: what a layer [attached](Invocation::attach) to the invocation is dropped when the guest has ended,
///   also of a guest that goes on after its response. The runtime does that. An invoker that runs something else
///   instead keeps [`Invocation::guards`] until that has ended. All others drop them with the invocation.
/// - **Sharing**: an invoker serves any number of invocations at once, and one never disturbs another.
#[async_trait]
pub trait Invoker: Send + Sync {
    /// Runs one invocation.
    ///
    /// # Errors
    /// Every way of failing that is known before the response begins, by its [`ErrorKind`](crate::ErrorKind).
    async fn invoke(&self, invocation: Invocation) -> Result<Response, InvokeError>;
}

/// An invoker made of a closure, for tests and for embedders.
pub fn invoker_fn<F, R>(function: F) -> impl Invoker
where
    F: Fn(Invocation) -> R + Send + Sync,
    R: Future<Output = Result<Response, InvokeError>> + Send,
{
    InvokerFn(function)
}

struct InvokerFn<F>(F);

#[async_trait]
impl<F, R> Invoker for InvokerFn<F>
where
    F: Fn(Invocation) -> R + Send + Sync,
    R: Future<Output = Result<Response, InvokeError>> + Send,
{
    async fn invoke(&self, invocation: Invocation) -> Result<Response, InvokeError> {
        (self.0)(invocation).await
    }
}
