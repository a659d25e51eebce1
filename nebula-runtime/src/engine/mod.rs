//! The engines: Wasmtime, set up, and compiled code on its way in.
//!
//! Only this module, [`abi`](crate::abi) and the limits know Wasmtime.

mod code_cache;
mod fault;
mod host;
mod supervise;
mod ticker;

use std::{
    hash::Hash as _,
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use code_cache::CodeCache;
pub(crate) use fault::{fault, no_room};
pub(crate) use host::Host;
pub(crate) use supervise::{Supervised, supervise, timed_out};
use ticker::Ticker;
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, Module, PoolingAllocationConfig, Store, component::Component,
};

use crate::{ByteSize, Digest, ReportHandle};

/// Slots per invocation: a component is made of several core instances, and of some memories and tables.
const CORE_INSTANCES: u32 = 6;
const MEMORIES: u32 = 2;
const TABLES: u32 = 3;

/// Stacks per invocation of a guest that runs tasks of its own.
const STACKS: u32 = 4;

/// How much of a slot stays mapped for its next guest. Giving pages back costs a system call and an interrupt of every
/// other core for each request; most guests touch less than this.
const KEEP_RESIDENT: usize = 256 << 10;

/// The engines of one runtime: one for guests that run no tasks of their own, each of whose stores is cheaper, and one
/// for those of WASI 0.3, which is made when the first of them is loaded.
pub(crate) struct Engines {
    size: Size,
    plain: Arc<Engine>,
    concurrent: Mutex<Option<Arc<Engine>>>,
    plain_cache: Option<CodeCache>,
    concurrent_cache: Option<CodeCache>,
}

/// Wasmtime, set up in one way, and its clock.
pub(crate) struct Engine {
    wasmtime: wasmtime::Engine,
    flavour: Flavour,
    ticker: Ticker,
}

/// How many invocations there may be at once, and the memory that each may have.
#[derive(Debug, Clone, Copy)]
struct Size {
    concurrency: u32,
    max_memory: ByteSize,
}

/// Whether guests run tasks of their own (the component model's async functions).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flavour {
    Plain,
    Concurrent,
}

/// Compiled code, mapped.
pub(crate) enum Code {
    Module(Module),
    Component(Component),
}

