//! Publishers on one store of which some are killed, on a folder and in S3.

use nebula_integration_tests::{Nebula, Publishers};
use nebula_runtime::{StoreAccess, StoreUrl};
use nebula_store_servers::S3Server;

use crate::faults::support::project;

/// How many versions are published; `just soak publishers` publishes a thousand.
const VERSIONS: u32 = 48;

#[test]
fn killed_publishers_of_a_folder_lose_nothing() {
    let (nebula, project) = (Nebula::built(), project(""));
    let url = StoreUrl::folder(&project.join("store")).unwrap();
    let publishers = Publishers { nebula: &nebula, project: &project, url, access: StoreAccess::default() };
    let published = publishers.publish(VERSIONS);
    assert!(published.killed > 0, "{published:?}");
}

#[test]
fn killed_publishers_of_a_bucket_lose_nothing() {
    let Some(server) = S3Server::start("bucket") else { return };
    let (project, url) = (project(""), "s3://bucket/team");
    let variables = server.variables().into_iter().chain([("NEBULA_STORE", url.to_owned())]);
    let nebula = Nebula::built().with_environment(variables);
    let access = StoreAccess::of(server.variables().map(|(name, value)| (name.into(), value.into())));
    let publishers = Publishers { nebula: &nebula, project: &project, url: url.parse().unwrap(), access };
    let published = publishers.publish(VERSIONS);
    assert!(published.killed > 0, "{published:?}");
}
