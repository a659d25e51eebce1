//! Blobs in Azure Blob Storage: on azurite, Microsoft's server for tests.
//!
//! Where the server is not installed, nothing is tested; in CI it has to be (`ci/azurite.sh`). The server of Google Cloud
//! Storage that there is for tests has neither ranges nor uploads in parts.

use nebula_store_servers::AzureServer;

use super::*;
use crate::host::node::Node;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_in_azure_keep_the_contract() {
    let Some(server) = AzureServer::start("bucket") else { return };
    let node = Node::new("/", server.variables().map(|(name, value)| (name.into(), value.into())));
    conformance::check(open(&"az://bucket/of/blobs".parse().unwrap(), &node).unwrap()).await;
}
