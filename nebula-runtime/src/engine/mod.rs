//! The engines: how Wasmtime is set up, how compiled code is loaded, and how running guests are supervised.
//!
//! Only `engine/`, `guest/` and `host/` name Wasmtime.

mod allocation;
mod clock;
mod code_key;
mod code_loads;
#[cfg(feature = "compiler")]
mod compiler;
mod fault;
mod flavour;
mod host;
mod limiter;
mod pool_use;
mod precompiled;
#[cfg_attr(not(feature = "compiler"), path = "no_profiler.rs")]
mod profiler;
mod supervise;
mod symbols;
mod ticker;
mod turns;

use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use allocation::{Allocation, Capacity, GUEST_STACK};
use async_trait::async_trait;
use bytes::Bytes;
use bytesize::ByteSize;
pub(crate) use code_key::CodeKey;
pub use code_loads::CodeLoads;
#[cfg(feature = "compiler")]
pub use compiler::{CodeCacheFolder, CompilerProcess};
#[cfg(feature = "compiler")]
pub(crate) use compiler::{Compiler, KeptCode};
pub(crate) use fault::{Fault, fault, with_lines};
pub(crate) use flavour::Flavour;
use futures_util::future::BoxFuture;
pub(crate) use host::Host;
pub use pool_use::PoolUse;
pub(crate) use precompiled::Precompiled;
pub(crate) use profiler::Profiler;
pub(crate) use supervise::{Supervised, TimeLimit, WaitFlag, supervise};
pub(crate) use symbols::Symbols;
use ticker::Ticker;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::{Module, Precompiled as Precompilation, Store, StoreContextMut, UpdateDeadline, component::Component};

use crate::call::{Caller, InvokeError};

/// The version of Wasmtime. Code that another version has compiled cannot be loaded.
pub(crate) const WASMTIME: &str = "48";

/// Gives the compiled code of modules.
///
/// # Contract
/// - The code is that of the module with this digest, and is deterministic if that is wanted. This version of Wasmtime compiled it for an engine of its
///   flavour.
/// - `wasm`, the module itself, is awaited only if the module must be compiled.
/// - Reading and compiling never block an async worker thread.
#[async_trait]
pub(crate) trait CodeSource: Send + Sync {
    /// Loads a module's code into memory, and returns it with the engine that runs it.
    async fn load(
        &self,
        engines: Arc<Engines>,
        key: CodeKey,
        wasm: BoxFuture<'static, Result<Bytes, InvokeError>>,
    ) -> Result<LoadedCode, InvokeError>;

    /// Where the code came from that was loaded. A source that does not compile counts nothing.
    fn loads(&self) -> CodeLoads {
        CodeLoads::default()
    }
}

/// A module's code and the engine that runs it.
pub(crate) type LoadedCode = (Arc<Engine>, Code);

/// The engines of one runtime. Each is created when the first guest needs it.
///
/// There is one engine for guests that run no tasks of their own, because their stores are cheaper, one for guests of
/// WASI 0.3, and one for pure functions. Each of them has a second engine beside it, for guests that need more than the pool
/// gives one invocation.
pub(crate) struct Engines {
    capacity: Capacity,
    profiler: Option<Profiler>,
    created: Mutex<CreatedEngines>,
}

/// The engines that have been created.
#[derive(Default)]
struct CreatedEngines {
    ticker: Option<Arc<Ticker>>,
    /// The engine of each flavour that nearly all guests run on.
    main: HashMap<Flavour, Arc<Engine>>,
    /// The engine of each flavour for guests that need more than the pool gives one invocation.
    on_demand: HashMap<Flavour, Arc<Engine>>,
}

/// A Wasmtime engine, with the clock that makes its guests yield.
pub(crate) struct Engine {
    wasmtime: wasmtime::Engine,
    flavour: Flavour,
    allocation: Allocation,
    ticker: Arc<Ticker>,
    /// Samples the stacks of guests that run.
    profiler: Option<Profiler>,
    /// Places for instances that wait for their next invocation.
    idle_places: Arc<Semaphore>,
}

