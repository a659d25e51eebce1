//! Admission: how many invocations run at once.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::call::{
    Gate, Invocation, InvokeError, Invoker, Overload, Place, ReportHandle, Request, Response, Rounds, TooLong,
};

/// A layer that limits how many invocations run at once. An invocation that finds no place waits for up to
/// [`QUEUE_TIMEOUT`](crate::QUEUE_TIMEOUT), and is then refused as [`Overload::Server`].
///
/// [`RuntimeBuilder::admission`](crate::RuntimeBuilder::admission) adds it to a runtime.
///
/// - A function has at most three times as many places as are free: one function alone gets three quarters of them, so
///   that the calls of others find a place. Functions that wait for places take turns.
/// - While several functions are called, those with many short calls take turns as well.
/// - An invocation's place is free again when its guest has ended, also where that goes on after its response.
/// - An invocation past its function's timeout that waits for its reader loses its place to an invocation that waits
///   for one. The invocation furthest past its timeout is ended first.
pub struct Admission {
    inner: Arc<dyn Invoker>,
    gate: Gate,
    rounds: Rounds,
}

impl Admission {
    /// Lets at most `concurrency` invocations into `inner` at once.
    pub fn new(inner: Arc<dyn Invoker>, concurrency: u32) -> Self {
        Self::with_gate(inner, Self::gate(concurrency))
    }

    /// A gate for [`Admission::with_gate`].
    pub(crate) fn gate(concurrency: u32) -> Gate {
        Gate::new(concurrency, Overload::Server)
    }

    /// Lets invocations into `inner` that have a place of `gate`.
    pub(crate) fn with_gate(inner: Arc<dyn Invoker>, gate: Gate) -> Self {
        Self { inner, gate, rounds: Rounds::new() }
    }

    /// A place, and before that a turn for an invocation that has none.
    async fn wait(
        &self,
        has_turn: bool,
        request: Request,
        deadline: Option<Instant>,
        report: &ReportHandle,
    ) -> Result<Place, InvokeError> {
        if !has_turn {
            let arrived = Instant::now();
            let turn = self.rounds.wait(&request, deadline).await;
            report.update(|report| report.queued += arrived.elapsed());
            turn.map_err(|TooLong| self.gate.refusal(&request))?;
        }
        self.gate.wait(request, deadline, report).await
    }
}

impl Invoker for Admission {
    /// Written without `async fn`: an invocation that finds a place at once needs no future of its own here.
    fn invoke<'a, 'call>(&'a self, mut invocation: Invocation) -> BoxFuture<'call, Result<Response, InvokeError>>
    where
        'a: 'call,
        Self: 'call,
    {
        let has_turn = self.rounds.admit(&invocation);
        if has_turn && let Some(place) = self.gate.try_share(&invocation, 1) {
            invocation.guards.add_place(place);
            return self.inner.invoke(invocation);
        }
        Box::pin(async move {
            let (arrived, request) = (Instant::now(), invocation.request(1));
            let place = self.wait(has_turn, request, invocation.deadline, &invocation.report).await;
            invocation.trace.note_step("queue", arrived, place.as_ref().err());
            let place = place?;
            invocation.guards.add_place(place);
            invocation.ready_since = None;
            self.inner.invoke(invocation).await
        })
    }
}
