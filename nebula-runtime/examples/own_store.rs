//! A store of one's own: this one counts what it is asked.
//!
//! ```sh
//! cargo run -p nebula-runtime --example own_store
//! ```

use std::{
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use nebula_runtime::{
    Event, Runtime, Store,
    store::object_store::{
        CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
        PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
    },
};

/// Objects in memory, and how often they are read and written. [`Store::over`] says what a backend must do.
#[derive(Debug, Default)]
struct Counted {
    objects: InMemory,
    reads: AtomicUsize,
    writes: AtomicUsize,
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counted")
    }
}

#[async_trait]
impl ObjectStore for Counted {
    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.reads.fetch_add(1, Relaxed);
        self.objects.get_opts(path, options).await
    }

    // Create and update, which keep two writers from undoing each other's work, are modes in the options.
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.writes.fetch_add(1, Relaxed);
        self.objects.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.objects.put_multipart_opts(path, options).await
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

const DOUBLE: &str = r#"(module (func (export "double") (param i32) (result i32)
    (i32.mul (local.get 0) (i32.const 2))))"#;

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn Error>> {
    let counted = Arc::new(Counted::default());
    let runtime = Runtime::builder(Store::over(counted.clone()).await?).build()?;
    runtime.publish(&"double".parse()?, DOUBLE).await?;

    // What another process sees: the store is in the objects alone.
    let elsewhere = Runtime::builder(Store::over(counted.clone()).await?).build()?;
    assert_eq!(elsewhere.call("double", Event::json("21")).await?, "42");

    let (reads, writes) = (counted.reads.load(Relaxed), counted.writes.load(Relaxed));
    assert!(reads > 0 && writes > 0);
    println!("double of 21 is 42, after {reads} reads and {writes} writes");
    Ok(())
}
