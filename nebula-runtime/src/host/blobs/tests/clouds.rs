//! Blobs in Azure Blob Storage and in Google Cloud Storage: on servers for tests.
//!
//! Where a server is not installed, nothing is tested; in CI it has to be (`ci/azurite.sh`, `ci/fake-gcs-server.sh`).

use nebula_store_servers::{AzureServer, GcsServer};

use super::*;
use crate::host::node::Node;

fn node(variables: impl IntoIterator<Item = (&'static str, String)>) -> Node {
    Node::new("/", variables.into_iter().map(|(name, value)| (name.into(), value.into())))
}

async fn conforms(url: &str, node: &Node) {
    conformance::check(open(&url.parse().unwrap(), node).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_in_azure_keep_the_contract() {
    let Some(server) = AzureServer::start("bucket") else { return };
    conforms("az://bucket/of/blobs", &node(server.variables())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_in_google_cloud_storage_keep_the_contract() {
    let Some(server) = GcsServer::start("bucket") else { return };
    conforms("gs://bucket/of/blobs", &node(server.variables())).await;
}
