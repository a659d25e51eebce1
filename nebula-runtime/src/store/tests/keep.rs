//! Verifying a store, and collecting its garbage.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use object_store::path::Path;

use super::{
    explain,
    flaky::{Fault, Place},
    name,
};
use crate::{
    function::{AliasTarget, Digest, Timestamp},
    store::{
        FunctionRecord, GarbageFate, GcOptions, IfPointedTo, Progress, Store, StoreError, StoreProblem,
        StoreProblemKind, StoreUrl, Total,
        conformance::{read_version, sample, with_snapshot},
        document,
        functions::{self, Changed, IfDamaged},
        layout,
        manifest::{self, VersionDigests},
        stamp::Stamp,
        terms::Terms,
    },
};

#[cfg(feature = "cloud")]
use crate::store::shared::Service;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// What nothing needs goes at once, or a day after it is set aside.
const AT_ONCE: GcOptions = GcOptions { retention: Duration::ZERO, grace: Duration::ZERO, delete: true };
const AFTER_A_DAY: GcOptions = GcOptions { grace: Duration::from_secs(24 * 60 * 60), ..AT_ONCE };

/// Every place that a store can be at. Without a server, none is in the buckets of its service.
fn places() -> Vec<Place> {
    let places = [Place::memory(), Place::folder()].into_iter();
    #[cfg(feature = "cloud")]
    let places = places.chain(Service::ALL.into_iter().filter_map(Place::in_bucket));
    places.collect()
}

/// The same store, in so many hours.
fn later(store: &Store, hours: u64) -> Store {
    let now = Timestamp::now().as_unix() + hours * HOUR.as_secs();
    store.clone().with_clock(move || Timestamp::from_unix(now))
}

async fn collect(store: &Store, options: GcOptions) -> Vec<(Digest, GarbageFate)> {
    let report = store.collect_garbage(options, &Progress::default()).await.unwrap();
    report.garbage.iter().map(|garbage| (garbage.digest, garbage.fate)).collect()
}

/// The digests of the blobs in this folder of the store.
async fn blobs(store: &Store, folder: &str) -> BTreeSet<Digest> {
    let files = store.backend.list(&Path::from(folder)).await.unwrap();
    files.iter().map(|file| format!("sha256:{file}").parse().unwrap()).collect()
}

/// The digests of a version's blobs: its manifest, its configuration, its module, and the image of its snapshot.
async fn blobs_of(store: &Store, manifest: Digest) -> BTreeSet<Digest> {
    let VersionDigests { config, module, snapshot } = manifest::blobs_of(&store.backend, manifest).await.unwrap();
    BTreeSet::from([manifest, config, module, snapshot.unwrap()])
}

/// A store with two versions of `treats`, of which the first is removed, and the digests of that one's blobs.
async fn with_a_removed_version(place: &Place) -> (Store, Digest, BTreeSet<Digest>) {
    let store = later(&place.open().await.unwrap(), 0);
    let removed = store.publish(&name("treats"), with_snapshot(sample("removed")), None).await.unwrap();
    store.publish(&name("treats"), sample("kept"), None).await.unwrap();
    let blobs = blobs_of(&store, removed.manifest).await;
    store.remove(&name("treats"), Some(1), IfPointedTo::Refuse, None).await.unwrap();
    (store, removed.manifest, blobs)
}

#[tokio::test]
async fn a_blob_that_nothing_needs_is_set_aside_and_removed_after_the_grace() {
    for place in places() {
        let (store, manifest, garbage) = with_a_removed_version(&place).await;
        let kept = blobs(&store, "blobs/sha256").await.difference(&garbage).copied().collect::<BTreeSet<_>>();
        let all = |fate| garbage.iter().map(|digest| (*digest, fate)).collect::<Vec<_>>();

        assert_eq!(collect(&store, AFTER_A_DAY).await, all(GarbageFate::SetAside));
        assert_eq!(blobs(&store, "blobs/sha256").await, kept);
        assert_eq!(blobs(&store, "unneeded/sha256").await, garbage);
        read_version(&store, &manifest).await.unwrap();

        assert_eq!(collect(&later(&store, 23), AFTER_A_DAY).await, []);
        assert_eq!(collect(&later(&store, 25), AFTER_A_DAY).await, all(GarbageFate::Removed));
        assert_eq!(blobs(&store, "unneeded/sha256").await, BTreeSet::new());
        let gone = read_version(&store, &manifest).await;
        assert!(matches!(gone, Err(StoreError::Missing { .. })), "{gone:?}");
        let verified = store.verify(&[], &Progress::default()).await.unwrap();
        assert_eq!((verified.problems, verified.versions, verified.blobs), (vec![], 1, 3));
    }
}

