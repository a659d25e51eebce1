//! The conformance suite of backends of blobs. The test of each backend calls [`check`] with an empty container.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test of backends")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::join_all, stream};

use super::contract::{BlobRange, BlobStream, Blobs};
use crate::host::failure::{ServiceError, ServiceErrorKind};

/// Larger than what any backend sends or keeps in one piece.
const LARGE: usize = 20 << 20;

/// Checks that a backend keeps the contract of [`Blobs`]. The container must be empty, and is not empty afterwards.
///
/// # Panics
/// The backend breaks the contract.
pub async fn check(blobs: Arc<dyn Blobs>) {
    contents(&*blobs).await;
    ranges(&*blobs).await;
    odd_names(&*blobs).await;
    large(&*blobs).await;
    given_up(&*blobs).await;
    replaced_while_read(&*blobs).await;
    put_at_once(&blobs).await;
    listed(&*blobs).await;
    copied(&*blobs).await;
}

async fn contents(blobs: &dyn Blobs) {
    assert_eq!(content(blobs, "contents/a").await, None);
    assert_eq!(blobs.info("contents/a").await.unwrap(), None);
    blobs.delete("contents/a").await.unwrap();
    for bytes in [Bytes::new(), Bytes::from_static(b"one"), Bytes::from_static(&[0, 255, 10])] {
        assert_eq!(put(blobs, "contents/a", bytes.clone()).await, bytes.len() as u64);
        assert_eq!(content(blobs, "contents/a").await, Some(bytes.clone()));
        let info = blobs.info("contents/a").await.unwrap().unwrap();
        assert_eq!((info.name.as_str(), info.size), ("contents/a", bytes.len() as u64));
        let age = SystemTime::now().duration_since(info.created).unwrap_or_default();
        assert!(age < Duration::from_secs(3600), "{age:?}");
    }
    blobs.delete("contents/a").await.unwrap();
    assert_eq!(content(blobs, "contents/a").await, None);
}

async fn ranges(blobs: &dyn Blobs) {
    put(blobs, "range", "0123456789".into()).await;
    let cases = [
        ((0, u64::MAX), "0123456789"),
        ((0, 9), "0123456789"),
        ((0, 10), "0123456789"),
        ((3, 5), "345"),
        ((9, 9), "9"),
        ((8, u64::MAX), "89"),
        ((8, 100), "89"),
        ((10, 20), ""),
        ((10, u64::MAX), ""),
        ((u64::MAX, u64::MAX), ""),
        ((5, 4), ""),
    ];
    put(blobs, "range/empty", Bytes::new()).await;
    for ((first, last), expected) in cases {
        let range = BlobRange::new(first, last);
        let found = blobs.get("range", range).await.unwrap().unwrap();
        assert_eq!(found.size, expected.len() as u64, "{first} to {last}");
        assert_eq!(read(found.bytes).await, expected, "{first} to {last}");
        let found = blobs.get("range/empty", range).await.unwrap().unwrap();
        assert_eq!((found.size, read(found.bytes).await), (0, Bytes::new()), "{first} to {last}");
        assert!(blobs.get("range/none", range).await.unwrap().is_none());
    }
}

/// Names that a service may take for something else.
async fn odd_names(blobs: &dyn Blobs) {
    let long = "k".repeat(900);
    let names = [
        " ",
        ".",
        "..",
        "/",
        "//",
        "/..",
        "/../up",
        "a/../b",
        "a//b",
        "a",
        "a/",
        "a/b",
        "a/b/c",
        "*",
        "[a-z]?",
        "%2e%2e",
        "%2F",
        "%",
        "ünï/ß",
        "\u{0}",
        "\n",
        "a=b&c",
        "\\",
        "A",
        "~",
        "x#1",
        "x#",
        "c:|",
        "<>\"'`{}^",
        "+",
        &long,
    ];
    let name = |name: &str| format!("odd{name}");
    for (number, odd) in names.iter().enumerate() {
        put(blobs, &name(odd), number.to_string().into()).await;
    }
    for (number, odd) in names.iter().enumerate() {
        assert_eq!(content(blobs, &name(odd)).await, Some(number.to_string().into()), "{odd:?}");
    }
    assert_eq!(names_of(blobs, "odd").await, names.iter().map(|odd| name(odd)).collect());
    for odd in names {
        blobs.delete(&name(odd)).await.unwrap();
    }
    assert_eq!(names_of(blobs, "odd").await, BTreeSet::new());
}

