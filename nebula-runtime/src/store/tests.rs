//! What only a folder, or only a backend that fails, can show.

#[cfg(feature = "azure")]
mod azure;
mod crash;
mod flaky;
#[cfg(feature = "gcs")]
mod gcs;
mod keep;
mod many_nodes;
mod model;
mod nth_call;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "cloud")]
mod service;

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::symlink},
    path::Path,
};

use tempfile::TempDir;

#[cfg(feature = "cloud")]
use super::cloud;
use super::{
    Store, StoreError, StoreUrl,
    conformance::{self, has_all_versions, publish_at_once, sample},
};
use crate::function::{AliasTarget, FunctionName};

fn name(text: &str) -> FunctionName {
    text.parse().unwrap()
}

async fn open(folder: &Path) -> Result<Store, StoreError> {
    Store::open(&StoreUrl::folder(folder).unwrap()).await
}

/// An error and its causes, as people read it.
fn explain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_in_memory_conforms() {
    conformance::check(&Store::memory()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_in_a_folder_conforms() {
    let folder = TempDir::new().unwrap();
    conformance::check(&open(&folder.path().join("new/store #1")).await.unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn handles_that_share_only_the_folder_lose_nothing() {
    let folder = TempDir::new().unwrap();
    let stores = [open(folder.path()).await.unwrap(), open(folder.path()).await.unwrap()];
    publish_at_once(&stores, &name("treats")).await.unwrap();
    has_all_versions(&open(folder.path()).await.unwrap(), &name("treats")).await.unwrap();
}

#[tokio::test]
async fn a_store_is_laid_out_as_the_design_says() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await.unwrap().with_clock(|| "2026-01-31T12:00:00Z".parse().unwrap());
    let published = store.publish(&name("treats"), sample("a"), None).await.unwrap();
    let read = |path: &str| fs::read_to_string(folder.path().join(path)).unwrap();
    assert_eq!(read("nebula-store.json"), r#"{"format":1}"#);
    let (manifest, module) = (published.manifest, published.module);
    let record = r#"{"format":2,"next":2,"versions":{"1":{"manifest":"MANIFEST","module":"MODULE","published_at":"2026-01-31T12:00:00Z","published_by":"conformance"}},"aliases":{}}"#
        .replace("MANIFEST", &manifest.to_string())
        .replace("MODULE", &module.to_string());
    assert_eq!(read("functions/treats.json"), record);
    let config = r#"{"created":"1970-01-01T00:00:00Z","architecture":"wasm","os":"wasip1","layerDigests":["MODULE"],"nebula":{"kind":"core","exports":[{"name":"add","params":["i32","i32"],"results":["i32"]}],"config":{"export":"add","limits":{}}}}"#
        .replace("MODULE", &module.to_string());
    let digest = crate::function::Digest::of(config.as_bytes());
    assert_eq!(read(&format!("blobs/sha256/{}", digest.hex())), config);
    let expected = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.wasm.config.v0+json","digest":"{digest}","size":{}}},"layers":[{{"mediaType":"application/wasm","digest":"{module}","size":12}}]}}"#,
        config.len(),
    );
    assert_eq!(read(&format!("blobs/sha256/{}", manifest.hex())), expected);
}

#[tokio::test]
async fn a_store_of_a_newer_format_is_refused() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("nebula-store.json"), r#"{"format":2,"more":true}"#).unwrap();
    let error = open(folder.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerFormat { found: 2, supported: 1, .. }), "{error:?}");
    let expected = format!(
        "nebula-store.json in store file://{} has format 2 and this Nebula knows formats up to 1; use a newer Nebula, or another store",
        folder.path().display(),
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_record_of_a_newer_format_is_refused_and_kept() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await.unwrap();
    let file = folder.path().join("functions/treats.json");
    let newer = r#"{"format":3,"versions":[],"retired":true}"#;
    fs::create_dir(folder.path().join("functions")).unwrap();
    fs::write(&file, newer).unwrap();
    for error in [
        store.record(&name("treats")).await.unwrap_err(),
        store.publish(&name("treats"), sample("a"), None).await.unwrap_err(),
        store.set_alias(&name("treats"), &"prod".parse().unwrap(), None, None).await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::NewerFormat { found: 3, supported: 2, .. }), "{error:?}");
    }
    assert_eq!(fs::read_to_string(file).unwrap(), newer);
}

