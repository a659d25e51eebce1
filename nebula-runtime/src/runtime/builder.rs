//! How a runtime is set up.

use std::sync::Arc;
#[cfg(feature = "compiler")]
use std::time::Duration;

use bytesize::ByteSize;

use super::{
    Runtime,
    code::Code,
    resolve::Deployments,
    resources::Gates,
    run::Run,
    steps::{self, Layer},
};
use crate::{
    call::{InvokeError, Invoker, Tracer},
    engine::{CodeSource, EngineError, Engines, Flavour, Profiler},
    function::{Cors, LimitSettings, Limits},
    guest::{Loader, Results},
    host::{GuestStderr, Services},
    layers::{Admission, MemoryAdmission, Observer, StatusOf, most_for_one},
    registry::Package,
    store::{Store, trust::Trust},
};
#[cfg(feature = "compiler")]
use crate::{
    engine::{CodeCacheFolder, Compiler, CompilerProcess},
    registry::Registry,
};

/// How a [`Runtime`] is set up. Each setting has a default.
pub struct RuntimeBuilder {
    store: Store,
    defaults: Limits,
    ceilings: LimitSettings,
    /// A ceiling for the memory of each function, besides the one of `ceilings`.
    max_memory: Option<ByteSize>,
    code: Arc<dyn CodeSource>,
    #[cfg(feature = "compiler")]
    compiler: Compiler,
    #[cfg(feature = "compiler")]
    code_folder: Option<CodeCacheFolder>,
    #[cfg(feature = "compiler")]
    compiler_process: Option<CompilerProcess>,
    stderr: GuestStderr,
    concurrency: u32,
    loaded: usize,
    /// How much memory the results of pure functions may take, if that is set.
    result_cache: Option<ByteSize>,
    engine_at_once: bool,
    profiler: Option<Profiler>,
    cors: Option<Cors>,
    layers: Vec<Layer>,
    gates: Gates,
    observers: Vec<Arc<dyn Observer>>,
    tracer: Option<(Arc<dyn Tracer>, StatusOf)>,
    trust: Trust,
    services: Services,
}

impl Runtime {
    /// A runtime for the functions of `store`. Their code is compiled when it is first needed.
    #[cfg(feature = "compiler")]
    pub fn builder(store: Store) -> RuntimeBuilder {
        let compiler = Compiler::new(None, None);
        let builder = RuntimeBuilder::new(store, Arc::new(compiler.clone()));
        RuntimeBuilder { compiler, ..builder }
    }

    /// A runtime for the functions of a package, under the limits that it was made with. It never compiles.
    pub fn of_package(package: &Package) -> RuntimeBuilder {
        let settings = package.settings();
        RuntimeBuilder {
            // The failure to make an engine is then the first function's, and the start is quicker.
            engine_at_once: false,
            ..RuntimeBuilder::new(package.store().clone(), package.code())
                .defaults(Limits::default().with(&settings.limits))
                .ceilings(settings.ceilings)
                .cors(settings.cors.clone())
                .result_cache(settings.result_cache.map(ByteSize::b))
        }
    }
}

impl RuntimeBuilder {
    /// The default of [`RuntimeBuilder::result_cache`]: 32 MiB, which is about 70,000 results.
    pub const RESULT_CACHE: ByteSize = ByteSize::mib(32);

    pub(super) fn new(store: Store, code: Arc<dyn CodeSource>) -> Self {
        Self {
            store,
            code,
            #[cfg(feature = "compiler")]
            compiler: Compiler::new(None, None),
            #[cfg(feature = "compiler")]
            code_folder: None,
            #[cfg(feature = "compiler")]
            compiler_process: None,
            defaults: Limits::default(),
            ceilings: LimitSettings::default(),
            max_memory: None,
            stderr: GuestStderr::default(),
            concurrency: 256,
            loaded: 2_000,
            result_cache: None,
            engine_at_once: true,
            profiler: None,
            cors: None,
            layers: Vec::new(),
            gates: Gates::default(),
            observers: Vec::new(),
            tracer: None,
            trust: Trust::default(),
            services: Services::default(),
        }
    }

    /// Limits of functions that set none of their own.
    #[must_use]
    pub fn defaults(mut self, limits: Limits) -> Self {
        self.defaults = limits;
        self
    }

    /// Limits that no function exceeds, whatever it sets: instead of those of [`Limits::CEILINGS`]. A `max_response`
    /// among them limits responses that are streamed as well, of functions too that set no limit themselves.
    #[must_use]
    pub fn ceilings(mut self, ceilings: LimitSettings) -> Self {
        self.ceilings = ceilings;
        self
    }

    /// Where guests' stderr goes. The default is the log.
    #[must_use]
    pub fn guest_stderr(mut self, stderr: GuestStderr) -> Self {
        self.stderr = stderr;
        self
    }

    /// How many instances there is room for at once. The default is 256. Address space is reserved for them.
    #[must_use]
    pub fn concurrency(mut self, instances: u32) -> Self {
        self.concurrency = instances;
        self
    }

    /// How many modules stay in memory. The default is 2,000.
    #[must_use]
    pub fn loaded_modules(mut self, modules: usize) -> Self {
        self.loaded = modules;
        self
    }

    /// How much memory the results of pure functions may take together (see [`Caching`](crate::Caching)). The default is
    /// [`RuntimeBuilder::RESULT_CACHE`], but at most a sixteenth of [`RuntimeBuilder::guest_memory`]. With 0, no result is
    /// kept, and calls that come while the same result is computed still share it.
    #[must_use]
    pub fn result_cache(mut self, size: Option<ByteSize>) -> Self {
        self.result_cache = size;
        self
    }

