//! The functions of a store, as this process knows them.

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    time::Duration,
};

use quick_cache::sync::Cache;
use tokio::{
    runtime::Handle,
    time::{Instant, timeout},
};

#[cfg(feature = "compiler")]
use super::reading::stopped;
use super::{
    super::code::{Code, no_answer},
    function::{Function, Refreshing},
    preparing::Preparations,
    reading::{PATIENCE, PATIENCES, Reader, Shared, in_time},
};
use crate::{
    call::{ErrorKind, Invocation, InvokeError, causes},
    function::{AliasTarget, Digest, FunctionInfo, FunctionName, FunctionRef, HeldBack, Limits},
    guest::{Deployment, Results},
    host::Services,
    registry::no_such_function,
    store::{
        Reread, StoreHealth,
        cache::cache,
        flight::{Flight, SingleFlight},
        trust::{Candidate, Trust},
    },
    sync::lock,
};

/// Up to this age, what is known of a function is taken as it is.
pub(super) const FRESH: Duration = Duration::from_millis(500);

/// Up to this age it is taken once more, while it is read again. Beyond, it is read again first: so a publish shows within
/// this time, and a busy function never waits for the store.
pub(super) const STALE: Duration = Duration::from_millis(1500);

/// How many functions are remembered. Reading one again is cheap.
const REMEMBERED: usize = 16_384;

/// How many names are remembered, for the time of [`FRESH`], that no function has. Anyone can ask for any name.
const REMEMBERED_ABSENT: usize = 4_096;

/// The functions of a store, remembered for a moment.
///
/// - A name is read by one task at a time, and all callers that wait for it share what it reads.
/// - No caller waits for the store for longer than [`PATIENCE`] for each thing that it has to know. A store that does
///   not answer, or answers what cannot be understood, does not take away what is known.
#[derive(Clone)]
pub(crate) struct Deployments(Arc<Inner>);

struct Inner {
    reader: Reader,
    preparations: Preparations,
    health: StoreHealth,
    epoch: Instant,
    known: Cache<FunctionName, Arc<Function>>,
    /// Names that no function has, and when that was seen: milliseconds since the epoch.
    absent: Cache<FunctionName, u64>,
    reading: SingleFlight<FunctionName, Shared<Arc<Function>>>,
    deploying: SingleFlight<(FunctionName, Digest), Shared<Arc<Deployment>>>,
    /// What each function holds back, because this process cannot serve it.
    held_back: Mutex<BTreeMap<FunctionName, Vec<HeldBack>>>,
}

impl Deployments {
    pub(crate) fn new(
        code: Code,
        trust: Trust,
        limits: (Limits, Limits),
        (services, results): (Services, Arc<Results>),
    ) -> Self {
        let reader = Reader::new(code.store.clone(), trust, limits, (services, results));
        Self(Arc::new(Inner {
            preparations: Preparations::new(reader.clone(), code),
            reader,
            health: StoreHealth::default(),
            epoch: Instant::now(),
            known: cache(REMEMBERED),
            absent: cache(REMEMBERED_ABSENT),
            reading: SingleFlight::new(),
            deploying: SingleFlight::new(),
            held_back: Mutex::default(),
        }))
    }

    /// Whether the store can be read.
    pub(crate) fn health(&self) -> StoreHealth {
        self.0.health.clone()
    }

    /// The version that `reference` means, at most [`STALE`] ago: the heaviest version of an alias.
    pub(crate) async fn get(&self, reference: &FunctionRef, now: Instant) -> Result<Arc<Deployment>, InvokeError> {
        let function = self.function(reference.name(), now).await?;
        self.0.version(&function, reference.name(), function.meant(reference, AliasTarget::heaviest)?).await
    }

