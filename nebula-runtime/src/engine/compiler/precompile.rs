//! Compiling a module before it is first called.

use std::{fs, io, path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::task::spawn_blocking;

use super::{
    super::{CodeKey, Engines, Flavour},
    Compiler, bounds,
    caches::Caches,
    code_cache::CodeCache,
    panicked, proposals,
};
use crate::call::{ErrorKind, InvokeError};

/// The code of a module in a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeptCode {
    /// The size of its file, in bytes.
    pub(crate) size: u64,
    /// Whether it was in the cache already.
    pub(crate) was_kept: bool,
}

impl Compiler {
    /// Compiles a module into the cache, unless its code is there: for this processor, or for the baseline of `target`.
    /// `wasm`, the module itself, is awaited only if it must be compiled.
    pub(crate) async fn precompile(
        &self,
        engines: Arc<Engines>,
        key: CodeKey,
        target: Option<&'static str>,
        wasm: BoxFuture<'static, Result<Bytes, InvokeError>>,
    ) -> Result<KeptCode, InvokeError> {
        let (caches, known) = (Arc::clone(&self.caches), Arc::clone(&engines));
        let kept = spawn_blocking(move || caches.kept(&known, &key, target)).await.map_err(panicked)?;
        if let Some(size) = kept {
            return Ok(KeptCode { size, was_kept: true });
        }
        let (caches, wasm) = (Arc::clone(&self.caches), wasm.await?);
        let compile = move || caches.fill(&engines, &key, target, &wasm);
        let size = self.compilations.run(compile).await.map_err(panicked)??;
        Ok(KeptCode { size, was_kept: false })
    }
}

impl Caches {
    /// The size of a module's code, if it is in a cache.
    fn kept(&self, engines: &Engines, key: &CodeKey, target: Option<&str>) -> Option<u64> {
        Flavour::of_code(key.is_deterministic).iter().find_map(|flavour| {
            let path = self.of_target(*flavour, engines, target)?.get(&key.digest)?;
            size(&path).ok()
        })
    }

    fn of_target(&self, flavour: Flavour, engines: &Engines, target: Option<&str>) -> Option<Arc<CodeCache>> {
        match target {
            None => self.cache(flavour, engines),
            Some(target) => self.baseline(flavour, target),
        }
    }

    /// Compiles a module into a cache, and gives the size of its code.
    fn fill(&self, engines: &Engines, key: &CodeKey, target: Option<&str>, wasm: &[u8]) -> Result<u64, InvokeError> {
        let CodeKey { digest, is_deterministic } = *key;
        let (flavour, code) = match target {
            None => self.compiled(engines, is_deterministic, wasm)?,
            Some(target) => {
                bounds::check(wasm, engines.capacity.max_memory)?;
                Compiler::compile_for(target, is_deterministic, wasm)
                    .map_err(|error| proposals::refused(wasm, error))?
            }
        };
        let cache = self.of_target(flavour, engines, target).ok_or_else(|| not_kept(None))?;
        let kept = self.keep(&cache, &digest, &code).and_then(|path| size(&path));
        kept.map_err(|error| not_kept(Some(error)))
    }
}

fn size(path: &Path) -> io::Result<u64> {
    fs::metadata(path).map(|file| file.len())
}

fn not_kept(error: Option<io::Error>) -> InvokeError {
    let failed = InvokeError::new(
        ErrorKind::Unavailable,
        "compiled code cannot be kept: choose a folder that can be written to, with --cache or NEBULA_CACHE",
    );
    match error {
        Some(error) => failed.with_source(error),
        None => failed,
    }
}
