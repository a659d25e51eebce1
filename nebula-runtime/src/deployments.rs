//! Which version a name means just now, as far as this process knows.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use quick_cache::sync::Cache;
use tokio::runtime::Handle;

use crate::{
    Digest, ErrorKind, FunctionInfo, FunctionName, FunctionRef, InvokeError, Limits, Overload, VersionRef,
    abi::{Instances, Outgoing},
    admission::Gate,
    cache::cache,
    store::{FunctionRecord, Manifest, Store, StoreError},
};

/// Up to this age, what is known of a function is taken as it is.
const FRESH: Duration = Duration::from_millis(500);

/// Up to this age it is taken once more, while it is read again. Beyond, it is read again first: so a publish shows within
/// this time, and a busy function never waits for the store.
const STALE: Duration = Duration::from_millis(1500);

/// How many functions are remembered. Reading one again is cheap.
const REMEMBERED: usize = 16_384;

/// The functions of a store, remembered for a moment.
pub(crate) struct Deployments(Arc<Inner>);

struct Inner {
    store: Store,
    defaults: Limits,
    ceilings: Limits,
    epoch: Instant,
    known: Cache<FunctionName, Arc<Function>>,
}

struct Function {
    record: FunctionRecord,
    /// When the record was last seen to be so: milliseconds since the epoch.
    seen: AtomicU64,
    refreshing: AtomicBool,
    /// The latest of the versions, which most references mean: found without a lock.
    latest: OnceLock<Arc<Deployment>>,
    versions: Mutex<BTreeMap<u64, Arc<Deployment>>>,
}

/// One version of a function, ready to be called.
pub(crate) struct Deployment {
    pub(crate) version: u64,
    pub(crate) manifest: Manifest,
    pub(crate) limits: Limits,
    pub(crate) gate: Gate,
    /// What its guests may reach.
    pub(crate) outgoing: Outgoing,
    /// Its instances, where they serve more than one request each.
    pub(crate) instances: OnceLock<Instances>,
    manifest_digest: Digest,
}

impl Deployments {
    pub(crate) fn new(store: Store, defaults: Limits, ceilings: Limits) -> Self {
        let epoch = Instant::now();
        Self(Arc::new(Inner { store, defaults, ceilings, epoch, known: cache(REMEMBERED) }))
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
        let Deployment { version, manifest, .. } = &*self.0.version(&function, reference).await?;
        Ok(FunctionInfo {
            name: reference.name().clone(),
            version: *version,
            aliases: function.record.aliases_of(*version),
            digest: manifest.module,
            size: manifest.size,
            kind: manifest.kind,
            exports: manifest.exports.clone(),
            config: manifest.config.clone(),
            composition: manifest.composition.clone(),
        })
    }

    /// Forgets what is known of a function, after a publish in this process.
    #[cfg(feature = "compiler")]
    pub(crate) fn forget(&self, name: &FunctionName) {
        self.0.known.remove(name);
    }

    async fn function(&self, name: &FunctionName, now: Instant) -> Result<Arc<Function>, InvokeError> {
        match self.known(name, now) {
            Some(known) => Ok(known),
            None => self.0.reread(name, self.0.known.get(name).as_ref()).await,
        }
    }

    /// What is known of a function and is not too old.
    fn known(&self, name: &FunctionName, now: Instant) -> Option<Arc<Function>> {
        let known = self.0.known.get(name)?;
        let age = self.0.age(&known, now);
        if (FRESH..STALE).contains(&age) {
            self.refresh(name, &known);
        }
        (age < STALE).then_some(known)
    }

