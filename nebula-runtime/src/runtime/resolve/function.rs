//! One function and its versions, as this process knows them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use tokio::time::Instant;

use super::held::{Held, Meaning, Unready};
use crate::{
    call::{InvokeError, causes},
    function::{AliasTarget, Digest, FunctionName, FunctionRef, VersionRef},
    guest::Deployment,
    registry::no_such_version,
    store::{FunctionRecord, RecordTag},
    sync::lock,
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
    /// The references that stay on an earlier version.
    pub(super) held: Held,
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
            held: Held::default(),
            seen: seen.into(),
            refreshing: AtomicBool::new(false),
            troubled: AtomicBool::new(false),
            latest: OnceLock::new(),
            versions: before.map(|before| Arc::clone(&before.versions)).unwrap_or_default(),
        }
    }

    /// The function with this record and its tag, of which this process cannot serve the versions that are `unready`: a
    /// reference that would mean one of them keeps its earlier meaning.
    pub(super) fn succeeded_by(
        &self,
        (record, tag): (FunctionRecord, Option<RecordTag>),
        seen: u64,
        unready: &Unready,
    ) -> Self {
        let moves = self.in_use().into_iter().filter_map(|(reference, meaning)| {
            let wanted = Meaning::of(&record, &reference)?;
            Some((reference, meaning, wanted))
        });
        let held = Held::of(moves, unready, &self.held, Instant::now());
        Self { held, ..Self::new(record, tag, seen, Some(self)) }
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
        let (version, manifest) = self.resolve(reference.version(), choose)?;
        let deployment = self.deployed(version, &manifest)?;
        Some(if is_latest { Arc::clone(self.latest.get_or_init(|| deployment)) } else { deployment })
    }

    /// The number and the manifest of the version that `reference` means. `choose` decides for an alias.
    pub(super) fn meant(
        &self,
        reference: &FunctionRef,
        choose: impl FnOnce(&AliasTarget) -> u64,
    ) -> Result<(u64, Digest), InvokeError> {
        Ok(self.resolve(reference.version(), choose).ok_or_else(|| no_such_version(reference))?)
    }

    fn resolve(&self, version: &VersionRef, choose: impl FnOnce(&AliasTarget) -> u64) -> Option<(u64, Digest)> {
        if let Some(meaning) = self.held.get(version) {
            return meaning.resolve(choose);
        }
        let (number, entry) = self.record.resolve(version, choose)?;
        Some((number, entry.manifest))
    }

    /// The version of this number, if it was asked for before. A name that was removed and published anew may have another
    /// version of the same number.
    pub(super) fn deployed(&self, version: u64, manifest: &Digest) -> Option<Arc<Deployment>> {
        let deployment = self.versions().get(&version).cloned()?;
        (deployment.manifest_digest == *manifest).then_some(deployment)
    }

    /// Keeps a version for those who ask for it. Where two callers bring the same one, the first one's gate is kept.
    pub(super) fn deploy(&self, deployment: Arc<Deployment>) -> Arc<Deployment> {
        let mut versions = self.versions();
        let kept = versions.entry(deployment.resolved.version).or_insert_with(|| Arc::clone(&deployment));
        if kept.manifest_digest != deployment.manifest_digest {
            *kept = deployment;
        }
        Arc::clone(kept)
    }

    /// The versions that callers of this function will mean once `record` is known in place of its own, and the digests
    /// of their manifests.
    pub(super) fn successors(&self, record: &FunctionRecord) -> BTreeMap<u64, Digest> {
        let wanted = self.in_use().into_iter().filter_map(|(reference, _)| Meaning::of(record, &reference));
        wanted.flat_map(|wanted| wanted.manifests).collect()
    }

    /// `latest` and the aliases whose versions were asked for, with what they mean now.
    fn in_use(&self) -> Vec<(VersionRef, Meaning)> {
        let targets = self.record.targets();
        let references = targets.into_keys().map(VersionRef::Alias).chain([VersionRef::Latest]);
        let meant = references.filter_map(|reference| {
            let held = self.held.get(&reference).cloned();
            let meaning = held.or_else(|| Meaning::of(&self.record, &reference))?;
            Some((reference, meaning))
        });
        let is_asked_for = |meaning: &Meaning| {
            meaning.manifests.iter().any(|(number, manifest)| self.deployed(*number, manifest).is_some())
        };
        meant.filter(|(_, meaning)| is_asked_for(meaning)).collect()
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
        lock(&self.versions)
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
