//! Which version a name means just now, as far as this process knows.

mod function;
mod reading;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use quick_cache::sync::Cache;
use tokio::{runtime::Handle, time::Instant};

#[cfg(feature = "compiler")]
use self::reading::stopped;
use self::{
    function::Function,
    reading::{Reader, Shared, in_time},
};
use crate::{
    Digest, ErrorKind, FunctionInfo, FunctionName, FunctionRef, InvokeError, Limits, VersionRef,
    cache::cache,
    flight::{Flight, SingleFlight},
    store::{Manifest, Store, StoreError},
};

pub(crate) use self::{function::Deployment, reading::no_answer};

/// Up to this age, what is known of a function is taken as it is.
const FRESH: Duration = Duration::from_millis(500);

/// Up to this age it is taken once more, while it is read again. Beyond, it is read again first: so a publish shows within
/// this time, and a busy function never waits for the store.
const STALE: Duration = Duration::from_millis(1500);

/// How many functions are remembered. Reading one again is cheap.
const REMEMBERED: usize = 16_384;

/// How many names are remembered, for the time of [`FRESH`], that no function has. Anyone can ask for any name.
const REMEMBERED_ABSENT: usize = 4_096;

/// The functions of a store, remembered for a moment.
///
/// - A name is read by one task at a time, and all callers that wait for it share what it reads.
/// - No caller waits for the store for longer than [`reading::PATIENCE`] for each thing that it has to know. A store that does
///   not answer, or answers what cannot be understood, does not take away what is known.
pub(crate) struct Deployments(Arc<Inner>);

struct Inner {
    reader: Reader,
    epoch: Instant,
    known: Cache<FunctionName, Arc<Function>>,
    /// Names that no function has, and when that was seen: milliseconds since the epoch.
    absent: Cache<FunctionName, u64>,
    reading: SingleFlight<FunctionName, Shared<Arc<Function>>>,
    deploying: SingleFlight<(FunctionName, Digest), Shared<Arc<Deployment>>>,
}

impl Deployments {
    pub(crate) fn new(store: Store, defaults: Limits, ceilings: Limits) -> Self {
        Self(Arc::new(Inner {
            reader: Reader::new(store, defaults, ceilings),
            epoch: Instant::now(),
            known: cache(REMEMBERED),
            absent: cache(REMEMBERED_ABSENT),
            reading: SingleFlight::new(),
            deploying: SingleFlight::new(),
        }))
    }

    /// The version that `reference` means, at most [`STALE`] ago.
    pub(crate) async fn get(&self, reference: &FunctionRef, now: Instant) -> Result<Arc<Deployment>, InvokeError> {
        let function = self.function(reference.name(), now).await?;
        self.0.version(&function, reference).await
    }

    /// [`Deployments::get`], where the answer is known already.
    pub(crate) fn ready(&self, reference: &FunctionRef, now: Instant) -> Option<Arc<Deployment>> {
        self.known(reference.name(), now)?.ready(reference)
    }

    /// What is known of the version that `reference` means.
    pub(crate) async fn info(&self, reference: &FunctionRef) -> Result<FunctionInfo, InvokeError> {
        let function = self.function(reference.name(), Instant::now()).await?;
        let deployment = self.0.version(&function, reference).await?;
        Ok(info(reference.name(), &function, deployment.version, &deployment.manifest))
    }

    /// What the store says of the version that `reference` means, whatever is known of it. For all that writes: what is
    /// decided by memory undoes what another process has written.
    #[cfg(feature = "compiler")]
    pub(crate) async fn stored(&self, reference: &FunctionRef) -> Result<FunctionInfo, InvokeError> {
        let name = reference.name();
        let function = self.0.read_anew(name).await?;
        let (version, entry) =
            function.record.resolve(reference.version()).ok_or_else(|| no_such_version(reference))?;
        // Its manifest is read as well: that what is known can be called does not mean that it is still whole in the store.
        let deployment = self.0.reader.deployment(name, version, entry.manifest).await?;
        let deployment = function.deploy(deployment);
        Ok(info(name, &function, version, &deployment.manifest))
    }

    /// The function `name`: as it is known, where that is not too old, else as it is read. As it is known, too, where it
    /// cannot be read.
    async fn function(&self, name: &FunctionName, now: Instant) -> Result<Arc<Function>, InvokeError> {
        if let Some(known) = self.known(name, now) {
            return Ok(known);
        }
        match in_time(self.0.start_reading(name, || self.0.kept(name, now, STALE))).await {
            Err(error) if error.kind() != ErrorKind::NotFound => self.0.known.get(name).ok_or(error),
            read => read,
        }
    }

    /// What is known of a function and is not too old.
    fn known(&self, name: &FunctionName, now: Instant) -> Option<Arc<Function>> {
        let known = self.0.known.get(name)?;
        let age = self.0.age(&known, now);
        if (FRESH..STALE).contains(&age) {
            self.refresh(name, &known, now);
        }
        (age < STALE).then_some(known)
    }

