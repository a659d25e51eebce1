//! Servers and clients for tests of faults.

mod client;
mod process;

use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use nebula_integration_tests::Project;

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

/// Waits until `look` returns a value.
pub(crate) fn eventually<T>(effect: &str, mut look: impl FnMut() -> Option<T>) -> T {
    /// The time between two calls of `look`.
    const PAUSE: Duration = Duration::from_millis(5);

    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {effect}");
        thread::sleep(PAUSE);
    }
}