/// Compiled code in Wasmtime's serialized form.
#[derive(Clone, Copy)]
enum SerializedCode<'a> {
    File(&'a Path),
    #[cfg(feature = "compiler")]
    Bytes(&'a [u8]),
}

/// Compiled code that is loaded into memory.
pub(crate) enum Code {
    Module(Module),
    Component(Component),
}

/// The engine could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Wasmtime refused its configuration, or the process has too little address space.
    #[error("failed to set up the WebAssembly engine")]
    Wasmtime(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The clock's thread could not be started.
    #[error("failed to start the epoch clock")]
    Clock(#[source] io::Error),
}

impl Engines {
    /// Engines for `concurrency` invocations at once, each of which has at most `max_memory`.
    pub(crate) fn new(concurrency: u32, max_memory: ByteSize) -> Self {
        let capacity = Capacity { concurrency, max_memory, is_profiled: false };
        Self { capacity, profiler: None, created: Mutex::default() }
    }

    /// The same engines, whose guests a profiler samples.
    pub(crate) fn sampled_by(mut self, profiler: Option<Profiler>) -> Self {
        self.capacity.is_profiled = profiler.is_some();
        self.profiler = profiler;
        self
    }

    /// The profiler that samples the guests of these engines.
    #[cfg(feature = "compiler")]
    pub(crate) fn profiler(&self) -> Option<&Profiler> {
        self.profiler.as_ref()
    }

    /// The main engine of a flavour. Nearly all guests of the flavour run on it, and it compiles the code of all of
    /// them.
    pub(crate) fn engine(&self, flavour: Flavour) -> Result<Arc<Engine>, EngineError> {
        let flavour = flavour.of_engine();
        let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = created.main.get(&flavour) {
            return Ok(Arc::clone(engine));
        }
        let pooled = if self.capacity.fits_pool() { Allocation::Pooled } else { Allocation::OnDemand };
        let engine = match created.create(self, flavour, pooled) {
            Err(error @ EngineError::Wasmtime(_)) => {
                tracing::warn!(
                    error = &error as &(dyn std::error::Error + 'static),
                    "address space is short: none is reserved for functions, which makes them slower"
                );
                created.create(self, flavour, Allocation::Unreserved)
            }
            made => made,
        }?;
        created.main.insert(flavour, Arc::clone(&engine));
        Ok(engine)
    }

    /// What guests use of the pool of each engine.
    pub(crate) fn pools(&self) -> Vec<PoolUse> {
        let created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
        let pools = created.main.iter().filter_map(|(flavour, engine)| PoolUse::of(*flavour, &engine.wasmtime));
        pools.collect()
    }

    /// The engine for guests that need more than the pool gives one invocation.
    fn on_demand(&self, flavour: Flavour) -> Result<Arc<Engine>, EngineError> {
        let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = created.on_demand.get(&flavour) {
            return Ok(Arc::clone(engine));
        }
        let engine = created.create(self, flavour, Allocation::OnDemand)?;
        created.on_demand.insert(flavour, Arc::clone(&engine));
        Ok(engine)
    }

    /// Whether the flavour's main engine has been created and reserves no address space.
    #[cfg(feature = "compiler")]
    fn is_unreserved(&self, flavour: Flavour) -> bool {
        let created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
        created.main.get(&flavour.of_engine()).is_some_and(|engine| engine.is_unreserved())
    }

    /// Loads code of a flavour into memory, and chooses the engine that runs it: the main engine of the flavour, or the
    /// engine that allocates on demand if a guest needs more than the pool gives one invocation. Wasmtime compares the
    /// guest's needs with the pool while it loads the code. It does not count stacks; the flavour tells about these.
    fn load(&self, flavour: Flavour, code: SerializedCode<'_>) -> wasmtime::Result<LoadedCode> {
        let own = self.engine(flavour)?;
        if own.allocation != Allocation::Pooled {
            let code = own.load(code)?;
            return Ok((own, code));
        }
        if flavour != Flavour::ManyStacks {
            match own.load(code) {
                Ok(code) => return Ok((own, code)),
                Err(error) => tracing::debug!(%error, "the function does not fit the pool: it is allocated on demand"),
            }
        }
        let beside = self.on_demand(flavour.of_engine())?;
        let code = beside.load(code)?;
        Ok((beside, code))
    }
}

impl CreatedEngines {
    fn create(
        &mut self,
        engines: &Engines,
        flavour: Flavour,
        allocation: Allocation,
    ) -> Result<Arc<Engine>, EngineError> {
        let (capacity, profiler) = (engines.capacity, engines.profiler.clone());
        let made = allocation::engine(capacity, flavour, allocation);
        let wasmtime = made.map_err(|error| EngineError::Wasmtime(error.into()))?;
        let ticker = match &self.ticker {
            Some(ticker) => Arc::clone(ticker),
            None => {
                let interval = profiler.as_ref().map(Profiler::interval);
                let started = Ticker::start(interval).map_err(EngineError::Clock)?;
                Arc::clone(self.ticker.insert(Arc::new(started)))
            }
        };
        ticker.add(wasmtime.clone());
        let idle_places = Arc::new(Semaphore::new(capacity.idle_instances(flavour) as usize));
        Ok(Arc::new(Engine { wasmtime, flavour, allocation, ticker, profiler, idle_places }))
    }
}

impl Engine {
    /// Whether guests may run tasks of their own.
    pub(crate) fn is_concurrent(&self) -> bool {
        self.flavour.is_concurrent()
    }

    /// The engine of Wasmtime itself, which linkers need.
    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.wasmtime
    }

    /// A store for one guest, which enforces the guest's limits and makes the guest yield at ticks.
    pub(crate) fn store<W: 'static>(&self, wasi: W, max_memory: ByteSize, caller: Caller) -> Store<Host<W>> {
        let mut store = self.unyielding_store(wasi, max_memory, caller);
        match self.profiler.clone() {
            None => store.epoch_deadline_callback(|guest| Ok(at_tick(guest))),
            Some(profiler) => store.epoch_deadline_callback(move |guest| {
                profiler.sample(&guest);
                Ok(at_tick(guest))
            }),
        }
        store
    }

    /// A store for a guest that cannot yield: the next tick ends it with [`wasmtime::Trap::Interrupt`].
    pub(crate) fn unyielding_store<W: 'static>(&self, wasi: W, max_memory: ByteSize, caller: Caller) -> Store<Host<W>> {
        let host = Host::new(wasi, max_memory, caller, self.ticker.tick_for_guest());
        let mut store = Store::new(&self.wasmtime, host);
        store.limiter(|host| &mut host.limiter);
        store.set_epoch_deadline(1);
        store
    }

    /// Prepares an instance that has served an invocation for its next one.
    pub(crate) fn resume<W: 'static>(&self, store: &mut Store<Host<W>>, caller: Caller) {
        store.data_mut().resume(caller, self.ticker.tick_for_guest());
        store.set_epoch_deadline(1);
    }

    /// A place for an instance that waits for its next invocation, or `None` if all are taken.
    pub(crate) fn idle_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.idle_places).try_acquire_owned().ok()
    }

    /// Whether a guest can run on the stack of the current thread: what is left of it must be well over what a guest
    /// may use. A guest that overflows a thread's stack ends the whole process. A guest that is profiled does not run
    /// there, because it would end at its first sample.
    pub(crate) fn fits_thread(&self) -> bool {
        self.profiler.is_none() && stacker::remaining_stack().is_some_and(|left| left >= 2 * GUEST_STACK)
    }

    /// Whether the engine reserves no address space, because the process has too little.
    fn is_unreserved(&self) -> bool {
        self.allocation == Allocation::Unreserved
    }

    #[expect(unsafe_code, reason = "loading compiled code is running it: the one audited place")]
    fn load(&self, code: SerializedCode<'_>) -> wasmtime::Result<Code> {
        // SAFETY: the code must come from Wasmtime's own compiler. `SerializedCode::Bytes` was compiled just now, by this
        // process or by one that it has started for that. A `SerializedCode::File` comes from one of two places:
        // - `CodeCache::put` wrote it, for an engine with this fingerprint. Either `put` has just written it, or
        //   `CodeCache::get` has just verified its MAC. Its folder is private to this user, and an entry is replaced by
        //   renaming and never changed in place, so the mapped file stays as it was verified.
        // - `Precompiled` found it in the package that this program was told to run. Nothing is verified then, and
        //   nothing could be: the user who starts the program with this folder trusts the code in it as the program
        //   itself. On AWS Lambda, both are one read-only artefact.
        //
        // Wasmtime itself refuses code of another version, or of an engine that is set up differently.
        unsafe {
            let engine = &self.wasmtime;
            Ok(match code {
                SerializedCode::File(path) => match wasmtime::Engine::detect_precompiled_file(path)? {
                    Some(Precompilation::Component) => Code::Component(Component::deserialize_file(engine, path)?),
                    _ => Code::Module(Module::deserialize_file(engine, path)?),
                },
                #[cfg(feature = "compiler")]
                SerializedCode::Bytes(bytes) => match wasmtime::Engine::detect_precompiled(bytes) {
                    Some(Precompilation::Component) => Code::Component(Component::deserialize(engine, bytes)?),
                    _ => Code::Module(Module::deserialize(engine, bytes)?),
                },
            })
        }
    }
}

/// Makes a guest yield that was running when the clock ticked.
fn at_tick<W>(mut guest: StoreContextMut<'_, Host<W>>) -> UpdateDeadline {
    let function = guest.data_mut().note_tick();
    UpdateDeadline::YieldCustom(1, Box::pin(turns::next(function)))
}
