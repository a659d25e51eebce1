//! A backend whose calls fail as a test says.

use std::{
    fmt,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, local::LocalFileSystem, memory::InMemory,
    path::Path,
};
use tempfile::TempDir;

use super::name;
#[cfg(feature = "cloud")]
use super::service;
#[cfg(feature = "cloud")]
use crate::store::shared::Service;
use crate::{
    function::Timestamp,
    store::{
        Store, StoreError, StoreUrl,
        backend::{Backend, Replacement},
        conformance::{self, sample},
        functions::ATTEMPTS,
    },
};

/// Which calls fail. They are counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// This call fails.
    Once(usize, How),
    /// This call fails, and all that come after it: the process is gone.
    Crash(usize, How),
    /// Whatever is replaced was replaced by another writer just before.
    AlwaysLate,
    /// No call fails.
    Never,
    /// Objects are written whatever is there.
    Careless,
    /// Reads do not tell which version of an object they found.
    Unversioned,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Nothing comes of it.
    Before,
    /// A write or a list is done, and answered with an error; a read breaks off in the middle.
    After,
    /// A write is done twice: a client sends it again whose answer was lost.
    Twice,
    /// A write is not done, and answered with a conflict: another writer seemed to be first, and then wrote nothing.
    Conflict,
}

impl How {
    /// An operation fails.
    pub(super) const FAILURES: [Self; 2] = [Self::Before, Self::After];
    /// An operation succeeds all the same.
    pub(super) const HARMLESS: [Self; 2] = [Self::Twice, Self::Conflict];
}

/// A place for a store: what is there stays there when a handle fails.
pub(super) struct Place {
    objects: Arc<dyn ObjectStore>,
    folder: Option<TempDir>,
}

impl Place {
    pub(super) fn memory() -> Self {
        Self { objects: Arc::new(InMemory::new()), folder: None }
    }

    pub(super) fn folder() -> Self {
        let folder = TempDir::new().unwrap();
        Self { objects: Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap()), folder: Some(folder) }
    }

    /// A place in S3, as [`Place::in_bucket`] is one in the bucket of any service.
    #[cfg(feature = "s3")]
    pub(super) fn s3() -> Option<Self> {
        Self::in_bucket(Service::S3)
    }

    /// A place in a bucket where nothing is yet; `None` where there is no server to test with.
    #[cfg(feature = "cloud")]
    pub(super) fn in_bucket(service: Service) -> Option<Self> {
        static PLACES: AtomicUsize = AtomicUsize::new(0);

        let access = service::reached(service)?;
        let folder = format!("place-{}", PLACES.fetch_add(1, Ordering::Relaxed));
        Some(Self { objects: service::objects(service, &folder, &access), folder: None })
    }

    /// Opens the store as a new process does.
    pub(super) async fn open(&self) -> Result<Store, StoreError> {
        Store::with_backend(self.backend(Arc::clone(&self.objects))).await.map(at_one_time)
    }

    /// A handle of the store whose calls fail.
    pub(super) fn flaky(&self, fault: Fault) -> (Store, Arc<Flaky>) {
        let flaky = Arc::new(Flaky { objects: Arc::clone(&self.objects), fault, calls: AtomicUsize::new(0) });
        (at_one_time(Store::of(self.backend(Arc::clone(&flaky) as _))), flaky)
    }

    /// Opens the store with a handle whose calls fail.
    pub(super) async fn open_flaky(&self, fault: Fault) -> Result<Store, StoreError> {
        let flaky = Flaky { objects: Arc::clone(&self.objects), fault, calls: AtomicUsize::new(0) };
        Store::with_backend(self.backend(Arc::new(flaky))).await
    }

    fn backend(&self, objects: Arc<dyn ObjectStore>) -> Backend {
        match &self.folder {
            None => Backend::new(StoreUrl::MEMORY.to_string(), objects, Replacement::CompareAndSwap),
            Some(folder) => {
                let path = folder.path().to_owned();
                Backend::in_folder(path.display().to_string(), path, objects)
            }
        }
    }
}

/// A backend of one's own that does this.
fn own(fault: Fault) -> Arc<dyn ObjectStore> {
    Arc::new(Flaky { objects: Arc::new(InMemory::new()), fault, calls: AtomicUsize::new(0) })
}

/// Records of the same changes are then the same.
fn at_one_time(store: Store) -> Store {
    store.with_clock(|| Timestamp::from_unix(1))
}

/// A backend of which some calls fail.
#[derive(Debug)]
pub(super) struct Flaky {
    objects: Arc<dyn ObjectStore>,
    fault: Fault,
    calls: AtomicUsize,
}

impl Flaky {
    /// How many calls there were.
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Counts a call, and tells how it fails if it does.
    fn call(&self) -> Option<How> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        match self.fault {
            Fault::Once(failing, how) => (call == failing).then_some(how),
            Fault::Crash(last, how) if call == last => Some(how),
            Fault::Crash(last, _) => (call > last).then_some(How::Before),
            Fault::AlwaysLate | Fault::Never | Fault::Careless | Fault::Unversioned => None,
        }
    }

    async fn fail<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        match self.call() {
            None | Some(How::Twice | How::Conflict) => work.await,
            Some(How::Before) => Err(broken()),
            Some(How::After) => work.await.and(Err(broken())),
        }
    }
}