#[tokio::test]
async fn nothing_is_changed_unless_it_is_asked_for() {
    let place = Place::memory();
    let (store, _, garbage) = with_a_removed_version(&place).await;
    let before = blobs(&store, "blobs/sha256").await;
    let dry = GcOptions { delete: false, ..AT_ONCE };
    let report = store.collect_garbage(dry, &Progress::default()).await.unwrap();
    assert_eq!((report.garbage.len(), report.deleted), (garbage.len(), false));
    assert_eq!(report.total(GarbageFate::Removed).blobs, 4);
    assert_eq!(report.needed.blobs, 3);
    assert_eq!(blobs(&store, "blobs/sha256").await, before);
}

#[tokio::test]
async fn a_removed_version_is_needed_for_the_retention() {
    let place = Place::memory();
    let (store, ..) = with_a_removed_version(&place).await;
    let options = GcOptions { delete: true, ..GcOptions::default() };
    assert_eq!(collect(&later(&store, 89 * 24), options).await, []);
    assert_eq!(collect(&later(&store, 91 * 24), options).await.len(), 4);
}

#[tokio::test]
async fn a_blob_that_is_needed_after_all_is_put_back() {
    for place in places() {
        let (store, manifest, garbage) = with_a_removed_version(&place).await;
        collect(&store, AFTER_A_DAY).await;
        // A publish that saw the blobs in their place just before.
        let (module, treats) = (store.manifest(&manifest).await.unwrap().module, name("treats"));
        let publish = move |record: &mut FunctionRecord| {
            let result = record.publish(manifest, module, None, None, &Stamp::new(Timestamp::now(), None));
            Ok(Changed { result, changed: true })
        };
        functions::change(&store.backend, &treats, &Terms::default(), IfDamaged::Fail, publish).await.unwrap();
        read_version(&store, &manifest).await.unwrap();

        let all = |fate| garbage.iter().map(|digest| (*digest, fate)).collect::<Vec<_>>();
        assert_eq!(collect(&later(&store, 25), AFTER_A_DAY).await, all(GarbageFate::PutBack));
        assert!(blobs(&store, "blobs/sha256").await.is_superset(&garbage));
        assert_eq!(collect(&later(&store, 50), AFTER_A_DAY).await, all(GarbageFate::Removed), "the copies");
        read_version(&store, &manifest).await.unwrap();
    }
}

#[tokio::test]
async fn a_version_that_is_published_again_is_whole_whatever_became_of_its_blobs() {
    for grace in [AT_ONCE, AFTER_A_DAY] {
        let place = Place::memory();
        let (store, manifest, _) = with_a_removed_version(&place).await;
        collect(&store, grace).await;
        let again = store.publish(&name("treats"), with_snapshot(sample("removed")), None).await.unwrap();
        assert_eq!((again.number, again.manifest), (3, manifest));
        collect(&later(&store, 25), AT_ONCE).await;
        read_version(&store, &manifest).await.unwrap();
    }
}

#[tokio::test]
async fn nothing_is_removed_while_a_record_or_a_manifest_cannot_be_understood() {
    let place = Place::memory();
    let (store, ..) = with_a_removed_version(&place).await;
    let other = store.publish(&name("other"), sample("other"), None).await.unwrap();
    let before = blobs(&store, "blobs/sha256").await;
    for path in [layout::record(&name("other")), layout::blob(other.manifest)] {
        let whole = store.backend.get(&path).await.unwrap().unwrap().bytes;
        store.backend.overwrite(&path, Bytes::from_static(b"{")).await.unwrap();
        let error = store.collect_garbage(AT_ONCE, &Progress::default()).await.unwrap_err();
        assert!(explain(&error).contains(path.filename().unwrap().trim_end_matches(".json")), "{}", explain(&error));
        assert_eq!(blobs(&store, "blobs/sha256").await, before);
        store.backend.overwrite(&path, whole).await.unwrap();
    }
    assert_eq!(collect(&store, AT_ONCE).await.len(), 4);
}

