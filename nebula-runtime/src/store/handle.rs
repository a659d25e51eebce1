//! A handle of a store: everything that is done with one.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt as _;
use object_store::ObjectStore;

#[cfg(feature = "compiler")]
use super::terms::Revised;
use super::{
    alias::AliasMove,
    backend::{Backend, IfMissing, Replacement},
    blob::Blob,
    error::StoreError,
    format,
    functions::{self, Changed, IfDamaged, RecordTag, Reread},
    manifest::{self, Code, Documents, Manifest, VersionDigests},
    record::{FunctionRecord, MAX_NUMBER, Publication},
    removal::{IfPointedTo, Removal, Unremovable},
    shared::StoreAccess,
    stamp::{Clock, Stamp},
    terms::Terms,
    url::StoreUrl,
    version::{NewVersion, PublishedVersion, VersionBlobs},
};
use crate::function::{AliasName, AliasTarget, Digest, FunctionName, Timestamp};

/// A publish that takes longer looks at its blobs once more: the machine may have slept in between, for longer than blobs
/// are kept that no record names yet.
const LONG_PUBLISH: Duration = Duration::from_secs(3600);

/// Published functions, in memory, in a folder, or in any object store.
///
/// - **Whole.** A reader sees a function before a publish or after it, never between, also while others publish. A
///   crash at any point leaves one of the two, and at worst blobs that nothing refers to.
/// - **Verified.** Every blob is hashed on every read: bytes that differ from those published are an error.
/// - **Shared.** Any number of handles and processes use one store at once, and none loses what another published.
///   Handles are cheap to clone.
/// - **Cancellable.** A publish whose future is dropped has happened or not, as after a crash. In a folder it may still
///   happen a little later.
///
/// It needs a Tokio runtime with its time enabled.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) backend: Arc<Backend>,
    pub(super) clock: Clock,
    /// The terms of each change through this handle.
    pub(super) terms: Terms,
}

impl Store {
    /// Opens a store, or makes a new one where there is none. `memory://` always makes a new one. A shared store is reached
    /// as its service says: [`Store::open_with`] takes credentials and addresses.
    ///
    /// # Errors
    /// The folder cannot be made or read, the service cannot be reached, or a newer Nebula made the store.
    pub async fn open(url: &StoreUrl) -> Result<Self, StoreError> {
        Self::open_with(url, &StoreAccess::default()).await
    }

