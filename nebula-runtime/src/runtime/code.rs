//! Where the code of versions comes from.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::timeout;

use crate::{
    call::{ErrorKind, InvokeError},
    function::{Digest, RegistryError},
    guest::{Deployment, Guest, Loader},
    store::{Store, StoreError},
};

/// Where the code of deployments comes from.
#[derive(Clone)]
pub(super) struct Code {
    pub(super) store: Store,
    pub(super) loader: Arc<Loader>,
}

impl Code {
    /// The loaded code of a deployment.
    pub(super) async fn guest(&self, deployment: &Deployment) -> Result<Guest, InvokeError> {
        let (store, key) = (self.store.clone(), deployment.code);
        self.loader.load(key, async move { read_module(&store, &key.digest).await }).await
    }
}

/// Reads a module to compile it, for as long as a caller can wait: a module is large, and may come from afar.
async fn read_module(store: &Store, digest: &Digest) -> Result<Bytes, InvokeError> {
    const PATIENCE: Duration = Duration::from_secs(10);

    timeout(PATIENCE, store.module(digest)).await.map_err(|_| no_answer())?.map_err(store_failure)
}

/// The store has not answered for as long as a caller can wait.
pub(super) fn no_answer() -> InvokeError {
    InvokeError::new(ErrorKind::Unavailable, "the store does not answer; try again later")
}

/// A store's failure as an invocation's.
pub(super) fn store_failure(error: StoreError) -> InvokeError {
    RegistryError::from(error).into()
}