#[tokio::test]
async fn a_record_of_format_1_is_read_and_is_written_in_the_new_format_by_the_next_publish() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await.unwrap();
    let published = store.publish(&name("treats"), sample("a"), Some(&"prod".parse().unwrap())).await.unwrap();
    let file = folder.path().join("functions/treats.json");
    let old = r#"{"format":1,"versions":{"1":{"manifest":"MANIFEST","module":"MODULE"}},"aliases":{"prod":1}}"#
        .replace("MANIFEST", &published.manifest.to_string())
        .replace("MODULE", &published.module.to_string());
    fs::write(&file, &old).unwrap();
    assert!(!store.publish(&name("treats"), sample("a"), Some(&"prod".parse().unwrap())).await.unwrap().changed);
    assert_eq!(fs::read_to_string(&file).unwrap(), old, "nothing was published");

    let second = store.publish(&name("treats"), sample("b"), Some(&"prod".parse().unwrap())).await.unwrap();
    let record = store.record(&name("treats")).await.unwrap().unwrap();
    assert_eq!((second.number, record.next_number()), (2, 3));
    let dated: Vec<_> = record.versions().map(|(_, entry)| entry.published_at.is_some()).collect();
    assert_eq!(dated, [false, true]);
    let [(_, prod)] = record.aliases().collect::<Vec<_>>()[..] else { panic!("{record:?}") };
    let history: Vec<_> = prod.history.iter().map(|change| (change.from.clone(), change.to.clone())).collect();
    assert_eq!(history, [(Some(AliasTarget::version(1)), Some(AliasTarget::version(2)))]);
    assert!(fs::read_to_string(&file).unwrap().starts_with(r#"{"format":2,"next":3,"#));
}

#[tokio::test]
async fn a_truncated_record_is_refused_until_its_function_is_published_again_and_is_kept() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await.unwrap();
    for function in ["treats", "other"] {
        store.publish(&name(function), sample(function), None).await.unwrap();
    }
    let other = store.record(&name("other")).await.unwrap();
    let file = folder.path().join("functions/treats.json");
    let whole = fs::read(&file).unwrap();
    // Of `"next":2` and `"1":{`.
    let number_is_readable = whole.windows(8).position(|bytes| bytes == b"\"next\":2").unwrap() + 8;
    for length in 0..whole.len() {
        let damaged = whole.get(..length).unwrap();
        fs::write(&file, damaged).unwrap();
        let error = store.record(&name("treats")).await.unwrap_err();
        let expected =
            format!("functions/treats.json in store file://{} cannot be understood", folder.path().display());
        assert!(explain(&error).starts_with(&expected), "{}", explain(&error));
        let moved = store.set_alias(&name("treats"), &"prod".parse().unwrap(), None, None).await;
        assert!(matches!(moved, Err(StoreError::Malformed { .. })), "{moved:?}");

        let published = store.publish(&name("treats"), sample("new"), None).await.unwrap();
        let number = if length >= number_is_readable { 2 } else { 1 };
        assert_eq!((published.number, published.changed), (number, true), "{length}");
        let record = store.record(&name("treats")).await.unwrap().unwrap();
        assert_eq!(record.versions().map(|(number, _)| number).collect::<Vec<_>>(), [number]);
        let kept = format!("{}.damaged-{}", file.display(), &crate::function::Digest::of(damaged).hex()[..16]);
        assert_eq!(fs::read(kept).unwrap(), damaged);
        assert_eq!(store.names().await.unwrap(), [name("other"), name("treats")]);
    }
    assert_eq!(store.record(&name("other")).await.unwrap(), other);
}

#[tokio::test]
async fn a_store_is_ready_while_it_is_there() {
    let folder = TempDir::new().unwrap();
    let place = folder.path().join("store");
    let store = open(&place).await.unwrap();
    store.ready().await.unwrap();
    let marker = place.join("nebula-store.json");
    fs::write(&marker, r#"{"format":2}"#).unwrap();
    assert!(matches!(store.ready().await, Err(StoreError::NewerFormat { .. })));
    fs::write(&marker, "").unwrap();
    assert!(matches!(store.ready().await, Err(StoreError::Malformed { .. })));
    fs::remove_dir_all(&place).unwrap();
    assert!(matches!(store.ready().await, Err(StoreError::Gone { .. })));
    fs::create_dir(&place).unwrap();
    let error = store.ready().await.unwrap_err();
    let expected = format!("there is no store at file://{}: its nebula-store.json is missing", place.display());
    assert_eq!(error.to_string(), expected);
    Store::memory().ready().await.unwrap();
}

#[tokio::test]
async fn a_folder_that_cannot_be_is_named_with_its_cause() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = open(&file.join("store")).await.unwrap_err();
    let expected = format!("failed to create the folder {}/store: Not a directory", file.display());
    assert!(explain(&error).starts_with(&expected), "{}", explain(&error));
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_named_once() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await.unwrap();
    fs::create_dir(folder.path().join("functions")).unwrap();
    symlink("treats.json", folder.path().join("functions/treats.json")).unwrap();
    let error = store.record(&name("treats")).await.unwrap_err();
    let store = format!("file://{}", folder.path().display());
    let explained = explain(&error);
    assert!(explained.starts_with(&format!("failed to read functions/treats.json in store {store}: ")), "{explained}");
    assert_eq!(explained.matches("os error").count(), 1, "{explained}");
}

#[tokio::test]
async fn what_else_is_in_the_folder_is_ignored() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await.unwrap();
    store.publish(&name("treats"), sample("a"), None).await.unwrap();
    let functions = folder.path().join("functions");
    fs::write(functions.join(OsStr::from_bytes(b"\xff.json")), "").unwrap();
    fs::write(functions.join("a\nb.json"), "").unwrap();
    fs::create_dir(functions.join("folder.json")).unwrap();
    symlink("treats.json", functions.join("linked.json")).unwrap();
    symlink("nowhere", functions.join("dangling.json")).unwrap();
    symlink(".", functions.join("circle")).unwrap();
    symlink("loop.json", functions.join("loop.json")).unwrap();
    assert_eq!(store.names().await.unwrap(), [name("linked"), name("treats")]);
}

#[tokio::test]
async fn a_store_that_is_there_is_opened_without_writing() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await.unwrap();
    store.publish(&name("treats"), sample("a"), None).await.unwrap();
    let modified = || fs::metadata(folder.path()).unwrap().modified().unwrap();
    let before = modified();
    let opened = open(folder.path()).await.unwrap();
    assert_eq!(opened.names().await.unwrap(), [name("treats")]);
    assert_eq!(modified(), before);
}