#[tokio::test]
async fn strangers_among_the_blobs_are_left_alone() {
    let place = Place::folder();
    let (store, ..) = with_a_removed_version(&place).await;
    for stranger in ["README.md", "abc"] {
        let path = Path::from(format!("blobs/sha256/{stranger}"));
        store.backend.overwrite(&path, Bytes::from_static(b"mine")).await.unwrap();
    }
    assert_eq!(collect(&store, AT_ONCE).await.len(), 4);
    let files = store.backend.list(&Path::from("blobs/sha256")).await.unwrap();
    assert!(files.contains(&"README.md".to_owned()) && files.contains(&"abc".to_owned()), "{files:?}");
}

#[tokio::test]
async fn what_services_keep_beside_a_store_is_left_alone() {
    let folder = tempfile::TempDir::new().unwrap();
    let url = StoreUrl::folder(folder.path()).unwrap();
    let services = url.services_folder().unwrap();
    std::fs::create_dir(&services).unwrap();
    std::fs::write(services.join("state.redb"), "values").unwrap();
    let store = later(&Store::open(&url).await.unwrap(), 0);
    store.publish(&name("treats"), sample("a"), None).await.unwrap();
    store.remove(&name("treats"), Some(1), IfPointedTo::Release, None).await.unwrap();
    assert_eq!(collect(&later(&store, 24), AT_ONCE).await.len(), 3);
    let verified = store.verify(&[], &Progress::default()).await.unwrap();
    assert_eq!((verified.problems, verified.versions, verified.blobs), (vec![], 0, 0));
    assert_eq!(std::fs::read_to_string(services.join("state.redb")).unwrap(), "values");
}

#[tokio::test]
async fn what_a_killed_publisher_was_writing_is_removed_after_the_grace() {
    let place = Place::folder();
    let store = later(&place.open().await.unwrap(), 0);
    let treats = store.publish(&name("treats"), sample("a"), None).await.unwrap();
    let root = store.backend.folder.clone().unwrap();
    let files = [format!("blobs/sha256/{}#1", treats.module.hex()), "functions/other.json#12".to_owned()];
    files.iter().for_each(|file| std::fs::write(root.join(file), "{").unwrap());
    for (hours, left) in [(23, true), (25, false)] {
        let collected = later(&store, hours).collect_garbage(AFTER_A_DAY, &Progress::default()).await.unwrap();
        assert_eq!(collected.unfinished.blobs, if left { 0 } else { 2 });
        assert!(files.iter().all(|file| root.join(file).exists() == left), "{hours}");
    }
    read_version(&store, &treats.manifest).await.unwrap();
}

/// Each question about the time takes so many seconds. Gives how many calls the publish makes.
async fn calls_of_a_publish(seconds: u64) -> usize {
    let (store, flaky) = Place::memory().flaky(Fault::Never);
    let time = AtomicU64::new(0);
    let store = store.with_clock(move || Timestamp::from_unix(time.fetch_add(seconds, Relaxed)));
    store.publish(&name("treats"), sample("a"), None).await.unwrap();
    flaky.calls()
}

#[tokio::test]
async fn a_publish_that_took_very_long_looks_at_its_blobs_once_more() {
    assert_eq!(calls_of_a_publish(7_200).await, calls_of_a_publish(1).await + 3);
}

/// A store with one function of two versions that share nothing, and the manifests of these.
async fn with_two_versions() -> (Store, Digest, Digest) {
    let store = Store::memory();
    let first = store.publish(&name("treats"), sample("one"), None).await.unwrap();
    let second = store.publish(&name("treats"), with_snapshot(sample("two")), None).await.unwrap();
    store.publish(&name("other"), sample("three"), None).await.unwrap();
    (store, first.manifest, second.manifest)
}

#[tokio::test]
async fn a_whole_store_is_verified_without_a_problem() {
    let (store, ..) = with_two_versions().await;
    let progress = Progress::default();
    let verified = store.verify(&[], &progress).await.unwrap();
    let found = (verified.functions, verified.versions, verified.blobs, verified.problems);
    assert_eq!(found, (2, 3, 10, vec![]));
    assert_eq!((progress.done(), progress.total()), (7, 7));
    let verified = store.verify(&[name("other")], &progress).await.unwrap();
    assert_eq!((verified.functions, verified.versions, verified.blobs), (1, 1, 3));
    let error = store.verify(&[name("other"), name("none")], &progress).await.unwrap_err();
    assert!(error.to_string().starts_with("there is no function none"), "{error}");
}

