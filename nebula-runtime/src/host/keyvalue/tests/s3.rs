//! A key-value store in S3.

use std::{env, ffi::OsString, path::PathBuf, sync::Arc};

use bytes::Bytes;
use http::HeaderValue;
use nebula_store_servers::{Fault, S3Server};

use super::behaviour::{eventually_works, fails, nodes_lose_nothing};
use crate::{
    call::TraceContext,
    host::{
        keyvalue::{
            KeyValue, conformance,
            messages::{FAILED, REFUSED},
        },
        node::Node,
    },
};

fn node(server: &S3Server) -> Node {
    let variable = |(name, value): (&str, String)| (OsString::from(name), OsString::from(value));
    Node::new(PathBuf::new(), server.variables().map(variable))
}

fn store(server: &S3Server, url: &str) -> Arc<dyn KeyValue> {
    super::store(url, &node(server))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_s3_keeps_the_contract() {
    let Some(server) = S3Server::start("bucket") else { return };
    conformance::check(store(&server, "s3://bucket/some/folder")).await;
}

/// An increment takes several requests, so there are few unless a variable asks for more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_share_a_bucket_lose_nothing() {
    let Some(server) = S3Server::start("bucket") else { return };
    let increments = env::var("NEBULA_TEST_INCREMENTS").map_or(40, |increments| increments.parse().unwrap());
    nodes_lose_nothing([(); 4].map(|()| store(&server, "s3://bucket")), increments).await;
}

#[tokio::test]
async fn keys_of_all_lengths_are_kept_and_folders_keep_values_apart() {
    let Some(server) = S3Server::start("bucket") else { return };
    let (store, other) = (store(&server, "s3://bucket/a"), store(&server, "s3://bucket"));
    let long = "ü".repeat(512);
    let keys = ["a", "a/", "a/b", &long, &format!("{}2", "ü".repeat(511)), &".".repeat(1024)].map(str::to_owned);
    for key in &keys {
        store.set(key, key.clone().into()).await.unwrap();
    }
    for key in &keys {
        assert_eq!(store.get(key).await.unwrap().unwrap(), key);
    }
    let mut listed = store.list(&"ü".repeat(511), None).await.unwrap().keys;
    listed.sort();
    assert_eq!(listed, [keys[4].clone(), long]);
    let mut listed = store.list("a/", None).await.unwrap().keys;
    listed.sort();
    assert_eq!(listed, ["a/", "a/b"]);
    assert_eq!(other.get("a").await.unwrap(), None);
}

/// Half of the writes are carried out and answered with an error, or with half of an answer.
#[tokio::test]
async fn an_increment_is_never_counted_twice() {
    let Some(server) = S3Server::start("bucket") else { return };
    let store = store(&server, "s3://bucket");
    assert_eq!(store.increment("counted", 1).await.unwrap(), 1);
    for fault in [Fault::Stumbles, Fault::Tears] {
        server.set(fault);
        let before: i64 = number(&*store).await;
        let mut answered = 0;
        for _ in 0..8 {
            answered += i64::from(store.increment("counted", 1).await.is_ok());
        }
        server.set(Fault::None);
        let counted = number(&*store).await - before;
        assert!((answered..=8).contains(&counted), "{counted} of {answered} with {fault:?}");
    }
}

async fn number(store: &dyn KeyValue) -> i64 {
    std::str::from_utf8(&store.get("counted").await.unwrap().unwrap()).unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_the_service_refuses_is_told_without_its_address() {
    let Some(server) = S3Server::start("bucket") else { return };
    fails(&*store(&server, "s3://none"), &["the bucket of the key-value service is not there"]).await;
    let store = store(&server, "s3://bucket");
    server.set(Fault::Refuses);
    fails(&*store, &[REFUSED]).await;
    server.set(Fault::Away);
    fails(&*store, &[crate::host::keyvalue::messages::UNREACHABLE, FAILED]).await;
    server.set(Fault::None);
    eventually_works(&*store).await;
    assert_eq!(store.get("works").await.unwrap(), Some(Bytes::from_static(b"again")));
}

#[tokio::test]
async fn requests_carry_the_trace_of_the_caller_for_whom_they_are_sent() {
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    let Some(server) = S3Server::start("bucket") else { return };
    let store = store(&server, "s3://bucket");
    let trace = TraceContext::new(HeaderValue::from_static(PARENT), None);
    trace.scope(store.set("key", Bytes::from_static(b"value"))).await.unwrap();
    assert_eq!(store.get("key").await.unwrap().unwrap(), "value");
    let traces: Vec<_> = server.requests().into_iter().map(|request| request.trace).collect();
    assert_eq!(traces, [Some(PARENT.to_owned()), None]);
}
