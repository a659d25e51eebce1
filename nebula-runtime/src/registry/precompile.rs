//! Compiling published functions before they are first called.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;

use super::{lookup::Registry, missing::no_such_version, package::Architecture};
use crate::{
    engine::{CodeKey, Compiler, KeptCode},
    function::{AliasTarget, Digest, FunctionName, FunctionRef, RegistryError, UnreadableFunction, VersionRef},
    store::{FunctionRecord, Progress, VersionEntry},
};

/// A version whose compiled code is in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PrecompiledVersion {
    /// The function.
    pub name: FunctionName,
    /// The version's number.
    pub version: u64,
    /// The module's digest. Versions of the same module share its code.
    pub digest: Digest,
    /// The size of the code's file, in bytes.
    pub code_size: u64,
    /// Whether the code was there already.
    pub was_kept: bool,
}

/// A version that was compiled, or a function that could not be.
pub type Precompiled = Result<PrecompiledVersion, UnreadableFunction>;

/// How many records are read, and modules waited for, at once. The compiler takes no more modules at once than there are
/// cores.
const AT_ONCE: usize = 8;

/// A version that is to be compiled.
struct Version {
    name: FunctionName,
    number: u64,
    digest: Digest,
    manifest: Digest,
}

impl Registry {
    /// Compiles functions into the cache: of a function without a version, the latest and those that aliases point to.
    /// Without any function, all functions.
    pub(crate) async fn precompile(
        &self,
        compiler: &Compiler,
        functions: &[FunctionRef],
        architecture: Option<Architecture>,
        progress: &Progress,
    ) -> Result<Vec<Precompiled>, RegistryError> {
        let all: Vec<FunctionRef> = match functions {
            [] => self.store.names().await?.into_iter().map(FunctionRef::from).collect(),
            _ => Vec::new(),
        };
        let is_named = all.is_empty();
        let wanted = stream::iter(if is_named { functions } else { &all });
        let versions = wanted.map(|function| async move {
            match self.wanted(function).await {
                Err(error) if is_named => Err(error),
                Err(error) => Ok(vec![Err(UnreadableFunction { name: function.name().clone(), error })]),
                Ok(versions) => Ok(versions.into_iter().map(Ok).collect()),
            }
        });
        let versions: Vec<Vec<_>> = versions.buffered(AT_ONCE).try_collect().await?;
        let versions: Vec<_> = versions.into_iter().flatten().collect();
        progress.expect(versions.len());
        let compiled = stream::iter(versions).map(|version: Result<Version, _>| async move {
            let compiled = match version {
                Ok(version) => self.compile(compiler, version, architecture).await,
                Err(unreadable) => Err(unreadable),
            };
            progress.advance();
            compiled
        });
        Ok(compiled.buffered(AT_ONCE).collect().await)
    }

    /// The versions that a reference wants to be compiled.
    async fn wanted(&self, function: &FunctionRef) -> Result<Vec<Version>, RegistryError> {
        let record = self.record(function.name()).await?;
        let numbers = match function.version() {
            VersionRef::Latest => in_use(&record),
            version => record.resolve(version, AliasTarget::heaviest).map(|(number, _)| number).into_iter().collect(),
        };
        if numbers.is_empty() && !matches!(function.version(), VersionRef::Latest) {
            return Err(no_such_version(function));
        }
        let found = numbers.into_iter().filter_map(|number| record.version(number));
        let name = function.name();
        let version = |(number, entry): (u64, &VersionEntry)| {
            let (digest, manifest) = (entry.module, entry.manifest);
            Version { name: name.clone(), number, digest, manifest }
        };
        Ok(found.map(version).collect())
    }

    async fn compile(&self, compiler: &Compiler, version: Version, architecture: Option<Architecture>) -> Precompiled {
        let Version { name, number, digest, manifest } = version;
        let engines = Arc::clone(self.loader.engines());
        let target = architecture.map(Architecture::target);
        let compiled = match self.store.manifest(&manifest).await {
            Ok(manifest) => {
                let (store, code) = (self.store.clone(), manifest.code());
                let wasm = async move { store.module(&code).await.map_err(|error| RegistryError::from(error).into()) };
                let key = CodeKey::of(code, &manifest.config);
                compiler.precompile(engines, key, target, wasm.boxed()).await.map_err(RegistryError::from)
            }
            Err(error) => Err(error.into()),
        };
        match compiled {
            Ok(KeptCode { size, was_kept }) => {
                Ok(PrecompiledVersion { name, version: number, digest, code_size: size, was_kept })
            }
            Err(error) => {
                let detail = format!("version {number}: {}", error.detail());
                let error = RegistryError::new(error.kind(), detail).with_source(error);
                Err(UnreadableFunction { name, error })
            }
        }
    }
}

/// The versions that calls reach without naming a number: the latest, and those that aliases point to.
fn in_use(record: &FunctionRecord) -> BTreeSet<u64> {
    let targets = record.targets();
    let pointed_to = targets.values().flat_map(AliasTarget::weights).map(|(number, _)| number);
    record.latest().map(|(number, _)| number).into_iter().chain(pointed_to).collect()
}