/// What is wrong: the function, the version, the kind, and whether something was moved aside.
async fn problems(store: &Store) -> Vec<(String, Option<u64>, StoreProblemKind, bool)> {
    let verified = store.verify(&[], &Progress::default()).await.unwrap();
    let problem = |problem: StoreProblem| {
        (problem.function.to_string(), problem.version, problem.kind, problem.moved_to.is_some())
    };
    verified.problems.into_iter().map(problem).collect()
}

#[tokio::test]
async fn a_corrupt_blob_is_named_moved_aside_and_repaired_by_a_publish() {
    let (store, _, manifest) = with_two_versions().await;
    for digest in blobs_of(&store, manifest).await {
        let path = layout::blob(digest);
        store.backend.overwrite(&path, Bytes::from_static(b"tampered")).await.unwrap();
        let treats = |kind, moved| vec![("treats".to_owned(), Some(2), kind, moved)];
        assert_eq!(problems(&store).await, treats(StoreProblemKind::Corrupt, true));
        assert_eq!(problems(&store).await, treats(StoreProblemKind::Missing, false));
        assert!(store.backend.get(&path).await.unwrap().is_none());
        let kept = store.backend.list(&Path::from("damaged/sha256")).await.unwrap();
        assert!(kept.iter().any(|file| file.starts_with(digest.hex().to_string().as_str())), "{kept:?}");
        assert!(!store.publish(&name("treats"), with_snapshot(sample("two")), None).await.unwrap().changed);
        assert_eq!(problems(&store).await, []);
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_understood_is_named_and_the_others_are_verified() {
    let (store, ..) = with_two_versions().await;
    let path = layout::record(&name("other"));
    store.backend.overwrite(&path, Bytes::from_static(b"{")).await.unwrap();
    let verified = store.verify(&[], &Progress::default()).await.unwrap();
    let [problem] = verified.problems.as_slice() else { panic!("{verified:?}") };
    assert_eq!((problem.function.as_str(), problem.version, problem.kind), ("other", None, StoreProblemKind::Record));
    assert!(problem.detail.contains("publish the function again"), "{}", problem.detail);
    assert_eq!((verified.functions, verified.versions), (2, 2));
}

#[tokio::test]
async fn a_record_that_names_another_module_than_its_manifest_is_named() {
    let (store, ..) = with_two_versions().await;
    let path = layout::record(&name("treats"));
    let record = store.backend.get(&path).await.unwrap().unwrap().bytes;
    let (one, two) = (Digest::of(&sample("one").module).to_string(), Digest::of(&sample("two").module).to_string());
    let tampered = String::from_utf8(record.to_vec()).unwrap().replace(&one, &two);
    store.backend.overwrite(&path, tampered.into()).await.unwrap();
    assert_eq!(problems(&store).await, [("treats".to_owned(), Some(1), StoreProblemKind::Manifest, false)]);
}

#[tokio::test]
async fn a_record_stays_small_after_ten_thousand_moves_of_an_alias() {
    let (store, ..) = with_two_versions().await;
    let (mut record, prod) = (store.record(&name("treats")).await.unwrap().unwrap(), "prod".parse().unwrap());
    let stamp = Stamp::new(Timestamp::now(), Some("ada@laptop"));
    for round in 0..10_000 {
        assert!(record.set_alias(&prod, Some(&AliasTarget::version(round % 2 + 1)), &stamp).changed());
    }
    let written = document::write(&store.backend, &layout::record(&name("treats")), &record).unwrap();
    assert!(written.len() < 32 * 1024, "{}", written.len());
    for back in 1..=101 {
        assert_eq!(record.roll_back(&prod, &stamp).unwrap().changed(), back <= 100, "{back}");
    }
}

#[test]
fn the_sizes_of_blobs_add_up() {
    assert_eq!([1, 2, 3].into_iter().collect::<Total>(), Total { blobs: 3, bytes: 6 });
}