/// A blob that comes in pieces and has several parts.
async fn large(blobs: &dyn Blobs) {
    let pattern: Vec<u8> = (0..LARGE).map(|index| (index % 251) as u8).collect();
    let bytes = Bytes::from(pattern);
    let size = blobs.put("large", in_pieces(&bytes, 100_003).boxed()).await.unwrap();
    assert_eq!(size, LARGE as u64);
    assert_eq!(blobs.info("large").await.unwrap().unwrap().size, LARGE as u64);
    assert!(content(blobs, "large").await.unwrap() == bytes, "a large blob is read as it was written");
    let (first, last) = (LARGE - 9_000_001, LARGE - 2);
    let found = blobs.get("large", BlobRange::new(first as u64, last as u64)).await.unwrap().unwrap();
    assert!(read(found.bytes).await == bytes[first..=last], "a part of a large blob is read as it was written");
    blobs.delete("large").await.unwrap();
}

/// A blob whose content fails, or whose writer goes away, does not appear.
async fn given_up(blobs: &dyn Blobs) {
    put(blobs, "given-up/replaced", "old".into()).await;
    let bytes = Bytes::from(vec![7; LARGE]);
    for name in ["given-up/new", "given-up/replaced"] {
        for pieces in [1, LARGE / 100_000] {
            let failure = || ServiceError::new(ServiceErrorKind::LimitExceeded, "too much");
            let failing = in_pieces(&bytes, 100_000).take(pieces).chain(stream::once(async move { Err(failure()) }));
            let error = blobs.put(name, failing.boxed()).await.unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ServiceErrorKind::LimitExceeded, "too much"));
            let endless = in_pieces(&bytes, 100_000).take(pieces).chain(stream::pending());
            let putting = blobs.put(name, endless.boxed());
            assert!(tokio::time::timeout(Duration::from_millis(50), putting).await.is_err());
        }
    }
    assert_eq!(content(blobs, "given-up/new").await, None);
    assert_eq!(content(blobs, "given-up/replaced").await, Some("old".into()));
    assert_eq!(names_of(blobs, "given-up/").await, ["given-up/replaced".to_owned()].into());
}

/// Who reads a blob while it is replaced or deleted reads on as it was.
async fn replaced_while_read(blobs: &dyn Blobs) {
    let old = Bytes::from(vec![1; 1 << 20]);
    put(blobs, "replaced", old.clone()).await;
    let (first, second) =
        (blobs.get("replaced", BlobRange::ALL).await.unwrap(), blobs.get("replaced", BlobRange::ALL).await.unwrap());
    put(blobs, "replaced", vec![2; 1 << 20].into()).await;
    assert!(read(first.unwrap().bytes).await == old, "a reader gets the blob that was there when it began");
    blobs.delete("replaced").await.unwrap();
    assert!(read(second.unwrap().bytes).await == old, "a reader gets the blob that was there when it began");
}

/// Of several writers at once, one wins, and its blob is whole.
async fn put_at_once(blobs: &Arc<dyn Blobs>) {
    let writers = (0..8_u8).map(|writer| {
        let blobs = Arc::clone(blobs);
        tokio::spawn(async move { put(&*blobs, "at-once", vec![writer; 1 << 20].into()).await })
    });
    for written in join_all(writers).await {
        assert_eq!(written.unwrap(), 1 << 20);
    }
    let bytes = content(&**blobs, "at-once").await.unwrap();
    assert!(bytes.len() == 1 << 20 && bytes.iter().all(|byte| *byte == bytes[0]), "two blobs are mixed");
}

