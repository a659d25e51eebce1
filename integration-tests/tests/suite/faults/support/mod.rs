//! Servers and clients for tests of faults.

mod client;
mod process;
pub(crate) mod tls;

use std::{fs, path::PathBuf, time::Duration};

use nebula_integration_tests::Project;

pub(crate) use nebula_integration_tests::eventually;

pub(crate) use self::{
    client::{Client, Response},
    process::{Log, Server, with_program},
};

/// How long a test waits for anything before it fails. Nothing normally takes nearly as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The file of a guest in the text format.
pub(crate) fn guest(name: &str) -> PathBuf {
    let guests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../guests/wat");
    fs::canonicalize(guests.join(name).with_extension("wat")).unwrap()
}

/// A project with this `nebula.toml`. The source `@name` stands for the file of the guest `name`.
pub(crate) fn project(configuration: &str) -> Project {
    let source = |line: &str| match line.split_once("source = \"@") {
        Some((before, name)) => format!("{before}source = {:?}\n", guest(name.trim_end_matches('"'))),
        None => format!("{line}\n"),
    };
    let project = Project::new([]);
    project.write("nebula.toml", configuration.lines().map(source).collect::<String>());
    project
}
