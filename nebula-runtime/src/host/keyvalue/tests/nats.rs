//! A key-value store in NATS.

use std::sync::Arc;

use bytes::Bytes;
use nebula_store_servers::{ConnectionFault, KeyValueServer};
use tokio::sync::watch;

use super::behaviour::{eventually_works, fails, load, nodes_lose_nothing};
use crate::host::{
    failure::ServiceErrorKind,
    keyvalue::{
        KeyValue, conformance,
        messages::{FAILED, LATE, REFUSED, UNREACHABLE},
    },
    node::Node,
};

fn store(server: &KeyValueServer, rest: &str) -> Arc<dyn KeyValue> {
    super::store(&format!("nats://{}/{rest}", server.address()), &Node::default())
}

#[tokio::test]
async fn a_store_in_nats_keeps_the_contract() {
    let Some(server) = KeyValueServer::nats(&[]) else { return };
    conformance::check(store(&server, "bucket")).await;
    conformance::check(store(&server, "bucket?prefix=shop%2F.")).await;
}

/// Other clients make buckets that keep several entries of a key.
#[tokio::test]
async fn a_bucket_with_a_history_keeps_the_contract() {
    let Some(server) = KeyValueServer::nats(&[]) else { return };
    let client = async_nats::connect(server.address().to_string()).await.unwrap();
    let config = async_nats::jetstream::kv::Config { bucket: "old".to_owned(), history: 5, ..Default::default() };
    let bucket = async_nats::jetstream::new(client).create_key_value(config).await.unwrap();
    let store = store(&server, "old");
    conformance::check(Arc::clone(&store)).await;
    store.set("shop/a.b", Bytes::from_static(b"ours")).await.unwrap();
    assert_eq!(bucket.get("shop/a.b").await.unwrap().unwrap(), "ours");
    bucket.put("theirs", Bytes::from_static(b"value")).await.unwrap();
    assert_eq!(store.get("theirs").await.unwrap().unwrap(), "value");
    bucket.purge("theirs").await.unwrap();
    assert_eq!(store.get("theirs").await.unwrap(), None);
    assert!(store.swap("theirs", None, Bytes::from_static(b"again")).await.unwrap());
}

#[tokio::test]
async fn keys_of_all_lengths_are_kept() {
    let Some(server) = KeyValueServer::nats(&[]) else { return };
    let store = store(&server, "bucket");
    for key in ["a.".to_owned(), "ü".repeat(512), ".".repeat(1024), "a=2E".to_owned()] {
        store.set(&key, Bytes::from_static(b"value")).await.unwrap();
        assert_eq!(store.get(&key).await.unwrap().unwrap(), "value");
        assert_eq!(store.list(&key, None).await.unwrap().keys, [key]);
    }
}

#[tokio::test]
async fn a_value_that_is_too_large_for_the_server_is_refused_by_its_limit() {
    let Some(server) = KeyValueServer::nats(&[]) else { return };
    let error = store(&server, "bucket").set("key", vec![0; (1 << 20) + 1].into()).await.unwrap_err();
    assert_eq!(error.kind(), ServiceErrorKind::LimitExceeded, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_share_a_bucket_lose_nothing() {
    let Some(server) = KeyValueServer::nats(&[]) else { return };
    nodes_lose_nothing([(); 4].map(|()| store(&server, "bucket")), 1000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_fail_while_nats_is_away_and_work_when_it_is_back() {
    let Some(mut server) = KeyValueServer::nats(&[]) else { return };
    let store = store(&server, "bucket");
    store.set("kept", Bytes::from_static(b"value")).await.unwrap();
    let stop = watch::Sender::new(false);
    let loads: Vec<_> = (0..4).map(|_| tokio::spawn(load(Arc::clone(&store), stop.subscribe()))).collect();
    server.stop();
    fails(&*store, &[UNREACHABLE, FAILED, LATE]).await;
    server.start_again();
    eventually_works(&*store).await;
    stop.send_replace(true);
    for load in loads {
        assert!(load.await.unwrap() > 0);
    }
    assert_eq!(store.get("kept").await.unwrap().unwrap(), "value");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_and_the_next_operation_works() {
    let Some(server) = KeyValueServer::nats(&[]) else { return };
    let store = store(&server, "bucket");
    eventually_works(&*store).await;
    server.set(ConnectionFault::Tears);
    fails(&*store, &[UNREACHABLE, FAILED, LATE]).await;
    server.set(ConnectionFault::None);
    eventually_works(&*store).await;
}

#[tokio::test]
async fn what_the_server_refuses_is_told_without_its_address() {
    let Some(server) = KeyValueServer::nats(&["--user", "shop", "--pass", "secret"]) else { return };
    let url = |credentials: &str| format!("nats://{credentials}{}/bucket", server.address());
    for credentials in ["", "shop:wrong@", "token@"] {
        fails(&*super::store(&url(credentials), &Node::default()), &[REFUSED]).await;
    }
    eventually_works(&*super::store(&url("shop:secret@"), &Node::default())).await;
}

/// A service that accepts and never answers is the error of those who use it, and of nobody else.
#[tokio::test]
async fn a_service_that_never_answers_delays_no_other() {
    let Some(server) = KeyValueServer::nats(&[]) else { return };
    let other = KeyValueServer::nats(&[]).unwrap();
    let (silent, working) = (store(&server, "bucket"), store(&other, "bucket"));
    server.set(ConnectionFault::Hangs);
    let (silent, ()) = tokio::join!(silent.get("key"), eventually_works(&*working));
    assert_eq!(silent.unwrap_err().to_string(), UNREACHABLE);
}
