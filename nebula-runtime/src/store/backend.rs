//! The objects of a store, wherever they are.

use std::{io, path::PathBuf, sync::Arc};

use bytes::Bytes;
use object_store::{
    Error, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion, local::LocalFileSystem,
    memory::InMemory, path::Path,
};
use serde::de::DeserializeOwned;

use super::{
    error::StoreError,
    folder::file_names,
    layout::MARKER,
    lock::FolderLock,
    obstacle::explained,
    url::{Location, StoreUrl},
};

/// The objects of a store, wherever they are.
///
/// - A write is atomic: a reader gets the old object or the new one, whole. One that was acknowledged is durable where
///   the backend is.
/// - A reader that begins after a write has ended sees it.
#[derive(Debug)]
pub(super) struct Backend {
    /// How messages name the store: by its URL, or as the backend calls itself.
    name: String,
    /// The folder of the objects, where they are in one.
    folder: Option<PathBuf>,
    objects: Arc<dyn ObjectStore>,
    replacement: Replacement,
}

/// What to do where a store's folder is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IfMissing {
    /// Make it.
    Make,
    /// Fail.
    Fail,
}

/// How writers of one object are kept from undoing each other's work.
#[derive(Debug)]
pub(super) enum Replacement {
    /// The backend replaces an object only if it still is the one that was read.
    CompareAndSwap,
    /// Writers take turns.
    Lock(FolderLock),
}

/// An object as it was read.
pub(super) struct Object {
    pub(super) bytes: Bytes,
    pub(super) version: UpdateVersion,
}

/// The result of a conditional write.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Put {
    Written,
    /// Another writer was first.
    Conflict,
}

impl Backend {
    /// An empty backend in memory.
    pub(super) fn memory() -> Self {
        Self::new(StoreUrl::MEMORY.to_string(), Arc::new(InMemory::new()), Replacement::CompareAndSwap)
    }

    /// Opens the backend that `url` names. No other function knows all backends.
    ///
    /// # Errors
    /// [`StoreError::Gone`] where its folder is missing and is not to be made.
    pub(super) async fn connect(url: &StoreUrl, if_missing: IfMissing) -> Result<Self, StoreError> {
        match url.location() {
            Location::Memory => Ok(Self::memory()),
            Location::Folder(path) => Self::folder(url, path.clone(), if_missing).await,
        }
    }

    pub(super) fn new(name: String, objects: Arc<dyn ObjectStore>, replacement: Replacement) -> Self {
        Self { name, folder: None, objects, replacement }
    }

    /// A backend whose objects are the files of a folder.
    pub(super) fn in_folder(name: String, path: PathBuf, objects: Arc<dyn ObjectStore>) -> Self {
        let replacement = Replacement::Lock(FolderLock::new(path.join(MARKER)));
        Self { name, folder: Some(path), objects, replacement }
    }

    async fn folder(url: &StoreUrl, path: PathBuf, if_missing: IfMissing) -> Result<Self, StoreError> {
        let (action, found) = match if_missing {
            IfMissing::Make => ("create the folder", tokio::fs::create_dir_all(&path).await),
            IfMissing::Fail => ("open the folder", tokio::fs::metadata(&path).await.map(drop)),
        };
        if let Err(error) = found {
            let source = explained(&path, error);
            let is_plain = source.raw_os_error().is_some();
            return Err(match source.kind() {
                io::ErrorKind::NotFound if if_missing == IfMissing::Fail && is_plain => {
                    StoreError::Gone { store: url.to_string() }
                }
                _ => StoreError::Folder { action, path, source },
            });
        }
        let objects = LocalFileSystem::new_with_prefix(&path).map_err(|source| {
            let (object, store) = ("the folder".to_owned(), url.to_string());
            StoreError::Unavailable { action: "open", object, store, source: source.into() }
        })?;
        // Synced, because a record that survives a loss of power must not name a blob that did not.
        let objects = objects.with_fsync(true);
        Ok(Self::in_folder(url.to_string(), path, Arc::new(objects)))
    }

