//! The servers of the services that keep stores in buckets, and what a test does on each of them.
//!
//! Where a server is not installed, nothing is tested; in CI it has to be (`ci/moto.sh`, `ci/azurite.sh`,
//! `ci/fake-gcs-server.sh`).

use std::sync::{Arc, OnceLock};

use futures_util::future::join_all;
use nebula_store_servers::{AzureServer, GcsServer, S3Server};
use object_store::{GetOptions, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion, path};

use super::*;
use crate::store::{
    StoreAccess,
    functions::Reread,
    shared::{Bucket, Service},
};

/// The name of the bucket on every server.
pub(super) const BUCKET: &str = "bucket";

/// How a service is reached that all tests of this process use, and that none breaks. Its server ends with the process.
pub(super) fn reached(service: Service) -> Option<StoreAccess> {
    if !service.is_in_this_build() {
        return None;
    }
    match service {
        Service::S3 => s3().map(|server| access(server.variables())),
        Service::Gcs => gcs().map(|server| access(server.variables())),
        Service::Azure => azure().map(|server| access(server.variables())),
    }
}

pub(super) fn s3() -> Option<&'static S3Server> {
    static SERVER: OnceLock<Option<S3Server>> = OnceLock::new();

    SERVER.get_or_init(|| S3Server::start(BUCKET)).as_ref()
}

pub(super) fn gcs() -> Option<&'static GcsServer> {
    static SERVER: OnceLock<Option<GcsServer>> = OnceLock::new();

    SERVER.get_or_init(|| GcsServer::start(BUCKET)).as_ref()
}

pub(super) fn azure() -> Option<&'static AzureServer> {
    static SERVER: OnceLock<Option<AzureServer>> = OnceLock::new();

    SERVER.get_or_init(|| AzureServer::start(BUCKET)).as_ref()
}

/// The variables of a process.
pub(super) fn access(variables: impl IntoIterator<Item = (&'static str, String)>) -> StoreAccess {
    StoreAccess::of(variables.into_iter().map(|(name, value)| (name.into(), value.into())))
}

pub(super) fn url(text: &str) -> StoreUrl {
    text.parse().unwrap()
}

/// The objects in a folder of the bucket.
pub(super) fn objects(service: Service, folder: &str, access: &StoreAccess) -> Arc<dyn ObjectStore> {
    let bucket = Bucket { service, name: BUCKET.to_owned(), prefix: folder.to_owned() };
    cloud::objects(&bucket, access).unwrap()
}

/// Whether the server itself keeps writers apart. Nothing else is tested on a server that does not.
pub(super) async fn keeps_writers_apart(objects: &dyn ObjectStore) {
    let path = path::Path::from("object");
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
}

/// Whether the server leaves out the body of an object that the reader knows.
pub(super) async fn leaves_out_an_unchanged_object(objects: &dyn ObjectStore) {
    let path = path::Path::from("object");
    let if_none_match = objects.head(&path).await.unwrap().e_tag;
    let unchanged = objects.get_opts(&path, GetOptions { if_none_match, ..GetOptions::default() }).await;
    assert!(matches!(unchanged, Err(object_store::Error::NotModified { .. })), "{unchanged:?}");
}

/// Checks all that a store promises, in a folder of the bucket and in the whole bucket.
pub(super) async fn conforms(service: Service) {
    let Some(access) = reached(service) else { return };
    for place in ["/conforms/here", ""] {
        let place = format!("{}://{BUCKET}{place}", service.scheme());
        let store = Store::open_with(&url(&place), &access).await.unwrap();
        conformance::check(&store).await.unwrap();
    }
}

/// Publishes with handles that have nothing in common, and reads what changed.
pub(super) async fn is_shared(service: Service) {
    let Some(access) = reached(service) else { return };
    let place = url(&format!("{}://{BUCKET}/shared", service.scheme()));
    let open = async || Store::open_with(&place, &access).await.unwrap();
    let treats = name("treats");
    publish_at_once(&[open().await, open().await], &treats).await.unwrap();
    let store = open().await;
    has_all_versions(&store, &treats).await.unwrap();

    let Reread::Record(record, tag) = store.reread(&treats, None).await.unwrap() else { panic!("no record") };
    assert!(matches!(store.reread(&treats, tag.clone()).await.unwrap(), Reread::Unchanged));
    open().await.publish(&treats, sample("one more"), None).await.unwrap();
    let Reread::Record(changed, _) = store.reread(&treats, tag).await.unwrap() else { panic!("no record") };
    assert_eq!(changed.versions().count(), record.versions().count() + 1);
}

/// Checks what people are told who open a store: at this place, with these variables.
pub(super) async fn people_are_told(cases: &[(&str, StoreAccess, &str)]) {
    for (place, access, expected) in cases {
        let error = Store::open_with(&url(place), access).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        // Linux and macOS have different numbers for it.
        let told =
            explain(&error).replace("refused (os error 61)", "refused").replace("refused (os error 111)", "refused");
        assert_eq!(told, *expected);
    }
}
