//! A backend that does what backends do on a bad day: a test double.

use std::{
    fmt,
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{
    StreamExt as _,
    future::pending,
    stream::{self, BoxStream},
};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};
use tokio::{sync::watch, time::sleep};

use super::handle::Store;

/// What the backend does with each read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It answers.
    None,
    /// It answers once this fault is over.
    Hangs,
    /// It never answers.
    Loses,
    /// It answers after this time.
    Late(Duration),
    /// It refuses.
    Resets,
    /// It breaks off in the middle of an object.
    Tears,
    /// It gives half of each object, as if that were all.
    Halves,
    /// Records are there and have nothing in them.
    Empties,
    /// It has no objects: an empty folder is in its place.
    Gone,
    /// It is gone at the next read, and back after that.
    Returns,
}

/// A backend in memory whose reads fail as they are told to, and are counted.
#[derive(Debug)]
pub(crate) struct Faulty {
    objects: InMemory,
    fault: watch::Sender<Fault>,
    reads: Mutex<Vec<String>>,
}

impl Faulty {
    /// A new store and its backend, in which nothing fails yet.
    pub(crate) async fn store() -> (Arc<Self>, Store) {
        let faulty = Arc::new(Self {
            objects: InMemory::new(),
            fault: watch::Sender::new(Fault::None),
            reads: Mutex::default(),
        });
        let objects = Arc::clone(&faulty) as Arc<dyn ObjectStore>;
        (faulty, Store::over(objects).await.unwrap())
    }

    /// From now on, this is what it does.
    pub(crate) fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// How many reads of objects in this folder there were since the last question.
    pub(crate) fn reads(&self, folder: &str) -> usize {
        let [reads] = self.reads_of([folder]);
        reads
    }

    /// How many reads of objects in each of these folders there were since the last question.
    pub(crate) fn reads_of<const N: usize>(&self, folders: [&str; N]) -> [usize; N] {
        let reads = std::mem::take(&mut *self.reads.lock().unwrap());
        folders.map(|folder| reads.iter().filter(|path| path.starts_with(folder)).count())
    }

    /// Does what it does to a read of `path` before it begins.
    async fn before(&self, path: &Path) -> Result<Fault> {
        let mut faults = self.fault.subscribe();
        // It is never closed.
        let fault = *faults.wait_for(|fault| *fault != Fault::Hangs).await.unwrap();
        match fault {
            Fault::Loses => pending().await,
            Fault::Late(time) => sleep(time).await,
            Fault::Resets => return Err(reset()),
            Fault::Gone => return Err(gone(path)),
            Fault::Returns => {
                self.set(Fault::None);
                return Err(gone(path));
            }
            Fault::None | Fault::Hangs | Fault::Tears | Fault::Halves | Fault::Empties => {}
        }
        Ok(fault)
    }
}

/// What is left of an object's bytes.
fn damage(fault: Fault, path: &Path, whole: &Bytes) -> Vec<Result<Bytes>> {
    let half = whole.slice(..whole.len() / 2);
    match fault {
        Fault::Tears => vec![Ok(half), Err(reset())],
        Fault::Halves => vec![Ok(half)],
        Fault::Empties if path.as_ref().starts_with("functions/") => vec![],
        _ => vec![Ok(whole.clone())],
    }
}

fn gone(path: &Path) -> Error {
    Error::NotFound { path: path.to_string(), source: "the disk is gone".into() }
}

fn reset() -> Error {
    Error::Generic { store: "faulty", source: "the connection was reset".into() }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.reads.lock().unwrap().push(path.to_string());
        let fault = self.before(path).await?;
        let mut options = options;
        if matches!(fault, Fault::Tears | Fault::Halves | Fault::Empties) {
            // A damaged object is another one than the reader knows.
            options.if_none_match = None;
        }
        let whole = self.objects.get_opts(path, options.clone()).await?.bytes().await?;
        let found = self.objects.get_opts(path, options).await?;
        let payload = GetResultPayload::Stream(stream::iter(damage(fault, path, &whole)).boxed());
        Ok(GetResult { payload, ..found })
    }

    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.objects.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.objects.put_multipart_opts(path, options).await
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
