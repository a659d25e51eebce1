//! The runtime: a store's functions, behind [`Invoker`].

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::{
    sync::OwnedSemaphorePermit,
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

use crate::{
    AliasName, Catalog, Composition, Digest, ErrorKind, Export, FunctionConfig, FunctionInfo, FunctionName,
    FunctionRef, GuestStderr, Invocation, InvokeError, Invoker, Limits, Linked, Response, Start,
    abi::{Call, Guest, some_of},
    body::too_large,
    composition::compose,
    deployments::{Deployment, Deployments, store_failure},
    engine::{EngineError, Engines},
    loader::Loader,
    store::{NewVersion, Store},
};

/// Runs the functions of a store.
///
/// Cheap to share as `Arc<Runtime>`. Dropping it ends its clock; guests that still run are stopped with their invocations.
pub struct Runtime {
    store: Store,
    loader: Loader,
    deployments: Deployments,
    stderr: GuestStderr,
}

/// How a [`Runtime`] is set up; what is not said is the default.
pub struct RuntimeBuilder {
    store: Store,
    defaults: Limits,
    ceilings: Limits,
    code_cache: Option<PathBuf>,
    stderr: GuestStderr,
    concurrency: u32,
    loaded: usize,
}

/// What a publish did.
#[derive(Debug, Clone)]
pub struct Published {
    /// The version that the name now means.
    pub info: FunctionInfo,
    /// Whether anything changed: `false` where exactly this was published already.
    pub changed: bool,
}

impl RuntimeBuilder {
    /// Limits of functions that set none of their own.
    #[must_use]
    pub fn defaults(mut self, limits: Limits) -> Self {
        self.defaults = limits;
        self
    }

    /// Limits that no function exceeds, whatever it sets.
    #[must_use]
    pub fn ceilings(mut self, limits: Limits) -> Self {
        self.ceilings = limits;
        self
    }

    /// A folder in which compiled code is kept. Without one, code is compiled once in each process.
    #[must_use]
    pub fn code_cache(mut self, folder: Option<PathBuf>) -> Self {
        self.code_cache = folder;
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
        let engines = Arc::new(Engines::new(self.concurrency, self.ceilings.memory, self.code_cache.as_deref())?);
        Ok(Runtime {
            loader: Loader::new(engines, self.loaded),
            deployments: Deployments::new(self.store.clone(), self.defaults, self.ceilings),
            store: self.store,
            stderr: self.stderr,
        })
    }
}

impl Runtime {
    /// A runtime for the functions of `store`.
    pub fn builder(store: Store) -> RuntimeBuilder {
        RuntimeBuilder {
            store,
            defaults: Limits::default(),
            ceilings: Limits::CEILINGS,
            code_cache: None,
            stderr: GuestStderr::default(),
            concurrency: 256,
            loaded: 2_000,
        }
    }

    /// Publishes a module, in the binary or in the text format, as the newest version of `name`; `alias` then points to it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModule`] where it cannot be run, [`ErrorKind::InvalidInput`] where its configuration does not
    /// fit it, and what the store fails with. Nothing is changed then.
    pub async fn publish(
        &self,
        name: &FunctionName,
        module: Bytes,
        config: FunctionConfig,
        alias: Option<&AliasName>,
    ) -> Result<Published, InvokeError> {
        let (module, composition) = self.compose(name, binary(module)?, &config).await?;
        let digest = Digest::of(&module);
        if let Some(info) = self.published_already(name, &digest, &config, composition.as_ref(), alias).await? {
            return Ok(Published { info, changed: false });
        }
        let wasm = module.clone();
        let guest = self.loader.load(digest, async move { Ok(wasm) }).await?;
        let (kind, exports) = (guest.kind(), describe(&guest, &module).await?);
        check_export(&config, &guest, &exports)?;
        check_reuse(&config, &guest)?;
        let version = NewVersion { module, kind, exports, config, composition };
        let published = self.store.publish(name, version, alias).await.map_err(store_failure)?;
        self.deployments.forget(name);
        let info = self.inspect(&name.clone().into()).await?;
        Ok(Published { info, changed: published.changed })
    }

    /// The newest version, if it is exactly this and whole. Then there is nothing to compile, and a start with ten thousand
    /// functions that are all published already is quick.
    async fn published_already(
        &self,
        name: &FunctionName,
        digest: &Digest,
        config: &FunctionConfig,
        composition: Option<&Composition>,
        alias: Option<&AliasName>,
    ) -> Result<Option<FunctionInfo>, InvokeError> {
        match self.inspect(&name.clone().into()).await {
            Ok(info) => {
                let same = info.digest == *digest && info.config == *config && info.composition.as_ref() == composition;
                let aliased = alias.is_none_or(|alias| info.aliases.contains(alias));
                let whole = same && aliased && self.store.module(digest).await.is_ok();
                Ok(whole.then_some(info))
            }
            Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
            // Not there, or damaged: publishing restores it.
            Err(_) => Ok(None),
        }
    }

    /// The component with its imports linked as its configuration says.
    async fn compose(
        &self,
        name: &FunctionName,
        module: Bytes,
        config: &FunctionConfig,
    ) -> Result<(Bytes, Option<Composition>), InvokeError> {
        if config.imports.is_empty() {
            return Ok((module, None));
        }
        let (mut imports, mut components) = (Vec::new(), Vec::new());
        for (import, function) in &config.imports {
            let info = self.inspect(function).await.map_err(|error| {
                let detail = format!("imports: {import:?} is to be function {function}: {}", error.detail());
                InvokeError::new(error.kind(), detail).with_source(error)
            })?;
            components.push(self.store.module(&info.digest).await.map_err(store_failure)?);
            imports.push(Linked::new(import.clone(), function.clone(), info.version, info.digest));
        }
        let composition = Composition { component: Digest::of(&module), imports };
        let (name, linked) = (name.clone(), composition.imports.clone());
        let composed =
            spawn_blocking(move || compose(&name, &module, &linked.iter().zip(components).collect::<Vec<_>>()));
        let failed = |error| InvokeError::new(ErrorKind::Internal, "linking the component failed").with_source(error);
        Ok((composed.await.map_err(failed)??, Some(composition)))
    }

    /// What is known of a version.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none, and what the store fails with.
    pub async fn inspect(&self, function: &FunctionRef) -> Result<FunctionInfo, InvokeError> {
        self.deployments.info(function).await
    }

    /// All that a call of the function needs, where it is here already and nothing is to be waited for.
    fn ready(&self, invocation: &Invocation, arrived: Instant) -> Option<Ready> {
        let deployment = self.deployments.ready(&invocation.function, arrived.into_std())?;
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
        let deployment = self.deployments.get(&invocation.function, arrived.into_std()).await?;
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

    async fn guest(&self, deployment: &Deployment) -> Result<Arc<Guest>, InvokeError> {
        let (store, digest) = (self.store.clone(), deployment.manifest.module);
        self.loader.load(digest, async move { store.module(&digest).await.map_err(store_failure) }).await
    }
}

/// All that a call of a function needs.
struct Ready {
    deployment: Arc<Deployment>,
    guest: Arc<Guest>,
    place: OwnedSemaphorePermit,
    /// When there was nothing left to wait for.
    began: Instant,
}

#[async_trait]
impl Invoker for Runtime {
    async fn invoke(&self, mut invocation: Invocation) -> Result<Response, InvokeError> {
        let arrived = Instant::now();
        if invocation.deadline.is_some_and(|deadline| deadline <= arrived) {
            return Err(InvokeError::new(
                ErrorKind::Timeout,
                "the deadline had passed before the function was started",
            ));
        }
        let ready = match self.ready(&invocation, arrived) {
            Some(ready) => ready,
            // On the heap, so that this rarer future does not make each invocation's larger.
            None => Box::pin(self.prepare(&mut invocation, arrived)).await?,
        };
        let Ready { deployment, guest, place, began } = ready;
        refuse_large(&invocation, &deployment)?;
        let mut limits = deployment.limits;
        if let Some(deadline) = invocation.deadline {
            limits.timeout = limits.timeout.min(deadline - began);
        }
        guest.call(Call { invocation, deployment, limits, began, stderr: self.stderr, place }).await
    }
}

#[async_trait]
impl Catalog for Runtime {
    async fn functions(&self) -> Result<Vec<FunctionInfo>, InvokeError> {
        /// Reads of the store at once.
        const READS: usize = 16;

        let names = self.store.names().await.map_err(store_failure)?;
        let infos = names.into_iter().map(|name| async move { self.inspect(&name.into()).await });
        futures_util::stream::iter(infos).buffered(READS).try_collect().await
    }

    async fn function(&self, reference: &FunctionRef) -> Result<FunctionInfo, InvokeError> {
        self.inspect(reference).await
    }
}

/// The binary that a module stands for: itself, or what its text says.
fn binary(module: Bytes) -> Result<Bytes, InvokeError> {
    let invalid = |detail: String| InvokeError::new(ErrorKind::InvalidModule, detail);
    if module.starts_with(b"\0asm") {
        return Ok(module);
    }
    if module.is_empty() {
        return Err(invalid("the module is empty".to_owned()));
    }
    let Ok(text) = std::str::from_utf8(&module) else {
        return Err(invalid("the file is not WebAssembly: it is neither the binary format nor text".to_owned()));
    };
    let parsed = wat::parse_str(text)
        .map_err(|error| invalid(format!("the file is not WebAssembly, nor its text format: {error}")));
    parsed.map(Bytes::from)
}

/// What can be called of a guest. On a thread that may be held for a while: a large component is read once more for it.
async fn describe(guest: &Arc<Guest>, module: &Bytes) -> Result<Vec<Export>, InvokeError> {
    let (guest, module) = (Arc::clone(guest), module.clone());
    let described = spawn_blocking(move || guest.describe(&module)).await;
    described.map_err(|panic| InvokeError::new(ErrorKind::Internal, "failed to describe the module").with_source(panic))
}

fn check_reuse(config: &FunctionConfig, guest: &Guest) -> Result<(), InvokeError> {
    if config.reuse.is_none() || guest.is_reusable() {
        return Ok(());
    }
    let detail = "reuse is for handlers of wasi:http 0.3: every other guest has an instance for each invocation";
    Err(InvokeError::new(ErrorKind::InvalidInput, detail))
}

fn check_export(config: &FunctionConfig, guest: &Guest, exports: &[Export]) -> Result<(), InvokeError> {
    let Some(export) = &config.export else {
        return Ok(());
    };
    if guest.has_export(export) {
        return Ok(());
    }
    let detail = match exports {
        [] => {
            format!("the configured export {export:?} does not exist: a {} has no exports to choose from", guest.kind())
        }
        exports => format!("the configured export {export:?} does not exist; there are: {}", some_of(exports)),
    };
    Err(InvokeError::new(ErrorKind::InvalidInput, detail))
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{Event, StoreUrl};

    #[tokio::test]
    async fn publishing_again_restores_each_blob_that_is_corrupt_or_gone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreUrl::folder(folder.path()).unwrap()).await.unwrap();
        let name: FunctionName = "seven".parse().unwrap();
        let wasm = "(module (func (export \"seven\") (result i32) (i32.const 7)))";
        let runtime = || Runtime::builder(store.clone()).concurrency(1).build().unwrap();
        let publish =
            async || runtime().publish(&name, wasm.into(), FunctionConfig::default(), None).await.unwrap().changed;
        assert!(publish().await);
        for blob in fs::read_dir(folder.path().join("blobs/sha256")).unwrap().map(|blob| blob.unwrap().path()) {
            for damage in [|path| fs::write(path, "?"), |path| fs::remove_file(path)] {
                damage(&blob).unwrap();
                assert!(!publish().await);
                let response = runtime().invoke(Invocation::new(name.clone(), Event::default())).await.unwrap();
                assert_eq!(response.body.collect(10).await.unwrap(), "7");
            }
        }
    }
}
