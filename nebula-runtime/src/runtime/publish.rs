//! What takes a compiler: running functions as they are in a store, and publishing them.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::{Runtime, RuntimeBuilder, binary::binary, compose::compose};
use crate::{
    AliasName, Composition, Digest, ErrorKind, Export, FunctionConfig, FunctionInfo, FunctionName, InvokeError, Linked,
    Store,
    abi::{Guest, some_of},
    deployments::store_failure,
    engine::Compiler,
    store::NewVersion,
};

/// What a publish did.
#[derive(Debug, Clone)]
pub struct Published {
    /// The version that the name now means.
    pub info: FunctionInfo,
    /// Whether anything changed: `false` where exactly this was published already.
    pub changed: bool,
}

impl RuntimeBuilder {
    /// A folder in which compiled code is kept. Without one, code is compiled once in each process.
    ///
    /// Not for a [`Package`](crate::Package), which brings its code along.
    #[must_use]
    pub fn code_cache(mut self, folder: Option<PathBuf>) -> Self {
        self.code = Arc::new(Compiler::new(folder));
        self
    }
}

impl Runtime {
    /// A runtime for the functions of `store`. Their code is compiled when it is first needed.
    pub fn builder(store: Store) -> RuntimeBuilder {
        RuntimeBuilder::new(store, Arc::new(Compiler::new(None)))
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
        let info = self.deployments.stored(&name.clone().into()).await?;
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
        match self.deployments.stored(&name.clone().into()).await {
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
            let info = self.deployments.stored(function).await.map_err(|error| {
                let detail = format!("imports: {import:?} is to be function {function}: {}", error.detail());
                InvokeError::new(error.kind(), detail).with_source(error)
            })?;
            components.push(self.store.module(&info.digest).await.map_err(store_failure)?);
            imports.push(Linked {
                import: import.clone(),
                function: function.clone(),
                version: info.version,
                digest: info.digest,
            });
        }
        let composition = Composition { component: Digest::of(&module), imports };
        let (name, linked) = (name.clone(), composition.imports.clone());
        let composed =
            spawn_blocking(move || compose(&name, &module, &linked.iter().zip(components).collect::<Vec<_>>()));
        let failed = |error| InvokeError::new(ErrorKind::Internal, "linking the component failed").with_source(error);
        Ok((composed.await.map_err(failed)??, Some(composition)))
    }
}

/// What can be called of a guest. On a thread that may be held for a while: a large component is read once more for it.
async fn describe(guest: &Guest, module: &Bytes) -> Result<Vec<Export>, InvokeError> {
    let (guest, module) = (guest.clone(), module.clone());
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
    let detail = guest.uncallable(export).unwrap_or(detail);
    Err(InvokeError::new(ErrorKind::InvalidInput, detail))
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use tokio::time::Instant;

    use super::*;
    use crate::{Event, Invocation, Invoker as _, StoreUrl};

    #[test]
    fn an_invocation_may_be_made_outside_of_tokio_and_awaited_in_it() {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let runtime = Runtime::builder(Store::memory()).concurrency(1).build().unwrap();
        let wasm = "(module (func (export \"seven\") (result i32) (i32.const 7)))";
        let name: FunctionName = "seven".parse().unwrap();
        tokio.block_on(runtime.publish(&name, wasm.into(), FunctionConfig::default(), None)).unwrap();
        let invoke = || runtime.invoke(Invocation::new(name.clone(), Event::default()));
        tokio.block_on(invoke()).unwrap();
        // Old enough to be read again by the way.
        let later = Instant::now() + Duration::from_secs(1);
        assert!(runtime.deployments.ready(&name.clone().into(), later).is_some());
        assert_eq!(tokio.block_on(invoke()).unwrap().body.into_whole().unwrap(), "7");
    }

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
