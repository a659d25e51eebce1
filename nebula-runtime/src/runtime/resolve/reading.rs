//! Reading functions from the store: in tasks of their own, and never longer than a caller can wait.

use std::{sync::Arc, time::Duration};

use tokio::{spawn, sync::Semaphore, time::timeout};

use super::super::code::no_answer;
use crate::{
    call::{ErrorKind, InvokeError},
    function::{FunctionName, Limits, RegistryError},
    guest::{Deployment, Results},
    host::Services,
    registry::no_such_function,
    store::{
        Manifest, RecordTag, Reread, Store,
        flight::Flight,
        trust::{Candidate, Trust},
    },
};

/// How long a caller waits for the store. With [`FRESH`](super::deployments::FRESH) it is less than
/// [`STALE`](super::deployments::STALE): a function that is read again while it is called has an answer, or goes on as
/// it is known, before a caller would have to wait.
pub(super) const PATIENCE: Duration = Duration::from_millis(900);

/// After so many times of [`PATIENCE`], a read that hangs is given up, so that the next one may find the store well.
pub(super) const PATIENCES: u32 = 5;

/// How many reads go on at once. One that hangs has its place until the backend itself gives it up: in a folder it holds a
/// thread of Tokio's blocking pool, which guests need as well.
const READS: usize = 64;

/// What is read, for each caller that waits for it.
pub(super) type Shared<T> = Result<T, Arc<InvokeError>>;

/// Reads what is published. Clones share the places for reads.
#[derive(Clone)]
pub(super) struct Reader {
    store: Store,
    trust: Trust,
    defaults: Limits,
    ceilings: Limits,
    services: Services,
    results: Arc<Results>,
    places: Arc<Semaphore>,
}

impl Reader {
    pub(super) fn new(
        store: Store,
        trust: Trust,
        (defaults, ceilings): (Limits, Limits),
        (services, results): (Services, Arc<Results>),
    ) -> Self {
        Self { store, trust, defaults, ceilings, services, results, places: Arc::new(Semaphore::new(READS)) }
    }

    /// The record of a function, unless it is still the one with the tag `seen`. It is never [`Reread::Absent`]: that there is
    /// none is an error, and is believed only of a store that is there. What an unmounted disk leaves behind is an empty folder.
    /// The disk may come back between the two looks, so that a function which was known is looked for once more.
    pub(super) async fn record(&self, name: &FunctionName, seen: Option<RecordTag>) -> Result<Reread, InvokeError> {
        let store = self.store.clone();
        let read = {
            let name = name.clone();
            async move {
                let was_known = seen.is_some();
                let mut record = store.reread(&name, seen).await?;
                if matches!(record, Reread::Absent) {
                    store.ready().await?;
                    if was_known {
                        record = store.reread(&name, None).await?;
                    }
                }
                Ok(record)
            }
        };
        match self.read(read).await? {
            Reread::Absent => Err(no_such_function(name).into()),
            read => Ok(read),
        }
    }

    /// The manifest of a version, if the version is trusted.
    async fn manifest(&self, version: Candidate) -> Result<Manifest, InvokeError> {
        let (store, trust) = (self.store.clone(), self.trust.clone());
        let read = async move {
            trust.check(&store, &version).await?;
            Ok(store.manifest(&version.manifest).await?)
        };
        self.read(read).await
    }

    /// Reads in a task of its own: a read that is given up goes on, and keeps its place until it ends.
    async fn read<T: Send + 'static>(
        &self,
        read: impl Future<Output = Result<T, RegistryError>> + Send + 'static,
    ) -> Result<T, InvokeError> {
        // The semaphore is never closed.
        let place = Arc::clone(&self.places).acquire_owned().await;
        let reading = spawn(async move {
            let _place = place;
            read.await
        });
        Ok(reading.await.map_err(stopped)??)
    }

    /// A version that is trusted, read from the store.
    pub(super) async fn deployment(&self, version: Candidate) -> Result<Deployment, InvokeError> {
        let (name, number, digest) = (version.name.clone(), version.number, version.manifest);
        let manifest = self.manifest(version).await?;
        let limits = self.defaults.with(&manifest.config.limits).at_most(&self.ceilings);
        let node = (&self.store, &self.services);
        Ok(Deployment::new(&name, number, (digest, manifest), limits, node).with_results(&self.results))
    }
}

/// What some work comes to, where that is not later than a caller can wait.
pub(super) async fn in_time<T: Clone>(work: Flight<Shared<T>>) -> Result<T, InvokeError> {
    match timeout(PATIENCE, work).await {
        Ok(done) => done.map_err(stopped)?.map_err(InvokeError::shared),
        Err(_) => Err(no_answer()),
    }
}

/// A task ended without a result: with its Tokio runtime.
pub(super) fn stopped(error: impl std::error::Error + Send + Sync + 'static) -> InvokeError {
    InvokeError::new(ErrorKind::Unavailable, "reading the store was stopped; try again").with_source(error)
}
