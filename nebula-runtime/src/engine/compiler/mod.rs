//! Compiles modules. The code is kept in a cache on disk, so that each module is compiled once on a machine.

mod bounds;
mod caches;
mod code_cache;
mod compilations;
mod eviction;
mod no_answer;
mod parts;
mod precompile;
mod process;
mod proposals;
mod translate;

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;
use bytes::Bytes;
use bytesize::ByteSize;
use caches::Caches;
pub use caches::CodeCacheFolder;
use compilations::Compilations;
use futures_util::future::BoxFuture;
pub(crate) use precompile::KeptCode;
pub use process::CompilerProcess;
use tokio::task::{JoinError, spawn_blocking};
use translate::{baseline_engine, compile_as_fits, precompile};

use super::{CodeKey, CodeLoads, CodeSource, Engines, Flavour, LoadedCode, code_loads::CountedLoads};
use crate::call::{ErrorKind, InvokeError};

/// Loads code from its cache, and compiles the modules whose code is not there.
#[derive(Clone)]
pub(crate) struct Compiler {
    caches: Arc<Caches>,
    compilations: Compilations,
    loads: Arc<CountedLoads>,
}

impl Compiler {
    /// A compiler that keeps code in a folder, or keeps none. It leaves compiling to `process`, if there is one.
    pub(crate) fn new(folder: Option<CodeCacheFolder>, process: Option<CompilerProcess>) -> Self {
        Self {
            caches: Arc::new(Caches::new(folder, process)),
            compilations: Compilations::one_for_each_core(),
            loads: Arc::default(),
        }
    }

    /// Refuses a module that can never be instantiated, because guests have at most `max_memory` or because of a fixed
    /// limit.
    pub(crate) fn check(wasm: &[u8], max_memory: ByteSize) -> Result<(), InvokeError> {
        bounds::check(wasm, max_memory)
    }

    /// Compiles a module for the baseline of the processor `target`, which need not be that of this machine.
    ///
    /// Blocks until the module is compiled.
    pub(crate) fn compile_for(
        target: &str,
        is_deterministic: bool,
        wasm: &[u8],
    ) -> wasmtime::Result<(Flavour, Vec<u8>)> {
        compile_as_fits(wasm, is_deterministic, |flavour| {
            Ok((flavour, precompile(&baseline_engine(flavour, target)?, wasm)?))
        })
    }
}

#[async_trait]
impl CodeSource for Compiler {
    async fn load(
        &self,
        engines: Arc<Engines>,
        key: CodeKey,
        wasm: BoxFuture<'static, Result<Bytes, InvokeError>>,
    ) -> Result<LoadedCode, InvokeError> {
        let (caches, mapping) = (Arc::clone(&self.caches), Arc::clone(&engines));
        if let Some(loaded) = spawn_blocking(move || caches.map(&mapping, &key)).await.map_err(panicked)? {
            self.loads.count_cached();
            return Ok(loaded);
        }
        let (caches, wasm) = (Arc::clone(&self.caches), wasm.await?);
        let loads = Arc::clone(&self.loads);
        let compile = move || {
            let began = Instant::now();
            let compiled = caches.compile(&engines, &key, &wasm);
            loads.count_compiled(compiled.is_ok(), began.elapsed());
            compiled
        };
        self.compilations.run(compile).await.map_err(panicked)?
    }

    fn loads(&self) -> CodeLoads {
        self.loads.counted()
    }
}

fn panicked(panic: JoinError) -> InvokeError {
    InvokeError::new(ErrorKind::Internal, "compiling the module failed").with_source(panic)
}