/// The engine could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Wasmtime refused its configuration, or found no address space.
    #[error("failed to set up the WebAssembly engine")]
    Wasmtime(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The clock's thread could not be started.
    #[error("failed to start the epoch clock")]
    Clock(#[source] io::Error),
}

impl Engines {
    /// Engines for `concurrency` invocations at once, of guests with at most `max_memory` each.
    pub(crate) fn new(concurrency: u32, max_memory: ByteSize, code_cache: Option<&Path>) -> Result<Self, EngineError> {
        let size = Size { concurrency, max_memory };
        let plain = Engine::new(size, Flavour::Plain)?;
        let fingerprint = fingerprint(&plain.wasmtime);
        let open = |fingerprint: String| {
            let root = code_cache?;
            CodeCache::open(root, fingerprint)
                .inspect_err(|error| tracing::warn!(path = %root.display(), %error, "compiled code will not be kept"))
                .ok()
        };
        Ok(Self {
            size,
            plain: Arc::new(plain),
            concurrent: Mutex::default(),
            concurrent_cache: open(format!("{fingerprint}-concurrent")),
            plain_cache: open(fingerprint),
        })
    }

    /// The code of the module `digest`, if it was compiled before, and its engine. Blocks on the disk.
    pub(crate) fn cached(&self, digest: &Digest) -> Option<(Arc<Engine>, Code)> {
        [Flavour::Plain, Flavour::Concurrent].into_iter().find_map(|flavour| {
            let path = self.cache(flavour)?.get(digest)?;
            let mapped = self.engine(flavour).and_then(|engine| Ok((Arc::clone(&engine), engine.map(&path)?)));
            mapped.inspect_err(|error| tracing::warn!(path = %path.display(), %error, "compiling again")).ok()
        })
    }

    /// Compiles `wasm` and keeps the code. Blocks for as long as that takes.
    pub(crate) fn compile(&self, digest: &Digest, wasm: &[u8]) -> wasmtime::Result<(Arc<Engine>, Code)> {
        match self.compile_as(Flavour::Plain, digest, wasm) {
            // The plain engine validates before it compiles, and refuses whatever is async.
            Err(_) if is_component(wasm) => self.compile_as(Flavour::Concurrent, digest, wasm),
            compiled => compiled,
        }
    }

    fn compile_as(&self, flavour: Flavour, digest: &Digest, wasm: &[u8]) -> wasmtime::Result<(Arc<Engine>, Code)> {
        let engine = self.engine(flavour)?;
        let Some(cache) = self.cache(flavour) else {
            let code = engine.compile(wasm)?;
            return Ok((engine, code));
        };
        let code = match is_component(wasm) {
            true => engine.wasmtime.precompile_component(wasm)?,
            false => engine.wasmtime.precompile_module(wasm)?,
        };
        let code = match cache.put(digest, &code) {
            Ok(path) => engine.map(&path)?,
            Err(error) => {
                tracing::warn!(%error, %digest, "compiled code could not be kept");
                engine.compile(wasm)?
            }
        };
        Ok((engine, code))
    }

    fn cache(&self, flavour: Flavour) -> Option<&CodeCache> {
        match flavour {
            Flavour::Plain => self.plain_cache.as_ref(),
            Flavour::Concurrent => self.concurrent_cache.as_ref(),
        }
    }

    fn engine(&self, flavour: Flavour) -> wasmtime::Result<Arc<Engine>> {
        if flavour == Flavour::Plain {
            return Ok(Arc::clone(&self.plain));
        }
        let mut concurrent = self.concurrent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*concurrent {
            return Ok(Arc::clone(engine));
        }
        let engine = Arc::new(Engine::new(self.size, flavour)?);
        *concurrent = Some(Arc::clone(&engine));
        Ok(engine)
    }
}

impl Engine {
    fn new(size: Size, flavour: Flavour) -> Result<Self, EngineError> {
        let wasmtime = pooled(size, flavour).or_else(|error| {
            tracing::warn!(%error, "address space is short: instances are allocated one by one, which is slower");
            wasmtime::Engine::new(&config(flavour))
        });
        let wasmtime = wasmtime.map_err(|error| EngineError::Wasmtime(error.into()))?;
        let ticker = Ticker::start(wasmtime.clone()).map_err(EngineError::Clock)?;
        Ok(Self { wasmtime, flavour, ticker })
    }

    /// Whether guests may run tasks of their own.
    pub(crate) fn is_concurrent(&self) -> bool {
        self.flavour == Flavour::Concurrent
    }

    /// The engine under the guests' linkers.
    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.wasmtime
    }

    /// A store for one guest, under its limits and the clock.
    pub(crate) fn store<W: 'static>(&self, wasi: W, max_memory: ByteSize, report: &ReportHandle) -> Store<Host<W>> {
        let host = Host::new(wasi, max_memory, report.clone(), self.ticker.tick_for_guest());
        let mut store = Store::new(&self.wasmtime, host);
        store.limiter(|host| &mut host.limiter);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        store
    }

    fn compile(&self, wasm: &[u8]) -> wasmtime::Result<Code> {
        Ok(match is_component(wasm) {
            true => Code::Component(Component::from_binary(&self.wasmtime, wasm)?),
            false => Code::Module(Module::from_binary(&self.wasmtime, wasm)?),
        })
    }

    #[expect(unsafe_code, reason = "loading compiled code is running it: the one audited place")]
    fn map(&self, path: &Path) -> wasmtime::Result<Code> {
        // SAFETY: the file was written by `CodeCache::put` of an engine with this fingerprint: `CodeCache::get` has just
        // verified its MAC, or `put` has just written it. Its folder is private to this user, and entries are replaced by
        // renaming, never changed in place, so what is mapped stays as it was verified.
        unsafe {
            Ok(match wasmtime::Engine::detect_precompiled_file(path)? {
                Some(wasmtime::Precompiled::Component) => {
                    Code::Component(Component::deserialize_file(&self.wasmtime, path)?)
                }
                _ => Code::Module(Module::deserialize_file(&self.wasmtime, path)?),
            })
        }
    }
}

/// Whether this binary's layer field says component (component model, "Binary.md").
fn is_component(wasm: &[u8]) -> bool {
    wasm.get(6..8) == Some(&[1, 0])
}

fn config(flavour: Flavour) -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.concurrency_support(flavour == Flavour::Concurrent);
    config
}

fn pooled(size: Size, flavour: Flavour) -> wasmtime::Result<wasmtime::Engine> {
    let slots = |each: u32| size.concurrency.saturating_mul(each);
    let stacks = if flavour == Flavour::Concurrent { STACKS } else { 1 };
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(slots(CORE_INSTANCES))
        .total_component_instances(size.concurrency)
        .total_memories(slots(MEMORIES))
        .total_tables(slots(TABLES))
        .total_stacks(slots(stacks))
        .max_unused_warm_slots(slots(MEMORIES))
        .max_memories_per_module(MEMORIES)
        .max_tables_per_module(TABLES)
        .max_memory_size(usize::try_from(size.max_memory.as_u64())?)
        .table_elements(host::MAX_TABLE_ELEMENTS)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    let mut config = config(flavour);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    wasmtime::Engine::new(&config)
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