    /// A folder in which compiled code is kept: a path, or a [`CodeCacheFolder`] with its size. Without one, each process
    /// compiles the code once.
    ///
    /// A [`Package`] brings its code along, and has no use for a folder.
    #[cfg(feature = "compiler")]
    #[must_use]
    pub fn code_cache(mut self, folder: Option<impl Into<CodeCacheFolder>>) -> Self {
        self.code_folder = folder.map(Into::into);
        self.with_compiler()
    }

    /// Compiles modules in processes of their own, which have limits. By default, this process compiles them: a module can be
    /// made so that compiling it takes all memory.
    #[cfg(feature = "compiler")]
    #[must_use]
    pub fn compiler_process(mut self, process: Option<CompilerProcess>) -> Self {
        self.compiler_process = process;
        self.with_compiler()
    }

    #[cfg(feature = "compiler")]
    fn with_compiler(mut self) -> Self {
        self.compiler = Compiler::new(self.code_folder.clone(), self.compiler_process.clone());
        self.code = Arc::new(self.compiler.clone());
        self
    }

    /// Which versions may be used: called, loaded ahead, packaged, or pointed to by an alias. The default trusts every
    /// version of the store.
    #[cfg(feature = "compiler")]
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// What stands behind the services that functions use. The default has none: a function that needs one gets no calls.
    #[must_use]
    pub fn services(mut self, services: Services) -> Self {
        self.services = services;
        self
    }

    /// Which pages of other origins may call functions that do not set it themselves. By default, none may.
    #[must_use]
    pub fn cors(mut self, cors: Option<Cors>) -> Self {
        self.cors = cors;
        self
    }

    /// Adds a layer: an invoker around another one. It sees each invocation after its function is resolved
    /// ([`Invocation::resolved`](crate::Invocation::resolved)), and before its code is loaded. The layer that is added
    /// first is the outermost.
    #[must_use]
    pub fn layer(mut self, layer: impl FnOnce(Arc<dyn Invoker>) -> Arc<dyn Invoker> + Send + 'static) -> Self {
        self.layers.push(Layer::Custom(Box::new(layer)));
        self
    }

    /// Adds the layer [`Admission`](crate::Admission): at most `concurrency` invocations are behind it at once.
    #[must_use]
    pub fn admission(mut self, concurrency: u32) -> Self {
        let gate = Admission::gate(concurrency);
        self.gates.places = Some(gate.clone());
        self.layers.push(Layer::Admission(gate));
        self
    }

    /// Adds the layer [`MemoryAdmission`](crate::MemoryAdmission): the guests behind it have at most `total` memory
    /// together. `total` is also a ceiling for the memory of each function.
    #[must_use]
    pub fn guest_memory(mut self, total: ByteSize) -> Self {
        let gate = MemoryAdmission::gate(total);
        self.gates.memory = Some(gate.clone());
        self.layers.push(Layer::Memory(gate, total));
        let most = most_for_one(total);
        self.max_memory = Some(self.max_memory.map_or(most, |memory| memory.min(most)));
        self
    }

    /// Samples the stacks of running guests at each `interval`: [`Runtime::profile`] has the samples. Functions run a
    /// little slower.
    #[cfg(feature = "compiler")]
    #[must_use]
    pub fn sample_stacks(mut self, interval: Duration) -> Self {
        self.profiler = Some(Profiler::new(interval));
        self
    }

    /// Adds an observer. It sees each invocation begin, before its function is resolved, and end.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Gives the spans of invocations whose traces are sampled to a tracer. `status` tells the status with which a
    /// failure is answered over HTTP, for the spans of requests.
    #[must_use]
    pub fn tracer(mut self, tracer: Arc<dyn Tracer>, status: fn(&InvokeError) -> u16) -> Self {
        self.tracer = Some((tracer, status));
        self
    }

    /// Sets the runtime up.
    ///
    /// # Errors
    /// The engine cannot be set up. A cache folder that cannot be used is only logged.
    pub fn build(self) -> Result<Runtime, EngineError> {
        let mut ceilings = Limits::CEILINGS.with(&self.ceilings);
        ceilings.memory = self.max_memory.map_or(ceilings.memory, |memory| memory.min(ceilings.memory));
        let engines = Arc::new(Engines::new(self.concurrency, ceilings.memory).sampled_by(self.profiler));
        if self.engine_at_once {
            engines.engine(Flavour::Plain)?;
        }
        let loader = Arc::new(Loader::new(engines, self.code, self.loaded));
        let code = Code { store: self.store.clone(), loader: Arc::clone(&loader) };
        let results = Arc::new(Results::new(room_for_results(self.result_cache, self.max_memory)));
        let node = (self.services.clone(), Arc::clone(&results));
        let deployments = Deployments::new(code.clone(), self.trust.clone(), (self.defaults, ceilings), node);
        let run = Run { code: code.clone(), stderr: self.stderr, max_stream: self.ceilings.max_response };
        let found = (deployments.clone(), self.cors);
        let entry = steps::put_together(run, self.layers, found, self.observers, self.tracer);
        Ok(Runtime {
            #[cfg(feature = "compiler")]
            registry: Registry::new(self.store.clone(), self.trust, loader, self.services),
            #[cfg(feature = "compiler")]
            compiler: self.compiler,
            store: self.store,
            gates: self.gates,
            results,
            deployments,
            code,
            entry,
        })
    }
}

/// How much memory results may take: what is set, or else the default, of which little is left where the memory of guests
/// is limited.
fn room_for_results(set: Option<ByteSize>, guest_memory: Option<ByteSize>) -> ByteSize {
    let part = guest_memory.map(|total| ByteSize(total.as_u64() / 16));
    set.unwrap_or_else(|| part.into_iter().chain([RuntimeBuilder::RESULT_CACHE]).min().unwrap_or_default())
}
