//! The runtime: a store's functions, behind [`Invoker`].
//!
//! A call passes four steps. It is *resolved* (`resolve/`): the function's reference becomes a version. It passes the
//! *layers*. Its code is *loaded* and the guest is *run* (`run.rs`). `steps.rs` puts the four together.

mod builder;
#[cfg(feature = "compiler")]
mod change;
mod code;
mod known;
#[cfg(feature = "compiler")]
mod precompile;
#[cfg(feature = "compiler")]
mod profile;
#[cfg(feature = "compiler")]
mod publication;
mod resolve;
mod resources;
mod run;
mod steps;
#[cfg(test)]
#[cfg(feature = "compiler")]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

pub use self::builder::RuntimeBuilder;
pub use self::resources::Resources;
#[cfg(feature = "compiler")]
pub use self::{change::Change, publication::Publication};
use self::{code::Code, resolve::Deployments, resources::Gates};
use crate::{
    call::{Event, Invocation, InvokeError, Invoker, Response},
    function::{Catalog, FunctionInfo, FunctionName, FunctionRef, HeldBack, Limits, RegistryError, RegistryErrorKind},
    guest::Results,
    store::{Store, StoreError, StoreHealth},
};
#[cfg(feature = "compiler")]
use crate::{engine::Compiler, registry::Registry, store::trust::Trust};

/// Runs the functions of a store.
///
/// Cheap to share as `Arc<Runtime>`. Dropping it ends its clock; guests that still run are stopped with their invocations.
pub struct Runtime {
    store: Store,
    #[cfg(feature = "compiler")]
    registry: Registry,
    #[cfg(feature = "compiler")]
    compiler: Compiler,
    deployments: Deployments,
    code: Code,
    gates: Gates,
    results: Arc<Results>,
    /// The outermost of the steps of a call.
    entry: Arc<dyn Invoker>,
}

impl Runtime {
    /// Calls a function and collects its answer: `runtime.call("calc:add@prod", Event::json("[1, 2]"))`.
    ///
    /// # Errors
    /// As [`Invoker::invoke`]; [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) where `function` is not a
    /// reference; [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) where the answer is larger than the
    /// function's `max_response`.
    pub async fn call(&self, function: &str, event: Event) -> Result<bytes::Bytes, InvokeError> {
        let function = function.parse::<FunctionRef>().map_err(run::not_a_reference)?;
        let response = self.invoke(Invocation::new(function, event)).await?;
        response.body.collect(Limits::CEILINGS.max_response.as_u64()).await
    }

    /// What is known of a version.
    ///
    /// # Errors
    /// [`RegistryErrorKind::NotFound`] where there is none, and what the store fails with.
    pub async fn inspect(&self, function: &FunctionRef) -> Result<FunctionInfo, RegistryError> {
        Ok(self.deployments.info(function).await?)
    }

    /// Whether the store can be read.
    pub fn store_health(&self) -> StoreHealth {
        self.deployments.health()
    }

    /// What it holds now, and how often it has loaded code.
    pub fn resources(&self) -> Resources {
        Resources::of(&self.gates, &self.code.loader, &self.results)
    }

    /// The store of its functions.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Which versions it trusts.
    #[cfg(feature = "compiler")]
    pub fn trust(&self) -> &Trust {
        self.registry.trust()
    }

    /// Brings a function's code into memory, as its first invocation would otherwise have to.
    ///
    /// # Errors
    /// As that invocation would fail.
    pub async fn load(&self, function: &FunctionRef) -> Result<(), InvokeError> {
        let deployment = self.deployments.get(function, Instant::now()).await?;
        self.code.guest(&deployment).await.map(drop)
    }
}

impl Invoker for Runtime {
    fn invoke<'a, 'call>(&'a self, invocation: Invocation) -> BoxFuture<'call, Result<Response, InvokeError>>
    where
        'a: 'call,
        Self: 'call,
    {
        self.entry.invoke(invocation)
    }
}

#[async_trait]
impl Catalog for Runtime {
    async fn ready(&self) -> Result<(), RegistryError> {
        self.store.ready().await.map_err(not_ready)
    }

    async fn names(&self) -> Result<Vec<FunctionName>, RegistryError> {
        Ok(self.store.names().await?)
    }

    async fn function(&self, reference: &FunctionRef) -> Result<FunctionInfo, RegistryError> {
        self.inspect(reference).await
    }

    fn held_back(&self) -> Vec<HeldBack> {
        self.deployments.held_back()
    }
}

/// Why functions cannot be read, in the words of an operator: each reason is a state of the store, and passes with it.
fn not_ready(error: StoreError) -> RegistryError {
    let detail = match &error {
        StoreError::Gone { .. } => "the store is gone from its place: its nebula-store.json is missing",
        StoreError::NewerFormat { .. } => "a newer Nebula uses the store: use a newer Nebula here",
        StoreError::Malformed { .. } => "the store's nebula-store.json is damaged",
        StoreError::Unavailable { .. }
        | StoreError::Folder { .. }
        | StoreError::Missing { .. }
        | StoreError::Corrupt { .. }
        | StoreError::NeitherWrittenNorThere { .. }
        | StoreError::NoCompareAndSwap { .. }
        | StoreError::NoNumber { .. }
        | StoreError::NoVersion { .. }
        | StoreError::NoAlias { .. }
        | StoreError::NotPublished { .. }
        | StoreError::PointedTo { .. }
        | StoreError::Stale { .. }
        | StoreError::NoSignature { .. }
        | StoreError::Unwritable { .. }
        | StoreError::Contended { .. } => "the store is out of reach",
    };
    RegistryError::new(RegistryErrorKind::Unavailable, detail).with_source(error)
}
