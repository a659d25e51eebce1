//! Four publishers on one store, a thousand publishes, and SIGKILL for some of those of one publisher.

use anyhow::{Result, ensure};
use nebula_integration_tests::{Nebula, Project, Publishers, Publishes};
use nebula_runtime::{StoreAccess, StoreUrl};
use nebula_store_servers::S3Server;

/// How many versions are published.
const VERSIONS: u32 = 1_000;

/// On a folder, and in S3 where there is a server for it.
pub(crate) fn run(_seconds: u64) -> Result<()> {
    let (nebula, project) = (Nebula::built(), Project::new([]));
    let url = StoreUrl::folder(&project.join("store"))?;
    report("a folder", publish(&nebula, &project, url, StoreAccess::default()))?;
    if let Some(server) = S3Server::start("bucket") {
        let (project, url) = (Project::new([]), "s3://bucket/team");
        let variables = server.variables().into_iter().chain([("NEBULA_STORE", url.to_owned())]);
        let access = StoreAccess::of(server.variables().map(|(name, value)| (name.into(), value.into())));
        report("S3", publish(&nebula.with_environment(variables), &project, url.parse()?, access))?;
    }
    Ok(())
}

fn publish(nebula: &Nebula, project: &Project, url: StoreUrl, access: StoreAccess) -> Publishes {
    Publishers { nebula, project, url, access }.publish(VERSIONS)
}

fn report(place: &str, published: Publishes) -> Result<()> {
    let Publishes { acknowledged, killed, versions } = published;
    println!(
        "publishers on {place}: {acknowledged} acknowledged, {killed} killed at work, {versions} versions; none is lost"
    );
    ensure!(killed > 0, "no publisher was killed at its work");
    Ok(())
}