    /// As [`Store::open`], with what a shared store is reached by.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with(url: &StoreUrl, access: &StoreAccess) -> Result<Self, StoreError> {
        Self::with_backend(Backend::connect(url, access, IfMissing::Make).await?).await
    }

    /// Opens a store that exists, and makes nothing else. `memory://` always makes a new one.
    ///
    /// # Errors
    /// [`StoreError::Gone`] where there is none, and as [`Store::open`].
    pub async fn open_existing(url: &StoreUrl, access: &StoreAccess) -> Result<Self, StoreError> {
        let backend = Backend::connect(url, access, IfMissing::Fail).await?;
        format::recheck(&backend).await?;
        Ok(Self::of(backend))
    }

    pub(super) async fn with_backend(backend: Backend) -> Result<Self, StoreError> {
        format::check(&backend).await?;
        Ok(Self::of(backend))
    }

    pub(super) fn of(backend: Backend) -> Self {
        Self { backend: Arc::new(backend), clock: Clock::default(), terms: Terms::default() }
    }

    /// A new store in memory. The clones of this handle share it, and it ends with the last of them.
    pub fn memory() -> Self {
        let backend = Backend::memory();
        // Memory answers at once, and does not fail.
        let _marked = format::check(&backend).now_or_never();
        Self::of(backend)
    }

    /// Opens the store that a backend of one's own holds, or makes a new one there. The crate `object_store` is
    /// re-exported as [`store::object_store`](crate::store::object_store).
    ///
    /// # What the backend must do
    /// - **Create** (`PutMode::Create`) writes an object where there is none, else it fails with `AlreadyExists`.
    /// - **Update** (`PutMode::Update`) replaces the object that has the given `e_tag` or `version`, else it fails with
    ///   `Precondition`. Reading an object tells one of the two.
    /// - Each write is atomic: a reader gets the old object or the new one, whole.
    /// - A read or a list that begins after a write has ended sees it. What was written stays.
    /// - The attributes of an object are kept, or ignored: they tell a write that was sent twice from another writer's.
    ///
    /// A backend that ignores the conditions, or has none, is refused here: its writers would undo each other's work. A
    /// local folder has none; [`Store::open`] uses a lock there instead. The conformance suite of the feature
    /// `test-kit` checks the rest.
    ///
    /// # Errors
    /// [`StoreError::NoCompareAndSwap`] for such a backend, and as [`Store::open`].
    pub async fn over(objects: Arc<dyn ObjectStore>) -> Result<Self, StoreError> {
        let backend = Backend::new(objects.to_string(), objects, Replacement::CompareAndSwap);
        format::check(&backend).await?;
        backend.require_compare_and_swap().await?;
        Ok(Self::of(backend))
    }

    /// The same store with a clock of one's own: what this handle publishes and changes is noted with its time. The
    /// default is the system's clock.
    #[must_use]
    pub fn with_clock(self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { clock: Clock::new(clock), ..self }
    }

    /// The same store, for one change that is made under `terms`.
    #[cfg(any(test, feature = "compiler"))]
    pub(crate) fn under(&self, terms: &Terms) -> Self {
        Self { terms: terms.clone(), ..self.clone() }
    }

    /// Checks that the store exists and that this build understands it: one small read for any number of functions.
    ///
    /// # Errors
    /// [`StoreError::Gone`] where it is gone, [`StoreError::Unavailable`] where it is out of reach, and as
    /// [`Store::open`].
    pub async fn ready(&self) -> Result<(), StoreError> {
        format::recheck(&self.backend).await
    }

    /// Publishes a version as the latest of its function, and points `alias` to it.
    ///
    /// Nothing changes where this is the latest version already. An older version becomes a new version with the same
    /// blobs. Blobs that are in the store are verified, and written again if they are corrupt.
    ///
    /// A record that cannot be understood is moved to `functions/<name>.json.damaged-<hex>`, and replaced by a new one,
    /// which knows nothing of the function's earlier versions and aliases. Its version numbers go on after the highest
    /// one that can be read in the damaged record. A record of a newer format is refused and stays where it is.
    ///
    /// # Errors
    /// The store is out of reach or cannot be written to, a newer Nebula wrote the function's record, or others change
    /// the same function again and again.
    pub async fn publish(
        &self,
        name: &FunctionName,
        version: NewVersion,
        alias: Option<&AliasName>,
    ) -> Result<PublishedVersion, StoreError> {
        let backend = &self.backend;
        let code = Code::of(&version, backend).await?;
        let stamp = Stamp::new(self.clock.now(), version.published_by.as_deref());
        let origin = version.origin.clone();
        let documents = Documents::of(version, &code)
            .map_err(|source| StoreError::Unwritable { function: name.clone(), source })?;
        documents.write(&code, backend).await?;
        let (manifest, digest, alias) = (documents.manifest.digest(), code.module.digest(), alias.cloned());
        let begun = stamp.at;
        let function = name.clone();
        let publish = move |record: &mut FunctionRecord| {
            let (alias, origin) = (alias.as_ref(), origin.as_ref());
            let published @ Publication { number, changed } = record.publish(manifest, digest, alias, origin, &stamp);
            // No reader takes a record with a higher number.
            if number > MAX_NUMBER {
                return Err(StoreError::NoNumber { function: function.clone() });
            }
            Ok(Changed { result: published, changed })
        };
        let published = functions::change(backend, name, &self.terms, IfDamaged::Replace, publish).await?;
        if self.clock.now().as_unix().saturating_sub(begun.as_unix()) > LONG_PUBLISH.as_secs() {
            documents.write(&code, backend).await?;
        }
        let Publication { number, changed } = published;
        Ok(PublishedVersion { number, manifest, module: digest, changed })
    }

    /// Points an alias to `target`, or removes it where that is `None`, and notes who did so.
    ///
    /// # Errors
    /// [`StoreError::NoVersion`] where the function has no such version, and as [`Store::publish`]. A record that
    /// cannot be understood is an error and stays as it is.
    pub async fn set_alias(
        &self,
        name: &FunctionName,
        alias: &AliasName,
        target: Option<AliasTarget>,
        by: Option<&str>,
    ) -> Result<AliasMove, StoreError> {
        let (function, alias, stamp) = (name.clone(), alias.clone(), Stamp::new(self.clock.now(), by));
        let set = move |record: &mut FunctionRecord| {
            if let Some(version) = target.as_ref().and_then(|target| record.missing(target)) {
                return Err(StoreError::NoVersion { function: function.clone(), version, alias: alias.clone() });
            }
            Ok(Changed::of_alias(record.set_alias(&alias, target.as_ref(), &stamp)))
        };
        functions::change(&self.backend, name, &self.terms, IfDamaged::Fail, set).await
    }

    /// Takes back the last move of an alias, also its removal, and notes who did so. Each further call takes back the move
    /// before. Nothing changes where no earlier target is left. Targets with a version that was removed are skipped.
    ///
    /// # Errors
    /// [`StoreError::NoAlias`] where there never was such an alias, and as [`Store::set_alias`].
    pub async fn roll_back(
        &self,
        name: &FunctionName,
        alias: &AliasName,
        by: Option<&str>,
    ) -> Result<AliasMove, StoreError> {
        let (function, alias, stamp) = (name.clone(), alias.clone(), Stamp::new(self.clock.now(), by));
        let roll_back = move |record: &mut FunctionRecord| match record.roll_back(&alias, &stamp) {
            Some(moved) => Ok(Changed::of_alias(moved)),
            None => Err(StoreError::NoAlias { function: function.clone(), alias: alias.clone() }),
        };
        functions::change(&self.backend, name, &self.terms, IfDamaged::Fail, roll_back).await
    }

    /// Removes one version of a function, or all of them, and notes who did so. The numbers are never used again, and the
    /// record stays, with its history. The blobs stay until [`Store::collect_garbage`] removes them.
    ///
    /// # Errors
    /// [`StoreError::NotPublished`] where there is no such version, [`StoreError::PointedTo`] where an alias points to it
    /// and is not to be released, and as [`Store::set_alias`].
    pub async fn remove(
        &self,
        name: &FunctionName,
        version: Option<u64>,
        if_pointed_to: IfPointedTo,
        by: Option<&str>,
    ) -> Result<Removal, StoreError> {
        let (function, stamp) = (name.clone(), Stamp::new(self.clock.now(), by));
        let remove = move |record: &mut FunctionRecord| {
            let function = || function.clone();
            match record.remove(version, if_pointed_to, &stamp) {
                Ok(removal) => Ok(Changed { result: removal, changed: true }),
                Err(Unremovable::NotThere) => Err(StoreError::NotPublished { function: function(), version }),
                Err(Unremovable::PointedTo(aliases)) => {
                    Err(StoreError::PointedTo { function: function(), version, aliases })
                }
            }
        };
        functions::change(&self.backend, name, &self.terms, IfDamaged::Fail, remove).await
    }

    /// The record of a function; `None` if it was never published.
    ///
    /// # Errors
    /// The store is out of reach, or the record cannot be understood.
    pub async fn record(&self, name: &FunctionName) -> Result<Option<FunctionRecord>, StoreError> {
        functions::read(&self.backend, name).await
    }

    /// The record of a function and its revision; `None` if it was never published.
    #[cfg(feature = "compiler")]
    pub(crate) async fn revised_record(
        &self,
        name: &FunctionName,
    ) -> Result<Option<Revised<FunctionRecord>>, StoreError> {
        functions::read_revised(&self.backend, name).await
    }

    /// The record of a function, unless it is still the one with the tag `seen`.
    pub(crate) async fn reread(&self, name: &FunctionName, seen: Option<RecordTag>) -> Result<Reread, StoreError> {
        functions::reread(&self.backend, name, seen).await
    }

    /// The names of all functions, in alphabetical order. A function whose versions are all removed is among them: only
    /// its record tells that.
    ///
    /// # Errors
    /// The store is out of reach.
    pub async fn names(&self) -> Result<Vec<FunctionName>, StoreError> {
        functions::names(&self.backend).await
    }

    /// A version, by its manifest's digest.
    ///
    /// # Errors
    /// The store is out of reach, or a blob is missing, corrupt or cannot be understood.
    pub async fn manifest(&self, digest: &Digest) -> Result<Manifest, StoreError> {
        Manifest::read(&self.backend, *digest).await
    }

    /// The blobs of a version, by its manifest's digest.
    ///
    /// # Errors
    /// As [`Store::manifest`].
    pub async fn blobs(&self, manifest: &Digest) -> Result<VersionBlobs, StoreError> {
        let VersionDigests { config, module, snapshot } = manifest::blobs_of(&self.backend, *manifest).await?;
        let read = async |digest| Blob::read(&self.backend, digest).await.map(Blob::into_bytes);
        let (manifest, config, module) = (read(*manifest).await?, read(config).await?, read(module).await?);
        let snapshot = match snapshot {
            Some(image) => Some(read(image).await?),
            None => None,
        };
        Ok(VersionBlobs { manifest, config, module, snapshot })
    }

    /// The bytes of a module, or of the image of a snapshot.
    ///
    /// # Errors
    /// The store is out of reach, or the blob is missing or corrupt.
    pub async fn module(&self, digest: &Digest) -> Result<Bytes, StoreError> {
        Blob::read(&self.backend, *digest).await.map(Blob::into_bytes)
    }
}