fn changed(path: &Path) -> Error {
    Error::Precondition { path: path.to_string(), source: "it is another one".into() }
}

fn exists(path: &Path) -> Error {
    Error::AlreadyExists { path: path.to_string(), source: "another writer is at work".into() }
}

fn broken() -> Error {
    Error::Generic { store: "flaky", source: "the network is down".into() }
}

/// An object that breaks off in the middle.
async fn torn(found: GetResult) -> Result<GetResult> {
    let (meta, range, attributes, extensions) =
        (found.meta.clone(), found.range.clone(), found.attributes.clone(), found.extensions.clone());
    let whole = found.bytes().await?;
    let payload = stream::iter([Ok(whole.slice(..whole.len() / 2)), Err(broken())]).boxed();
    Ok(GetResult { payload: GetResultPayload::Stream(payload), meta, range, attributes, extensions })
}

impl fmt::Display for Flaky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flaky")
    }
}

#[async_trait]
impl ObjectStore for Flaky {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if matches!((self.fault, &options.mode), (Fault::AlwaysLate, PutMode::Update(_))) {
            return Err(changed(path));
        }
        let options = if self.fault == Fault::Careless { PutOptions::default() } else { options };
        let put = |options| self.objects.put_opts(path, payload.clone(), options);
        match (self.call(), &options.mode) {
            (None, _) => put(options).await,
            (Some(How::Before), _) => Err(broken()),
            (Some(How::After), _) => put(options).await.and(Err(broken())),
            (Some(How::Conflict), PutMode::Create) => Err(exists(path)),
            (Some(How::Conflict), PutMode::Update(_)) => Err(changed(path)),
            // Such a write meets no conflict.
            (Some(How::Conflict), PutMode::Overwrite) => put(options).await,
            (Some(How::Twice), _) => {
                put(options.clone()).await?;
                put(options).await
            }
        }
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let how = self.call();
        if how == Some(How::Before) {
            return Err(broken());
        }
        let mut found = self.objects.get_opts(path, options).await;
        if let (Fault::Unversioned, Ok(found)) = (self.fault, &mut found) {
            (found.meta.e_tag, found.meta.version) = (None, None);
        }
        match how {
            None | Some(How::Before | How::Twice | How::Conflict) => found,
            // That there is no such object is an answer of one piece.
            Some(How::After) => torn(found.map_err(|_| broken())?).await,
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.fail(self.objects.list_with_delimiter(prefix)).await
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.fail(self.objects.put_multipart_opts(path, options)).await
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.fail(self.objects.get_ranges(path, ranges)).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.call() {
            None | Some(How::Twice | How::Conflict) => self.objects.delete_stream(paths),
            Some(How::Before) => stream::iter([Err(broken())]).boxed(),
            Some(How::After) => self.objects.delete_stream(paths).map(|deleted| deleted.and(Err(broken()))).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.call() {
            None | Some(How::Twice | How::Conflict) => self.objects.list(prefix),
            Some(How::Before) => stream::iter([Err(broken())]).boxed(),
            Some(How::After) => self.objects.list(prefix).chain(stream::iter([Err(broken())])).boxed(),
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.fail(self.objects.copy_opts(from, to, options)).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_over_a_backend_of_ones_own_conforms() {
    let backend = own(Fault::Never);
    conformance::check(&Store::over(Arc::clone(&backend)).await.unwrap()).await.unwrap();
    let names = Store::over(backend).await.unwrap().names().await.unwrap();
    assert!(names.contains(&name("alpha")), "the same backend holds the same store: {names:?}");
}

#[tokio::test]
async fn a_backend_without_compare_and_swap_is_refused_and_says_what_it_lacks() {
    let folder = TempDir::new().unwrap();
    let without_update = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
    for backend in [own(Fault::Careless), own(Fault::Unversioned), without_update] {
        let error = Store::over(backend).await.unwrap_err();
        assert!(matches!(error, StoreError::NoCompareAndSwap { .. }), "{error:?}");
    }
    let error = Store::over(own(Fault::Careless)).await.unwrap_err().to_string();
    assert!(error.starts_with("store Flaky cannot be shared by writers: its backend must create"), "{error}");
    let broken = Store::over(own(Fault::Once(2, How::Before))).await.unwrap_err();
    assert!(matches!(broken, StoreError::Unavailable { .. }), "{broken:?}");
}

#[tokio::test]
async fn a_publish_that_is_always_late_gives_up_and_says_so() {
    let (store, _) = Place::memory().flaky(Fault::AlwaysLate);
    store.publish(&name("treats"), sample("a"), None).await.unwrap();
    let error = store.publish(&name("treats"), sample("b"), None).await.unwrap_err();
    assert!(matches!(error, StoreError::Contended { attempts: ATTEMPTS, .. }), "{error:?}");
}