    /// How messages name the store.
    pub(super) fn name(&self) -> String {
        self.name.clone()
    }

    /// Refuses a backend that ignores the condition of a write: two writers would undo each other's work. Such a
    /// backend writes the marker again here, with the same bytes.
    pub(super) async fn require_compare_and_swap(&self) -> Result<(), StoreError> {
        let path = Path::from(MARKER);
        let refused = || Err(StoreError::NoCompareAndSwap { store: self.name() });
        let Some(Object { bytes, version }) = self.get(&path).await? else { return refused() };
        if version.e_tag.is_none() && version.version.is_none() {
            return refused();
        }
        let another = UpdateVersion { e_tag: Some("\"another\"".to_owned()), version: Some("0".to_owned()) };
        for mode in [PutMode::Create, PutMode::Update(another)] {
            match self.put(&path, bytes.clone(), mode).await {
                Ok(Put::Conflict) => {}
                Ok(Put::Written) => return refused(),
                Err(StoreError::Unavailable { source, .. }) if source.is_not_implemented() => return refused(),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) fn replacement(&self) -> &Replacement {
        &self.replacement
    }

    /// The object at `path`, if there is one.
    pub(super) async fn get(&self, path: &Path) -> Result<Option<Object>, StoreError> {
        let failed = |source| self.unavailable("read", path, source);
        let found = match self.objects.get(path).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        let bytes = found.bytes().await.map_err(failed)?;
        Ok(Some(Object { bytes, version }))
    }

    /// Writes an object where there is none.
    pub(super) async fn create(&self, path: &Path, bytes: Bytes) -> Result<Put, StoreError> {
        self.put(path, bytes, PutMode::Create).await
    }

    /// Writes an object, over another one if there is one.
    pub(super) async fn overwrite(&self, path: &Path, bytes: Bytes) -> Result<(), StoreError> {
        self.put(path, bytes, PutMode::Overwrite).await.map(drop)
    }

    /// Replaces the object that was read as `seen`. Where writers take turns, the caller
    /// has its turn.
    pub(super) async fn replace(
        &self,
        path: &Path,
        bytes: Bytes,
        seen: Option<UpdateVersion>,
    ) -> Result<Put, StoreError> {
        let mode = match (seen, &self.replacement) {
            (None, _) => PutMode::Create,
            (Some(seen), Replacement::CompareAndSwap) => PutMode::Update(seen),
            (Some(_), Replacement::Lock(_)) => PutMode::Overwrite,
        };
        self.put(path, bytes, mode).await
    }

    async fn put(&self, path: &Path, bytes: Bytes, mode: PutMode) -> Result<Put, StoreError> {
        match self.objects.put_opts(path, bytes.into(), PutOptions::from(mode)).await {
            Ok(_) => Ok(Put::Written),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(Put::Conflict),
            Err(error) => Err(self.unavailable("write", path, error)),
        }
    }

    /// The file names of the objects in a folder, without its subfolders, in no order.
    pub(super) async fn list(&self, folder: &Path) -> Result<Vec<String>, StoreError> {
        if let Some(root) = &self.folder {
            return file_names(&root.join(folder.as_ref())).await;
        }
        let listed = self.objects.list_with_delimiter(Some(folder)).await;
        let objects = listed.map_err(|source| self.unavailable("list", folder, source))?.objects;
        Ok(objects.iter().filter_map(|object| object.location.filename().map(str::to_owned)).collect())
    }

    /// The JSON document in an object's bytes.
    pub(super) fn decode<T: DeserializeOwned>(&self, path: &Path, bytes: &[u8]) -> Result<T, StoreError> {
        serde_json::from_slice(bytes).map_err(|source| self.malformed(path, source))
    }

    pub(super) fn malformed(&self, path: &Path, source: serde_json::Error) -> StoreError {
        StoreError::Malformed { object: path.to_string(), store: self.name(), source }
    }

    pub(super) fn unavailable(&self, action: &'static str, path: &Path, source: Error) -> StoreError {
        StoreError::Unavailable { action, object: path.to_string(), store: self.name(), source: source.into() }
    }
}
