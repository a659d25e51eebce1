//! The runtime: a store's functions, behind [`Invoker`].

#[cfg(feature = "compiler")]
mod binary;
#[cfg(feature = "compiler")]
mod compose;
#[cfg(feature = "compiler")]
mod package;
#[cfg(feature = "compiler")]
mod publish;
#[cfg(test)]
#[cfg(feature = "compiler")]
mod tests;

use std::{future::ready, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    ByteSize, Catalog, Digest, ErrorKind, FunctionInfo, FunctionName, FunctionRef, GuestStderr, Invocation,
    InvokeError, Invoker, LimitSettings, Limits, Response, Start,
    abi::{Answer, Call, Guest, Held},
    body::too_large,
    deployments::{Deployment, Deployments, no_answer, store_failure},
    engine::{CodeSource, EngineError, Engines, Flavour},
    gate::Place,
    loader::Loader,
    store::{Store, StoreError},
};

#[cfg(feature = "compiler")]
pub use self::{
    package::{NewPackage, PackagedFunction},
    publish::Published,
};

/// Runs the functions of a store.
///
/// Cheap to share as `Arc<Runtime>`. Dropping it ends its clock; guests that still run are stopped with their invocations.
pub struct Runtime {
    store: Store,
    loader: Loader,
    deployments: Deployments,
    stderr: GuestStderr,
    /// How large a streamed response may be where its function does not say it.
    max_stream: Option<ByteSize>,
}

/// How a [`Runtime`] is set up; what is not said is the default.
pub struct RuntimeBuilder {
    store: Store,
    defaults: Limits,
    ceilings: LimitSettings,
    code: Arc<dyn CodeSource>,
    stderr: GuestStderr,
    concurrency: u32,
    loaded: usize,
    engine_at_once: bool,
}

impl RuntimeBuilder {
    pub(crate) fn new(store: Store, code: Arc<dyn CodeSource>) -> Self {
        Self {
            store,
            code,
            defaults: Limits::default(),
            ceilings: LimitSettings::default(),
            stderr: GuestStderr::default(),
            concurrency: 256,
            loaded: 2_000,
            engine_at_once: true,
        }
    }

    /// Leaves the engine for when the first function is loaded: a failure to make it is then that function's, and the start
    /// is quicker.
    pub(crate) fn engine_at_first_load(mut self) -> Self {
        self.engine_at_once = false;
        self
    }

    /// Limits of functions that set none of their own.
    #[must_use]
    pub fn defaults(mut self, limits: Limits) -> Self {
        self.defaults = limits;
        self
    }

    /// Limits that no function exceeds, whatever it sets: instead of those of [`Limits::CEILINGS`]. A `max_response`
    /// among them limits responses that are streamed as well, of functions too that set no limit themselves.
    #[must_use]
    pub fn ceilings(mut self, ceilings: LimitSettings) -> Self {
        self.ceilings = ceilings;
        self
    }

    /// Where guests' stderr goes: to the log, if nothing else is said.
    #[must_use]
    pub fn guest_stderr(mut self, stderr: GuestStderr) -> Self {
        self.stderr = stderr;
        self
    }

    /// How many instances there is room for at once: 256, if nothing else is said. Address space is reserved for them.
    #[must_use]
    pub fn concurrency(mut self, instances: u32) -> Self {
        self.concurrency = instances;
        self
    }

    /// How many modules stay in memory: 2,000, if nothing else is said.
    #[must_use]
    pub fn loaded_modules(mut self, modules: usize) -> Self {
        self.loaded = modules;
        self
    }

    /// Sets the runtime up.
    ///
    /// # Errors
    /// Where the engine cannot be set up. A cache folder that cannot be used is only logged.
    pub fn build(self) -> Result<Runtime, EngineError> {
        let ceilings = Limits::CEILINGS.with(&self.ceilings);
        let engines = Arc::new(Engines::new(self.concurrency, ceilings.memory));
        if self.engine_at_once {
            engines.engine(Flavour::Plain)?;
        }
        Ok(Runtime {
            loader: Loader::new(engines, self.code, self.loaded),
            deployments: Deployments::new(self.store.clone(), self.defaults, ceilings),
            max_stream: self.ceilings.max_response,
            store: self.store,
            stderr: self.stderr,
        })
    }
}

impl Runtime {
    /// What is known of a version.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none, and what the store fails with.
    pub async fn inspect(&self, function: &FunctionRef) -> Result<FunctionInfo, InvokeError> {
        self.deployments.info(function).await
    }

    /// Brings a function's code into memory, as its first invocation would otherwise have to.
    ///
    /// # Errors
    /// As that invocation would fail.
    pub async fn load(&self, function: &FunctionRef) -> Result<(), InvokeError> {
        let deployment = self.deployments.get(function, Instant::now()).await?;
        self.guest(&deployment).await.map(drop)
    }

    /// All that a call of the function needs, where it is here already and nothing is to be waited for.
    fn ready(&self, invocation: &Invocation, arrived: Instant) -> Option<Ready> {
        let deployment = self.deployments.ready(&invocation.function, arrived)?;
        let guest = self.loader.loaded(&deployment.manifest.module)?;
        let place = deployment.gate.try_enter()?;
        note(invocation, &deployment, Start::Warm);
        // So near to it that another look at the clock would cost more than the time it told.
        Some(Ready { deployment, guest, place, began: arrived })
    }

