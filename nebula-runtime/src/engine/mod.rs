//! The engines: Wasmtime, set up, and compiled code on its way in.
//!
//! Only this module, [`abi`](crate::abi) and the limits know Wasmtime.

mod allocation;
mod clock;
#[cfg(feature = "compiler")]
mod compiler;
mod fault;
mod flavour;
mod host;
mod limiter;
mod precompiled;
mod supervise;
mod ticker;

use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use allocation::{Allocation, GUEST_STACK, Size};
use async_trait::async_trait;
use bytes::Bytes;
use bytesize::ByteSize;
#[cfg(feature = "compiler")]
pub(crate) use compiler::Compiler;
pub(crate) use fault::fault;
pub(crate) use flavour::Flavour;
use futures_util::future::BoxFuture;
pub(crate) use host::Host;
pub(crate) use precompiled::Precompiled;
pub(crate) use supervise::{Allowance, Supervised, Waits, supervise};
use ticker::Ticker;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::yield_now,
};
use wasmtime::{Module, Precompiled as Precompilation, Store, UpdateDeadline, component::Component};

use crate::{
    call::{Caller, InvokeError},
    function::Digest,
};

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

/// The engines of one runtime, each made when the first guest needs it: one for guests that run no tasks of their own, each
/// of whose stores is cheaper, and one for those of WASI 0.3. Each of the two has another beside it for guests of many parts.
pub(crate) struct Engines {
    size: Size,
    made: Mutex<Made>,
}

/// The engines that there are.
#[derive(Default)]
struct Made {
    ticker: Option<Arc<Ticker>>,
    /// Each flavour's own one.
    first: HashMap<Flavour, Arc<Engine>>,
    /// Those for guests that the pool of their flavour's own engine has no room for.
    on_demand: HashMap<Flavour, Arc<Engine>>,
}

/// Wasmtime, set up in one way, and its clock.
pub(crate) struct Engine {
    wasmtime: wasmtime::Engine,
    flavour: Flavour,
    allocation: Allocation,
    ticker: Arc<Ticker>,
    /// Places for instances that wait for their next invocation.
    waiting: Arc<Semaphore>,
}

