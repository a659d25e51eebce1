//! The last two steps of a call: the code is loaded, and the guest is run.

use std::{any::Any, future::ready, sync::Arc};

use bytesize::ByteSize;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout_at};

use super::code::Code;
use crate::{
    call::{ErrorKind, Invocation, InvokeError, Invoker, Place, Request, Response, Start, too_large},
    function::InvalidFunctionRef,
    guest::{Call, CallFuture, CallGuards, Deployment, Guest},
    host::GuestStderr,
};

/// The innermost invoker: loads the code of the version that the invocation is resolved to, and calls the guest.
pub(super) struct Run {
    pub(super) code: Code,
    pub(super) stderr: GuestStderr,
    /// How large a streamed response may be where its function does not say it.
    pub(super) max_stream: Option<ByteSize>,
}

impl Invoker for Run {
    /// Written without `async fn`: its future would hold the invocation and the guest's own future, and copy both to the heap.
    fn invoke<'a, 'call>(&'a self, mut invocation: Invocation) -> BoxFuture<'call, Result<Response, InvokeError>>
    where
        'a: 'call,
        Self: 'call,
    {
        let Some(deployment) = deployment(&mut invocation) else {
            return Box::pin(ready(Err(InvokeError::new(ErrorKind::Internal, "the function is not resolved"))));
        };
        match self.ready(&deployment) {
            Some((guest, place)) => {
                invocation.report.update(|report| report.start = Start::Warm);
                if let Err(error) = refuse_large(&invocation, &deployment) {
                    return Box::pin(ready(Err(error)));
                }
                let began = invocation.ready_since.unwrap_or_else(Instant::now);
                self.call(invocation, deployment, Ready { guest, place, began })
            }
            None => Box::pin(async move {
                let ready = self.prepare(&mut invocation, &deployment).await?;
                self.call(invocation, deployment, ready).await
            }),
        }
    }
}

/// Code and a place for the guest.
struct Ready {
    guest: Guest,
    place: Place,
    /// When there was nothing left to wait for.
    began: Instant,
}

impl Run {
    /// Code and a place, where neither is to be waited for.
    fn ready(&self, deployment: &Deployment) -> Option<(Guest, Place)> {
        let guest = self.code.loader.loaded(&deployment.code)?;
        Some((guest, deployment.gate.try_enter()?))
    }

    /// Waits for a place, and loads the code where it is not in memory.
    ///
    /// The invocation is borrowed mutably because its body is not `Sync`.
    async fn prepare(&self, invocation: &mut Invocation, deployment: &Deployment) -> Result<Ready, InvokeError> {
        let loaded = self.code.loader.loaded(&deployment.code);
        if loaded.is_some() {
            invocation.report.update(|report| report.start = Start::Warm);
        }
        refuse_large(invocation, deployment)?;
        let place = self.place(invocation, deployment).await?;
        let entered = Instant::now();
        let guest = match loaded {
            Some(guest) => guest,
            None => {
                let guest = within(invocation.deadline, self.code.guest(deployment)).await;
                invocation.trace.note_step("load", entered, guest.as_ref().err());
                guest?
            }
        };
        let began = Instant::now();
        invocation.report.update(|report| report.loading += began - entered);
        Ok(Ready { guest, place, began })
    }

    /// Waits for a place of the function.
    async fn place(&self, invocation: &mut Invocation, deployment: &Deployment) -> Result<Place, InvokeError> {
        if let Some(place) = deployment.gate.try_enter() {
            return Ok(place);
        }
        let arrived = Instant::now();
        let request = Request::of_one(&invocation.function);
        let waiting = deployment.gate.wait(request, invocation.deadline, &invocation.report);
        // On the heap, so that waiting, which is rare, does not make each invocation's future larger.
        let place = Box::pin(waiting).await;
        invocation.trace.note_step("queue", arrived, place.as_ref().err());
        place
    }

    fn call(&self, mut invocation: Invocation, deployment: Arc<Deployment>, ready: Ready) -> CallFuture {
        let Ready { guest, place, began } = ready;
        if let Some(recording) = invocation.trace.recording() {
            recording.note_ready(began);
        }
        let resolved = &deployment.resolved;
        let own = resolved.config.limits.max_response.map(|_| resolved.limits.max_response);
        let (max_stream, stderr) = (own.or(self.max_stream), self.stderr);
        let guards = CallGuards { guards: std::mem::take(&mut invocation.guards), place };
        guest.call(Call { invocation, deployment, max_stream, began, stderr, guards })
    }
}

/// The version that the invocation is resolved to.
fn deployment(invocation: &mut Invocation) -> Option<Arc<Deployment>> {
    let deployed: Arc<dyn Any + Send + Sync> = invocation.deployed.take()?;
    deployed.downcast().ok()
}

/// Refuses a request that says itself that it is over its limit, before anything is started for it.
fn refuse_large(invocation: &Invocation, deployment: &Deployment) -> Result<(), InvokeError> {
    let limit = deployment.resolved.limits.max_request.as_u64();
    if invocation.event.size_hint().lower() > limit { Err(too_large(limit)) } else { Ok(()) }
}

async fn within<T>(
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T, InvokeError>>,
) -> Result<T, InvokeError> {
    let Some(deadline) = deadline else {
        return work.await;
    };
    let late = |_| InvokeError::new(ErrorKind::Timeout, "the deadline passed while the function was being loaded");
    timeout_at(deadline, work).await.map_err(late)?
}

/// The failure of a call whose function is named by a text that is not a reference.
pub(super) fn not_a_reference(error: InvalidFunctionRef) -> InvokeError {
    InvokeError::new(ErrorKind::InvalidInput, error.to_string()).with_source(error)
}