    /// Reads the record again without making anyone wait. An invocation that is made outside of Tokio, to be awaited in it,
    /// leaves that to the next one.
    fn refresh(&self, name: &FunctionName, known: &Arc<Function>) {
        let Ok(tokio) = Handle::try_current() else { return };
        if !known.refreshing.swap(true, Relaxed) {
            let (inner, name, known) = (Arc::clone(&self.0), name.clone(), Arc::clone(known));
            tokio.spawn(async move {
                drop(inner.reread(&name, Some(&known)).await);
                known.refreshing.store(false, Relaxed);
            });
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

    /// Reads a function again. A store that is out of reach does not take away what is known: functions go on being served
    /// as they were.
    async fn reread(&self, name: &FunctionName, known: Option<&Arc<Function>>) -> Result<Arc<Function>, InvokeError> {
        match (self.read(name, known).await, known) {
            (Err(error), Some(known)) if error.kind() == ErrorKind::Unavailable => {
                tracing::warn!(function = %name, %error, "serving the last known version");
                known.seen.store(self.millis(Instant::now()), Relaxed);
                Ok(Arc::clone(known))
            }
            (read, _) => read,
        }
    }

    async fn read(&self, name: &FunctionName, known: Option<&Arc<Function>>) -> Result<Arc<Function>, InvokeError> {
        let now = self.millis(Instant::now());
        let Some(record) = self.store.record(name).await.map_err(store_failure)? else {
            self.known.remove(name);
            return Err(not_found(format!("there is no function {name}; `nebula list` shows those there are")));
        };
        if let Some(known) = known
            && known.record == record
        {
            known.seen.store(now, Relaxed);
            return Ok(Arc::clone(known));
        }
        // Versions do not change: what runs goes on under the same gate.
        let versions = Mutex::new(known.map(|known| known.versions().clone()).unwrap_or_default());
        let (refreshing, latest) = (AtomicBool::new(false), OnceLock::new());
        let function = Arc::new(Function { record, seen: now.into(), refreshing, latest, versions });
        self.known.insert(name.clone(), Arc::clone(&function));
        Ok(function)
    }

    async fn version(&self, function: &Function, reference: &FunctionRef) -> Result<Arc<Deployment>, InvokeError> {
        let Some((version, entry)) = function.record.resolve(reference.version()) else {
            return Err(no_such_version(reference));
        };
        if let Some(deployment) = function.ready(reference) {
            return Ok(deployment);
        }
        let manifest = self.store.manifest(&entry.manifest).await.map_err(store_failure)?;
        let limits = self.defaults.with(&manifest.config.limits).at_most(&self.ceilings);
        let gate = Gate::new(limits.concurrency, Overload::Function);
        let outgoing = Outgoing::new(reference.name().clone(), &manifest.config.allow_hosts);
        let manifest_digest = entry.manifest;
        let instances = OnceLock::new();
        let deployment = Arc::new(Deployment { version, manifest, limits, gate, outgoing, instances, manifest_digest });
        // Two may arrive here at once: one gate must win.
        let mut versions = function.versions();
        let kept = versions.entry(version).or_insert_with(|| Arc::clone(&deployment));
        if kept.manifest_digest != deployment.manifest_digest {
            *kept = deployment;
        }
        Ok(Arc::clone(kept))
    }
}

impl Function {
    /// The version that `reference` means, if it was asked for before.
    fn ready(&self, reference: &FunctionRef) -> Option<Arc<Deployment>> {
        let is_latest = *reference.version() == VersionRef::Latest;
        if let Some(latest) = self.latest.get().filter(|_| is_latest) {
            return Some(Arc::clone(latest));
        }
        let (version, entry) = self.record.resolve(reference.version())?;
        let deployment = self.versions().get(&version).cloned()?;
        // A name that was removed and published anew may have another version of the same number.
        let deployment = (deployment.manifest_digest == entry.manifest).then_some(deployment)?;
        Some(if is_latest { Arc::clone(self.latest.get_or_init(|| deployment)) } else { deployment })
    }

    fn versions(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Deployment>>> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_found(detail: String) -> InvokeError {
    InvokeError::new(ErrorKind::NotFound, detail)
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

/// A store's failure as an invocation's.
pub(crate) fn store_failure(error: StoreError) -> InvokeError {
    let (kind, detail) = match &error {
        StoreError::Unavailable { .. } | StoreError::Folder { .. } => {
            (ErrorKind::Unavailable, "the store is out of reach".into())
        }
        StoreError::Contended { .. } => (ErrorKind::Unavailable, error.to_string()),
        StoreError::NewerFormat { .. } => (ErrorKind::Internal, error.to_string()),
        StoreError::Missing { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Malformed { .. }
        | StoreError::Unwritable { .. } => (ErrorKind::Internal, "the store is damaged".to_owned()),
    };
    InvokeError::new(kind, detail).with_source(error)
}
