//! Any bytes as a document of a store.

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use futures_util::TryStreamExt as _;
use nebula_runtime::{
    AliasTarget, Digest, FunctionName, FunctionRef, GcOptions, RegistryError, RegistryErrorKind, Runtime, Store,
    store::{
        FunctionRecord, StoreError,
        object_store::{ObjectStore, ObjectStoreExt as _, memory::InMemory, path::Path},
    },
};
use serde_json::json;

use crate::functions::tokio;

/// What is published in place of a document.
const MODULE: &str = r#"(module (func (export "one") (result i32) i32.const 1))"#;

struct Fuzzed {
    tokio: tokio::runtime::Runtime,
    objects: Arc<InMemory>,
    store: Store,
    runtime: Runtime,
}

static FUZZED: LazyLock<Fuzzed> = LazyLock::new(|| {
    let (tokio, objects) = (tokio(), Arc::new(InMemory::new()));
    let store = tokio.block_on(Store::over(Arc::clone(&objects) as Arc<dyn ObjectStore>)).unwrap();
    let runtime = {
        let _entered = tokio.enter();
        Runtime::builder(store.clone()).concurrency(1).build().unwrap()
    };
    Fuzzed { tokio, objects, store, runtime }
});

/// Any bytes are the record of a function, or a manifest or a configuration that a record leads to; or they are damage,
/// which is told and not passed on. A change keeps all of a record that it is not about. Whatever a record was, its
/// function can be published again, unless a newer Nebula wrote it or no number is left.
pub fn document(input: &[u8]) {
    let Fuzzed { tokio, objects, store, runtime } = &*FUZZED;
    tokio.block_on(async {
        let name = name();
        let placed = place(objects, &name, input).await;
        inspect(runtime, &name).await;
        assert_keeps_the_rest(store, &name).await;
        assert!(store.verify(&[], &Default::default()).await.is_ok());
        drop(store.collect_garbage(GcOptions::default(), &Default::default()).await);
        assert_can_be_published(runtime, &name).await;
        remove(objects, placed).await;
    });
}

/// A name that no document had before: the runtime remembers records.
fn name() -> FunctionName {
    static DOCUMENTS: AtomicUsize = AtomicUsize::new(0);
    format!("f-{}", DOCUMENTS.fetch_add(1, Relaxed)).parse().unwrap()
}

/// Puts the document where it belongs, and what leads to it. Returns the paths of the blobs.
async fn place(objects: &InMemory, name: &FunctionName, document: &[u8]) -> Vec<Path> {
    let has = |word: &[u8]| document.windows(word.len()).any(|window| window == word);
    let (mut document, mut blobs) = (document.to_vec(), Vec::new());
    if has(b"\"nebula\"") {
        blobs.push(document.clone());
        let config = descriptor("application/vnd.wasm.config.v0+json", &document);
        let module = descriptor("application/wasm", b"");
        document = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config, "layers": [module],
        })
        .to_string()
        .into_bytes();
    }
    if has(b"\"layers\"") || !blobs.is_empty() {
        blobs.push(document.clone());
        let version = json!({ "manifest": Digest::of(&document), "module": Digest::of(b"") });
        document =
            json!({ "format": 2, "next": 2, "versions": { "1": version }, "aliases": {} }).to_string().into_bytes();
    }
    let mut paths = Vec::new();
    for blob in blobs {
        paths.push(Path::from(format!("blobs/sha256/{}", Digest::of(&blob).hex())));
        objects.put(paths.last().unwrap(), blob.into()).await.unwrap();
    }
    objects.put(&format!("functions/{name}.json").into(), document.into()).await.unwrap();
    paths
}

fn descriptor(media_type: &str, bytes: &[u8]) -> serde_json::Value {
    json!({ "mediaType": media_type, "digest": Digest::of(bytes), "size": bytes.len() })
}

async fn inspect(runtime: &Runtime, name: &FunctionName) {
    let latest: FunctionRef = name.clone().into();
    let told = [
        runtime.inspect(&latest).await.err(),
        runtime.stored(&latest).await.err(),
        runtime.versions(name).await.err(),
        runtime.aliases(name).await.err(),
        runtime.history(name).await.err(),
        runtime.diff(&latest, &latest).await.err(),
        runtime.load(&latest).await.err().map(|error| RegistryError::new(RegistryErrorKind::Internal, error.detail())),
    ];
    assert!(told.into_iter().flatten().all(|error| !error.detail().is_empty()));
}

/// Moves an alias, and checks that the record has everything else as before.
async fn assert_keeps_the_rest(store: &Store, name: &FunctionName) {
    let Ok(Some(before)) = store.record(name).await else { return };
    let Some((latest, _)) = before.latest() else { return };
    let alias = "fuzz".parse().unwrap();
    store.set_alias(name, &alias, Some(AliasTarget::version(latest)), None).await.unwrap();
    let after = store.record(name).await.unwrap().unwrap();
    assert_eq!(after.target(&alias), Some(&AliasTarget::version(latest)));
    let others = |record: &FunctionRecord| -> Vec<_> {
        record
            .aliases()
            .filter(|(name, _)| **name != alias)
            .map(|(name, alias)| (name.clone(), alias.clone()))
            .collect()
    };
    assert_eq!(others(&before), others(&after));
    assert!(before.versions().eq(after.versions()) && before.removed().eq(after.removed()));
    assert_eq!(before.next_number(), after.next_number());
}

async fn assert_can_be_published(runtime: &Runtime, name: &FunctionName) {
    let refusal = match runtime.store().record(name).await {
        Err(StoreError::NewerFormat { .. }) => Some("a newer Nebula published the function"),
        Ok(Some(record)) if record.next_number() >= 1 << 53 => Some("no version can come after it"),
        _ => None,
    };
    match (runtime.publish(name, MODULE).await, refusal) {
        (Ok(published), None) => {
            assert_eq!(runtime.inspect(&name.clone().into()).await.unwrap(), published.info);
        }
        (Err(error), Some(refusal)) => assert!(error.detail().contains(refusal), "{error}"),
        (published, refusal) => panic!("{published:?}, expected {refusal:?}"),
    }
}

/// Removes the document, and what became of it.
async fn remove(objects: &InMemory, mut paths: Vec<Path>) {
    let records: Vec<_> = objects.list(Some(&"functions".into())).try_collect().await.unwrap();
    paths.extend(records.into_iter().map(|object| object.location));
    for path in paths {
        objects.delete(&path).await.unwrap();
    }
}
