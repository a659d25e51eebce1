//! Blobs in S3: on a real server.
//!
//! Where the server is not installed, nothing is tested; in CI it has to be (`ci/moto.sh`).

use std::time::Duration;

use nebula_store_servers::{Fault, S3Server};
use tokio::time::timeout;

use super::*;
use crate::host::node::Node;

/// A server of the test's own, and what a node needs to reach it.
fn server() -> Option<(S3Server, Node)> {
    let server = S3Server::start("bucket")?;
    let node = Node::new("/", server.variables().map(|(name, value)| (name.into(), value.into())));
    Some((server, node))
}

fn open(url: &str, node: &Node) -> Arc<dyn Blobs> {
    super::open(&url.parse().unwrap(), node).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_in_s3_keep_the_contract() {
    let Some((_server, node)) = server() else { return };
    conformance::check(open("s3://bucket/of/blobs", &node)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_is_an_object_of_the_same_name() {
    let Some((_server, node)) = server() else { return };
    put(&*open("s3://bucket/pictures", &node), "cats/tom.png", "tom").await.unwrap();
    assert_eq!(get(&*open("s3://bucket", &node), "pictures/cats/tom.png").await.unwrap(), Some("tom".into()));
}

/// The parts of a blob that was given up would cost money.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_parts_of_a_blob_that_is_given_up_are_removed() {
    let Some((server, node)) = server() else { return };
    let blobs = open("s3://bucket", &node);
    let pieces = stream::iter((0..20).map(|_| Ok(Bytes::from(vec![1; 1 << 20]))));
    let failing = pieces.chain(stream::once(async { Err(ServiceError::unavailable("the guest left", "")) }));
    blobs.put("a", failing.boxed()).await.unwrap_err();
    while !server.requests().iter().any(|request| request.method == "DELETE" && request.path.contains("uploadId")) {
        tokio::task::yield_now().await;
    }
    assert_eq!(get(&*blobs, "a").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_lost_late_or_torn_change_no_blob() {
    let Some((server, node)) = server() else { return };
    let blobs = open("s3://bucket", &node);
    for fault in [Fault::Stumbles, Fault::Late(Duration::from_millis(20))] {
        server.set(fault);
        for number in 0..4 {
            let bytes = vec![number; 100_000];
            put(&*blobs, "a", bytes.clone()).await.unwrap();
            assert_eq!(get(&*blobs, "a").await.unwrap(), Some(bytes.into()), "{fault:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_fails_is_an_error_that_says_no_address_and_works_again_afterwards() {
    let Some((server, node)) = server() else { return };
    let blobs = open("s3://bucket", &node);
    server.set(Fault::Refuses);
    let error = put(&*blobs, "a", "1").await.unwrap_err();
    assert_eq!(error.to_string(), "the service refused the node's credentials");
    server.set(Fault::Away);
    let error = put(&*blobs, "a", "1").await.unwrap_err();
    assert_eq!(error.to_string(), "the service failed to write a blob");
    server.set(Fault::None);
    put(&*blobs, "a", "1").await.unwrap();
    let error = get(&*open("s3://none", &node), "a").await.unwrap_err();
    assert_eq!(error.to_string(), "the bucket of the service does not exist");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_hangs_holds_up_nobody_for_longer_than_they_wait() {
    let Some((server, node)) = server() else { return };
    let blobs = open("s3://bucket", &node);
    put(&*blobs, "a", "1").await.unwrap();
    server.set(Fault::Hangs);
    assert!(timeout(Duration::from_millis(50), get(&*blobs, "a")).await.is_err());
    server.set(Fault::None);
    assert_eq!(get(&*blobs, "a").await.unwrap(), Some("1".into()));
}
