//! The step before admission: a call whose result is kept is answered, and takes part in nothing that follows.

use std::{any::Any, future::ready, sync::Arc};

use futures_util::future::BoxFuture;

use super::code::Code;
use crate::{
    call::{Invocation, InvokeError, Invoker, Response},
    guest::Deployment,
};

/// An invoker that answers the calls of pure functions whose results are kept, and passes on all others.
pub(super) struct KnownResults {
    inner: Arc<dyn Invoker>,
    code: Code,
}

impl KnownResults {
    pub(super) fn new(inner: Arc<dyn Invoker>, code: Code) -> Self {
        Self { inner, code }
    }

    fn answer(&self, invocation: &Invocation) -> Option<Response> {
        let deployed: &dyn Any = invocation.deployed.as_deref()?;
        let deployment = deployed.downcast_ref::<Deployment>().filter(|deployment| deployment.code.is_deterministic)?;
        self.code.loader.loaded(&deployment.code)?.known_answer(invocation, deployment)
    }
}

impl Invoker for KnownResults {
    /// Written without `async fn`: most functions are not pure, and need no future of this step.
    fn invoke<'a, 'call>(&'a self, invocation: Invocation) -> BoxFuture<'call, Result<Response, InvokeError>>
    where
        'a: 'call,
        Self: 'call,
    {
        match self.answer(&invocation) {
            Some(answer) => Box::pin(ready(Ok(answer))),
            None => self.inner.invoke(invocation),
        }
    }
}
