//! Compiles modules. The code is kept in a cache on disk, so that each module is compiled once on a machine.

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

use super::{CodeSource, Engines, Flavour, LoadedCode, SerializedCode, allocation};
use crate::{
    call::{ErrorKind, InvokeError},
    function::Digest,
};

/// Loads code from its cache, and compiles the modules whose code is not there.
#[derive(Clone)]
pub(crate) struct Compiler {
    caches: Arc<Caches>,
    compilations: Compilations,
}

/// The caches of compiled code, one for each kind of engine.
struct Caches {
    /// The folder of the caches. `None` if code is not kept.
    root: Option<PathBuf>,
    /// The caches by the fingerprints of their engines. `None` for a cache that could not be opened.
    open: Mutex<HashMap<String, Option<Arc<CodeCache>>>>,
    /// Whether the log already says why code is not kept.
    has_warned: AtomicBool,
}

impl Compiler {
    /// A compiler that keeps code in the folder `cache`, or keeps none.
    pub(crate) fn new(cache: Option<PathBuf>) -> Self {
        let caches = Arc::new(Caches { root: cache, open: Mutex::default(), has_warned: AtomicBool::new(false) });
        Self { caches, compilations: Compilations::one_for_each_core() }
    }

    /// Refuses a module that can never be instantiated, because guests have at most `max_memory` or because of a fixed
    /// limit.
    pub(crate) fn check(wasm: &[u8], max_memory: ByteSize) -> Result<(), InvokeError> {
        bounds::check(wasm, max_memory)
    }

    /// Compiles a module for the baseline of the processor `target`, which need not be that of this machine.
    ///
    /// Blocks until the module is compiled.
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
    ) -> Result<LoadedCode, InvokeError> {
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
    /// Loads the code of a module that was compiled before, if it is in a cache. Blocks while it reads the disk.
    fn map(&self, engines: &Engines, digest: &Digest) -> Option<LoadedCode> {
        Flavour::ALL.into_iter().find_map(|flavour| {
            let path = self.cache(flavour, engines)?.get(digest)?;
            let mapped = engines.load(flavour, SerializedCode::File(&path));
            mapped.inspect_err(|error| tracing::warn!(path = %path.display(), %error, "compiling again")).ok()
        })
    }

    /// Compiles a module and keeps the code. Blocks until it is compiled.
    fn compile(&self, engines: &Engines, digest: &Digest, wasm: &[u8]) -> Result<LoadedCode, InvokeError> {
        bounds::check(wasm, engines.capacity.max_memory)?;
        let compile = |flavour| Ok((flavour, precompile(&engines.engine(flavour)?.wasmtime, wasm)?));
        let (flavour, code) = plain_first(wasm, compile).map_err(|error| proposals::refused(wasm, error))?;
        let kept = self.cache(flavour, engines).and_then(|cache| {
            let kept = cache.put(digest, &code).inspect(|_| self.has_warned.store(false, Ordering::Relaxed));
            kept.inspect_err(|error| self.warn_once(|| tracing::warn!(%error, %digest, "compiled code is not kept")))
                .ok()
        });
        let code = kept.as_deref().map_or(SerializedCode::Bytes(&code), SerializedCode::File);
        engines.load(flavour, code).map_err(|error| {
            InvokeError::new(ErrorKind::Internal, "the compiled module cannot be loaded").with_source(error)
        })
    }

    /// The cache of a flavour. Its name is made of the plain engine's fingerprint, because the concurrent engine's own
    /// fingerprint says no more and would require that engine to be created. If the flavour's engine reserves no
    /// address space and the plain one does, its code has a cache of its own.
    fn cache(&self, flavour: Flavour, engines: &Engines) -> Option<Arc<CodeCache>> {
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
        open.entry(fingerprint.clone()).or_insert_with(|| self.open_cache(root, fingerprint)).clone()
    }

    fn open_cache(&self, root: &Path, fingerprint: String) -> Option<Arc<CodeCache>> {
        let warn = |error| tracing::warn!(path = %root.display(), %error, "compiled code will not be kept");
        CodeCache::open(root, fingerprint).map_err(|error| self.warn_once(|| warn(error))).map(Arc::new).ok()
    }

    /// Logs why code is not kept, unless that was logged since code was last kept. All caches are in one folder, so a
    /// problem with it concerns every module.
    fn warn_once(&self, warn: impl FnOnce()) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            warn();
        }
    }
}

/// Compiles for the plain engine, and for the concurrent one if the plain one refuses the module. The plain engine
/// validates a module before it compiles anything, and refuses async functions.
fn plain_first<T>(wasm: &[u8], compile: impl Fn(Flavour) -> wasmtime::Result<T>) -> wasmtime::Result<T> {
    match compile(Flavour::Plain) {
        Err(_) if is_component(wasm) => compile(parts::concurrent_flavour(wasm)),
        compiled => compiled,
    }
}

fn precompile(engine: &wasmtime::Engine, wasm: &[u8]) -> wasmtime::Result<Vec<u8>> {
    match is_component(wasm) {
        true => engine.precompile_component(wasm),
        false => engine.precompile_module(wasm),
    }
}

/// Whether a binary's `layer` field says that it is a component (component model, "Binary.md").
fn is_component(wasm: &[u8]) -> bool {
    wasm.get(6..8) == Some(&[1, 0])
}

/// A hash of all that compiled code depends on: Wasmtime's version, its configuration, and this processor.
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