    /// Reads the record again without making anyone wait. An invocation that is made outside of Tokio, to be awaited in it,
    /// leaves that to the next one.
    fn refresh(&self, name: &FunctionName, known: &Function, now: Instant) {
        if !known.refreshing.load(Relaxed) && Handle::try_current().is_ok() {
            drop(self.0.start_reading(name, || self.0.kept(name, now, FRESH)));
        }
    }
}

impl Inner {
    /// Milliseconds since the epoch.
    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.epoch).as_millis()).unwrap_or(u64::MAX)
    }

    fn age(&self, function: &Function, now: Instant) -> Duration {
        Duration::from_millis(self.millis(now).saturating_sub(function.seen.load(Relaxed)))
    }

    /// What was read of a name less than `limit` ago, or by others after `now`. That there is no such function is remembered
    /// for [`FRESH`].
    fn kept(&self, name: &FunctionName, now: Instant, limit: Duration) -> Option<Shared<Arc<Function>>> {
        if let Some(known) = self.known.get(name) {
            return (self.age(&known, now) < limit).then_some(Ok(known));
        }
        let age = Duration::from_millis(self.millis(now).saturating_sub(self.absent.get(name)?));
        (age < FRESH).then(|| Err(Arc::new(no_such_function(name))))
    }

    fn start_reading(
        self: &Arc<Self>,
        name: &FunctionName,
        kept: impl FnOnce() -> Option<Shared<Arc<Function>>>,
    ) -> Flight<Shared<Arc<Function>>> {
        self.reading.start(name, kept, Arc::clone(self).read_again(name.clone()))
    }

    /// Reads a function, as one that asks now: what is under way may have begun before the caller wrote something.
    #[cfg(feature = "compiler")]
    async fn read_anew(self: &Arc<Self>, name: &FunctionName) -> Result<Arc<Function>, InvokeError> {
        if let Some(under_way) = self.reading.under_way(name) {
            drop(under_way.await);
        }
        self.start_reading(name, || None).await.map_err(stopped)?.map_err(InvokeError::shared)
    }

    async fn version(
        self: &Arc<Self>,
        function: &Arc<Function>,
        reference: &FunctionRef,
    ) -> Result<Arc<Deployment>, InvokeError> {
        let Some((version, entry)) = function.record.resolve(reference.version()) else {
            return Err(no_such_version(reference));
        };
        if let Some(deployment) = function.ready(reference) {
            return Ok(deployment);
        }
        let (name, manifest) = (reference.name().clone(), entry.manifest);
        let deployed = || function.deployed(version, &manifest).map(Ok);
        let deploy = Arc::clone(self).deploy(name.clone(), Arc::clone(function), version, manifest);
        in_time(self.deploying.start(&(name, manifest), deployed, deploy)).await
    }
}

fn info(name: &FunctionName, function: &Function, version: u64, manifest: &Manifest) -> FunctionInfo {
    FunctionInfo {
        name: name.clone(),
        version,
        aliases: function.record.aliases_of(version),
        digest: manifest.module,
        size: manifest.size,
        kind: manifest.kind,
        exports: manifest.exports.clone(),
        config: manifest.config.clone(),
        composition: manifest.composition.clone(),
    }
}

fn not_found(detail: String) -> InvokeError {
    InvokeError::new(ErrorKind::NotFound, detail)
}

fn no_such_function(name: &FunctionName) -> InvokeError {
    not_found(format!("there is no function {name}; `nebula list` shows those there are"))
}

fn no_such_version(reference: &FunctionRef) -> InvokeError {
    let (name, version) = (reference.name(), reference.version());
    not_found(match version {
        VersionRef::Latest => format!("function {name} has no version"),
        VersionRef::Number(_) => format!("function {name} has no version {version}"),
        VersionRef::Alias(_) => format!("function {name} has no alias {version}"),
        VersionRef::Digest(_) => format!("function {name} has no version with the digest {version}"),
    })
}

/// What a caller is told where the store has something of a function, and not what was published.
const DAMAGED: &str = "what the store has of the function is damaged; publish the function again to mend it";

/// The same, of what this build cannot understand.
const NEWER: &str = "a newer Nebula wrote what the store has of the function; use a newer Nebula here";

/// A store's failure as an invocation's.
pub(crate) fn store_failure(error: StoreError) -> InvokeError {
    let (kind, detail) = match &error {
        StoreError::Unavailable { .. } | StoreError::Folder { .. } => {
            (ErrorKind::Unavailable, "the store is out of reach".into())
        }
        StoreError::Gone { .. } => (ErrorKind::Unavailable, "the store is gone from its place".to_owned()),
        StoreError::Contended { .. } => (ErrorKind::Unavailable, error.to_string()),
        StoreError::NewerFormat { .. } => (ErrorKind::Internal, NEWER.to_owned()),
        StoreError::Missing { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Malformed { .. }
        | StoreError::Unwritable { .. } => (ErrorKind::Internal, DAMAGED.to_owned()),
    };
    InvokeError::new(kind, detail).with_source(error)
}
