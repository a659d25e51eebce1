//! What every backend must do: one suite that each backend's test calls.

use std::{error::Error, future::Future};

use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use object_store::path::Path;

use super::{
    alias::AliasChange,
    error::StoreError,
    handle::Store,
    layout,
    manifest::{Code, Documents, Manifest},
    version::NewVersion,
};
use crate::function::{
    AliasName, AliasTarget, Digest, Export, FunctionConfig, FunctionName, Kind, Snapshot, SnapshotImage, Timestamp,
    VersionRef,
};

/// Why a backend does not conform, where that is not a panic.
pub type Failure = Box<dyn Error + Send + Sync>;

type Verdict = Result<(), Failure>;

/// Checks that a new, empty store keeps the promises of [`Store`]. Wants a runtime with several threads: some of them
/// are about what happens at once.
///
/// # Errors
/// A call to the store fails that should not.
///
/// # Panics
/// A call gives what it should not.
pub async fn check(store: &Store) -> Verdict {
    names_are_in_order_and_other_objects_are_ignored(store).await?;
    what_was_published_reads_back(store).await?;
    publishing_the_latest_version_again_changes_nothing(store).await?;
    every_difference_is_a_new_version(store).await?;
    an_alias_stays_where_it_was_put(store).await?;
    a_version_says_when_and_by_whom_it_was_published(store).await?;
    an_alias_keeps_its_weights_and_its_history(store).await?;
    a_blob_that_is_not_there_is_missing(store).await?;
    a_corrupt_blob_is_refused_until_it_is_published_again(store).await?;
    publishers_at_the_same_time_lose_nothing(store).await?;
    publishers_of_the_same_make_one_version(store).await?;
    readers_see_functions_before_or_after_a_publish(store).await
}

async fn names_are_in_order_and_other_objects_are_ignored(store: &Store) -> Verdict {
    assert_eq!(store.names().await?, [], "the suite wants an empty store");
    for name in ["zeta", "alpha", "beta-2"] {
        store.publish(&name.parse()?, sample("any"), None).await?;
    }
    for stranger in ["README.md", "Upper.json", "9.json", "alpha.json.bak", "old/alpha.json", "é.json"] {
        store.backend.overwrite(&Path::from(format!("functions/{stranger}")), "{}".into()).await?;
        store.backend.overwrite(&Path::from(format!("blobs/sha256/{stranger}")), "{}".into()).await?;
    }
    let expected: Vec<FunctionName> = vec!["alpha".parse()?, "beta-2".parse()?, "zeta".parse()?];
    assert_eq!(store.names().await?, expected);
    Ok(())
}

async fn what_was_published_reads_back(store: &Store) -> Verdict {
    let name = "reads-back".parse()?;
    assert_eq!(store.record(&name).await?, None);
    for (number, version) in [(1, sample("reads back")), (2, with_snapshot(sample("reads back")))] {
        reads_back(store, &name, number, version).await?;
    }
    Ok(())
}

async fn reads_back(store: &Store, name: &FunctionName, number: u64, version: NewVersion) -> Verdict {
    let published = store.publish(name, version.clone(), None).await?;
    assert_eq!((published.number, published.changed), (number, true));
    assert_eq!(published.module, Digest::of(&version.module));
    assert_eq!(store.module(&published.module).await?, version.module);
    let image = version.snapshot.as_ref().map(|image| SnapshotImage::new(Digest::of(image), image.len() as u64));
    if let (Some(image), Some(bytes)) = (image, &version.snapshot) {
        assert_eq!(store.module(&image.digest).await?, bytes);
    }
    assert_eq!(store.blobs(&published.manifest).await?.snapshot, version.snapshot);
    let expected = Manifest {
        module: published.module,
        size: version.module.len() as u64,
        kind: version.kind,
        exports: version.exports,
        config: version.config,
        composition: version.composition,
        snapshot: image,
    };
    assert_eq!(store.manifest(&published.manifest).await?, expected);
    Ok(())
}