    /// Finds the function, waits for a place, and loads the code where it is not in memory.
    ///
    /// The invocation is borrowed for itself alone because its body, which others may not look at, is not `Sync`.
    async fn prepare(&self, invocation: &mut Invocation, arrived: Instant) -> Result<Ready, InvokeError> {
        let deployment = self.deployments.get(&invocation.function, arrived).await?;
        let loaded = self.loader.loaded(&deployment.manifest.module);
        note(invocation, &deployment, if loaded.is_some() { Start::Warm } else { Start::Cold });
        refuse_large(invocation, &deployment)?;
        let found = Instant::now();
        let place = deployment.gate.enter(&invocation.function, invocation.deadline, &invocation.report).await?;
        let entered = Instant::now();
        let guest = match loaded {
            Some(guest) => guest,
            None => within(invocation.deadline, self.guest(&deployment)).await?,
        };
        let began = Instant::now();
        // What was waited for at the function's own gate was not loading.
        invocation.report.update(|report| report.loading = (began - entered) + (found - arrived));
        Ok(Ready { deployment, guest, place, began })
    }

    async fn guest(&self, deployment: &Deployment) -> Result<Guest, InvokeError> {
        let (store, digest) = (self.store.clone(), deployment.manifest.module);
        self.loader.load(digest, async move { read_module(&store, &digest).await }).await
    }
}

/// All that a call of a function needs.
struct Ready {
    deployment: Arc<Deployment>,
    guest: Guest,
    place: Place,
    /// When there was nothing left to wait for.
    began: Instant,
}

impl Ready {
    fn call(self, mut invocation: Invocation, runtime: &Runtime) -> Answer {
        let Self { deployment, guest, place, began } = self;
        if let Err(error) = refuse_large(&invocation, &deployment) {
            return Box::pin(ready(Err(error)));
        }
        let (limits, stderr) = (deployment.limits, runtime.stderr);
        let own = deployment.manifest.config.limits.max_response.map(|_| limits.max_response);
        let max_stream = own.or(runtime.max_stream);
        let held = Held { guards: std::mem::take(&mut invocation.guards), place };
        guest.call(Call { invocation, deployment, limits, max_stream, began, stderr, held })
    }
}

impl Invoker for Runtime {
    /// What `#[async_trait]` makes of an `async fn`, by hand: that one's future would hold the invocation, and the guest's
    /// own future, and be copied to the heap with both.
    fn invoke<'a, 'call>(&'a self, mut invocation: Invocation) -> BoxFuture<'call, Result<Response, InvokeError>>
    where
        'a: 'call,
        Self: 'call,
    {
        let arrived = Instant::now();
        if invocation.deadline.is_some_and(|deadline| deadline <= arrived) {
            let detail = "the deadline had passed before the function was started";
            return Box::pin(ready(Err(InvokeError::new(ErrorKind::Timeout, detail))));
        }
        match self.ready(&invocation, arrived) {
            Some(ready) => ready.call(invocation, self),
            None => Box::pin(async move {
                let ready = self.prepare(&mut invocation, arrived).await?;
                ready.call(invocation, self).await
            }),
        }
    }
}

#[async_trait]
impl Catalog for Runtime {
    async fn ready(&self) -> Result<(), InvokeError> {
        self.store.ready().await.map_err(not_ready)
    }

    async fn names(&self) -> Result<Vec<FunctionName>, InvokeError> {
        self.store.names().await.map_err(store_failure)
    }

    async fn function(&self, reference: &FunctionRef) -> Result<FunctionInfo, InvokeError> {
        self.inspect(reference).await
    }
}

/// Why functions cannot be read, in the words of an operator: all of it is the store's state, and
/// passes when that does.
fn not_ready(error: StoreError) -> InvokeError {
    let detail = match &error {
        StoreError::Gone { .. } => "the store is gone from its place: its nebula-store.json is missing",
        StoreError::NewerFormat { .. } => "a newer Nebula uses the store: use a newer Nebula here",
        StoreError::Malformed { .. } => "the store's nebula-store.json is damaged",
        StoreError::Unavailable { .. }
        | StoreError::Folder { .. }
        | StoreError::Missing { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Unwritable { .. }
        | StoreError::Contended { .. } => "the store is out of reach",
    };
    InvokeError::new(ErrorKind::Unavailable, detail).with_source(error)
}

/// Notes in the invocation's report what it is a call of.
fn note(invocation: &Invocation, deployment: &Deployment, start: Start) {
    invocation.report.update(|report| {
        report.version = Some(deployment.version);
        report.digest = Some(deployment.manifest.module);
        report.kind = Some(deployment.manifest.kind);
        report.start = start;
    });
}

/// Refuses a request that says itself that it is over its limit, before anything is started for it.
fn refuse_large(invocation: &Invocation, deployment: &Deployment) -> Result<(), InvokeError> {
    let limit = deployment.limits.max_request.as_u64();
    if invocation.event.size_hint().lower() > limit { Err(too_large(limit)) } else { Ok(()) }
}

/// Reads a module that is to be compiled, so long as a caller can wait for that: a module is large, and may come from afar.
async fn read_module(store: &Store, digest: &Digest) -> Result<Bytes, InvokeError> {
    const PATIENCE: Duration = Duration::from_secs(10);

    timeout(PATIENCE, store.module(digest)).await.map_err(|_| no_answer())?.map_err(store_failure)
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
