//! Bare Wasmtime, the peer of the runtime, with an engine that is configured like Nebula's.

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, InstancePre, Linker, Module, PoolingAllocationConfig, Result,
    Store, StoreLimits, StoreLimitsBuilder,
};
use wasmtime_wasi::{
    WasiCtxBuilder,
    p1::WasiP1Ctx,
    p2::pipe::{MemoryInputPipe, MemoryOutputPipe},
};

/// Converts a Wasmtime error to an Anyhow error. `?` alone cannot, because the former is not a `std::error::Error`.
pub(crate) fn into_anyhow<T>(result: Result<T>) -> anyhow::Result<T> {
    result.map_err(|error| anyhow::Error::from_boxed(error.into()))
}

/// An engine that is configured like Nebula's.
pub(crate) fn engine() -> Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(256 * 6)
        .total_component_instances(256)
        .total_memories(256 * 2)
        .total_tables(256 * 3)
        .total_stacks(256)
        .max_unused_warm_slots(256 * 2)
        .max_memory_size(4 << 30)
        .table_elements(100_000)
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(256 << 10)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config.epoch_interruption(true).concurrency_support(false);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

fn limits() -> StoreLimits {
    StoreLimitsBuilder::new().memory_size(128 << 20).table_elements(100_000).build()
}

fn prepare<T>(store: &mut Store<T>) {
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
}

/// A core module, each call of which has a fresh instance.
pub(crate) struct Core {
    engine: Engine,
    pre: InstancePre<StoreLimits>,
    export: String,
}

impl Core {
    pub(crate) fn new(engine: &Engine, wasm: &[u8], export: &str) -> Result<Self> {
        let pre = Linker::new(engine).instantiate_pre(&Module::new(engine, wasm)?)?;
        Ok(Self { engine: engine.clone(), pre, export: export.to_owned() })
    }

    /// Calls the export. Argument and result are texts, as in an event and its response.
    pub(crate) async fn call(&self, argument: &str) -> Result<bytes::Bytes> {
        let argument = argument.parse::<i32>()?;
        let mut store = Store::new(&self.engine, limits());
        store.limiter(|limits| limits);
        prepare(&mut store);
        let instance = self.pre.instantiate_async(&mut store).await?;
        let function = instance.get_typed_func::<i32, i32>(&mut store, &self.export)?;
        let result = function.call_async(&mut store, argument).await?;
        Ok(result.to_string().into())
    }
}

struct Host {
    wasi: WasiP1Ctx,
    limits: StoreLimits,
}

/// A WASI command, each run of which has a fresh instance.
pub(crate) struct Command {
    engine: Engine,
    pre: InstancePre<Host>,
}

impl Command {
    pub(crate) fn new(engine: &Engine, wasm: &[u8]) -> Result<Self> {
        let mut linker = Linker::new(engine);
        wasmtime_wasi::p1::add_to_linker_async(&mut linker, |host: &mut Host| &mut host.wasi)?;
        let pre = linker.instantiate_pre(&Module::new(engine, wasm)?)?;
        Ok(Self { engine: engine.clone(), pre })
    }

    pub(crate) async fn run(&self, input: impl Into<bytes::Bytes>) -> Result<bytes::Bytes> {
        let stdout = MemoryOutputPipe::new(6 << 20);
        let mut wasi = WasiCtxBuilder::new();
        wasi.arg("command").stdin(MemoryInputPipe::new(input.into())).stdout(stdout.clone());
        let mut store = Store::new(&self.engine, Host { wasi: wasi.build_p1(), limits: limits() });
        store.limiter(|host| &mut host.limits);
        prepare(&mut store);
        let instance = self.pre.instantiate_async(&mut store).await?;
        let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
        start.call_async(&mut store, ()).await?;
        drop(store);
        Ok(stdout.contents())
    }
}
