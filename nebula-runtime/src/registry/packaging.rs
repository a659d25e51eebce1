//! Packaging functions: compiled for one kind of processor, for a program without a compiler.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry},
    fs, io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use bytesize::ByteSize;
use tokio::task::spawn_blocking;

use super::{
    lookup::Registry,
    package::{Architecture, CODE, DESCRIPTION, Description, PackageSettings, Target},
};
use crate::{
    engine::{CodeKey, Compiler, Precompiled},
    function::{FunctionInfo, FunctionName, FunctionRef, Limits, RegistryError, RegistryErrorKind},
    store::{PackagedStore, trust::Candidate},
};

/// A package that was made and is not anywhere yet.
///
/// - The same functions, settings and architecture always make the same bytes.
#[derive(Debug, Clone)]
pub struct NewPackage {
    /// What it was made for.
    pub architecture: Architecture,
    /// What is in it, in the order in which it was asked for.
    pub functions: Vec<PackagedFunction>,
    /// Its files, by their paths in its folder.
    pub files: BTreeMap<PathBuf, Bytes>,
}

/// A function in a package.
#[derive(Debug, Clone)]
pub struct PackagedFunction {
    /// What is known of its version.
    pub info: FunctionInfo,
    /// The size of its code, in bytes. Versions of the same module share it, but a pure function has code of its own.
    pub code_size: u64,
}

impl Registry {
    /// Makes a package of published functions, which run under `settings`.
    pub(crate) async fn package(
        &self,
        functions: &[FunctionRef],
        architecture: Architecture,
        settings: PackageSettings,
    ) -> Result<NewPackage, RegistryError> {
        let (mut packaged, mut versions) = (Vec::new(), BTreeMap::<_, BTreeSet<_>>::new());
        for function in functions {
            let info = self.packable(function).await?;
            if versions.entry(info.name.clone()).or_default().insert(info.version) {
                packaged.push(info);
            }
        }
        let key = |info: &FunctionInfo| CodeKey::of(info.code(), &info.config);
        let (mut codes, max_memory) = (HashMap::new(), Limits::CEILINGS.with(&settings.ceilings).memory);
        for info in &packaged {
            if let Entry::Vacant(entry) = codes.entry(key(info)) {
                entry.insert(self.compile_for(architecture, info, max_memory).await?);
            }
        }
        let store = self.store.pack(&versions).await?;
        self.check_packed(&store, &versions).await?;
        let description = Description { target: Target::of(architecture), settings, store };
        let description = serde_json::to_vec_pretty(&description).map_err(|error| {
            RegistryError::new(RegistryErrorKind::Internal, "the package cannot be described").with_source(error)
        })?;
        let code_size = |info: &FunctionInfo| codes.get(&key(info)).map_or(0, |(_, code)| code.len() as u64);
        let functions =
            packaged.into_iter().map(|info| PackagedFunction { code_size: code_size(&info), info }).collect();
        let described = (PathBuf::from(DESCRIPTION), Bytes::from(description));
        Ok(NewPackage { architecture, functions, files: codes.into_values().chain([described]).collect() })
    }

    /// Refuses a packed version that is not trusted. Only what was packed is looked at: the store may change meanwhile.
    async fn check_packed(
        &self,
        packed: &PackagedStore,
        versions: &BTreeMap<FunctionName, BTreeSet<u64>>,
    ) -> Result<(), RegistryError> {
        if !self.trust.is_required() {
            return Ok(());
        }
        let packed = packed.open().await?;
        for (name, numbers) in versions {
            let (packed, record) = (packed.record(name).await?.unwrap_or_default(), self.record(name).await?);
            for (number, entry) in numbers.iter().filter_map(|number| packed.version(*number)) {
                let candidate = Candidate::in_record(&record, name, number, entry.manifest);
                self.trust.check(&self.store, &candidate).await?;
            }
        }
        Ok(())
    }

    async fn packable(&self, function: &FunctionRef) -> Result<FunctionInfo, RegistryError> {
        match function.export() {
            None => self.stored(function).await,
            Some(export) => {
                let detail = format!(
                    "a package has whole functions, with all their exports: leave out {export:?} of {function}"
                );
                Err(RegistryError::new(RegistryErrorKind::Invalid, detail))
            }
        }
    }

    /// A module's code and its place in a package whose guests have at most `max_memory`.
    async fn compile_for(
        &self,
        architecture: Architecture,
        info: &FunctionInfo,
        max_memory: ByteSize,
    ) -> Result<(PathBuf, Bytes), RegistryError> {
        let name = &info.name;
        let CodeKey { digest, is_deterministic } = CodeKey::of(info.code(), &info.config);
        let failed = |error: wasmtime::Error| {
            let detail = format!("failed to compile module {digest} for {architecture}");
            RegistryError::new(RegistryErrorKind::Internal, detail).with_source(error)
        };
        let wasm = self.store.module(&digest).await?;
        Compiler::check(&wasm, max_memory).map_err(|error| {
            RegistryError::new(
                RegistryErrorKind::Invalid,
                format!("function {name} cannot be packaged: {}", error.detail()),
            )
        })?;
        let compile = move || Compiler::compile_for(architecture.target(), is_deterministic, &wasm);
        let compiled = spawn_blocking(compile).await;
        let (flavour, code) = compiled.map_err(wasmtime::Error::from).flatten().map_err(failed)?;
        Ok((Path::new(CODE).join(Precompiled::path(flavour, &digest)), code.into()))
    }
}

impl NewPackage {
    /// Writes it to a folder, where it can be opened.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        for (path, bytes) in &self.files {
            let path = folder.join(path);
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(path, bytes)?;
        }
        Ok(())
    }
}
