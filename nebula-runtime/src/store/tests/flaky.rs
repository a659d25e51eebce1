//! What happens when the backend fails in the middle of a publish.

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
use futures_util::stream::BoxStream;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};

use super::name;
use crate::store::{
    Store, StoreError, StoreUrl,
    backend::{Backend, Replacement},
    conformance::{read_version, sample},
    functions::ATTEMPTS,
};

/// A backend of which some writes fail.
#[derive(Debug)]
struct Flaky {
    objects: Arc<InMemory>,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    /// Writes fail after this many.
    After(AtomicUsize),
    /// Whatever is replaced was replaced by somebody else just before.
    AlwaysLate,
}

impl Flaky {
    fn store(objects: &Arc<InMemory>, fault: Fault) -> Store {
        let flaky = Arc::new(Self { objects: Arc::clone(objects), fault });
        Store { backend: Arc::new(Backend::new(StoreUrl::MEMORY, flaky, Replacement::CompareAndSwap)) }
    }

    fn check(&self, path: &Path, mode: &PutMode) -> Result<()> {
        let broken = || "the network is down".into();
        match &self.fault {
            Fault::After(left) => left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .map(drop)
                .map_err(|_| Error::Generic { store: "flaky", source: broken() }),
            Fault::AlwaysLate if matches!(mode, PutMode::Update(_)) => {
                Err(Error::Precondition { path: path.to_string(), source: "it is another one".into() })
            }
            Fault::AlwaysLate => Ok(()),
        }
    }
}

impl fmt::Display for Flaky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flaky")
    }
}

#[async_trait]
impl ObjectStore for Flaky {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.check(path, &options.mode)?;
        self.objects.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.objects.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.objects.get_opts(path, options).await
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.objects.get_ranges(path, ranges).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.objects.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.objects.copy_opts(from, to, options).await
    }
}

#[tokio::test]
async fn a_publish_that_fails_at_any_write_leaves_what_was_there_and_can_be_repeated() {
    const WRITES_OF_A_PUBLISH: usize = 4;
    for writes in 0..WRITES_OF_A_PUBLISH {
        let objects = Arc::default();
        let sound = Flaky::store(&objects, Fault::After(AtomicUsize::new(usize::MAX)));
        sound.publish(&name("treats"), sample("old"), None).await.unwrap();
        let before = sound.record(&name("treats")).await.unwrap();

        let failing = Flaky::store(&objects, Fault::After(AtomicUsize::new(writes)));
        let error = failing.publish(&name("treats"), sample("new"), None).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { action: "write", .. }), "{error:?}");
        assert_eq!(sound.record(&name("treats")).await.unwrap(), before);

        let published = sound.publish(&name("treats"), sample("new"), None).await.unwrap();
        assert_eq!((published.number, published.changed), (2, true));
        read_version(&sound, &published.manifest).await.unwrap();
    }
}

#[tokio::test]
async fn a_publish_that_is_always_late_gives_up_and_says_so() {
    let store = Flaky::store(&Arc::default(), Fault::AlwaysLate);
    store.publish(&name("treats"), sample("a"), None).await.unwrap();
    let error = store.publish(&name("treats"), sample("b"), None).await.unwrap_err();
    assert!(matches!(error, StoreError::Contended { attempts: ATTEMPTS, .. }), "{error:?}");
}
