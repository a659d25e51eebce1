//! `nebula serve --watch`: files that change are published again, and no request fails over it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    time::{Duration, Instant},
};

use nebula_integration_tests::{Nebula, Project, Server};

/// Much longer than it ever takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn scale(factor: u32) -> String {
    format!("(module (func (export \"scale\") (param i32) (result i32) (i32.mul (local.get 0) (i32.const {factor}))))")
}

fn watched() -> (Project, Server) {
    let project = Project::new([]);
    project.write("guests/scale.wat", scale(10));
    project.write("nebula.toml", "[functions.scale]\nsource = \"guests/scale.wat\"\n");
    let server = Server::start(&Nebula::built(), &project, &["--watch"]).unwrap();
    (project, server)
}

/// Calls until the answer is `expected`. Until then it may only be what it was.
fn answers(server: &Server, path: &str, expected: &str, before: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answered = server.get(path);
        assert_eq!(answered.status, 200, "{}\n{}", answered.text(), server.log());
        if answered.text() == expected {
            return;
        }
        assert_eq!(answered.text(), before);
        assert!(Instant::now() < deadline, "{}", server.log());
    }
}

#[test]
fn a_file_that_is_written_again_is_served() {
    let (project, server) = watched();
    answers(&server, "/api/scale/1", "10", "10");
    project.write("guests/scale.wat", scale(20));
    answers(&server, "/api/scale/1", "20", "10");
}

#[test]
fn a_file_that_is_replaced_is_served() {
    let (project, server) = watched();
    project.write("scale.part", scale(20));
    fs::rename(project.join("scale.part"), project.join("guests/scale.wat")).unwrap();
    answers(&server, "/api/scale/1", "20", "10");
}

#[test]
fn a_file_that_is_broken_leaves_the_last_version_until_it_is_mended() {
    let (project, server) = watched();
    project.write("guests/scale.wat", "(module");
    server.wait_for_log("scale stays as it is: failed to publish function scale");
    answers(&server, "/api/scale/1", "10", "10");
    project.write("guests/scale.wat", scale(20));
    answers(&server, "/api/scale/1", "20", "10");
}

#[test]
fn a_function_that_the_configuration_gains_is_served_and_one_that_changes_is_too() {
    let (project, server) = watched();
    assert_eq!(server.get("/api/more/1").status, 404);
    project.write("guests/more.wat", scale(30));
    let scale = "[functions.scale]\nsource = \"guests/scale.wat\"\n";
    project.write("nebula.toml", format!("{scale}[functions.more]\nsource = \"guests/more.wat\"\n"));
    let deadline = Instant::now() + PATIENCE;
    while server.get("/api/more/1").status == 404 {
        assert!(Instant::now() < deadline, "{}", server.log());
    }
    answers(&server, "/api/more/1", "30", "30");
    project.write("nebula.toml", "[functions.scale]\nsource = \"guests/more.wat\"\n");
    answers(&server, "/api/scale/1", "30", "10");
}