    /// The version that serves `invocation`, as [`Deployments::get`]. The invocation is borrowed mutably because its body is
    /// not `Sync`.
    pub(crate) async fn serving(
        &self,
        invocation: &mut Invocation,
        now: Instant,
    ) -> Result<Arc<Deployment>, InvokeError> {
        let function = self.function(invocation.function.name(), now).await?;
        let meant = function.meant(&invocation.function, |target| target.choose(invocation))?;
        self.0.version(&function, invocation.function.name(), meant).await
    }

    /// [`Deployments::serving`], where the answer is known already.
    pub(crate) fn ready(&self, invocation: &Invocation, now: Instant) -> Option<Arc<Deployment>> {
        let known = self.known(invocation.function.name(), now)?;
        known.ready(&invocation.function, |target| target.choose(invocation))
    }

    /// What is known of the version that `reference` means.
    pub(crate) async fn info(&self, reference: &FunctionRef) -> Result<FunctionInfo, InvokeError> {
        let function = self.function(reference.name(), Instant::now()).await?;
        let meant = function.meant(reference, AliasTarget::heaviest)?;
        let deployment = self.0.version(&function, reference.name(), meant).await?;
        Ok(deployment.manifest.info(reference.name(), deployment.resolved.version, &function.record))
    }

    /// The references that stay on an earlier version, because this process cannot serve the new one.
    pub(crate) fn held_back(&self) -> Vec<HeldBack> {
        lock(&self.0.held_back).values().flatten().cloned().collect()
    }

    /// Reads a function again, after this process has changed it, and makes its latest version ready for calls.
    ///
    /// # Errors
    /// The store cannot be read just now: the next call reads it. Or the function has no version any more.
    #[cfg(feature = "compiler")]
    pub(crate) async fn take_up(&self, name: &FunctionName) -> Result<(), InvokeError> {
        let function = self.0.read_anew(name).await?;
        let meant = function.meant(&name.clone().into(), AliasTarget::heaviest)?;
        self.0.version(&function, name, meant).await.map(drop)
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
        millis(at.saturating_duration_since(self.epoch))
    }

    fn age(&self, function: &Function, now: Instant) -> Duration {
        Duration::from_millis(self.millis(now).saturating_sub(function.seen.load(Relaxed)))
    }

    /// When something was seen that is about to be read again: then its callers do not have to wait for that.
    fn barely_fresh(&self) -> u64 {
        self.millis(Instant::now()).saturating_sub(millis(FRESH))
    }

    /// What was read of a name less than `limit` ago, or by others after `now`. That there is no such function is remembered
    /// for [`FRESH`].
    fn kept(&self, name: &FunctionName, now: Instant, limit: Duration) -> Option<Shared<Arc<Function>>> {
        if let Some(known) = self.known.get(name) {
            return (self.age(&known, now) < limit).then_some(Ok(known));
        }
        let age = Duration::from_millis(self.millis(now).saturating_sub(self.absent.get(name)?));
        (age < FRESH).then(|| Err(Arc::new(no_such_function(name).into())))
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

    /// A version of a function, read where it was not asked for before.
    async fn version(
        self: &Arc<Self>,
        function: &Arc<Function>,
        name: &FunctionName,
        (version, manifest): (u64, Digest),
    ) -> Result<Arc<Deployment>, InvokeError> {
        if let Some(deployment) = function.deployed(version, &manifest) {
            return Ok(deployment);
        }
        let deployed = || function.deployed(version, &manifest).map(Ok);
        let candidate = Candidate::in_record(&function.record, name, version, manifest);
        let deploy = Arc::clone(self).deploy(Arc::clone(function), candidate);
        in_time(self.deploying.start(&(name.clone(), manifest), deployed, deploy)).await
    }
}

impl Inner {
    /// Reads a function and keeps what it finds. While the store does not answer, what is known of the function counts as
    /// seen: its callers go on, and none of them has to wait.
    async fn read_again(self: Arc<Self>, name: FunctionName) -> Shared<Arc<Function>> {
        self.health.count_read();
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
        self.health.count_failed();
        Err(Arc::new(no_answer()))
    }

