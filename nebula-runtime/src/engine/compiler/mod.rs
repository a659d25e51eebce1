//! Compiling modules: each once on a machine that keeps the code.

mod bounds;
mod code_cache;
mod compilations;
mod proposals;

use std::{
    hash::Hash as _,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use bytes::Bytes;
use code_cache::CodeCache;
use compilations::Compilations;
use futures_util::future::BoxFuture;
use tokio::task::{JoinError, spawn_blocking};
use wasmtime::{Module, component::Component};

use super::{Code, CodeSource, Engine, Engines, Flavour, Loaded, config};
use crate::{Digest, ErrorKind, InvokeError};

/// Compiles what is not in its cache.
#[derive(Clone)]
pub(crate) struct Compiler {
    caches: Arc<Caches>,
    compilations: Compilations,
}

/// Where code is kept, if anywhere.
struct Caches {
    root: Option<PathBuf>,
    plain: OnceLock<Option<CodeCache>>,
    concurrent: OnceLock<Option<CodeCache>>,
}

impl Compiler {
    /// A compiler that keeps the code in a folder, or keeps none.
    pub(crate) fn new(cache: Option<PathBuf>) -> Self {
        let caches = Arc::new(Caches { root: cache, plain: OnceLock::new(), concurrent: OnceLock::new() });
        Self { caches, compilations: Compilations::one_for_each_core() }
    }

    /// Compiles a module for the baseline of a processor, which may be another than this machine's.
    ///
    /// Blocks for as long as that takes.
    pub(crate) fn compile_for(target: &str, wasm: &[u8]) -> wasmtime::Result<(Flavour, Vec<u8>)> {
        plain_first(wasm, |flavour| {
            let mut config = config(flavour);
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
        [Flavour::Plain, Flavour::Concurrent].into_iter().find_map(|flavour| {
            let path = self.of(flavour, engines)?.get(digest)?;
            let mapped = engines.engine(flavour).map_err(wasmtime::Error::from);
            let mapped = mapped.and_then(|engine| Ok((Arc::clone(&engine), engine.map(&path)?)));
            mapped.inspect_err(|error| tracing::warn!(path = %path.display(), %error, "compiling again")).ok()
        })
    }

    /// Compiles a module and keeps the code. Blocks for as long as that takes.
    fn compile(&self, engines: &Engines, digest: &Digest, wasm: &[u8]) -> Result<Loaded, InvokeError> {
        bounds::check(wasm, engines.size.max_memory)?;
        let compiled = plain_first(wasm, |flavour| {
            let engine = engines.engine(flavour)?;
            let code = self.compile_as(flavour, engines, &engine, digest, wasm)?;
            Ok((engine, code))
        });
        compiled.map_err(|error| proposals::refused(wasm, error))
    }

    fn compile_as(
        &self,
        flavour: Flavour,
        engines: &Engines,
        engine: &Engine,
        digest: &Digest,
        wasm: &[u8],
    ) -> wasmtime::Result<Code> {
        let Some(cache) = self.of(flavour, engines) else {
            return compile(&engine.wasmtime, wasm);
        };
        match cache.put(digest, &precompile(&engine.wasmtime, wasm)?) {
            Ok(path) => engine.map(&path),
            Err(error) => {
                tracing::warn!(%error, %digest, "compiled code could not be kept");
                compile(&engine.wasmtime, wasm)
            }
        }
    }

    /// The cache of a flavour. It is opened where it is first wanted, by the plain engine's fingerprint: that of the other
    /// tells no more, and would need the other to be made.
    fn of(&self, flavour: Flavour, engines: &Engines) -> Option<&CodeCache> {
        let plain = engines.engine(Flavour::Plain).ok()?;
        let fingerprint = || fingerprint(&plain.wasmtime);
        match flavour {
            Flavour::Plain => self.plain.get_or_init(|| self.open(fingerprint())),
            Flavour::Concurrent => self.concurrent.get_or_init(|| self.open(format!("{}-concurrent", fingerprint()))),
        }
        .as_ref()
    }

    fn open(&self, fingerprint: String) -> Option<CodeCache> {
        let root = self.root.as_ref()?;
        CodeCache::open(root, fingerprint)
            .inspect_err(|error| tracing::warn!(path = %root.display(), %error, "compiled code will not be kept"))
            .ok()
    }
}

/// Compiles for the plain engine, and only what that refuses for the other: it validates before it compiles, and refuses
/// whatever is async.
fn plain_first<T>(wasm: &[u8], compile: impl Fn(Flavour) -> wasmtime::Result<T>) -> wasmtime::Result<T> {
    match compile(Flavour::Plain) {
        Err(_) if is_component(wasm) => compile(Flavour::Concurrent),
        compiled => compiled,
    }
}

fn compile(engine: &wasmtime::Engine, wasm: &[u8]) -> wasmtime::Result<Code> {
    Ok(match is_component(wasm) {
        true => Code::Component(Component::from_binary(engine, wasm)?),
        false => Code::Module(Module::from_binary(engine, wasm)?),
    })
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
