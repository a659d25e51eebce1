//! Brings guests into memory: each once, off the async workers, and only so many at a time.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use quick_cache::sync::Cache;
use tokio::task::spawn_blocking;

use crate::{
    Digest, ErrorKind, InvokeError,
    abi::Guest,
    cache::cache,
    engine::{CodeSource, Engines},
};

/// The guests in memory: those used most recently stay.
pub(crate) struct Loader {
    engines: Arc<Engines>,
    code: Arc<dyn CodeSource>,
    loaded: Cache<Digest, Guest>,
    loading: Arc<Mutex<HashMap<Digest, Loading>>>,
}

type Loading = Shared<BoxFuture<'static, Result<Guest, Arc<InvokeError>>>>;

impl Loader {
    /// Keeps at most `capacity` guests in memory.
    pub(crate) fn new(engines: Arc<Engines>, code: Arc<dyn CodeSource>, capacity: usize) -> Self {
        Self { engines, code, loaded: cache(capacity), loading: Arc::default() }
    }

    /// The guest `digest`, if it is in memory.
    pub(crate) fn loaded(&self, digest: &Digest) -> Option<Guest> {
        self.loaded.get(digest)
    }

    /// The guest `digest`, from memory, or from where code comes from. `wasm` is asked for only where it is to be compiled.
    ///
    /// Everyone who asks while it is being loaded waits for the same load, which goes on when they leave.
    pub(crate) async fn load(
        &self,
        digest: Digest,
        wasm: impl Future<Output = Result<Bytes, InvokeError>> + Send + 'static,
    ) -> Result<Guest, InvokeError> {
        if let Some(guest) = self.loaded(&digest) {
            return Ok(guest);
        }
        let loading = self.start(digest, wasm);
        let loaded = loading.await;
        let mut in_flight = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(guest) = &loaded
            && in_flight.remove(&digest).is_some()
        {
            self.loaded.insert(digest, guest.clone());
        }
        in_flight.remove(&digest);
        loaded.map_err(|error| InvokeError::new(error.kind(), error.detail()).with_source(error))
    }

    fn start(
        &self,
        digest: Digest,
        wasm: impl Future<Output = Result<Bytes, InvokeError>> + Send + 'static,
    ) -> Loading {
        let mut in_flight = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let loading = in_flight.entry(digest).or_insert_with(|| {
            // A task of its own, so that a caller who leaves does not stop it half-way and let the next one start over.
            let task = tokio::spawn(load(Arc::clone(&self.code), Arc::clone(&self.engines), digest, wasm.boxed()));
            let loading = async move {
                let loaded = task.await.unwrap_or_else(|panic| Err(internal("loading the module failed", panic)));
                loaded.map_err(Arc::new)
            };
            loading.boxed().shared()
        });
        loading.clone()
    }
}

async fn load(
    code: Arc<dyn CodeSource>,
    engines: Arc<Engines>,
    digest: Digest,
    wasm: BoxFuture<'static, Result<Bytes, InvokeError>>,
) -> Result<Guest, InvokeError> {
    let (engine, code) = code.load(engines, digest, wasm).await?;
    // Linking a large component takes its time.
    let recognised = spawn_blocking(move || Guest::recognise(engine, code)).await;
    recognised.map_err(|panic| internal("linking the module failed", panic))?
}

fn internal(what: &str, error: tokio::task::JoinError) -> InvokeError {
    InvokeError::new(ErrorKind::Internal, what).with_source(error)
}
