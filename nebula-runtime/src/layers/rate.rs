//! Admission by rate: how often a function may be called.

use std::{future::ready, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;

use crate::call::{Invocation, InvokeError, Invoker, Overload, Response};

/// A layer that refuses the calls of a function beyond its own `rate`, as [`Overload::Function`]. It comes before all
/// queues: a call that is one too many waits for nothing.
pub(crate) struct RateAdmission {
    inner: Arc<dyn Invoker>,
}

impl RateAdmission {
    pub(crate) fn new(inner: Arc<dyn Invoker>) -> Self {
        Self { inner }
    }
}

impl Invoker for RateAdmission {
    /// Written without `async fn`: this layer needs no future of its own.
    fn invoke<'a, 'call>(&'a self, invocation: Invocation) -> BoxFuture<'call, Result<Response, InvokeError>>
    where
        'a: 'call,
        Self: 'call,
    {
        match invocation.rate().map_or(Ok(()), |limit| limit.take()) {
            Ok(()) => self.inner.invoke(invocation),
            Err(wait) => Box::pin(ready(Err(refusal(&invocation, wait)))),
        }
    }
}

fn refusal(invocation: &Invocation, wait: Duration) -> InvokeError {
    let rate = invocation.resolved().and_then(|resolved| resolved.limits.rate);
    let rate = rate.map(|rate| format!(" of {rate}")).unwrap_or_default();
    let detail = format!("function {} is at its rate limit{rate}; try again later", invocation.function.name());
    InvokeError::overloaded(Overload::Function, wait, detail)
}
