//! A key-value store in Redis.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use nebula_store_servers::{ConnectionFault, KeyValueServer};
use tokio::{sync::watch, time::timeout};

use super::behaviour::{eventually_works, fails, load, nodes_lose_nothing};
use crate::host::{
    failure::ServiceErrorKind,
    keyvalue::{
        KeyValue, conformance,
        messages::{FAILED, REFUSED, UNREACHABLE},
    },
    node::Node,
};

fn store(server: &KeyValueServer, rest: &str) -> Arc<dyn KeyValue> {
    super::store(&format!("redis://{}{rest}", server.address()), &Node::default())
}

#[tokio::test]
async fn a_store_in_redis_keeps_the_contract() {
    let Some(server) = KeyValueServer::redis(&[]) else { return };
    conformance::check(store(&server, "")).await;
    conformance::check(store(&server, "/1?prefix=shop*%2F")).await;
}

#[tokio::test]
async fn a_prefix_and_a_database_keep_values_apart() {
    let Some(server) = KeyValueServer::redis(&[]) else { return };
    let stores = ["", "/1", "/1?prefix=a:", "/1?prefix=b:"].map(|rest| store(&server, rest));
    for (number, store) in stores.iter().enumerate() {
        store.set("key", number.to_string().into()).await.unwrap();
    }
    for (number, store) in stores.iter().enumerate() {
        assert_eq!(store.get("key").await.unwrap().unwrap(), number.to_string());
    }
    let mut all = stores[1].list("", None).await.unwrap().keys;
    all.sort();
    assert_eq!(all, ["a:key", "b:key", "key"]);
    assert_eq!(stores[2].list("", None).await.unwrap().keys, ["key"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_share_a_redis_lose_nothing() {
    let Some(server) = KeyValueServer::redis(&[]) else { return };
    nodes_lose_nothing([(); 4].map(|()| store(&server, "")), 1000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_fail_while_redis_is_away_and_work_when_it_is_back() {
    let Some(mut server) = KeyValueServer::redis(&["--appendonly", "yes", "--appendfsync", "always"]) else { return };
    let store = store(&server, "");
    store.set("kept", Bytes::from_static(b"value")).await.unwrap();
    let stop = watch::Sender::new(false);
    let loads: Vec<_> = (0..4).map(|_| tokio::spawn(load(Arc::clone(&store), stop.subscribe()))).collect();
    server.stop();
    fails(&*store, &[UNREACHABLE]).await;
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
    let Some(server) = KeyValueServer::redis(&[]) else { return };
    let store = store(&server, "");
    store.set("works", vec![7; 100_000].into()).await.unwrap();
    server.set(ConnectionFault::Tears);
    fails(&*store, &[UNREACHABLE, FAILED]).await;
    server.set(ConnectionFault::None);
    assert_eq!(store.get("works").await.unwrap().unwrap().len(), 100_000);
}

/// A guest whose deadline passes drops its operation.
#[tokio::test]
async fn a_connection_that_became_silent_is_left_after_an_operation_was_given_up() {
    let Some(server) = KeyValueServer::redis(&[]) else { return };
    let (store, other) = (store(&server, ""), KeyValueServer::redis(&[]).unwrap());
    eventually_works(&*store).await;
    server.set(ConnectionFault::Hangs);
    let deadline = Duration::from_millis(1200);
    assert!(timeout(deadline, store.get("works")).await.is_err());
    server.lead_to(&other);
    server.set(ConnectionFault::None);
    assert_eq!(store.get("works").await.unwrap(), None);
}

#[tokio::test]
async fn what_the_server_refuses_is_told_without_its_address() {
    let Some(server) = KeyValueServer::redis(&["--requirepass", "secret"]) else { return };
    let url = |credentials: &str| format!("redis://{credentials}{}", server.address());
    for credentials in ["", ":wrong@", "user:secret@"] {
        fails(&*super::store(&url(credentials), &Node::default()), &[REFUSED]).await;
    }
    let store = super::store(&url(":secret@"), &Node::default());
    eventually_works(&*store).await;
}

#[tokio::test]
async fn a_key_of_another_program_that_is_no_string_is_an_error_of_the_caller() {
    let Some(server) = KeyValueServer::redis(&[]) else { return };
    let client = redis::Client::open(format!("redis://{}", server.address())).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("LPUSH").arg("list").arg("a").exec_async(&mut connection).await.unwrap();
    let error = store(&server, "").get("list").await.unwrap_err();
    assert_eq!(error.kind(), ServiceErrorKind::Invalid);
    assert_eq!(error.to_string(), "the key has something else than a string in the key-value service");
}
