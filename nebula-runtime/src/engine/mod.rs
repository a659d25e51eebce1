//! The engines: Wasmtime, set up, and compiled code on its way in.
//!
//! Only this module, [`abi`](crate::abi) and the limits know Wasmtime.

mod clock;
#[cfg(feature = "compiler")]
mod compiler;
mod fault;
mod host;
mod precompiled;
mod supervise;
mod ticker;

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
#[cfg(feature = "compiler")]
pub(crate) use compiler::Compiler;
pub(crate) use fault::{fault, no_room};
use futures_util::future::BoxFuture;
pub(crate) use host::Host;
pub(crate) use precompiled::Precompiled;
pub(crate) use supervise::{Allowance, Supervised, Waits, supervise};
use ticker::Ticker;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::yield_now,
};
use wasmtime::{
    Collector, Config, Enabled, InstanceAllocationStrategy, Module, PoolingAllocationConfig, Store, UpdateDeadline,
    component::Component,
};

use crate::{ByteSize, Digest, InvokeError, ReportHandle};

/// Slots per invocation: a component is made of several core instances, and of some memories and tables.
const CORE_INSTANCES: u32 = 6;
const MEMORIES: u32 = 2;
const TABLES: u32 = 3;

/// Stacks per invocation of a guest that runs tasks of its own.
const STACKS: u32 = 4;

/// The most that a guest's calls may have of a stack, in bytes.
const GUEST_STACK: usize = 512 << 10;

/// How much of a slot stays mapped for its next guest. Giving pages back costs a system call and an interrupt of every
/// other core for each request; most guests touch less than this.
const KEEP_RESIDENT: usize = 256 << 10;

/// How large the heap of a guest's garbage collector is at first, in bytes. It doubles from there, and a step that does not
/// fit the guest's limit is refused whole. This is a little under a power of two, as limits mostly are one: so nearly all of
/// a limit can be reached, and what is left of it is for the guest's linear memory.
const GC_HEAP: u64 = 15 << 16;

/// What Wasmtime calls the version that made some code: code of another one is not for this one.
pub(crate) const WASMTIME: &str = "48";

/// Where the code of modules comes from.
///
/// # Contract
/// - The code is that of the module with this digest, compiled by this very Wasmtime for an engine of its flavour.
/// - `wasm`, the module itself, is asked for only where its code has to be made.
/// - No async worker thread is held while it reads or compiles.
#[async_trait]
pub(crate) trait CodeSource: Send + Sync {
    /// Brings a module's code into memory, and tells which of the engines runs it.
    async fn load(
        &self,
        engines: Arc<Engines>,
        digest: Digest,
        wasm: BoxFuture<'static, Result<Bytes, InvokeError>>,
    ) -> Result<Loaded, InvokeError>;
}

/// A module's code and the engine that runs it.
pub(crate) type Loaded = (Arc<Engine>, Code);

/// The engines of one runtime: one for guests that run no tasks of their own, each of whose stores is cheaper, and one
/// for those of WASI 0.3.
pub(crate) struct Engines {
    size: Size,
    plain: Mutex<Option<Arc<Engine>>>,
    concurrent: Mutex<Option<Arc<Engine>>>,
}

/// Wasmtime, set up in one way, and its clock.
pub(crate) struct Engine {
    wasmtime: wasmtime::Engine,
    flavour: Flavour,
    ticker: Ticker,
    /// Places for instances that wait for their next invocation.
    waiting: Arc<Semaphore>,
}

/// How many invocations there may be at once, and the memory that each may have.
#[derive(Debug, Clone, Copy)]
struct Size {
    concurrency: u32,
    max_memory: ByteSize,
}

/// Whether guests run tasks of their own (the component model's async functions).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
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
    /// Engines for `concurrency` invocations at once, of guests with at most `max_memory` each. Each is made when the first
    /// guest for it is loaded.
    pub(crate) fn new(concurrency: u32, max_memory: ByteSize) -> Self {
        Self { size: Size { concurrency, max_memory }, plain: Mutex::default(), concurrent: Mutex::default() }
    }

    /// The engine of a flavour.
    pub(crate) fn engine(&self, flavour: Flavour) -> Result<Arc<Engine>, EngineError> {
        let made = match flavour {
            Flavour::Plain => &self.plain,
            Flavour::Concurrent => &self.concurrent,
        };
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*made {
            return Ok(Arc::clone(engine));
        }
        let engine = Arc::new(Engine::new(self.size, flavour)?);
        *made = Some(Arc::clone(&engine));
        Ok(engine)
    }
}

