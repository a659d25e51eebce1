//! A store in S3: on a real server. The conformance suite, two publishers, and what people are told.

use std::time::Duration;

use nebula_store_servers::{Fault, Request, S3Server};

use super::{
    service::{self, BUCKET, access, objects, url},
    *,
};
use crate::store::{NewVersion, StoreAccess, functions::Reread, shared::Service};

/// A server of the test's own, and how it is reached.
fn own_server() -> Option<(S3Server, StoreAccess)> {
    let server = S3Server::start(BUCKET)?;
    let access = access(server.variables());
    Some((server, access))
}

async fn store(server: &S3Server) -> Store {
    Store::open_with(&url("s3://bucket/folder"), &access(server.variables())).await.unwrap()
}

/// The server as the tests use it, with the proxy.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_server_itself_keeps_writers_apart_and_does_not_send_an_unchanged_object_again() {
    let Some((server, access)) = own_server() else { return };
    let objects = objects(Service::S3, "", &access);
    service::keeps_writers_apart(&objects).await;
    server.requests();
    service::leaves_out_an_unchanged_object(&objects).await;
    let of = |method: &str, status| Request {
        method: method.to_owned(),
        path: "/bucket/object".to_owned(),
        trace: None,
        status,
        sent: 0,
    };
    assert_eq!(server.requests(), [of("HEAD", 200), of("GET", 304)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_in_s3_conforms() {
    service::conforms(Service::S3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn handles_that_share_only_the_bucket_lose_nothing_and_see_each_other() {
    service::is_shared(Service::S3).await;
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
    let Some((server, _)) = own_server() else { return };
    let with = |name: &'static str, value: &str| {
        let others = server.variables().into_iter().filter(|(other, _)| *other != name);
        access(others.chain([(name, value.to_owned())]))
    };
    service::people_are_told(&[
        (
            "s3://none/folder",
            access(server.variables()),
            "failed to read nebula-store.json in store s3://none/folder: NoSuchBucket: The specified bucket does not exist; \
             create the bucket, or correct the store's URL",
        ),
        (
            "s3://bucket",
            with("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            "failed to read nebula-store.json in store s3://bucket: Connection refused; check \
             AWS_ENDPOINT_URL, AWS_REGION and the network",
        ),
        (
            "s3://bucket",
            with("AWS_ENDPOINT_URL", "localhost:9000"),
            "failed to open the bucket in store s3://bucket: the endpoint \"localhost:9000\" is no http:// or https:// \
             URL; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL",
        ),
        (
            "s3://bucket",
            with("AWS_REGION", "eu west"),
            "failed to open the bucket in store s3://bucket: \"eu west\" is no name of a region; check \
             AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL",
        ),
        (
            "s3://bucket",
            with("AWS_SECRET_ACCESS_KEY", ""),
            "failed to open the bucket in store s3://bucket: Missing SecretAccessKey; check AWS_ACCESS_KEY_ID, \
             AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL",
        ),
    ])
    .await;
    server.set(Fault::Refuses);
    service::people_are_told(&[(
        "s3://bucket",
        access(server.variables()),
        "failed to read nebula-store.json in store s3://bucket: InvalidAccessKeyId: The AWS Access Key Id you provided does \
         not exist in our records; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, and what they are \
         allowed to do with the bucket",
    )])
    .await;
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
