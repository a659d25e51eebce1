//! Stores in Azure and in Google Cloud Storage: from a publish to a rollback that a server sees.

use nebula_integration_tests::Nebula;
use nebula_store_servers::{AzureServer, GcsServer};

use crate::faults::support::{Server, eventually, project};

/// Publishes twice to a store that these variables reach, and takes the second version back.
fn is_served_and_rolled_back(store: &str, variables: impl IntoIterator<Item = (&'static str, String)>) {
    let nebula = Nebula::built().with_environment(variables.into_iter().chain([("NEBULA_STORE", store.to_owned())]));
    let project = project("");
    let run = |arguments: &[&str]| nebula.run(&project, arguments, b"").expect_success().text();
    for value in [1, 2] {
        let module = format!("(module (func (export \"answer\") (result i64) (i64.const {value})))");
        project.write("answer.wat", module);
        run(&["publish", "answer", "answer.wat", "--alias", "prod"]);
    }
    let server = Server::start_as(&nebula, &project);
    let answer = || server.get("/api/answer@prod").summary();
    assert_eq!(answer(), (200, "2".to_owned()));
    assert_eq!(run(&["rollback", "answer"]), "answer@prod: 2 -> 1\n");
    eventually("the version before", || (answer() == (200, "1".to_owned())).then_some(()));
    assert!(run(&["list"]).contains("answer  2        prod: 1"));
}

#[test]
fn a_store_in_azure_is_served_and_rolled_back() {
    let Some(server) = AzureServer::start("container") else { return };
    is_served_and_rolled_back("az://container/team", server.variables());
}

#[test]
fn a_store_in_google_cloud_storage_is_served_and_rolled_back() {
    let Some(server) = GcsServer::start("bucket") else { return };
    is_served_and_rolled_back("gs://bucket/team", server.variables());
}
