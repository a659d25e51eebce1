//! One function and its versions, as this process knows them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use crate::{
    call::{InvokeError, causes},
    function::{AliasTarget, Digest, FunctionName, FunctionRef, VersionRef},
    guest::Deployment,
    registry::no_such_version,
    store::{FunctionRecord, RecordTag},
};

/// A function as its record was when it was read last.
pub(super) struct Function {
    pub(super) record: FunctionRecord,
    /// What the record is known by when it is read again.
    pub(super) tag: Option<RecordTag>,
    /// When the record was last seen to be so: milliseconds since the epoch of [`Deployments`](super::Deployments).
    pub(super) seen: AtomicU64,
    /// Whether a task reads the record again.
    pub(super) refreshing: AtomicBool,
    /// Whether the record could not be understood, which is said once.
    troubled: AtomicBool,
    /// The latest of the versions, which most references mean: found without a lock.
    latest: OnceLock<Arc<Deployment>>,
    /// The versions that were asked for. Shared with the function as it is known after its record has changed: a version
    /// does not change with the record, and what runs goes on under the same gate.
    versions: Arc<Mutex<BTreeMap<u64, Arc<Deployment>>>>,
}

impl Function {
    /// The function with this record and its tag, seen `seen` milliseconds after the epoch. `before` is what was known of it.
    pub(super) fn new(record: FunctionRecord, tag: Option<RecordTag>, seen: u64, before: Option<&Self>) -> Self {
        Self {
            record,
            tag,
            seen: seen.into(),
            refreshing: AtomicBool::new(false),
            troubled: AtomicBool::new(false),
            latest: OnceLock::new(),
            versions: before.map(|before| Arc::clone(&before.versions)).unwrap_or_default(),
        }
    }

    /// The version that `reference` means, if it was asked for before. `choose` decides for an alias.
    pub(super) fn ready(
        &self,
        reference: &FunctionRef,
        choose: impl FnOnce(&AliasTarget) -> u64,
    ) -> Option<Arc<Deployment>> {
        let is_latest = *reference.version() == VersionRef::Latest;
        if let Some(latest) = self.latest.get().filter(|_| is_latest) {
            return Some(Arc::clone(latest));
        }
        let (version, entry) = self.record.resolve(reference.version(), choose)?;
        let deployment = self.deployed(version, &entry.manifest)?;
        Some(if is_latest { Arc::clone(self.latest.get_or_init(|| deployment)) } else { deployment })
    }

    /// The number and the manifest of the version that `reference` means. `choose` decides for an alias.
    pub(super) fn meant(
        &self,
        reference: &FunctionRef,
        choose: impl FnOnce(&AliasTarget) -> u64,
    ) -> Result<(u64, Digest), InvokeError> {
        let resolved = self.record.resolve(reference.version(), choose);
        let (version, entry) = resolved.ok_or_else(|| no_such_version(reference))?;
        Ok((version, entry.manifest))
    }

    /// The version of this number, if it was asked for before. A name that was removed and published anew may have another
    /// version of the same number.
    pub(super) fn deployed(&self, version: u64, manifest: &Digest) -> Option<Arc<Deployment>> {
        let deployment = self.versions().get(&version).cloned()?;
        (deployment.manifest_digest == *manifest).then_some(deployment)
    }

    /// Keeps a version for those who ask for it. Where two callers bring the same one, the first one's gate is kept.
    pub(super) fn deploy(&self, deployment: Deployment) -> Arc<Deployment> {
        let deployment = Arc::new(deployment);
        let mut versions = self.versions();
        let kept = versions.entry(deployment.resolved.version).or_insert_with(|| Arc::clone(&deployment));
        if kept.manifest_digest != deployment.manifest_digest {
            *kept = deployment;
        }
        Arc::clone(kept)
    }

    /// The versions that callers of this function will mean once `record` is known in place of its own: what `latest` and
    /// the aliases point to that were asked for.
    pub(super) fn successors(&self, record: &FunctionRecord) -> BTreeMap<u64, Digest> {
        let latest = self.record.latest().map(|(number, _)| number);
        let asked_for = self.versions().keys().copied().collect::<Vec<_>>();
        let aliases = asked_for.iter().flat_map(|number| self.record.aliases_of(*number));
        let targets = aliases.filter_map(|alias| record.target(&alias));
        let weighted = targets.flat_map(AliasTarget::weights).filter_map(|(number, _)| record.version(number));
        let latest = record.latest().filter(|_| latest.is_some_and(|latest| asked_for.contains(&latest)));
        latest.into_iter().chain(weighted).map(|(number, entry)| (number, entry.manifest)).collect()
    }

    /// Notes that the record cannot be understood, and says so the first time.
    pub(super) fn is_troubled(&self, name: &FunctionName, error: &InvokeError) {
        if !self.troubled.swap(true, Relaxed) {
            let causes = causes(error);
            tracing::warn!(function = %name, %error, causes, "the last known version is served until the record can be read again");
        }
    }

    /// Notes that the record was read again.
    pub(super) fn is_well(&self, name: &FunctionName) {
        if self.troubled.swap(false, Relaxed) {
            tracing::info!(function = %name, "the record can be read again");
        }
    }

    fn versions(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Deployment>>> {
        // No panic can come between two writes.
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marks a function as one that is being read again, until this is dropped: at the end of the task that reads it, or with
/// that task when its Tokio runtime is shut down.
pub(super) struct Refreshing(Arc<Function>);

impl Refreshing {
    pub(super) fn begin(function: &Arc<Function>) -> Self {
        function.refreshing.store(true, Relaxed);
        Self(Arc::clone(function))
    }
}

impl Drop for Refreshing {
    fn drop(&mut self) {
        self.0.refreshing.store(false, Relaxed);
    }
}
