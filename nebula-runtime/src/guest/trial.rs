//! Trials: making an instance that serves no caller shows that one can be made.

use std::{pin::pin, sync::Arc};

use bytesize::ByteSize;
use tokio::time::Instant;
use wasmtime::InstancePre;

use super::{deployment::Deployment, recognise::Guest, source::Source};
use crate::{
    call::{Caller, Event, Invocation, InvokeError},
    engine::{Engine, Fault, Host, TimeLimit, fault, supervise},
    host::{GuestStderr, Stderr, System},
};

impl Guest {
    /// Makes an instance of the guest, and drops it.
    ///
    /// # Errors
    /// No instance can be made, so that every call would fail, or a granted folder cannot be opened.
    pub(crate) async fn try_out(&self, deployment: &Deployment) -> Result<(), InvokeError> {
        let invocation = Invocation::new(deployment.resolved.name.clone(), Event::default());
        let time_limit = TimeLimit { timeout: deployment.resolved.limits.timeout, deadline: None };
        let trial = pin!(self.instantiate(deployment, Caller::of(&invocation)));
        supervise(trial, Instant::now(), time_limit, invocation.report).explained_by(&deployment.symbols).await
    }

    async fn instantiate(&self, deployment: &Deployment, caller: Caller) -> Result<(), Fault> {
        let (engine, source) = self.source();
        let (granted, memory) = (&deployment.granted, deployment.resolved.limits.memory);
        match source {
            Source::Pure(pre) => module(engine, pre, (), memory, caller).await,
            Source::Module(pre) => module(engine, pre, granted.wasi_of_module()?.build_p1(), memory, caller).await,
            Source::Component(pre) => {
                let stderr = Stderr::new(&caller, GuestStderr::default());
                let system = System::without_input(granted, &stderr, &caller)?;
                let mut store = engine.store(system, memory, caller);
                let made = pre.instantiate_async(&mut store).await;
                made.map(drop).map_err(|error| fault(error, &store))
            }
        }
    }

    pub(super) fn source(&self) -> (&Arc<Engine>, Source<'_>) {
        match self {
            Self::Core(core) => core.source(),
            Self::Command(command) => command.source(),
            Self::Http(http) => http.source(),
            Self::Typed(typed) => typed.source(),
        }
    }
}

async fn module<W: Send + 'static>(
    engine: &Engine,
    pre: &InstancePre<Host<W>>,
    wasi: W,
    memory: ByteSize,
    caller: Caller,
) -> Result<(), Fault> {
    let mut store = engine.store(wasi, memory, caller);
    let made = pre.instantiate_async(&mut store).await;
    made.map(drop).map_err(|error| fault(error, &store))
}
