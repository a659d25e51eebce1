//! A store in Google Cloud Storage: on fake-gcs-server. It answers the service's JSON API, and the client of
//! `object_store` asks in the XML API: `nebula-store-servers` translates.

use super::service::{self, access, objects};
use crate::store::shared::Service;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_server_itself_keeps_writers_apart_and_does_not_send_an_unchanged_object_again() {
    let Some(access) = service::reached(Service::Gcs) else { return };
    let objects = objects(Service::Gcs, "apart", &access);
    service::keeps_writers_apart(&objects).await;
    service::leaves_out_an_unchanged_object(&objects).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_in_google_cloud_storage_conforms() {
    service::conforms(Service::Gcs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn handles_that_share_only_the_bucket_lose_nothing_and_see_each_other() {
    service::is_shared(Service::Gcs).await;
}

#[tokio::test]
async fn people_are_told_what_to_do_where_the_service_cannot_be_used() {
    let Some(server) = service::gcs() else { return };
    let [endpoint, token] = server.variables();
    let with = |name: &'static str, value: &str| access([endpoint.clone(), (name, value.to_owned())]);
    service::people_are_told(&[
        (
            "gs://none/folder",
            access(server.variables()),
            "failed to read nebula-store.json in store gs://none/folder: NoSuchBucket: The specified bucket does not exist; \
             create the bucket, or correct the store's URL",
        ),
        (
            "gs://bucket",
            with("GOOGLE_BEARER_TOKEN", "another"),
            "failed to read nebula-store.json in store gs://bucket: AuthenticationRequired: Authentication required; check \
             GOOGLE_APPLICATION_CREDENTIALS, and what they are allowed to do with the bucket",
        ),
        (
            "gs://bucket",
            with("GOOGLE_APPLICATION_CREDENTIALS", "/none.json"),
            "failed to open the bucket in store gs://bucket: Unable to open service account file from /none.json: No such \
             file or directory (os error 2); check GOOGLE_APPLICATION_CREDENTIALS, GOOGLE_SERVICE_ACCOUNT and \
             GOOGLE_BASE_URL",
        ),
        (
            "gs://bucket",
            with("GOOGLE_SERVICE_ACCOUNT_KEY", "no JSON"),
            "failed to open the bucket in store gs://bucket: GCP credential error: Unable to decode service account file: \
             expected ident at line 1 column 2; check GOOGLE_APPLICATION_CREDENTIALS, GOOGLE_SERVICE_ACCOUNT and \
             GOOGLE_BASE_URL",
        ),
        (
            "gs://bucket",
            access([("GOOGLE_BASE_URL", "127.0.0.1:4443".to_owned()), token.clone()]),
            "failed to open the bucket in store gs://bucket: the endpoint \"127.0.0.1:4443\" is no http:// or https:// URL; \
             check GOOGLE_APPLICATION_CREDENTIALS, GOOGLE_SERVICE_ACCOUNT and GOOGLE_BASE_URL",
        ),
        (
            "gs://bucket",
            access([("GOOGLE_BASE_URL", "http://127.0.0.1:1".to_owned()), token.clone()]),
            "failed to read nebula-store.json in store gs://bucket: Connection refused; check \
             GOOGLE_BASE_URL and the network",
        ),
    ])
    .await;
}