async fn publishing_the_latest_version_again_changes_nothing(store: &Store) -> Verdict {
    let name = "again".parse()?;
    let first = store.publish(&name, sample("again"), None).await?;
    let record = store.record(&name).await?;
    let second = store.publish(&name, sample("again"), None).await?;
    assert_eq!((second.number, second.manifest, second.changed), (1, first.manifest, false));
    assert_eq!(store.record(&name).await?, record);
    Ok(())
}

async fn every_difference_is_a_new_version(store: &Store) -> Verdict {
    let name = "different".parse()?;
    let mut configured = sample("one");
    configured.config.args.push("--json".to_owned());
    let mut numbers = Vec::new();
    for version in [sample("one"), configured, sample("two"), sample("one")] {
        numbers.push(store.publish(&name, version, None).await?);
    }
    assert_eq!(numbers.iter().map(|published| published.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(numbers.iter().all(|published| published.changed));
    let manifests: Vec<_> = numbers.iter().map(|published| published.manifest).collect();
    assert_eq!(manifests.first(), manifests.last(), "the same version is the same blobs");
    let record = store.record(&name).await?.ok_or("no record")?;
    assert_eq!(record.versions().map(|(_, entry)| entry.manifest).collect::<Vec<_>>(), manifests);
    Ok(())
}

async fn an_alias_stays_where_it_was_put(store: &Store) -> Verdict {
    let (name, prod): (_, AliasName) = ("aliased".parse()?, "prod".parse()?);
    let first = store.publish(&name, sample("first"), Some(&prod)).await?;
    store.publish(&name, sample("second"), None).await?;
    let record = store.record(&name).await?.ok_or("no record")?;
    assert_eq!(
        record.resolve(&VersionRef::Alias(prod.clone()), AliasTarget::heaviest).map(|(number, _)| number),
        Some(first.number)
    );
    assert_eq!(record.latest().map(|(number, _)| number), Some(2));

    let moved = store.publish(&name, sample("second"), Some(&prod)).await?;
    assert_eq!((moved.number, moved.changed), (2, true));
    let record = store.record(&name).await?.ok_or("no record")?;
    assert_eq!((record.aliases_of(1), record.aliases_of(2)), (vec![], vec![prod]));
    Ok(())
}

async fn a_version_says_when_and_by_whom_it_was_published(store: &Store) -> Verdict {
    let name = "signed".parse()?;
    let (first, later) = (Timestamp::from_unix(1_000), Timestamp::from_unix(2_000));
    let published_by = |name: &str| NewVersion { published_by: Some(name.to_owned()), ..sample("signed") };
    store.clone().with_clock(move || first).publish(&name, published_by("ada"), None).await?;
    let again = store.clone().with_clock(move || later).publish(&name, published_by("grace"), None).await?;
    assert!(!again.changed);
    let record = store.record(&name).await?.ok_or("no record")?;
    let signed: Vec<_> =
        record.versions().map(|(_, entry)| (entry.published_at, entry.published_by.as_deref())).collect();
    assert_eq!(signed, [(Some(first), Some("ada"))]);
    Ok(())
}

async fn an_alias_keeps_its_weights_and_its_history(store: &Store) -> Verdict {
    let (name, prod): (_, AliasName) = ("weighted".parse()?, "prod".parse()?);
    let at = Timestamp::from_unix(3_000);
    let store = store.clone().with_clock(move || at);
    store.publish(&name, sample("one"), Some(&prod)).await?;
    store.publish(&name, sample("two"), None).await?;
    let weighted = AliasTarget::weighted([(1, 95), (2, 5)])?.sticky("x-user".parse()?);
    for changed in [true, false] {
        assert_eq!(store.set_alias(&name, &prod, Some(weighted.clone()), Some("ada")).await?.changed(), changed);
    }
    let missing = store.set_alias(&name, &prod, Some(AliasTarget::version(3)), None).await;
    assert!(matches!(missing, Err(StoreError::NoVersion { version: 3, .. })), "{missing:?}");

    let record = store.record(&name).await?.ok_or("no record")?;
    assert_eq!((record.target(&prod), record.aliases_of(1)), (Some(&weighted), vec![prod.clone()]));
    let one = AliasTarget::version(1);
    let change = |by: &str, from, to| AliasChange { at, by: Some(by.to_owned()), from, to: Some(to) };
    let history = vec![change(PUBLISHER, None, one.clone()), change("ada", Some(one.clone()), weighted.clone())];
    assert_eq!(record.aliases().map(|(_, alias)| &alias.history).collect::<Vec<_>>(), [&history]);
    Ok(())
}

async fn a_blob_that_is_not_there_is_missing(store: &Store) -> Verdict {
    let never = Digest::of(b"never published");
    for result in [store.module(&never).await.map(drop), store.manifest(&never).await.map(drop)] {
        assert!(matches!(&result, Err(StoreError::Missing { digest, .. }) if *digest == never), "{result:?}");
    }
    Ok(())
}

async fn a_corrupt_blob_is_refused_until_it_is_published_again(store: &Store) -> Verdict {
    let name = "corrupt".parse()?;
    let version = sample("corrupt");
    let published = store.publish(&name, version.clone(), None).await?;
    let code = Code::of(&version, &store.backend).await?;
    let documents = Documents::of(version.clone(), &code)?;
    for blob in [&code.module, &documents.config, &documents.manifest] {
        let truncated = blob.bytes().slice(..blob.bytes().len() - 1);
        store.backend.overwrite(&layout::blob(blob.digest()), truncated).await?;
        let read = read_version(store, &published.manifest).await;
        assert!(matches!(&read, Err(StoreError::Corrupt { digest, .. }) if *digest == blob.digest()), "{read:?}");

        assert!(!store.publish(&name, version.clone(), None).await?.changed);
        read_version(store, &published.manifest).await?;
    }
    Ok(())
}

/// How many publish at once, and how many versions each.
const PUBLISHERS: u64 = 8;
const ROUNDS: u64 = 4;

async fn publishers_at_the_same_time_lose_nothing(store: &Store) -> Verdict {
    let name: FunctionName = "contended".parse()?;
    publish_at_once(std::slice::from_ref(store), &name).await?;
    has_all_versions(store, &name).await
}

/// Publishes from many tasks at once, who take turns with the handles.
pub(super) async fn publish_at_once(stores: &[Store], name: &FunctionName) -> Verdict {
    let publishers = (0..PUBLISHERS).zip(stores.iter().cycle()).map(|(publisher, store)| {
        let (store, name) = (store.clone(), name.clone());
        at_once(async move {
            for round in 0..ROUNDS {
                let alias = format!("of-{publisher}").parse()?;
                store.publish(&name, sample(&format!("{publisher} {round}")), Some(&alias)).await?;
            }
            Ok(())
        })
    });
    try_join_all(publishers).await.map(drop)
}

/// Checks what [`publish_at_once`] must have left, in whatever order it came.
pub(super) async fn has_all_versions(store: &Store, name: &FunctionName) -> Verdict {
    let record = store.record(name).await?.ok_or("no record")?;
    let (numbers, mut modules): (Vec<u64>, Vec<Digest>) = record.versions().map(|(n, entry)| (n, entry.module)).unzip();
    assert_eq!(numbers, (1..=PUBLISHERS * ROUNDS).collect::<Vec<_>>());
    let samples =
        (0..PUBLISHERS).flat_map(|publisher| (0..ROUNDS).map(move |round| sample(&format!("{publisher} {round}"))));
    let mut expected: Vec<Digest> = samples.map(|version| Digest::of(&version.module)).collect();
    modules.sort_unstable();
    expected.sort_unstable();
    assert_eq!(modules, expected);
    for publisher in 0..PUBLISHERS {
        let alias = VersionRef::Alias(format!("of-{publisher}").parse()?);
        let last = Digest::of(&sample(&format!("{publisher} {}", ROUNDS - 1)).module);
        let moves = record.aliases().map(|(_, alias)| alias.history.len() as u64).sum::<u64>();
        assert_eq!(moves, PUBLISHERS * ROUNDS, "every move is in a history");
        assert_eq!(record.resolve(&alias, AliasTarget::heaviest).map(|(_, entry)| entry.module), Some(last));
    }
    Ok(())
}

async fn publishers_of_the_same_make_one_version(store: &Store) -> Verdict {
    let name: FunctionName = "same".parse()?;
    let publishers = (0..PUBLISHERS).map(|_| {
        let (store, name) = (store.clone(), name.clone());
        at_once(async move { Ok(store.publish(&name, sample("same"), None).await?.changed) })
    });
    let changed = try_join_all(publishers).await?;
    assert_eq!(changed.iter().filter(|changed| **changed).count(), 1);
    let record = store.record(&name).await?.ok_or("no record")?;
    assert_eq!(record.versions().count(), 1);
    Ok(())
}

async fn readers_see_functions_before_or_after_a_publish(store: &Store) -> Verdict {
    let name: FunctionName = "watched".parse()?;
    let publisher = at_once({
        let (store, name) = (store.clone(), name.clone());
        async move {
            for round in 0..20 {
                store.publish(&name, sample(&format!("watched {round}")), None).await?;
            }
            Ok(())
        }
    });
    let readers = (0..2).map(|_| at_once(read_until(store.clone(), name.clone(), 20)));
    let (published, read) = futures_util::future::join(publisher, join_all(readers)).await;
    published?;
    read.into_iter().collect()
}

/// Reads every version that there is, again and again until there are `last` of them: each whole, none ever gone.
async fn read_until(store: Store, name: FunctionName, last: u64) -> Verdict {
    let mut seen = 0;
    while seen < last {
        let record = store.record(&name).await?.unwrap_or_default();
        let latest = record.latest().map_or(0, |(number, _)| number);
        assert!(latest >= seen, "version {seen} was there, now {latest} is the latest");
        for (_, entry) in record.versions() {
            read_version(&store, &entry.manifest).await?;
        }
        seen = latest;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Reads all that belongs to a version.
pub(super) async fn read_version(store: &Store, manifest: &Digest) -> Result<Bytes, StoreError> {
    let manifest = store.manifest(manifest).await?;
    store.module(&manifest.module).await
}

/// Runs a future on another worker, so that it runs at the same time as others.
async fn at_once<T: Send + 'static>(
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    tokio::spawn(work).await?
}

/// A version with a module of its own: an empty one with a custom section that holds `seed`.
pub(super) fn sample(seed: &str) -> NewVersion {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    let size = u8::try_from(seed.len() + 1).unwrap_or(0x7f).min(0x7f);
    module.extend([0, size, 0]);
    module.extend(seed.bytes().take(usize::from(size) - 1));
    NewVersion {
        module: module.into(),
        kind: Kind::Core,
        exports: vec![Export {
            name: "add".to_owned(),
            params: vec!["i32".to_owned(); 2],
            results: vec!["i32".to_owned()],
            typed: None,
        }],
        config: FunctionConfig { export: Some("add".to_owned()), ..FunctionConfig::default() },
        composition: None,
        snapshot: None,
        published_by: Some(PUBLISHER.to_owned()),
        origin: None,
    }
}

/// The same version with the image of a snapshot.
pub(super) fn with_snapshot(version: NewVersion) -> NewVersion {
    let config = FunctionConfig { snapshot: Snapshot::On, ..version.config };
    let image = [&version.module, &b"\0\x06\x05image"[..]].concat();
    NewVersion { config, snapshot: Some(image.into()), ..version }
}

/// Who publishes samples.
const PUBLISHER: &str = "conformance";
