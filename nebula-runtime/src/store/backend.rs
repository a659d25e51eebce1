//! The objects of a store, wherever they are.

use std::{borrow::Cow, io, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use object_store::{
    Attribute, Attributes, Error, GetOptions, GetResult, ObjectStore, PutMode, PutOptions, UpdateVersion,
    local::LocalFileSystem, memory::InMemory, path::Path,
};
use serde::de::DeserializeOwned;
use tokio::{sync::OnceCell, time::timeout};

use super::{
    cloud,
    error::{BackendError, StoreError},
    folder::file_names,
    layout::MARKER,
    lock::FolderLock,
    obstacle::explained,
    shared::{Bucket, Service, StoreAccess, is_no_bucket},
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
    pub(super) folder: Option<PathBuf>,
    /// The service that keeps the objects, where they are in a bucket.
    service: Option<Service>,
    pub(super) objects: Arc<dyn ObjectStore>,
    replacement: Replacement,
    /// Whether the backend keeps writers from undoing each other's work, once that is known.
    proven: OnceCell<()>,
}

/// How long a service may take to begin its answer, with all tries: longer than it ever takes while it is well.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

/// How long it may take to list a folder, of as many pages as that has.
const LIST: Duration = Duration::from_secs(60);

/// How slowly a service may take an object: in bytes a second.
const SLOWEST: u64 = 32 * 1024;

/// The attribute of an object that says which write it is of. Azure takes letters and digits only.
const MARK: Attribute = Attribute::Metadata(Cow::Borrowed("nebulawrite"));

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

/// How often an object is created that is not there and yet a conflict.
const ATTEMPTS: u32 = 8;

/// An object as it was read.
pub(super) struct Object {
    pub(super) bytes: Bytes,
    pub(super) version: UpdateVersion,
}

/// What a reader finds who has read an object before.
pub(super) enum Found {
    /// The same object.
    Unchanged,
    /// Another object, or the first one.
    Object(Object),
    Nothing,
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
    pub(super) async fn connect(
        url: &StoreUrl,
        access: &StoreAccess,
        if_missing: IfMissing,
    ) -> Result<Self, StoreError> {
        match url.location() {
            Location::Memory => Ok(Self::memory()),
            Location::Folder(path) => Self::folder(url, path.clone(), if_missing).await,
            Location::Shared(bucket) => Self::shared(bucket, access),
        }
    }

    pub(super) fn new(name: String, objects: Arc<dyn ObjectStore>, replacement: Replacement) -> Self {
        let proven = OnceCell::new_with(Some(()));
        Self { name, folder: None, service: None, objects, replacement, proven }
    }

    /// A backend whose objects are in a bucket. Whether it keeps writers apart is seen before it is written to first.
    fn shared(bucket: &Bucket, access: &StoreAccess) -> Result<Self, StoreError> {
        let (name, service) = (bucket.to_string(), bucket.service);
        let objects = cloud::objects(bucket, access).map_err(|error| StoreError::Unavailable {
            action: "open",
            object: "the bucket".to_owned(),
            store: name.clone(),
            source: BackendError::before_requests(error, service),
        })?;
        let backend = Self::new(name, objects, Replacement::CompareAndSwap);
        Ok(Self { service: Some(service), proven: OnceCell::new(), ..backend })
    }

    /// A backend whose objects are the files of a folder.
    pub(super) fn in_folder(name: String, path: PathBuf, objects: Arc<dyn ObjectStore>) -> Self {
        let replacement = Replacement::Lock(FolderLock::new(path.join(MARKER)));
        Self { folder: Some(path), ..Self::new(name, objects, replacement) }
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
            StoreError::Unavailable { action: "open", object, store, source: BackendError::of(source, None) }
        })?;
        // Synced, because a record that survives a loss of power must not name a blob that did not.
        let objects = objects.with_fsync(true);
        Ok(Self::in_folder(url.to_string(), path, Arc::new(objects)))
    }

    /// How messages name the store.
    pub(super) fn name(&self) -> String {
        self.name.clone()
    }

    /// Refuses a backend that does not keep writers from undoing each other's work, before the first write to it: servers
    /// of the S3 protocol differ in this.
    pub(super) async fn prove(&self) -> Result<(), StoreError> {
        self.proven.get_or_try_init(|| self.require_compare_and_swap()).await.copied()
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
        match self.get_unless(path, None).await? {
            Found::Object(object) => Ok(Some(object)),
            Found::Nothing | Found::Unchanged => Ok(None),
        }
    }

    /// The object at `path`, unless it is still the one with the tag `seen`: then it is not sent again.
    pub(super) async fn get_unless(&self, path: &Path, seen: Option<String>) -> Result<Found, StoreError> {
        let failed = |source| self.unavailable("read", path, source);
        let options = GetOptions { if_none_match: seen, ..GetOptions::default() };
        let found = match self.in_time(ANSWER, self.objects.get_opts(path, options)).await {
            Ok(found) => found,
            Err(error) if is_no_bucket(&error) => return Err(failed(error)),
            Err(Error::NotFound { .. }) => return Ok(Found::Nothing),
            Err(Error::NotModified { .. }) => return Ok(Found::Unchanged),
            Err(error) => return Err(failed(error)),
        };
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        let bytes = self.in_time(transfer(found.meta.size), found.bytes()).await.map_err(failed)?;
        Ok(Found::Object(Object { bytes, version }))
    }

    /// What [`Backend::get_unless`] knows an object by that was read as `version`. In a folder it has the time of a file,
    /// which two writes may share, and reading the file again costs no more than looking at it.
    pub(super) fn tag(&self, version: &UpdateVersion) -> Option<String> {
        version.e_tag.clone().filter(|_| self.folder.is_none())
    }

    /// Writes an object where there is none. Returns the object that is there instead.
    ///
    /// A service may tell a conflict with another writer that then writes nothing, so a conflict without an object is
    /// none.
    pub(super) async fn create(&self, path: &Path, bytes: Bytes) -> Result<Option<Object>, StoreError> {
        for _ in 0..ATTEMPTS {
            if self.put(path, bytes.clone(), PutMode::Create).await? == Put::Written {
                return Ok(None);
            }
            if let Some(object) = self.get(path).await? {
                return Ok(Some(object));
            }
        }
        let (object, store) = (path.to_string(), self.name());
        Err(StoreError::NeitherWrittenNorThere { object, store })
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
        match (seen, &self.replacement) {
            (None, Replacement::Lock(_)) => self.put(path, bytes, PutMode::Create).await,
            (Some(_), Replacement::Lock(_)) => self.put(path, bytes, PutMode::Overwrite).await,
            (seen, Replacement::CompareAndSwap) => {
                self.swap(path, bytes, seen.map_or(PutMode::Create, PutMode::Update)).await
            }
        }
    }

    /// Writes an object with a mark of its own. A client sends a write again whose answer was lost, and then meets its own
    /// first success as a conflict: the mark tells.
    async fn swap(&self, path: &Path, bytes: Bytes, mode: PutMode) -> Result<Put, StoreError> {
        let mark = format!("{:016x}", fastrand::u64(..));
        let attributes = Attributes::from_iter([(MARK, mark.clone())]);
        let options = PutOptions { mode, attributes, ..PutOptions::default() };
        let put = self.put(path, bytes, options).await?;
        Ok(if put == Put::Conflict && self.is_marked(path, &mark).await? { Put::Written } else { put })
    }

    async fn put(&self, path: &Path, bytes: Bytes, options: impl Into<PutOptions>) -> Result<Put, StoreError> {
        let time = transfer(bytes.len() as u64);
        match self.in_time(time, self.objects.put_opts(path, bytes.into(), options.into())).await {
            Ok(_) => Ok(Put::Written),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(Put::Conflict),
            Err(error) => Err(self.unavailable("write", path, error)),
        }
    }

    /// Whether the object at `path` is of the write with this mark.
    async fn is_marked(&self, path: &Path, mark: &str) -> Result<bool, StoreError> {
        let options = GetOptions { head: true, ..GetOptions::default() };
        let marked = |found: GetResult| found.attributes.get(&MARK).is_some_and(|found| found.as_ref() == mark);
        match self.in_time(ANSWER, self.objects.get_opts(path, options)).await {
            Ok(found) => Ok(marked(found)),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.unavailable("read", path, error)),
        }
    }

    /// The result of a request, where that comes in time. Only services have a limit: a request that they lost would hold
    /// its place for ever.
    pub(super) async fn in_time<T>(
        &self,
        time: Duration,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> object_store::Result<T> {
        let Some(service) = self.service else { return request.await };
        let late = |_| Error::Generic { store: service.name(), source: format!("no answer within {time:?}").into() };
        timeout(time, request).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
    }

    /// The file names of the objects in a folder, without its subfolders, in no order.
    pub(super) async fn list(&self, folder: &Path) -> Result<Vec<String>, StoreError> {
        if let Some(root) = &self.folder {
            return file_names(&root.join(folder.as_ref())).await;
        }
        let listed = self.in_time(LIST, self.objects.list_with_delimiter(Some(folder))).await;
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
        let source = BackendError::of(source, self.service);
        StoreError::Unavailable { action, object: path.to_string(), store: self.name(), source }
    }
}

/// How long a service may take for so many bytes.
fn transfer(bytes: u64) -> Duration {
    ANSWER + Duration::from_secs(bytes / SLOWEST)
}
