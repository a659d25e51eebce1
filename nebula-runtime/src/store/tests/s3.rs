//! A store in S3: on a real server. The conformance suite, two publishers, and what people are told.
//!
//! Where the server is not installed, nothing is tested; in CI it has to be (`ci/moto.sh`).

use std::time::Duration;

use futures_util::future::join_all;
use nebula_s3_server::{Fault, Request, S3Server};
use object_store::{GetOptions, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion};

use super::{flaky::server, *};
use crate::store::{
    NewVersion, StoreAccess,
    functions::Reread,
    shared::{Bucket, Service},
};

/// A server of the test's own, and how it is reached.
fn own_server() -> Option<(S3Server, StoreAccess)> {
    let server = S3Server::start("bucket")?;
    let access = access(&server);
    Some((server, access))
}

fn access(server: &S3Server) -> StoreAccess {
    StoreAccess::of(server.variables().map(|(name, value)| (name.into(), value.into())))
}

async fn store(server: &S3Server) -> Store {
    Store::open_with(&url("s3://bucket/folder"), &access(server)).await.unwrap()
}

fn url(text: &str) -> StoreUrl {
    text.parse().unwrap()
}

/// Whether the server, as the tests use it, keeps writers apart. Nothing else is tested on a server that does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_server_itself_keeps_writers_apart_and_does_not_send_an_unchanged_object_again() {
    let Some((server, access)) = own_server() else { return };
    let bucket = Bucket { service: Service::S3, name: "bucket".to_owned(), prefix: String::new() };
    let objects = cloud::objects(&bucket, &access).unwrap();
    let path = object_store::path::Path::from("object");
    let written = async |writer: u64, mode: PutMode| {
        objects.put_opts(&path, writer.to_string().into(), PutOptions::from(mode)).await.is_ok()
    };
    let created = join_all((0..16).map(|writer| written(writer, PutMode::Create))).await;
    assert_eq!(created.iter().filter(|written| **written).count(), 1);
    for _ in 0..4 {
        let meta = objects.head(&path).await.unwrap();
        let seen = UpdateVersion { e_tag: meta.e_tag.clone(), version: meta.version.clone() };
        let replaced = join_all((100..116).map(|writer| written(writer, PutMode::Update(seen.clone())))).await;
        // Two objects of the same bytes have the same tag.
        assert_eq!(replaced.iter().filter(|written| **written).count(), 1);
        objects.put(&path, format!("another {:?}", meta.e_tag).into()).await.unwrap();
    }
    let e_tag = objects.head(&path).await.unwrap().e_tag;
    server.requests();
    let unchanged = objects.get_opts(&path, GetOptions { if_none_match: e_tag, ..GetOptions::default() }).await;
    assert!(matches!(unchanged, Err(object_store::Error::NotModified { .. })), "{unchanged:?}");
    let expected = Request { method: "GET".to_owned(), path: "/bucket/object".to_owned(), status: 304, sent: 0 };
    assert_eq!(server.requests(), [expected]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_in_s3_conforms() {
    let Some(server) = server() else { return };
    for place in ["s3://bucket/conforms/here", "s3://bucket"] {
        let store = Store::open_with(&url(place), &access(server)).await.unwrap();
        conformance::check(&store).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn handles_that_share_only_the_bucket_lose_nothing() {
    let Some((server, _)) = own_server() else { return };
    let stores = [store(&server).await, store(&server).await];
    publish_at_once(&stores, &name("treats")).await.unwrap();
    has_all_versions(&store(&server).await, &name("treats")).await.unwrap();
}

#[tokio::test]
async fn a_record_that_is_unchanged_is_not_sent_again() {
    let Some((server, _)) = own_server() else { return };
    let (store, treats) = (store(&server).await, name("treats"));
    assert!(matches!(store.reread(&treats, None).await.unwrap(), Reread::Absent));
    store.publish(&treats, sample("a"), None).await.unwrap();
    let Reread::Record(record, tag) = store.reread(&treats, None).await.unwrap() else { panic!("no record") };
    assert_eq!(Some(record), store.record(&treats).await.unwrap());
    server.requests();
    assert!(matches!(store.reread(&treats, tag.clone()).await.unwrap(), Reread::Unchanged));
    assert!(matches!(&server.requests()[..], [Request { status: 304, sent: 0, .. }]));
    store.publish(&treats, sample("b"), None).await.unwrap();
    let Reread::Record(record, _) = store.reread(&treats, tag).await.unwrap() else { panic!("no record") };
    assert_eq!(record.versions().count(), 2);
}

/// Publishes versions one after the other, while the server answers as it is told.
async fn publish_through(fault: Fault, versions: &[NewVersion]) {
    let Some((server, _)) = own_server() else { return };
    let (store, treats) = (store(&server).await, name("treats"));
    server.set(fault);
    for (number, version) in (1..).zip(versions) {
        let published = store.publish(&treats, version.clone(), Some(&"prod".parse().unwrap())).await;
        assert_eq!(
            published.map(|published| (published.number, published.changed)).unwrap(),
            (number, true),
            "{fault:?}"
        );
    }
    server.set(Fault::None);
    let record = store.record(&treats).await.unwrap().unwrap();
    let moves: usize = record.aliases().map(|(_, alias)| alias.history.len()).sum();
    assert_eq!((record.versions().count(), moves), (versions.len(), versions.len()), "{fault:?}");
}

/// Half of the writes are carried out and answered with an error: the client sends them again, and is then told of a
/// conflict with itself.
#[tokio::test]
async fn answers_that_are_lost_late_or_torn_make_no_version_twice() {
    let versions = ["a", "b", "c", "d"].map(sample);
    for fault in [Fault::Stumbles, Fault::Tears, Fault::Late(Duration::from_millis(50))] {
        publish_through(fault, &versions).await;
    }
}

#[tokio::test]
async fn people_are_told_what_to_do_where_the_service_cannot_be_used() {
    let Some((server, access)) = own_server() else { return };
    let told = async |place: &str, access: &StoreAccess| {
        let error = Store::open_with(&url(place), access).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        explain(&error)
    };
    assert_eq!(
        told("s3://none/folder", &access).await,
        "failed to read nebula-store.json in store s3://none/folder: NoSuchBucket: The specified bucket does not exist; \
         create the bucket, or correct the store's URL"
    );
    server.set(Fault::Refuses);
    assert_eq!(
        told("s3://bucket", &access).await,
        "failed to read nebula-store.json in store s3://bucket: InvalidAccessKeyId: The AWS Access Key Id you provided \
         does not exist in our records; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, and what \
         they are allowed to do with the bucket"
    );
    let with = |name: &str, value: &str| {
        let others = server.variables().into_iter().filter(|(other, _)| *other != name);
        let all = others.chain([(name, value.to_owned())]);
        StoreAccess::of(all.map(|(name, value)| (name.into(), value.into())).collect::<Vec<_>>())
    };
    let error = told("s3://bucket", &with("AWS_ENDPOINT_URL", "http://127.0.0.1:1")).await;
    assert!(error.starts_with("failed to read nebula-store.json in store s3://bucket: Connection refused"), "{error}");
    assert!(error.ends_with("; check AWS_ENDPOINT_URL, AWS_REGION and the network"), "{error}");
    let error = told("s3://bucket", &with("AWS_SECRET_ACCESS_KEY", "")).await;
    assert!(error.starts_with("failed to open the bucket in store s3://bucket: Missing SecretAccessKey"), "{error}");
}

#[tokio::test]
async fn a_store_that_is_not_there_is_not_made_by_readers() {
    let Some((server, access)) = own_server() else { return };
    let error = Store::open_existing(&url("s3://bucket/empty"), &access).await.unwrap_err();
    assert!(matches!(error, StoreError::Gone { .. }), "{error:?}");
    assert!(server.requests().iter().all(|request| request.method == "GET"));
}

#[test]
fn what_reaches_a_service_is_not_shown() {
    let access = StoreAccess::of(
        [("AWS_SECRET_ACCESS_KEY", "secret"), ("HOME", "/root")].map(|(name, value)| (name.into(), value.into())),
    );
    assert_eq!(format!("{access:?}"), r#"{"AWS_SECRET_ACCESS_KEY"}"#);
}
