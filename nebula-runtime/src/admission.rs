//! How many invocations run at once, and how long the others wait.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use crate::{FunctionRef, Invocation, InvokeError, Invoker, Overload, ReportHandle, Response};

/// How long an invocation waits for its turn before it is refused.
pub const PATIENCE: Duration = Duration::from_millis(500);

/// What a refused caller is told to wait.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A layer that lets a number of invocations through at once. One that finds no room waits briefly, then is refused as
/// [`Overload::Server`]. Its place is free again when its response's body has ended.
pub struct Admission {
    inner: Arc<dyn Invoker>,
    gate: Gate,
}

impl Admission {
    /// Lets at most `concurrency` invocations into `inner` at once.
    pub fn new(inner: Arc<dyn Invoker>, concurrency: u32) -> Self {
        Self { inner, gate: Gate::new(concurrency, Overload::Server) }
    }
}

impl Invoker for Admission {
    /// By hand, as the [`Runtime`](crate::Runtime)'s is: no invocation that finds room is a part of this future.
    fn invoke<'a, 'call>(&'a self, invocation: Invocation) -> BoxFuture<'call, Result<Response, InvokeError>>
    where
        'a: 'call,
        Self: 'call,
    {
        match self.gate.try_enter() {
            Some(permit) => Box::pin(keep(permit, self.inner.invoke(invocation))),
            None => Box::pin(async move {
                let permit = self.gate.wait(&invocation.function, invocation.deadline, &invocation.report).await?;
                keep(permit, self.inner.invoke(invocation)).await
            }),
        }
    }
}

/// Keeps a place for as long as the response's body goes on.
async fn keep(
    permit: OwnedSemaphorePermit,
    response: impl Future<Output = Result<Response, InvokeError>>,
) -> Result<Response, InvokeError> {
    let mut response = response.await?;
    response.body = response.body.on_end(move |_| drop(permit));
    Ok(response)
}

/// A number of places, and what to say when they are all taken.
pub(crate) struct Gate {
    places: Arc<Semaphore>,
    overload: Overload,
}

impl Gate {
    pub(crate) fn new(places: u32, overload: Overload) -> Self {
        let places = usize::try_from(places).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(places)), overload }
    }

    /// A place, at once or within [`PATIENCE`].
    pub(crate) async fn enter(
        &self,
        function: &FunctionRef,
        deadline: Option<Instant>,
        report: &ReportHandle,
    ) -> Result<OwnedSemaphorePermit, InvokeError> {
        match self.try_enter() {
            Some(permit) => Ok(permit),
            // On the heap, so that waiting, which is rare, does not make each invocation's future larger.
            None => Box::pin(self.wait(function, deadline, report)).await,
        }
    }

    /// A place, if one is free.
    pub(crate) fn try_enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    async fn wait(
        &self,
        function: &FunctionRef,
        deadline: Option<Instant>,
        report: &ReportHandle,
    ) -> Result<OwnedSemaphorePermit, InvokeError> {
        let arrived = Instant::now();
        let patience = arrived + PATIENCE;
        let until = deadline.map_or(patience, |deadline| deadline.min(patience));
        let permit = timeout_at(until, Arc::clone(&self.places).acquire_owned()).await;
        report.update(|report| report.queued += arrived.elapsed());
        match permit {
            Ok(Ok(permit)) => Ok(permit),
            // The semaphore is never closed, so this is the time-out.
            Ok(Err(_)) | Err(_) => Err(self.refusal(function)),
        }
    }

    fn refusal(&self, function: &FunctionRef) -> InvokeError {
        let detail = match self.overload {
            Overload::Function => format!("function {} is at its concurrency limit; try again later", function.name()),
            Overload::Server => "the server is at its concurrency limit; try again later".to_owned(),
        };
        InvokeError::overloaded(self.overload, RETRY_AFTER, detail)
    }
}
