//! Loads guests into memory. Each is loaded once, on a blocking thread.

use std::{future::Future, sync::Arc};

use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture};
use quick_cache::sync::Cache;
use tokio::task::spawn_blocking;

use crate::{
    call::{ErrorKind, InvokeError},
    engine::{CodeKey, CodeLoads, CodeSource, Engines, PoolUse},
    guest::Guest,
    store::{cache::cache, flight::SingleFlight},
};

/// The guests in memory. The least recently used ones are dropped.
pub(crate) struct Loader {
    source: Arc<Source>,
    loading: SingleFlight<CodeKey, Result<Guest, Arc<InvokeError>>>,
}

struct Source {
    engines: Arc<Engines>,
    code: Arc<dyn CodeSource>,
    loaded: Cache<CodeKey, Guest>,
}

impl Loader {
    /// Keeps at most `capacity` guests in memory.
    pub(crate) fn new(engines: Arc<Engines>, code: Arc<dyn CodeSource>, capacity: usize) -> Self {
        let source = Arc::new(Source { engines, code, loaded: cache(capacity) });
        Self { source, loading: SingleFlight::new() }
    }

    /// The engines that guests are loaded for.
    #[cfg(feature = "compiler")]
    pub(crate) fn engines(&self) -> &Arc<Engines> {
        &self.source.engines
    }

    /// What guests use of the pool of each engine.
    pub(crate) fn pools(&self) -> Vec<PoolUse> {
        self.source.engines.pools()
    }

    /// Where the code came from that was loaded.
    pub(crate) fn code_loads(&self) -> CodeLoads {
        self.source.code.loads()
    }

    /// How many guests are in memory.
    pub(crate) fn count(&self) -> u64 {
        self.source.loaded.len() as u64
    }

    /// The guest with this code, if it is in memory.
    pub(crate) fn loaded(&self, key: &CodeKey) -> Option<Guest> {
        self.source.loaded.get(key)
    }

    /// The guest with this code, from memory or else from the code source. `wasm` is awaited only if the module must be
    /// compiled.
    ///
    /// All callers that come while the guest is being loaded wait for the same load, which goes on when they leave. If
    /// it fails, all of them get the error, and the next caller begins a new load.
    pub(crate) async fn load(
        &self,
        key: CodeKey,
        wasm: impl Future<Output = Result<Bytes, InvokeError>> + Send + 'static,
    ) -> Result<Guest, InvokeError> {
        if let Some(guest) = self.loaded(&key) {
            return Ok(guest);
        }
        let load = Arc::clone(&self.source).load(key, wasm.boxed()).map(|loaded| loaded.map_err(Arc::new));
        match self.loading.start(&key, || self.loaded(&key).map(Ok), load).await {
            Ok(loaded) => loaded.map_err(InvokeError::shared),
            Err(stopped) => Err(internal("loading the module was stopped; try again", stopped)),
        }
    }

    /// The guest of a module that is run once, and is not kept in memory.
    #[cfg(feature = "compiler")]
    pub(crate) async fn load_once(&self, key: CodeKey, wasm: Bytes) -> Result<Guest, InvokeError> {
        self.source.linked(key, async { Ok(wasm) }.boxed()).await
    }
}

impl Source {
    async fn load(
        self: Arc<Self>,
        key: CodeKey,
        wasm: BoxFuture<'static, Result<Bytes, InvokeError>>,
    ) -> Result<Guest, InvokeError> {
        let guest = self.linked(key, wasm).await?;
        self.loaded.insert(key, guest.clone());
        Ok(guest)
    }

    async fn linked(
        &self,
        key: CodeKey,
        wasm: BoxFuture<'static, Result<Bytes, InvokeError>>,
    ) -> Result<Guest, InvokeError> {
        let (engine, code) = self.code.load(Arc::clone(&self.engines), key, wasm).await?;
        // Linking a large component takes too long for an async worker.
        let recognised = spawn_blocking(move || Guest::recognise(engine, code)).await;
        recognised.map_err(|panic| internal("linking the module failed", panic))?
    }
}

fn internal(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> InvokeError {
    InvokeError::new(ErrorKind::Internal, what).with_source(error)
}