/// Code that Wasmtime has compiled, as it is kept.
#[derive(Clone, Copy)]
enum Compiled<'a> {
    File(&'a Path),
    #[cfg(feature = "compiler")]
    Bytes(&'a [u8]),
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
    pub(crate) fn new(concurrency: u32, max_memory: ByteSize) -> Self {
        Self { size: Size { concurrency, max_memory }, made: Mutex::default() }
    }

    /// A flavour's own engine: nearly all guests run on it, and it compiles for all.
    pub(crate) fn engine(&self, flavour: Flavour) -> Result<Arc<Engine>, EngineError> {
        let flavour = flavour.of_engine();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = made.first.get(&flavour) {
            return Ok(Arc::clone(engine));
        }
        let pooled = if self.size.fits_pool() { Allocation::Pooled } else { Allocation::OnDemand };
        let engine = match made.make(self.size, flavour, pooled) {
            Err(error @ EngineError::Wasmtime(_)) => {
                tracing::warn!(
                    error = &error as &(dyn std::error::Error + 'static),
                    "address space is short: none is reserved for functions, which makes them slower"
                );
                made.make(self.size, flavour, Allocation::Unreserved)
            }
            made => made,
        }?;
        made.first.insert(flavour, Arc::clone(&engine));
        Ok(engine)
    }

    /// The engine for guests that need more than their part of the pool.
    fn on_demand(&self, flavour: Flavour) -> Result<Arc<Engine>, EngineError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = made.on_demand.get(&flavour) {
            return Ok(Arc::clone(engine));
        }
        let engine = made.make(self.size, flavour, Allocation::OnDemand)?;
        made.on_demand.insert(flavour, Arc::clone(&engine));
        Ok(engine)
    }

    /// Whether the flavour's own engine is made and reserves no address space.
    #[cfg(feature = "compiler")]
    fn is_unreserved(&self, flavour: Flavour) -> bool {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.first.get(&flavour.of_engine()).is_some_and(|engine| engine.is_unreserved())
    }

    /// Brings code of a flavour into memory, for the engine that its guests run on from then on: the flavour's own one, or
    /// the one beside it if they need more than their part of the pool. Wasmtime counts all but stacks as it loads the code.
    fn load(&self, flavour: Flavour, code: Compiled<'_>) -> wasmtime::Result<Loaded> {
        let own = self.engine(flavour)?;
        if own.allocation != Allocation::Pooled {
            let code = own.load(code)?;
            return Ok((own, code));
        }
        if flavour != Flavour::ManyStacks {
            match own.load(code) {
                Ok(code) => return Ok((own, code)),
                Err(error) => tracing::debug!(%error, "to be allocated on demand"),
            }
        }
        let beside = self.on_demand(flavour.of_engine())?;
        let code = beside.load(code)?;
        Ok((beside, code))
    }
}

impl Made {
    fn make(&mut self, size: Size, flavour: Flavour, allocation: Allocation) -> Result<Arc<Engine>, EngineError> {
        let made = allocation::engine(size, flavour, allocation);
        let wasmtime = made.map_err(|error| EngineError::Wasmtime(error.into()))?;
        let ticker = match &self.ticker {
            Some(ticker) => Arc::clone(ticker),
            None => Arc::clone(self.ticker.insert(Arc::new(Ticker::start().map_err(EngineError::Clock)?))),
        };
        ticker.add(wasmtime.clone());
        let waiting = Arc::new(Semaphore::new(size.waiting(flavour) as usize));
        Ok(Arc::new(Engine { wasmtime, flavour, allocation, ticker, waiting }))
    }
}

impl Engine {
    /// Whether guests may run tasks of their own.
    pub(crate) fn is_concurrent(&self) -> bool {
        self.flavour.is_concurrent()
    }

    /// The engine under the guests' linkers.
    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.wasmtime
    }

    /// A store for one guest, under its limits and the clock.
    pub(crate) fn store<W: 'static>(&self, wasi: W, max_memory: ByteSize, caller: Caller) -> Store<Host<W>> {
        let mut store = self.unyielding_store(wasi, max_memory, caller);
        // Tokio's own way of yielding: the thread looks after timers and sockets before the guest has its next turn. After
        // Wasmtime's, it would do so only every 61 turns.
        store.epoch_deadline_callback(|mut guest| {
            guest.data_mut().met_by_tick();
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(yield_now())))
        });
        store
    }

    /// A store for a guest that does not yield at the next tick, but ends there with [`wasmtime::Trap::Interrupt`].
    pub(crate) fn unyielding_store<W: 'static>(&self, wasi: W, max_memory: ByteSize, caller: Caller) -> Store<Host<W>> {
        let host = Host::new(wasi, max_memory, caller, self.ticker.tick_for_guest());
        let mut store = Store::new(&self.wasmtime, host);
        store.limiter(|host| &mut host.limiter);
        store.set_epoch_deadline(1);
        store
    }

    /// Begins a further invocation of a guest whose part in the last one has ended.
    pub(crate) fn resume<W: 'static>(&self, store: &mut Store<Host<W>>, caller: Caller) {
        store.data_mut().resume(caller, self.ticker.tick_for_guest());
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

    /// Whether it reserves no address space, because that is short.
    fn is_unreserved(&self) -> bool {
        self.allocation == Allocation::Unreserved
    }

    #[expect(unsafe_code, reason = "loading compiled code is running it: the one audited place")]
    fn load(&self, code: Compiled<'_>) -> wasmtime::Result<Code> {
        // SAFETY: the bytes were compiled by this process just now. A file is one of two. Either `CodeCache::put` of an engine
        // with this fingerprint wrote it: `CodeCache::get` has just verified its MAC, or `put` has just written it. Its folder
        // is private to this user, and entries are replaced by renaming, never changed in place, so what is mapped stays as it
        // was verified. Or `Precompiled` found it in a package that this program was told to run. Nothing is verified then, and
        // nothing could be: the program, or whoever started it with this folder, is trusted with the code in it, and on AWS
        // Lambda both are one read-only artefact. Wasmtime itself refuses what another version of it, or one set up otherwise,
        // has compiled.
        unsafe {
            let engine = &self.wasmtime;
            Ok(match code {
                Compiled::File(path) => match wasmtime::Engine::detect_precompiled_file(path)? {
                    Some(Precompilation::Component) => Code::Component(Component::deserialize_file(engine, path)?),
                    _ => Code::Module(Module::deserialize_file(engine, path)?),
                },
                #[cfg(feature = "compiler")]
                Compiled::Bytes(bytes) => match wasmtime::Engine::detect_precompiled(bytes) {
                    Some(Precompilation::Component) => Code::Component(Component::deserialize(engine, bytes)?),
                    _ => Code::Module(Module::deserialize(engine, bytes)?),
                },
            })
        }
    }
}
