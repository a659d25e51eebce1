//! The engine: Wasmtime, set up once, and compiled code on its way in.
//!
//! Only this module, [`abi`](crate::abi) and the limits know Wasmtime.

mod code_cache;
mod fault;
mod host;
mod supervise;
mod ticker;

use std::{hash::Hash as _, io, path::Path};

use code_cache::CodeCache;
pub(crate) use fault::fault;
pub(crate) use host::Host;
pub(crate) use supervise::{Supervised, supervise};
use ticker::Ticker;
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, Module, PoolingAllocationConfig, Store, component::Component,
};

use crate::{ByteSize, Digest, ReportHandle};

/// Slots per invocation: a component is made of several core instances, and of some memories and tables.
const CORE_INSTANCES: u32 = 6;
const MEMORIES: u32 = 2;
const TABLES: u32 = 3;

/// How much of a slot stays mapped for its next guest. Giving pages back costs a system call and an interrupt of every
/// other core for each request; most guests touch less than this.
const KEEP_RESIDENT: usize = 256 << 10;

/// Wasmtime, its clock and its code.
pub(crate) struct Engine {
    wasmtime: wasmtime::Engine,
    ticker: Ticker,
    cache: Option<CodeCache>,
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

impl Engine {
    /// An engine for `concurrency` invocations at once, of guests with at most `max_memory` each.
    pub(crate) fn new(concurrency: u32, max_memory: ByteSize, code_cache: Option<&Path>) -> Result<Self, EngineError> {
        let wasmtime = pooled(concurrency, max_memory).or_else(|error| {
            tracing::warn!(%error, "address space is short: instances are allocated one by one, which is slower");
            wasmtime::Engine::new(&config())
        });
        let wasmtime = wasmtime.map_err(|error| EngineError::Wasmtime(error.into()))?;
        let ticker = Ticker::start(wasmtime.clone()).map_err(EngineError::Clock)?;
        let cache = code_cache.and_then(|root| {
            CodeCache::open(root, fingerprint(&wasmtime))
                .inspect_err(|error| tracing::warn!(path = %root.display(), %error, "compiled code will not be kept"))
                .ok()
        });
        Ok(Self { wasmtime, ticker, cache })
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

    /// The code of the module `digest`, if it was compiled before. Blocks on the disk.
    pub(crate) fn cached(&self, digest: &Digest) -> Option<Code> {
        let path = self.cache.as_ref()?.get(digest)?;
        self.map(&path).inspect_err(|error| tracing::warn!(path = %path.display(), %error, "compiling again")).ok()
    }

    /// Compiles `wasm` and keeps the code. Blocks for as long as that takes.
    pub(crate) fn compile(&self, digest: &Digest, wasm: &[u8]) -> wasmtime::Result<Code> {
        let Some(cache) = &self.cache else {
            return self.compile_in_memory(wasm);
        };
        let code = match is_component(wasm) {
            true => self.wasmtime.precompile_component(wasm)?,
            false => self.wasmtime.precompile_module(wasm)?,
        };
        match cache.put(digest, &code) {
            Ok(path) => self.map(&path),
            Err(error) => {
                tracing::warn!(%error, %digest, "compiled code could not be kept");
                self.compile_in_memory(wasm)
            }
        }
    }

    fn compile_in_memory(&self, wasm: &[u8]) -> wasmtime::Result<Code> {
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

fn config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    // No guest of the kinds there are now runs concurrent tasks of its own, and each store is cheaper without.
    config.concurrency_support(false);
    config
}

fn pooled(concurrency: u32, max_memory: ByteSize) -> wasmtime::Result<wasmtime::Engine> {
    let slots = |each: u32| concurrency.saturating_mul(each);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(slots(CORE_INSTANCES))
        .total_component_instances(concurrency)
        .total_memories(slots(MEMORIES))
        .total_tables(slots(TABLES))
        .total_stacks(concurrency)
        .max_unused_warm_slots(slots(MEMORIES))
        .max_memories_per_module(MEMORIES)
        .max_tables_per_module(TABLES)
        .max_memory_size(usize::try_from(max_memory.as_u64())?)
        .table_elements(host::MAX_TABLE_ELEMENTS)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    let mut config = config();
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
