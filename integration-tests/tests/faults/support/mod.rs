//! Servers that can be hurt, and clients that misbehave.

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
    client::{Answer, Client},
    process::{Log, Server, command_of},
};

/// How long anything may take before the test fails: much longer than it ever does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A guest in the text format.
pub(crate) fn guest(name: &str) -> PathBuf {
    let guests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../guests/wat");
    fs::canonicalize(guests.join(name).with_extension("wat")).unwrap()
}

/// A folder with this `nebula.toml` in it, in which `@name` is the guest of that name.
pub(crate) fn project(configuration: &str) -> Project {
    let source = |line: &str| match line.split_once("source = \"@") {
        Some((before, name)) => format!("{before}source = {:?}\n", guest(name.trim_end_matches('"'))),
        None => format!("{line}\n"),
    };
    let project = Project::new([]);
    project.write("nebula.toml", configuration.lines().map(source).collect::<String>());
    project
}

/// Waits until `look` sees something.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    /// Between two looks.
    const PAUSE: Duration = Duration::from_millis(5);

    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "this never came: {what}");
        thread::sleep(PAUSE);
    }
}
