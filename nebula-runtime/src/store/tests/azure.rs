//! A store in Azure Blob Storage: on azurite, Microsoft's server for tests.

use super::service::{self, access, objects, url};
use crate::store::{Store, shared::Service};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_server_itself_keeps_writers_apart_and_does_not_send_an_unchanged_object_again() {
    let Some(access) = service::reached(Service::Azure) else { return };
    let objects = objects(Service::Azure, "apart", &access);
    service::keeps_writers_apart(&objects).await;
    service::leaves_out_an_unchanged_object(&objects).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_in_azure_conforms() {
    service::conforms(Service::Azure).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn handles_that_share_only_the_container_lose_nothing_and_see_each_other() {
    service::is_shared(Service::Azure).await;
}

#[tokio::test]
async fn people_are_told_what_to_do_where_the_service_cannot_be_used() {
    let Some(server) = service::azure() else { return };
    let with = |name: &'static str, value: &str| {
        let others = server.variables().into_iter().filter(|(other, _)| *other != name);
        access(others.chain([(name, value.to_owned())]))
    };
    let refused = "failed to read nebula-store.json in store az://bucket: AuthorizationFailure: Server failed to \
                   authenticate the request. Make sure the value of the Authorization header is formed correctly \
                   including the signature; check AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, and what \
                   they are allowed to do with the container";
    service::people_are_told(&[
        (
            "az://none/folder",
            access(server.variables()),
            "failed to read nebula-store.json in store az://none/folder: ContainerNotFound: The specified container does \
             not exist; create the container, or correct the store's URL",
        ),
        ("az://bucket", with("AZURE_STORAGE_ACCOUNT_KEY", "dGVzdA=="), refused),
        ("az://bucket", with("AZURE_STORAGE_ACCOUNT_NAME", "another"), refused),
        (
            "az://bucket",
            with("AZURE_STORAGE_ACCOUNT_KEY", "no base64"),
            "failed to open the bucket in store az://bucket: Invalid Access Key: Invalid symbol 32, offset 2; check \
             AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY and AZURE_STORAGE_ENDPOINT",
        ),
        (
            "az://bucket",
            access([]),
            "failed to open the bucket in store az://bucket: Account must be specified; check \
             AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY and AZURE_STORAGE_ENDPOINT",
        ),
        (
            "az://bucket",
            with("AZURE_STORAGE_ENDPOINT", "127.0.0.1:10000"),
            "failed to open the bucket in store az://bucket: the endpoint \"127.0.0.1:10000\" is no http:// or https:// \
             URL; check AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY and AZURE_STORAGE_ENDPOINT",
        ),
        (
            "az://bucket",
            with("AZURE_STORAGE_CONNECTION_STRING", "secret"),
            "failed to open the bucket in store az://bucket: AZURE_STORAGE_CONNECTION_STRING is no list of pairs \
             NAME=VALUE; check AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY and AZURE_STORAGE_ENDPOINT",
        ),
        (
            "az://bucket",
            with("AZURE_STORAGE_ENDPOINT", "http://127.0.0.1:1/account"),
            "failed to read nebula-store.json in store az://bucket: Connection refused; check \
             AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ENDPOINT and the network",
        ),
    ])
    .await;
}

#[tokio::test]
async fn the_variables_of_az_reach_the_service_too() {
    let Some(server) = service::azure() else { return };
    let [(_, endpoint), (_, account), (_, key)] = server.variables();
    let connection =
        format!("DefaultEndpointsProtocol=http;AccountName={account};AccountKey={key};BlobEndpoint={endpoint};");
    let cases = [
        access([("AZURE_STORAGE_CONNECTION_STRING", connection)]),
        access([("AZURE_STORAGE_ENDPOINT", endpoint), ("AZURE_STORAGE_ACCOUNT", account), ("AZURE_STORAGE_KEY", key)]),
    ];
    for access in cases {
        Store::open_with(&url("az://bucket/of-az"), &access).await.unwrap();
    }
}
