//! Publishes beside other publishers, and beside callers.

use std::fs;

use super::*;
use crate::{
    function::{AliasName, LimitSettings},
    store::{StoreUrl, faulty::Faulty},
};

#[tokio::test(start_paused = true)]
async fn a_publish_is_compared_with_what_the_store_has_and_not_with_what_is_remembered() {
    let store = Store::memory();
    let (here, elsewhere) = (runtime(&store), runtime(&store));
    assert_eq!(publish(&here, "f", 1).await, 1);
    assert_eq!(call(&here, "f").await.unwrap(), "1");
    assert_eq!(publish(&elsewhere, "f", 2).await, 2);
    assert_eq!(publish(&here, "f", 1).await, 3);
    assert_eq!(call(&here, "f").await.unwrap(), "1");
    assert_eq!(store.record(&name("f")).await.unwrap().unwrap().latest().map(|(number, _)| number), Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_component_is_linked_to_what_the_store_has_and_not_to_what_is_remembered() {
    let part = |number: u32| {
        Bytes::from(format!(
            "(component
                (core module $m (func (export \"get\") (result i32) (i32.const {number})))
                (core instance $i (instantiate $m))
                (func $get (result u32) (canon lift (core func $i \"get\")))
                (instance $numbers (export \"get\" (func $get)))
                (export \"test:numbers/numbers\" (instance $numbers)))"
        ))
    };
    let whole = "(component
        (import \"test:numbers/numbers\" (instance $numbers (export \"get\" (func (result u32)))))
        (core func $get (canon lower (func $numbers \"get\")))
        (core module $m (import \"\" \"get\" (func (result i32))) (export \"answer\" (func 0)))
        (core instance $i (instantiate $m (with \"\" (instance (export \"get\" (func $get))))))
        (func (export \"answer\") (result u32) (canon lift (core func $i \"answer\"))))";
    let store = Store::memory();
    let (here, elsewhere) = (runtime(&store), runtime(&store));
    let none = FunctionConfig::default;
    here.publish(&name("part"), part(1)).config(none()).await.unwrap();
    here.inspect(&name("part").into()).await.unwrap();
    elsewhere.publish(&name("part"), part(2)).config(none()).await.unwrap();
    let linked = FunctionConfig { imports: [("test:numbers/numbers".into(), name("part").into())].into(), ..none() };
    here.publish(&name("whole"), whole).config(linked).await.unwrap();
    assert_eq!(call(&here, "whole").await.unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn a_version_keeps_its_places_when_its_function_is_published_again() {
    let (_, store) = Faulty::store().await;
    let (runtime, prod): (_, AliasName) = (runtime(&store), "prod".parse().unwrap());
    let limits = LimitSettings { concurrency: Some(1), ..LimitSettings::default() };
    let config = FunctionConfig { limits, ..FunctionConfig::default() };
    runtime.publish(&name("f"), answer(1)).config(config.clone()).await.unwrap();
    let first = runtime.deployments.get(&name("f").into(), Instant::now()).await.unwrap();
    let place = first.gate.try_enter().unwrap();
    // The record changes, and the version stays.
    assert!(runtime.publish(&name("f"), answer(1)).config(config.clone()).alias(prod.clone()).await.unwrap().changed);
    assert_eq!(call(&runtime, "f").await, Err(ErrorKind::Overloaded));
    // Another version has places of its own.
    runtime.publish(&name("f"), answer(2)).config(config).await.unwrap();
    assert_eq!(call(&runtime, "f").await.unwrap(), "2");
    assert_eq!(call(&runtime, "f@prod").await, Err(ErrorKind::Overloaded));
    drop(place);
    assert_eq!(call(&runtime, "f@prod").await.unwrap(), "1");
}

#[test]
fn an_invocation_may_be_made_outside_of_tokio_and_awaited_in_it() {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let runtime = Runtime::builder(Store::memory()).concurrency(1).build().unwrap();
    let wasm = "(module (func (export \"seven\") (result i32) (i32.const 7)))";
    let name: FunctionName = "seven".parse().unwrap();
    tokio.block_on(runtime.publish(&name, wasm).into_future()).unwrap();
    let invoke = || runtime.invoke(Invocation::new(name.clone(), Event::default()));
    tokio.block_on(invoke()).unwrap();
    // Old enough to be read again by the way.
    let later = Instant::now() + Duration::from_secs(1);
    assert!(runtime.deployments.ready(&Invocation::new(name.clone(), Event::default()), later).is_some());
    assert_eq!(tokio.block_on(invoke()).unwrap().body.into_whole().unwrap(), "7");
}

#[tokio::test]
async fn publishing_again_restores_each_blob_that_is_corrupt_or_gone() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreUrl::folder(folder.path()).unwrap()).await.unwrap();
    let name: FunctionName = "seven".parse().unwrap();
    let wasm = "(module (func (export \"seven\") (result i32) (i32.const 7)))";
    let runtime = || Runtime::builder(store.clone()).concurrency(1).build().unwrap();
    let publish = async || runtime().publish(&name, wasm).await.unwrap().changed;
    assert!(publish().await);
    for blob in fs::read_dir(folder.path().join("blobs/sha256")).unwrap().map(|blob| blob.unwrap().path()) {
        for damage in [|path| fs::write(path, "?"), |path| fs::remove_file(path)] {
            damage(&blob).unwrap();
            assert!(!publish().await);
            let response = runtime().invoke(Invocation::new(name.clone(), Event::default())).await.unwrap();
            assert_eq!(response.body.collect(10).await.unwrap(), "7");
        }
    }
}
