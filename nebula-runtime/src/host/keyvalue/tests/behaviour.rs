//! What each backend does, on whatever server.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use crate::host::{failure::ServiceErrorKind, keyvalue::KeyValue};

/// Checks that increments and swaps of several nodes are all counted. Each store is the one of a node.
pub(super) async fn nodes_lose_nothing(stores: [Arc<dyn KeyValue>; 4], increments: usize) {
    let each = increments / stores.len();
    let nodes = stores.iter().map(|store| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for _ in 0..each {
                store.increment("counted", 1).await.unwrap();
            }
        })
    });
    join_all(nodes).await.into_iter().collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(stores[0].get("counted").await.unwrap().unwrap(), (each * stores.len()).to_string());

    stores[0].delete("first").await.unwrap();
    let first = join_all(stores.iter().map(|store| store.swap("first", None, Bytes::from_static(b"here")))).await;
    assert_eq!(first.into_iter().filter(|first| *first.as_ref().unwrap()).count(), 1);
}

/// The time in which a service that is back has to be used again.
const SOON: Duration = Duration::from_secs(30);

/// Waits until the store works.
pub(super) async fn eventually_works(store: &dyn KeyValue) {
    let began = Instant::now();
    while let Err(error) = store.set("works", Bytes::from_static(b"again")).await {
        assert!(began.elapsed() < SOON, "{error}: {error:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Checks that operations fail while the service is away, and that the error says so and no more.
pub(super) async fn fails(store: &dyn KeyValue, told: &[&str]) {
    let error = timeout(SOON, store.get("works")).await.expect("an operation ends").unwrap_err();
    assert_eq!(error.kind(), ServiceErrorKind::Unavailable, "{error}: {error:?}");
    assert!(told.contains(&error.to_string().as_str()), "{error}: {error:?}");
}

/// Works on the store until it is told to stop; returns how often that failed.
pub(super) async fn load(store: Arc<dyn KeyValue>, stop: tokio::sync::watch::Receiver<bool>) -> usize {
    let mut failed = 0;
    while !*stop.borrow() {
        let worked = store.set("load", Bytes::from_static(b"value")).await.is_ok() && store.get("load").await.is_ok();
        failed += usize::from(!worked);
        tokio::task::yield_now().await;
    }
    failed
}
