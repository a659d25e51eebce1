//! The conformance suite of key-value backends. The test of each backend calls [`check`] with an empty store.

#![expect(clippy::unwrap_used, reason = "a test of backends")]

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use futures_util::future::join_all;

use super::contract::{KeyValue, MAX_KEY, MAX_PAGE};
use crate::host::failure::ServiceErrorKind;

/// Checks that a backend keeps the contract of [`KeyValue`]. The store must be empty, and is not empty afterwards.
///
/// # Panics
/// The backend breaks the contract.
pub async fn check(store: Arc<dyn KeyValue>) {
    values(&*store).await;
    odd_keys(&*store).await;
    swaps(&*store).await;
    numbers(&store).await;
    several(&*store).await;
    pages(&*store).await;
}

async fn values(store: &dyn KeyValue) {
    assert_eq!(store.get("values/a").await.unwrap(), None);
    assert!(!store.exists("values/a").await.unwrap());
    store.delete("values/a").await.unwrap();
    for value in [Bytes::new(), Bytes::from_static(b"one"), Bytes::from_static(&[0, 255, 10]), vec![7; 1 << 20].into()]
    {
        store.set("values/a", value.clone()).await.unwrap();
        assert_eq!(store.get("values/a").await.unwrap(), Some(value));
        assert!(store.exists("values/a").await.unwrap());
    }
    store.delete("values/a").await.unwrap();
    assert_eq!(store.get("values/a").await.unwrap(), None);
}

/// Names that a service may take for something else.
async fn odd_keys(store: &dyn KeyValue) {
    let long = "k".repeat(MAX_KEY - "odd".len());
    let keys = [
        " ",
        ".",
        "..",
        "/",
        "//",
        "../up",
        "a/../b",
        "a//b",
        "a.b.*.>",
        "*",
        "[a-z]?",
        "%2e%2e",
        "ünï/ß",
        "\u{0}",
        "\n",
        "a=b&c",
        "\\",
        "A",
        "a",
        "__proto__",
        "~",
        "$KV.x",
        &long,
    ];
    for (number, key) in keys.iter().enumerate() {
        store
            .set(&format!("odd{key}"), number.to_string().into())
            .await
            .unwrap_or_else(|error| panic!("{key:?}: {error}"));
    }
    for (number, key) in keys.iter().enumerate() {
        let got = store.get(&format!("odd{key}")).await.unwrap();
        assert_eq!(got, Some(number.to_string().into()), "{key:?}");
    }
    let listed = all_keys(store, "odd").await;
    assert_eq!(listed, keys.iter().map(|key| format!("odd{key}")).collect());
    for key in keys {
        store.delete(&format!("odd{key}")).await.unwrap();
    }
    assert_eq!(all_keys(store, "odd").await, BTreeSet::new());
}

async fn swaps(store: &dyn KeyValue) {
    let (one, two) = (Bytes::from_static(b"1"), Bytes::from_static(b"2"));
    assert!(!store.swap("swap", Some(b"1"), two.clone()).await.unwrap());
    assert!(store.swap("swap", None, one.clone()).await.unwrap());
    assert!(!store.swap("swap", None, two.clone()).await.unwrap());
    assert!(!store.swap("swap", Some(b""), two.clone()).await.unwrap());
    assert_eq!(store.get("swap").await.unwrap(), Some(one.clone()));
    assert!(store.swap("swap", Some(b"1"), two.clone()).await.unwrap());
    assert_eq!(store.get("swap").await.unwrap(), Some(two));
    store.delete("swap").await.unwrap();
    assert!(!store.swap("swap", Some(b"2"), one.clone()).await.unwrap());
    assert!(store.swap("swap", None, one).await.unwrap());
}

async fn numbers(store: &Arc<dyn KeyValue>) {
    assert_eq!(store.increment("number", 5).await.unwrap(), 5);
    assert_eq!(store.get("number").await.unwrap().unwrap(), "5");
    assert_eq!(store.increment("number", -7).await.unwrap(), -2);
    assert_eq!(store.increment("number", 0).await.unwrap(), -2);
    for value in ["", "x", "1.5", "9223372036854775808"] {
        store.set("number", value.into()).await.unwrap();
        let error = store.increment("number", 1).await.unwrap_err();
        assert_eq!(error.kind(), ServiceErrorKind::Invalid, "{value:?}");
        assert_eq!(store.get("number").await.unwrap().unwrap(), value);
    }
    store.set("number", i64::MAX.to_string().into()).await.unwrap();
    assert_eq!(store.increment("number", 1).await.unwrap_err().kind(), ServiceErrorKind::Invalid);
    store.delete("number").await.unwrap();
    let increments = (0..100).map(|_| {
        let store = Arc::clone(store);
        tokio::spawn(async move { store.increment("number", 1).await.unwrap() })
    });
    let sums: BTreeSet<_> = join_all(increments).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(sums, (1..=100).collect());
    assert_eq!(store.get("number").await.unwrap().unwrap(), "100");
}

async fn several(store: &dyn KeyValue) {
    let keys = ["many/a", "many/b", "many/c", "many/a"].map(str::to_owned);
    store.set_many(vec![(keys[0].clone(), "1".into()), (keys[2].clone(), "3".into())]).await.unwrap();
    let got = store.get_many(&keys).await.unwrap();
    assert_eq!(got, [Some("1".into()), None, Some("3".into()), Some("1".into())]);
    store.delete_many(&keys).await.unwrap();
    assert_eq!(store.get_many(&keys).await.unwrap(), [const { None }; 4]);
    assert_eq!(store.get_many(&[]).await.unwrap(), []);
    store.set_many(Vec::new()).await.unwrap();
    store.delete_many(&[]).await.unwrap();
}

async fn pages(store: &dyn KeyValue) {
    let keys: BTreeSet<_> = (0..=MAX_PAGE).map(|number| format!("page/{number:04}")).collect();
    store.set_many(keys.iter().map(|key| (key.clone(), Bytes::new())).collect()).await.unwrap();
    for other in ["pag", "page", "page0", "pagf", "PAGE/1"] {
        store.set(other, Bytes::new()).await.unwrap();
    }
    assert_eq!(all_keys(store, "page/").await, keys);
    assert_eq!(all_keys(store, "page/0999").await, ["page/0999".to_owned()].into());
    assert_eq!(all_keys(store, "page/x").await, BTreeSet::new());
    assert!(all_keys(store, "").await.is_superset(&keys));
    for cursor in ["", "0", "18446744073709551615", "made up", "zzz", "../", "page"] {
        if let Ok(page) = store.list("page/", Some(cursor)).await {
            assert!(page.keys.iter().all(|key| keys.contains(key)), "{cursor:?} leaves the prefix");
        }
    }
    let keys: Vec<_> = keys.into_iter().collect();
    store.delete_many(&keys).await.unwrap();
    assert_eq!(all_keys(store, "page/").await, BTreeSet::new());
}

/// All keys with the prefix.
async fn all_keys(store: &dyn KeyValue, prefix: &str) -> BTreeSet<String> {
    let (mut keys, mut cursor) = (BTreeSet::new(), None);
    loop {
        let page = store.list(prefix, cursor.as_deref()).await.unwrap();
        assert!(page.keys.len() <= MAX_PAGE, "a page has {} keys", page.keys.len());
        keys.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            return keys;
        }
    }
}
