//! Many nodes over one store: publishers, collectors of garbage, and servers that read, each of which may be gone in the
//! middle of its work. Time passes only here, and each request takes from a second to ten minutes of it, so that
//! everything happens between everything else. A seed decides what happens; it is printed where a test fails.

use std::{
    collections::HashMap,
    fmt,
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use fastrand::Rng;
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{join_all, join3},
    stream::{self, BoxStream},
};
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};
use tokio::time::{Instant, sleep, timeout};

use super::name;
use crate::{
    function::{FunctionName, Timestamp},
    store::{
        GcOptions, IfPointedTo, Progress, Store, StoreUrl,
        backend::{Backend, Replacement},
        conformance::{read_version, sample},
        layout,
    },
};

const SEEDS: Range<u64> = 0..24;
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// How long a run lasts.
const END: u64 = 5 * DAY;

/// What is removed goes as soon as it can.
const OPTIONS: GcOptions = GcOptions { retention: Duration::ZERO, grace: Duration::from_secs(DAY), delete: true };

/// The time of a run, which begins a year from now.
#[derive(Debug, Clone, Copy)]
struct Time {
    began: Instant,
    base: u64,
}

impl Time {
    fn begin() -> Self {
        Self { began: Instant::now(), base: Timestamp::now().as_unix() + 365 * DAY }
    }

    fn now(self) -> Timestamp {
        Timestamp::from_unix(self.base + self.began.elapsed().as_secs())
    }

    fn is_over(self) -> bool {
        self.began.elapsed().as_secs() > END
    }
}

/// A backend far away.
#[derive(Debug)]
struct Far {
    objects: InMemory,
    time: Time,
    written: Mutex<HashMap<Path, Timestamp>>,
    random: Mutex<Rng>,
}

impl Far {
    /// A request is on its way: there, or back.
    async fn travel(&self) {
        let seconds = self.random.lock().unwrap().u64(1..5 * MINUTE);
        sleep(Duration::from_secs(seconds)).await;
    }

    /// What the backend tells of an object, in the time of the run.
    fn told(&self, mut meta: ObjectMeta) -> ObjectMeta {
        let written = self.written.lock().unwrap()[&meta.location].as_unix();
        let since = written - u64::try_from(meta.last_modified.timestamp()).unwrap();
        meta.last_modified += Duration::from_secs(since);
        meta
    }
}

impl fmt::Display for Far {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Far")
    }
}

#[async_trait]
impl ObjectStore for Far {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.travel().await;
        let put = self.objects.put_opts(path, payload, options).await;
        if put.is_ok() {
            self.written.lock().unwrap().insert(path.clone(), self.time.now());
        }
        self.travel().await;
        put
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.travel().await;
        let found = self.objects.get_opts(path, options).await;
        self.travel().await;
        found
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let objects = self.objects.clone();
        let (there, back) = {
            let mut random = self.random.lock().unwrap();
            (random.u64(1..5 * MINUTE), random.u64(1..5 * MINUTE))
        };
        let deleted = async move {
            sleep(Duration::from_secs(there)).await;
            let deleted: Vec<_> = objects.delete_stream(paths).collect().await;
            sleep(Duration::from_secs(back)).await;
            stream::iter(deleted)
        };
        stream::once(deleted).flatten().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = self.objects.list(prefix).collect::<Vec<_>>().now_or_never().unwrap();
        stream::iter(listed.into_iter().map(|meta| meta.map(|meta| self.told(meta))).collect::<Vec<_>>()).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.travel().await;
        self.objects.list_with_delimiter(prefix).await
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.objects.put_multipart_opts(path, options).await
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.objects.get_ranges(path, ranges).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.objects.copy_opts(from, to, options).await
    }
}

/// A node, with chances of its own.
struct Node {
    store: Store,
    time: Time,
    random: Rng,
}

impl Node {
    /// Waits for up to so many seconds; false where the run is over.
    async fn waits(&mut self, seconds: u64) -> bool {
        sleep(Duration::from_secs(self.random.u64(0..seconds))).await;
        !self.time.is_over()
    }

    /// Works, or is gone in the middle of the work, in one of four cases.
    async fn works(&mut self, work: impl Future<Output = ()>) {
        let patience = if self.random.u8(0..4) == 0 { self.random.u64(0..2 * HOUR) } else { 30 * DAY };
        drop(timeout(Duration::from_secs(patience), work).await);
    }

    async fn publishes(mut self) {
        while self.waits(8 * HOUR).await {
            let (store, function) = (self.store.clone(), name(["one", "two"][self.random.usize(0..2)]));
            let (module, removes) = (["a", "b", "c"][self.random.usize(0..3)], self.random.bool());
            self.works(async move {
                if removes {
                    // All may be removed already.
                    let all = version_to_remove(&store, &function).await;
                    drop(store.remove(&function, all, IfPointedTo::Release, None).await);
                } else {
                    store.publish(&function, sample(module), None).await.unwrap();
                }
            })
            .await;
        }
    }

    async fn collects(mut self) {
        while self.waits(12 * HOUR).await {
            let store = self.store.clone();
            self.works(async move {
                store.collect_garbage(OPTIONS, &Progress::default()).await.unwrap();
            })
            .await;
        }
    }

    /// Reads each version that there is: no version is ever without its blobs.
    async fn reads(mut self) {
        while self.waits(6 * HOUR).await {
            read_all(&self.store).await;
        }
    }
}

/// The oldest version of a function.
async fn version_to_remove(store: &Store, function: &FunctionName) -> Option<u64> {
    let record = store.record(function).await.unwrap().unwrap_or_default();
    record.versions().next().map(|(number, _)| number)
}

async fn read_all(store: &Store) {
    for function in ["one", "two"] {
        let record = store.record(&name(function)).await.unwrap().unwrap_or_default();
        for (number, entry) in record.versions() {
            let read = read_version(store, &entry.manifest).await;
            assert!(read.is_ok(), "{function} version {number}: {read:?}");
        }
    }
}

async fn run(seed: u64) {
    fastrand::seed(seed);
    let (time, mut random) = (Time::begin(), Rng::with_seed(seed));
    let (objects, written) = (InMemory::new(), Mutex::default());
    let far = Arc::new(Far { objects, time, written, random: Mutex::new(random.fork()) });
    let backend = Backend::new(StoreUrl::MEMORY.to_string(), far, Replacement::CompareAndSwap);
    let store = Store::with_backend(backend).await.unwrap().with_clock(move || time.now());
    let mut node = || Node { store: store.clone(), time, random: random.fork() };
    let (publishers, collectors, servers) = ([node(), node(), node()], [node(), node()], [node(), node()]);
    join3(
        join_all(publishers.map(Node::publishes)),
        join_all(collectors.map(Node::collects)),
        join_all(servers.map(Node::reads)),
    )
    .await;

    read_all(&store).await;
    assert_eq!(store.verify(&[], &Progress::default()).await.unwrap().problems, []);
    // What is set aside now goes a day later.
    for _ in 0..3 {
        sleep(Duration::from_secs(2 * DAY)).await;
        store.collect_garbage(OPTIONS, &Progress::default()).await.unwrap();
    }
    read_all(&store).await;
    let left = store.backend.list(&Path::from(layout::UNNEEDED)).await.unwrap();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn no_version_is_ever_without_its_blobs_whatever_publishers_and_collectors_of_garbage_do() {
    for seed in SEEDS {
        println!("seed {seed}");
        let tokio = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        tokio.block_on(run(seed));
    }
}