async fn listed(blobs: &dyn Blobs) {
    let names: BTreeSet<_> = (0..50).map(|number| format!("list/{}/{number:04}", number % 3)).collect();
    for name in &names {
        put(blobs, name, name.clone().into()).await;
    }
    for other in ["lis", "list", "list0", "lisu", "LIST/1"] {
        put(blobs, other, Bytes::new()).await;
    }
    let found: Vec<_> = blobs.list("list/").try_collect().await.unwrap();
    let sizes: BTreeMap<_, _> = found.into_iter().map(|info| (info.name, info.size)).collect();
    assert_eq!(sizes, names.iter().map(|name| (name.clone(), name.len() as u64)).collect());
    let in_folder = |folder: &str| names.iter().filter(|name| name.starts_with(folder)).cloned().collect();
    assert_eq!(names_of(blobs, "list/1/00").await, in_folder("list/1/00"));
    assert_eq!(names_of(blobs, "list/1").await, in_folder("list/1"));
    assert_eq!(names_of(blobs, "list/x").await, BTreeSet::new());
    assert_eq!(names_of(blobs, "none/at/all/").await, BTreeSet::new());
    assert!(names_of(blobs, "").await.is_superset(&names));
}

async fn copied(blobs: &dyn Blobs) {
    assert!(!blobs.copy("copy/none", "copy/b").await.unwrap());
    put(blobs, "copy/a", "a".into()).await;
    for _ in 0..2 {
        assert!(blobs.copy("copy/a", "copy/b").await.unwrap());
        assert!(blobs.copy("copy/a", "copy/a").await.unwrap());
        assert_eq!(content(blobs, "copy/a").await, Some("a".into()));
        assert_eq!(content(blobs, "copy/b").await, Some("a".into()));
    }
    put(blobs, "copy/a", "another".into()).await;
    assert_eq!(content(blobs, "copy/b").await, Some("a".into()), "a copy is independent");
    blobs.delete("copy/a").await.unwrap();
    assert_eq!(names_of(blobs, "copy/").await, ["copy/b".to_owned()].into());
}

async fn put(blobs: &dyn Blobs, name: &str, bytes: Bytes) -> u64 {
    let content = stream::once(async move { Ok(bytes) }).boxed();
    blobs.put(name, content).await.unwrap_or_else(|error| panic!("{name:?}: {error}"))
}

async fn content(blobs: &dyn Blobs, name: &str) -> Option<Bytes> {
    let found = blobs.get(name, BlobRange::ALL).await.unwrap_or_else(|error| panic!("{name:?}: {error}"))?;
    let (size, bytes) = (found.size, read(found.bytes).await);
    assert_eq!(size, bytes.len() as u64, "{name:?}");
    Some(bytes)
}

async fn read(bytes: BlobStream) -> Bytes {
    bytes.try_collect::<Vec<_>>().map(|pieces| pieces.unwrap().concat().into()).await
}

async fn names_of(blobs: &dyn Blobs, prefix: &str) -> BTreeSet<String> {
    let found: Vec<_> = blobs.list(prefix).try_collect().await.unwrap();
    let (count, names) = (found.len(), found.into_iter().map(|info| info.name).collect::<BTreeSet<_>>());
    assert_eq!(names.len(), count, "a blob is listed twice");
    names
}

/// The bytes in pieces of this size.
fn in_pieces(
    bytes: &Bytes,
    size: usize,
) -> impl futures_util::Stream<Item = Result<Bytes, ServiceError>> + Send + 'static {
    let bytes = bytes.clone();
    let starts = (0..bytes.len()).step_by(size);
    stream::iter(starts.map(move |start| Ok(bytes.slice(start..bytes.len().min(start + size)))))
}
