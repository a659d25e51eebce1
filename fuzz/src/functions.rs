//! A runtime in memory, and the threads that drive it.

use std::{fs, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use nebula_runtime::{ByteSize, FunctionConfig, FunctionName, Limits, Runtime, Store};

/// The time of guests that need far less.
const PATIENCE: Duration = Duration::from_secs(30);

/// A runtime in memory with functions, and the threads that drive it.
pub(crate) struct Functions {
    pub(crate) tokio: tokio::runtime::Runtime,
    pub(crate) runtime: Arc<Runtime>,
}

impl Functions {
    /// A runtime with these functions: names, modules and settings.
    pub(crate) fn new(functions: impl IntoIterator<Item = (&'static str, Bytes, FunctionConfig)>) -> Self {
        let tokio = tokio();
        let runtime = {
            let _entered = tokio.enter();
            runtime(PATIENCE)
        };
        for (name, module, config) in functions {
            let name: FunctionName = name.parse().unwrap();
            tokio.block_on(async { runtime.publish(&name, module).config(config).await }).unwrap();
        }
        Self { tokio, runtime: Arc::new(runtime) }
    }
}

/// Threads for guests, servers and clients. One is enough, and makes runs alike.
pub(crate) fn tokio() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A runtime in memory with small limits, whose guests have this time.
pub(crate) fn runtime(timeout: Duration) -> Runtime {
    let mut limits = Limits::default();
    limits.memory = ByteSize::mib(4);
    limits.timeout = timeout;
    limits.max_request = ByteSize::mib(1);
    limits.max_response = ByteSize::mib(1);
    Runtime::builder(Store::memory()).defaults(limits).concurrency(4).loaded_modules(8).build().unwrap()
}

/// A guest that `just guests` has built.
pub(crate) fn guest(name: &str) -> Bytes {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../guests/build/{name}.wasm"));
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `just guests`", path.display())).into()
}
