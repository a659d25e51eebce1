//! The caches of compiled code, one for each kind of engine, in one folder.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use bytesize::ByteSize;

use super::{
    super::{CodeKey, Engines, Flavour, LoadedCode, SerializedCode},
    CompilerProcess, bounds,
    code_cache::CodeCache,
    eviction::evict,
    proposals,
    translate::{baseline_engine, compile_as_fits, fingerprint, precompile},
};
use crate::{
    call::{ErrorKind, InvokeError},
    function::Digest,
    sync::lock,
};

/// The folder in which compiled code is kept. Any number of processes can use it at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeCacheFolder {
    /// The folder. It is made where it is missing.
    pub path: PathBuf,
    /// How large its content may become. When code is added, the code that was not used for the longest time goes; code
    /// of another version of Wasmtime goes first. The newest entry stays, whatever its size.
    pub max_size: ByteSize,
}

/// A folder with room for 2 GiB: about a thousand large modules.
impl From<PathBuf> for CodeCacheFolder {
    fn from(path: PathBuf) -> Self {
        Self { path, max_size: ByteSize::gib(2) }
    }
}

/// The baseline target of this machine: code for it runs on every processor of this kind.
const HOST: Option<&str> = if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
    Some("x86_64-unknown-linux-gnu")
} else if cfg!(all(target_os = "linux", target_arch = "aarch64")) {
    Some("aarch64-unknown-linux-gnu")
} else {
    None
};

/// The caches of compiled code, one for each kind of engine.
pub(super) struct Caches {
    /// Compiles modules, if this process does not compile them itself.
    process: Option<CompilerProcess>,
    /// The folder of the caches. `None` if code is not kept.
    folder: Option<CodeCacheFolder>,
    /// The caches by the fingerprints of their engines. `None` for a cache that could not be opened.
    open: Mutex<HashMap<String, Option<Arc<CodeCache>>>>,
    /// The fingerprints of engines for the baseline of a target.
    baselines: Mutex<HashMap<String, String>>,
    /// Whether the log already says why code is not kept.
    has_warned: AtomicBool,
}

impl Caches {
    pub(super) fn new(folder: Option<CodeCacheFolder>, process: Option<CompilerProcess>) -> Self {
        let (open, baselines) = (Mutex::default(), Mutex::default());
        Self { process, folder, open, baselines, has_warned: AtomicBool::new(false) }
    }

    /// Loads the code of a module that was compiled before, if it is in a cache: the code for this processor, or else
    /// the code for all processors of its kind. Blocks while it reads the disk.
    pub(super) fn map(&self, engines: &Engines, CodeKey { digest, is_deterministic }: &CodeKey) -> Option<LoadedCode> {
        let flavours = || Flavour::of_code(*is_deterministic).iter().copied();
        let own = |flavour| self.mapped(&*self.cache(flavour, engines)?, flavour, engines, digest);
        flavours().find_map(own).or_else(|| {
            let target = HOST.filter(|_| !engines.is_unreserved(Flavour::Plain))?;
            let baseline = |flavour| self.mapped(&*self.baseline(flavour, target)?, flavour, engines, digest);
            flavours().find_map(baseline)
        })
    }

    fn mapped(&self, cache: &CodeCache, flavour: Flavour, engines: &Engines, digest: &Digest) -> Option<LoadedCode> {
        let path = cache.get(digest)?;
        let mapped = engines.load(flavour, SerializedCode::File(&path));
        mapped.inspect_err(|error| tracing::warn!(path = %path.display(), %error, "compiling again")).ok()
    }

    /// Compiles a module and keeps the code. Blocks until it is compiled.
    pub(super) fn compile(&self, engines: &Engines, key: &CodeKey, wasm: &[u8]) -> Result<LoadedCode, InvokeError> {
        let (flavour, code) = self.compiled(engines, key.is_deterministic, wasm)?;
        let digest = &key.digest;
        let kept = self.cache(flavour, engines).and_then(|cache| {
            let kept = self.keep(&cache, digest, &code).inspect(|_| self.has_warned.store(false, Ordering::Relaxed));
            kept.inspect_err(|error| self.warn_once(|| tracing::warn!(%error, %digest, "compiled code is not kept")))
                .ok()
        });
        // Another process may have removed the file since, because the folder has no room.
        let mapped = kept.and_then(|path| engines.load(flavour, SerializedCode::File(&path)).ok());
        mapped.map_or_else(|| engines.load(flavour, SerializedCode::Bytes(&code)), Ok).map_err(|error| {
            InvokeError::new(ErrorKind::Internal, "the compiled module cannot be loaded").with_source(error)
        })
    }

    /// The code of a module for this processor, and the flavour of engine that runs it.
    pub(super) fn compiled(
        &self,
        engines: &Engines,
        is_deterministic: bool,
        wasm: &[u8],
    ) -> Result<(Flavour, Vec<u8>), InvokeError> {
        bounds::check(wasm, engines.capacity.max_memory)?;
        let compile = |flavour| {
            let engine = engines.engine(flavour)?;
            let code = match &self.process {
                Some(process) => process.compiled(&engine, wasm)?,
                None => precompile(&engine.wasmtime, wasm)?,
            };
            Ok((flavour, code))
        };
        compile_as_fits(wasm, is_deterministic, compile).map_err(|error| proposals::refused(wasm, error))
    }

    /// Keeps the code of a module. Code that was not used for long goes where the folder has no room.
    pub(super) fn keep(&self, cache: &CodeCache, digest: &Digest, code: &[u8]) -> io::Result<PathBuf> {
        let path = cache.put(digest, code)?;
        if let Some(folder) = &self.folder {
            let known: HashSet<_> = lock(&self.open).keys().cloned().collect();
            evict(&folder.path, folder.max_size, &path, &known);
        }
        Ok(path)
    }

    /// The cache of a flavour. Its name is made of the plain engine's fingerprint, because the concurrent engine's own
    /// fingerprint says no more and would require that engine to be created. If the flavour's engine reserves no
    /// address space and the plain one does, its code has a cache of its own.
    pub(super) fn cache(&self, flavour: Flavour, engines: &Engines) -> Option<Arc<CodeCache>> {
        let plain = engines.engine(Flavour::Plain).ok()?;
        let mut fingerprint = fingerprint(&plain.wasmtime) + suffix(flavour);
        if engines.is_unreserved(flavour) && !plain.is_unreserved() {
            fingerprint += "-unreserved";
        }
        self.opened(fingerprint)
    }

    /// The cache of code for the baseline of a target, which need not be this machine's.
    pub(super) fn baseline(&self, flavour: Flavour, target: &str) -> Option<Arc<CodeCache>> {
        self.folder.as_ref()?;
        let mut baselines = lock(&self.baselines);
        let known = baselines.get(target).cloned();
        let fingerprint = match known {
            Some(known) => known,
            None => {
                let made = fingerprint(&baseline_engine(Flavour::Plain, target).ok()?);
                baselines.entry(target.to_owned()).or_insert(made).clone()
            }
        };
        drop(baselines);
        self.opened(fingerprint + suffix(flavour))
    }

    fn opened(&self, fingerprint: String) -> Option<Arc<CodeCache>> {
        let folder = self.folder.as_ref()?;
        let mut open = lock(&self.open);
        open.entry(fingerprint.clone()).or_insert_with(|| self.open_cache(&folder.path, fingerprint)).clone()
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

/// What the name of a flavour's cache ends with.
fn suffix(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::Plain => "",
        Flavour::Concurrent => "-concurrent",
        Flavour::ManyStacks => "-many-stacks",
        Flavour::Deterministic => "-deterministic",
    }
}