impl Size {
    /// How many instances may wait for their next invocation, beside those at work: only concurrent guests have such.
    fn waiting(self, flavour: Flavour) -> u32 {
        if flavour == Flavour::Concurrent { self.concurrency } else { 0 }
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
        let waiting = Arc::new(Semaphore::new(size.waiting(flavour) as usize));
        Ok(Self { wasmtime, flavour, ticker, waiting })
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
        let mut store = self.unyielding_store(wasi, max_memory, report);
        // Tokio's own way of yielding: the thread looks after timers and sockets before the guest has its next turn. After
        // Wasmtime's, it would do so only every 61 turns.
        store.epoch_deadline_callback(|mut guest| {
            guest.data_mut().met_by_tick();
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(yield_now())))
        });
        store
    }

    /// A store for a guest that does not yield at the next tick, but ends there with [`wasmtime::Trap::Interrupt`].
    pub(crate) fn unyielding_store<W: 'static>(
        &self,
        wasi: W,
        max_memory: ByteSize,
        report: &ReportHandle,
    ) -> Store<Host<W>> {
        let host = Host::new(wasi, max_memory, report.clone(), self.ticker.tick_for_guest());
        let mut store = Store::new(&self.wasmtime, host);
        store.limiter(|host| &mut host.limiter);
        store.set_epoch_deadline(1);
        store
    }

    /// Begins a further invocation of a guest whose part in the last one has ended.
    pub(crate) fn resume<W: 'static>(&self, store: &mut Store<Host<W>>, report: &ReportHandle) {
        store.data_mut().resume(report.clone(), self.ticker.tick_for_guest());
        store.set_epoch_deadline(1);
    }

    /// Room for an instance that waits for its next invocation, if there is any.
    pub(crate) fn place_to_wait(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.waiting).try_acquire_owned().ok()
    }

    /// Whether a guest can run on this very thread: what is left of its stack is well over what a guest may use of it. A guest
    /// that meets the end of a thread's stack takes the process with it.
    pub(crate) fn fits_thread(&self) -> bool {
        stacker::remaining_stack().is_some_and(|left| left >= 2 * GUEST_STACK)
    }

    #[expect(unsafe_code, reason = "loading compiled code is running it: the one audited place")]
    fn map(&self, path: &Path) -> wasmtime::Result<Code> {
        // SAFETY: the file is one of two. Either `CodeCache::put` of an engine with this fingerprint wrote it: `CodeCache::get`
        // has just verified its MAC, or `put` has just written it. Its folder is private to this user, and entries are
        // replaced by renaming, never changed in place, so what is mapped stays as it was verified. Or `Precompiled` found it
        // in a package that this program was told to run. Nothing is verified then, and nothing could be: the program, or
        // whoever started it with this folder, is trusted with the code in it, and on AWS Lambda both are one read-only
        // artefact. Wasmtime itself refuses what another version of it, or one set up otherwise, has compiled.
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

fn config(flavour: Flavour) -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.max_wasm_stack(GUEST_STACK);
    config.concurrency_support(flavour == Flavour::Concurrent);
    // The others never free what refers to itself in a circle, or anything at all. This one uses half of its heap at a time.
    config.collector(Collector::Copying);
    config.gc_heap_initial_size(GC_HEAP);
    config
}

fn pooled(size: Size, flavour: Flavour) -> wasmtime::Result<wasmtime::Engine> {
    let instances = size.concurrency.saturating_add(size.waiting(flavour));
    let slots = |each: u32| instances.saturating_mul(each);
    let stacks = if flavour == Flavour::Concurrent { STACKS } else { 1 };
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(slots(CORE_INSTANCES))
        .total_component_instances(instances)
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
