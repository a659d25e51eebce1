//! Admission by memory: how much memory the guests of a process may have together.

use std::sync::Arc;

use bytesize::ByteSize;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::call::{Gate, Invocation, InvokeError, Invoker, Occupancy, Response};

/// The unit in which memory is counted, in bytes: a page of WebAssembly.
const PAGE: u64 = 64 << 10;

/// A layer that limits the memory which is granted to guests. While an invocation runs, the `memory` limit of its
/// function counts as granted, and not only the memory that its guest uses. An invocation that would pass the total
/// waits for up to [`QUEUE_TIMEOUT`](crate::QUEUE_TIMEOUT), and is then refused as
/// [`Overload::Server`](crate::Overload::Server).
///
/// [`RuntimeBuilder::guest_memory`](crate::RuntimeBuilder::guest_memory) adds it to a runtime.
///
/// - Memory is granted until the guest has ended, also where that goes on after its response.
/// - An instance that waits for its next request (see [`Reuse`](crate::Reuse)) is not counted.
pub struct MemoryAdmission {
    inner: Arc<dyn Invoker>,
    gate: Gate,
    total: u32,
}

impl MemoryAdmission {
    /// Lets invocations into `inner` whose guests together have at most `total`. A function whose limit is higher has
    /// all of it.
    pub fn new(inner: Arc<dyn Invoker>, total: ByteSize) -> Self {
        Self::with_gate(inner, Self::gate(total), total)
    }

    /// A gate for [`MemoryAdmission::with_gate`].
    pub(crate) fn gate(total: ByteSize) -> Gate {
        Gate::of_memory(pages(total.as_u64() / PAGE))
    }

    /// Lets invocations into `inner` that have their memory of `gate`, which has `total`.
    pub(crate) fn with_gate(inner: Arc<dyn Invoker>, gate: Gate, total: ByteSize) -> Self {
        Self { inner, gate, total: pages(total.as_u64() / PAGE) }
    }

    /// How many bytes of `gate` are granted.
    pub(crate) fn granted_of(gate: &Gate) -> Occupancy {
        gate.occupancy().times(PAGE)
    }

    /// How many pages the invocation's function may have.
    fn granted(&self, invocation: &Invocation) -> u32 {
        let memory = invocation.resolved().map(|resolved| resolved.limits.memory.as_u64());
        pages(memory.unwrap_or_default().div_ceil(PAGE)).min(self.total)
    }
}

/// No machine has as much memory as this many pages can be.
fn pages(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Invoker for MemoryAdmission {
    /// Written without `async fn`, as [`Admission`](crate::Admission) is.
    fn invoke<'a, 'call>(&'a self, mut invocation: Invocation) -> BoxFuture<'call, Result<Response, InvokeError>>
    where
        'a: 'call,
        Self: 'call,
    {
        let granted = self.granted(&invocation);
        if let Some(place) = self.gate.try_share(&invocation, granted) {
            invocation.guards.add_place(place);
            return self.inner.invoke(invocation);
        }
        Box::pin(async move {
            let arrived = Instant::now();
            let request = invocation.request(granted);
            let place = self.gate.wait(request, invocation.deadline, &invocation.report).await;
            invocation.trace.note_step("queue", arrived, place.as_ref().err());
            let place = place?;
            invocation.guards.add_place(place);
            invocation.ready_since = None;
            self.inner.invoke(invocation).await
        })
    }
}

/// The memory that one function may have where all guests together have `total`: whole pages, because the engine
/// reserves memory in pages.
pub(crate) fn most_for_one(total: ByteSize) -> ByteSize {
    ByteSize(total.as_u64() / PAGE * PAGE)
}
