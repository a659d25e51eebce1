//! Resolving as an invoker: it finds the version before all layers, so that each of them can read it.

use std::{future::ready, sync::Arc};

use futures_util::future::BoxFuture;
use tokio::{sync::Semaphore, time::Instant};

use super::deployments::Deployments;
use crate::{
    call::{ErrorKind, Invocation, InvokeError, Invoker, Overload, RETRY_AFTER, Response},
    guest::Deployment,
};

/// Resolves each invocation's function, and passes the invocation on.
pub(crate) struct Resolve {
    deployments: Deployments,
    /// Places for invocations that wait for the store.
    waiting: Semaphore,
    inner: Arc<dyn Invoker>,
}

/// How many invocations wait for the store at once. Resolving comes before admission, so that nothing else bounds them.
pub(crate) const WAITING: usize = 1_024;

impl Resolve {
    pub(crate) fn new(deployments: Deployments, inner: Arc<dyn Invoker>) -> Self {
        Self { deployments, waiting: Semaphore::new(WAITING), inner }
    }
}

impl Invoker for Resolve {
    /// Written without `async fn`, whose future would hold the invocation: a function that is known is resolved at once.
    fn invoke<'a, 'call>(&'a self, mut invocation: Invocation) -> BoxFuture<'call, Result<Response, InvokeError>>
    where
        'a: 'call,
        Self: 'call,
    {
        let now = Instant::now();
        if invocation.deadline.is_some_and(|deadline| deadline <= now) {
            let detail = "the deadline had passed before the function was started";
            return Box::pin(ready(Err(InvokeError::new(ErrorKind::Timeout, detail))));
        }
        if let Some(deployment) = self.deployments.ready(&invocation, now) {
            resolve(&mut invocation, deployment);
            invocation.ready_since = Some(now);
            return self.inner.invoke(invocation);
        }
        Box::pin(async move {
            let place = self.waiting.try_acquire().map_err(|_| too_many())?;
            let deployment = self.deployments.serving(&mut invocation, now).await;
            drop(place);
            invocation.trace.note_step("resolve", now, deployment.as_ref().err());
            let deployment = deployment?;
            invocation.report.update(|report| report.loading = now.elapsed());
            resolve(&mut invocation, deployment);
            self.inner.invoke(invocation).await
        })
    }
}

fn too_many() -> InvokeError {
    let detail = "too many functions are being looked up in the store; try again later";
    InvokeError::overloaded(Overload::Server, RETRY_AFTER, detail)
}

/// Notes in the invocation and in its report which version it is a call of.
fn resolve(invocation: &mut Invocation, deployment: Arc<Deployment>) {
    let resolved = &deployment.resolved;
    invocation.report.update(|report| {
        report.version = Some(resolved.version);
        report.digest = Some(resolved.digest);
        report.kind = Some(resolved.kind);
    });
    invocation.deployed = Some(deployment);
}
