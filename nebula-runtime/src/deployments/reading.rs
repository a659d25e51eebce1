//! Reading functions from the store: in tasks of their own, and never longer than a caller can wait.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    spawn,
    sync::Semaphore,
    time::{Instant, timeout},
};

use super::{
    Inner,
    function::{Deployment, Function, Refreshing},
    no_such_function, store_failure,
};
use crate::{
    Digest, ErrorKind, FunctionName, InvokeError, Limits, Overload,
    abi::Outgoing,
    flight::Flight,
    gate::Gate,
    store::{FunctionRecord, Manifest, Store, StoreError},
};

/// How long a caller waits for the store. With [`FRESH`](super::FRESH) it is less than [`STALE`](super::STALE): a function
/// that is read again while it is called has an answer, or goes on as it is known, before a caller would have to wait.
pub(super) const PATIENCE: Duration = Duration::from_millis(900);

/// After so many times of [`PATIENCE`], a read that hangs is given up, so that the next one may find the store well.
const PATIENCES: u32 = 5;

/// How many reads go on at once. One that hangs has its place until the backend itself gives it up: in a folder it holds a
/// thread of Tokio's blocking pool, which guests need as well.
const READS: usize = 64;

/// What is read, for each caller that waits for it.
pub(super) type Shared<T> = Result<T, Arc<InvokeError>>;

/// Reads what is published.
pub(super) struct Reader {
    store: Store,
    defaults: Limits,
    ceilings: Limits,
    places: Arc<Semaphore>,
}

impl Reader {
    pub(super) fn new(store: Store, defaults: Limits, ceilings: Limits) -> Self {
        Self { store, defaults, ceilings, places: Arc::new(Semaphore::new(READS)) }
    }

    /// The record of a function. That there is none is believed only of a store that is there: what an unmounted disk leaves
    /// behind is an empty folder.
    async fn record(&self, name: &FunctionName) -> Result<FunctionRecord, InvokeError> {
        let store = self.store.clone();
        let read = {
            let name = name.clone();
            async move {
                let record = store.record(&name).await?;
                if record.is_none() {
                    store.ready().await?;
                }
                Ok(record)
            }
        };
        self.read(read).await?.ok_or_else(|| no_such_function(name))
    }

    async fn manifest(&self, digest: &Digest) -> Result<Manifest, InvokeError> {
        let (store, digest) = (self.store.clone(), *digest);
        self.read(async move { store.manifest(&digest).await }).await
    }

    /// Reads in a task of its own: a read that is given up goes on, and keeps its place until it ends.
    async fn read<T: Send + 'static>(
        &self,
        read: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, InvokeError> {
        // The semaphore is never closed.
        let place = Arc::clone(&self.places).acquire_owned().await;
        let reading = spawn(async move {
            let _place = place;
            read.await
        });
        reading.await.map_err(stopped)?.map_err(store_failure)
    }

    /// A version, read from the store.
    pub(super) async fn deployment(
        &self,
        name: &FunctionName,
        version: u64,
        digest: Digest,
    ) -> Result<Deployment, InvokeError> {
        let manifest = self.manifest(&digest).await?;
        let limits = self.defaults.with(&manifest.config.limits).at_most(&self.ceilings);
        let gate = Gate::new(limits.concurrency, Overload::Function);
        let outgoing = Outgoing::new(name.clone(), &manifest.config.allow_hosts);
        let instances = Default::default();
        Ok(Deployment { version, manifest, limits, gate, outgoing, instances, manifest_digest: digest })
    }
}

impl Inner {
    /// Reads a function and keeps what it finds. While the store does not answer, what is known of the function counts as
    /// seen: its callers go on, and none of them has to wait.
    pub(super) async fn read_again(self: Arc<Self>, name: FunctionName) -> Shared<Arc<Function>> {
        let known = self.known.get(&name);
        let _refreshing = known.as_ref().map(Refreshing::begin);
        let began = self.millis(Instant::now());
        let mut reading = pin!(self.read(&name, known.as_ref(), began));
        for _ in 0..PATIENCES {
            match timeout(PATIENCE, &mut reading).await {
                Ok(read) => return self.keep(&name, known.as_ref(), began, read),
                Err(_) => drop(known.as_ref().map(|known| self.go_on(&name, known, &no_answer()))),
            }
        }
        Err(Arc::new(no_answer()))
    }

    /// The function as its record is now. Once it is known in place of what was known before, no caller has to wait for it:
    /// the versions that its callers will mean are read first.
    async fn read(
        &self,
        name: &FunctionName,
        known: Option<&Arc<Function>>,
        began: u64,
    ) -> Result<Arc<Function>, InvokeError> {
        let record = self.reader.record(name).await?;
        let Some(known) = known else {
            return Ok(Arc::new(Function::new(record, began, None)));
        };
        if known.record == record {
            return Ok(Arc::clone(known));
        }
        for (version, manifest) in known.successors(&record) {
            if known.deployed(version, &manifest).is_none() {
                known.deploy(self.reader.deployment(name, version, manifest).await?);
            }
        }
        Ok(Arc::new(Function::new(record, began, Some(known))))
    }

    fn keep(
        &self,
        name: &FunctionName,
        known: Option<&Arc<Function>>,
        began: u64,
        read: Result<Arc<Function>, InvokeError>,
    ) -> Shared<Arc<Function>> {
        match (&read, known) {
            (Ok(function), known) => {
                // An answer that is late counts from when its callers went on without it: they are not to wait for the next.
                let went_on = known.map_or(0, |known| known.seen.load(Relaxed));
                function.seen.store(began.max(went_on), Relaxed);
                function.is_well(name);
                self.absent.remove(name);
                self.known.insert(name.clone(), Arc::clone(function));
            }
            (Err(error), _) if error.kind() == ErrorKind::NotFound => {
                self.known.remove(name);
                self.absent.insert(name.clone(), began);
            }
            (Err(error), Some(known)) => self.go_on(name, known, error),
            (Err(_), None) => {}
        }
        read.map_err(Arc::new)
    }

    /// Serves a function as it is known, until it can be read again.
    fn go_on(&self, name: &FunctionName, known: &Function, error: &InvokeError) {
        known.is_troubled(name, error);
        known.seen.store(self.millis(Instant::now()), Relaxed);
    }

    /// Reads a version and keeps it.
    pub(super) async fn deploy(
        self: Arc<Self>,
        name: FunctionName,
        function: Arc<Function>,
        version: u64,
        manifest: Digest,
    ) -> Shared<Arc<Deployment>> {
        let reading = timeout(PATIENCE * PATIENCES, self.reader.deployment(&name, version, manifest)).await;
        let read = reading.unwrap_or_else(|_| Err(no_answer()));
        read.map(|deployment| function.deploy(deployment)).map_err(Arc::new)
    }
}

/// What some work comes to, where that is not later than a caller can wait.
pub(super) async fn in_time<T: Clone>(work: Flight<Shared<T>>) -> Result<T, InvokeError> {
    match timeout(PATIENCE, work).await {
        Ok(done) => done.map_err(stopped)?.map_err(InvokeError::shared),
        Err(_) => Err(no_answer()),
    }
}

/// The store has not answered for as long as a caller can wait.
pub(crate) fn no_answer() -> InvokeError {
    InvokeError::new(ErrorKind::Unavailable, "the store does not answer; try again later")
}

/// A task ended without a result: with its Tokio runtime.
pub(super) fn stopped(error: impl std::error::Error + Send + Sync + 'static) -> InvokeError {
    InvokeError::new(ErrorKind::Unavailable, "reading the store was stopped; try again").with_source(error)
}