    /// The function as its record is now. Once it is known in place of what was known before, no caller has to wait for it:
    /// the versions that its callers will mean are loaded first. What cannot be loaded is held back.
    async fn read(
        self: &Arc<Self>,
        name: &FunctionName,
        known: Option<&Arc<Function>>,
        began: u64,
    ) -> Result<Arc<Function>, InvokeError> {
        let read = self.reader.record(name, known.and_then(|known| known.tag.clone())).await?;
        let (record, tag) = match (read, known) {
            (Reread::Record(record, tag), _) => (record, tag),
            (Reread::Unchanged, Some(known)) => (known.record.clone(), known.tag.clone()),
            (Reread::Unchanged | Reread::Absent, _) => return Err(no_such_function(name).into()),
        };
        let Some(known) = known else {
            return Ok(Arc::new(Function::new(record, tag, began, None)));
        };
        if known.record == record && !known.held.is_due(Instant::now()) {
            return Ok(Arc::clone(known));
        }
        let unready = self.preparations.prepare(name, known, &record).await?;
        Ok(Arc::new(known.succeeded_by((record, tag), began, &unready)))
    }

    fn keep(
        &self,
        name: &FunctionName,
        known: Option<&Arc<Function>>,
        began: u64,
        read: Result<Arc<Function>, InvokeError>,
    ) -> Shared<Arc<Function>> {
        match read.as_ref().err().map(InvokeError::kind) {
            Some(ErrorKind::Unavailable) => self.health.count_failed(),
            _ if self.health.end_away() => tracing::info!("the store can be read again"),
            _ => {}
        }
        match (&read, known) {
            (Ok(function), known) => {
                // An answer that is late counts from when its callers went on without it: they are not to wait for the next.
                let went_on = known.map_or(0, |known| known.seen.load(Relaxed).max(self.barely_fresh()));
                function.seen.store(began.max(went_on), Relaxed);
                function.is_well(name);
                if !known.is_some_and(|known| Arc::ptr_eq(known, function)) {
                    self.note_held_back(name, known, function);
                }
                self.absent.remove(name);
                self.known.insert(name.clone(), Arc::clone(function));
            }
            (Err(error), _) if error.kind() == ErrorKind::NotFound => {
                self.known.remove(name);
                lock(&self.held_back).remove(name);
                self.absent.insert(name.clone(), began);
            }
            (Err(error), Some(known)) => self.go_on(name, known, error),
            (Err(_), None) => {}
        }
        read.map_err(Arc::new)
    }

    fn note_held_back(&self, name: &FunctionName, known: Option<&Arc<Function>>, function: &Function) {
        function.held.log(name, known.map(|known| &known.held));
        let failures = function.held.failures(name);
        let mut held_back = lock(&self.held_back);
        match failures.as_slice() {
            [] => drop(held_back.remove(name)),
            _ => drop(held_back.insert(name.clone(), failures)),
        }
    }

    /// Serves a function as it is known, until it can be read again. The log says once of a store that is out of reach that it
    /// is, whatever functions there are.
    fn go_on(&self, name: &FunctionName, known: &Function, error: &InvokeError) {
        if error.kind() != ErrorKind::Unavailable {
            known.is_troubled(name, error);
        } else if self.health.begin_away() {
            let causes = causes(error);
            tracing::warn!(%error, causes, "of each function the last known version is served until the store can be read again");
        }
        known.seen.store(self.millis(Instant::now()), Relaxed);
    }

    /// Reads a version and keeps it.
    async fn deploy(self: Arc<Self>, function: Arc<Function>, version: Candidate) -> Shared<Arc<Deployment>> {
        let reading = timeout(PATIENCE * PATIENCES, self.reader.deployment(version)).await;
        let read = reading.unwrap_or_else(|_| Err(no_answer()));
        read.map(|deployment| function.deploy(Arc::new(deployment))).map_err(Arc::new)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
