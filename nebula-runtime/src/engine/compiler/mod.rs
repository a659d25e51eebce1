//! Compiling modules: each once on a machine that keeps the code.

mod bounds;
mod code_cache;
mod compilations;
mod parts;
mod proposals;

use std::{
    collections::HashMap,
    hash::Hash as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use bytesize::ByteSize;
use code_cache::CodeCache;
use compilations::Compilations;
use futures_util::future::BoxFuture;
use tokio::task::{JoinError, spawn_blocking};

use super::{CodeSource, Compiled, Engines, Flavour, Loaded, allocation};
use crate::{
    call::{ErrorKind, InvokeError},
    function::Digest,
};

/// Compiles what is not in its cache.
#[derive(Clone)]
pub(crate) struct Compiler {
    caches: Arc<Caches>,
    compilations: Compilations,
}

/// Where code is kept, if anywhere.
struct Caches {
    root: Option<PathBuf>,
    /// Those that are open, or could not be opened, by their fingerprints.
    open: Mutex<HashMap<String, Option<Arc<CodeCache>>>>,
    /// Whether the log says why code is not kept.
    has_told: AtomicBool,
}

impl Compiler {
    /// A compiler that keeps the code in a folder, or keeps none.
    pub(crate) fn new(cache: Option<PathBuf>) -> Self {
        let caches = Arc::new(Caches { root: cache, open: Mutex::default(), has_told: AtomicBool::new(false) });
        Self { caches, compilations: Compilations::one_for_each_core() }
    }

    /// Refuses a module that no instance can be made of where guests have at most `max_memory`.
    pub(crate) fn check(wasm: &[u8], max_memory: ByteSize) -> Result<(), InvokeError> {
        bounds::check(wasm, max_memory)
    }

    /// Compiles a module for the baseline of a processor, which may be another than this machine's.
    ///
    /// Blocks for as long as that takes.
    pub(crate) fn compile_for(target: &str, wasm: &[u8]) -> wasmtime::Result<(Flavour, Vec<u8>)> {
        plain_first(wasm, |flavour| {
            let mut config = allocation::config(flavour);
            config.target(target)?;
            Ok((flavour, precompile(&wasmtime::Engine::new(&config)?, wasm)?))
        })
    }
}

#[async_trait]
impl CodeSource for Compiler {
    async fn load(
        &self,
        engines: Arc<Engines>,
        digest: Digest,
        wasm: BoxFuture<'static, Result<Bytes, InvokeError>>,
    ) -> Result<Loaded, InvokeError> {
        let (caches, mapping) = (Arc::clone(&self.caches), Arc::clone(&engines));
        if let Some(loaded) = spawn_blocking(move || caches.map(&mapping, &digest)).await.map_err(panicked)? {
            return Ok(loaded);
        }
        let (caches, wasm) = (Arc::clone(&self.caches), wasm.await?);
        let compile = move || caches.compile(&engines, &digest, &wasm);
        self.compilations.run(compile).await.map_err(panicked)?
    }
}

fn panicked(panic: JoinError) -> InvokeError {
    InvokeError::new(ErrorKind::Internal, "compiling the module failed").with_source(panic)
}

impl Caches {
    /// The code of a module that was compiled before. Blocks on the disk.
    fn map(&self, engines: &Engines, digest: &Digest) -> Option<Loaded> {
        Flavour::ALL.into_iter().find_map(|flavour| {
            let path = self.of(flavour, engines)?.get(digest)?;
            let mapped = engines.load(flavour, Compiled::File(&path));
            mapped.inspect_err(|error| tracing::warn!(path = %path.display(), %error, "compiling again")).ok()
        })
    }

    /// Compiles a module and keeps the code. Blocks for as long as that takes.
    fn compile(&self, engines: &Engines, digest: &Digest, wasm: &[u8]) -> Result<Loaded, InvokeError> {
        bounds::check(wasm, engines.size.max_memory)?;
        let compile = |flavour| Ok((flavour, precompile(&engines.engine(flavour)?.wasmtime, wasm)?));
        let (flavour, code) = plain_first(wasm, compile).map_err(|error| proposals::refused(wasm, error))?;
        let kept = self.of(flavour, engines).and_then(|cache| {
            let kept = cache.put(digest, &code).inspect(|_| self.has_told.store(false, Ordering::Relaxed));
            kept.inspect_err(|error| self.tell(|| tracing::warn!(%error, %digest, "compiled code is not kept"))).ok()
        });
        let code = kept.as_deref().map_or(Compiled::Bytes(&code), Compiled::File);
        engines.load(flavour, code).map_err(|error| {
            InvokeError::new(ErrorKind::Internal, "the compiled module cannot be loaded").with_source(error)
        })
    }

    /// The cache of a flavour, by the plain engine's fingerprint: that of the other tells no more, and would need the other
    /// to be made. If it is made and reserves no address space where the plain one does, its code is in a cache of its own.
    fn of(&self, flavour: Flavour, engines: &Engines) -> Option<Arc<CodeCache>> {
        let root = self.root.as_ref()?;
        let plain = engines.engine(Flavour::Plain).ok()?;
        let mut fingerprint = fingerprint(&plain.wasmtime);
        fingerprint += match flavour {
            Flavour::Plain => "",
            Flavour::Concurrent => "-concurrent",
            Flavour::ManyStacks => "-many-stacks",
        };
        if engines.is_unreserved(flavour) && !plain.is_unreserved() {
            fingerprint += "-unreserved";
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.entry(fingerprint.clone()).or_insert_with(|| self.opened(root, fingerprint)).clone()
    }

    fn opened(&self, root: &Path, fingerprint: String) -> Option<Arc<CodeCache>> {
        let warn = |error| tracing::warn!(path = %root.display(), %error, "compiled code will not be kept");
        CodeCache::open(root, fingerprint).map_err(|error| self.tell(|| warn(error))).map(Arc::new).ok()
    }

    /// Tells why code is not kept, unless that was told since code was kept last: all caches are in one folder, and what is
    /// wrong with it is so for every module.
    fn tell(&self, warn: impl FnOnce()) {
        if !self.has_told.swap(true, Ordering::Relaxed) {
            warn();
        }
    }
}

/// Compiles for the plain engine, and only what that refuses for the other: it validates before it compiles, and refuses
/// whatever is async.
fn plain_first<T>(wasm: &[u8], compile: impl Fn(Flavour) -> wasmtime::Result<T>) -> wasmtime::Result<T> {
    match compile(Flavour::Plain) {
        Err(_) if is_component(wasm) => compile(parts::concurrent(wasm)),
        compiled => compiled,
    }
}

fn precompile(engine: &wasmtime::Engine, wasm: &[u8]) -> wasmtime::Result<Vec<u8>> {
    match is_component(wasm) {
        true => engine.precompile_component(wasm),
        false => engine.precompile_module(wasm),
    }
}

/// Whether this binary's layer field says component (component model, "Binary.md").
fn is_component(wasm: &[u8]) -> bool {
    wasm.get(6..8) == Some(&[1, 0])
}

/// What compiled code depends on: Wasmtime's version, its configuration, and this processor.
fn fingerprint(engine: &wasmtime::Engine) -> String {
    struct Blake3(blake3::Hasher);

    impl std::hash::Hasher for Blake3 {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            0
        }
    }

    let mut hasher = Blake3(blake3::Hasher::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().to_hex().as_str().chars().take(32).collect()
}
