//! `nebula serve --watch`: the server publishes changed files again, and no request fails meanwhile.

use std::{
    fs,
    os::unix::fs::symlink,
    time::{Duration, Instant},
};

use nebula_integration_tests::{Nebula, Project, SaveMethod, Server, WatchedFile, WatchedServer};

/// How long a test waits before it fails. Nothing normally takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(60);

fn scale(factor: u32) -> String {
    format!("(module (func (export \"scale\") (param i32) (result i32) (i32.mul (local.get 0) (i32.const {factor}))))")
}

fn serve_and_watch() -> (Project, Server) {
    let project = Project::new([]);
    project.write("guests/scale.wat", scale(10));
    project.write("nebula.toml", "[functions.scale]\nsource = \"guests/scale.wat\"\n");
    let server = Server::start(&Nebula::built(), &project, &["--watch"]).unwrap();
    (project, server)
}

/// Calls `path` until the result is `expected`. Until then it must be `before`.
fn wait_for_change(server: &Server, path: &str, expected: &str, before: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let response = server.get(path);
        assert_eq!(response.status, 200, "{}\n{}", response.text(), server.log());
        if response.text() == expected {
            return;
        }
        assert_eq!(response.text(), before);
        assert!(Instant::now() < deadline, "{}", server.log());
    }
}

#[test]
fn a_rewritten_file_is_served() {
    let (project, server) = serve_and_watch();
    wait_for_change(&server, "/api/scale/1", "10", "10");
    project.write("guests/scale.wat", scale(20));
    wait_for_change(&server, "/api/scale/1", "20", "10");
}

#[test]
fn a_replaced_file_is_served() {
    let (project, server) = serve_and_watch();
    project.write("scale.part", scale(20));
    fs::rename(project.join("scale.part"), project.join("guests/scale.wat")).unwrap();
    wait_for_change(&server, "/api/scale/1", "20", "10");
}

#[test]
fn a_broken_file_keeps_the_last_version_until_it_is_repaired() {
    let (project, server) = serve_and_watch();
    project.write("guests/scale.wat", "(module");
    server.wait_for_log("scale stays as it is: failed to publish function scale");
    wait_for_change(&server, "/api/scale/1", "10", "10");
    project.write("guests/scale.wat", scale(20));
    wait_for_change(&server, "/api/scale/1", "20", "10");
}

#[test]
fn a_new_function_and_a_changed_source_in_the_configuration_are_served() {
    let (project, server) = serve_and_watch();
    assert_eq!(server.get("/api/more/1").status, 404);
    project.write("guests/more.wat", scale(30));
    let scale = "[functions.scale]\nsource = \"guests/scale.wat\"\n";
    project.write("nebula.toml", format!("{scale}[functions.more]\nsource = \"guests/more.wat\"\n"));
    let deadline = Instant::now() + PATIENCE;
    while server.get("/api/more/1").status == 404 {
        assert!(Instant::now() < deadline, "{}", server.log());
    }
    wait_for_change(&server, "/api/more/1", "30", "30");
    project.write("nebula.toml", "[functions.scale]\nsource = \"guests/more.wat\"\n");
    wait_for_change(&server, "/api/scale/1", "30", "10");
}

#[test]
fn every_way_to_save_a_file_is_served_and_published_once() {
    let mut server = WatchedServer::start(&[WatchedFile::Source, WatchedFile::BuildInput, WatchedFile::Source]);
    for method in SaveMethod::ALL.into_iter().chain(SaveMethod::ALL.into_iter().rev()) {
        server.save(0, method);
        server.save(1, method);
    }
    // A second build or publish would be logged before this change is served.
    server.save(2, SaveMethod::InPlace);
    server.check_nothing_was_done_twice();
}

#[test]
fn a_configuration_behind_a_link_is_read_again_when_the_link_changes() {
    let project = Project::new([]);
    for (version, factor) in [("1", 10), ("2", 20), ("3", 30)] {
        project.write(format!("..{version}/scale.wat"), scale(factor));
        let extra = format!("[functions.only-in-{version}]\nsource = \"scale.wat\"\n");
        project
            .write(format!("..{version}/nebula.toml"), format!("[functions.scale]\nsource = \"scale.wat\"\n{extra}"));
    }
    let swap = |version: &str| {
        symlink(format!("..{version}"), project.join("..next")).unwrap();
        fs::rename(project.join("..next"), project.join("..data")).unwrap();
    };
    swap("1");
    fs::remove_file(project.join("nebula.toml")).unwrap();
    symlink("..data/nebula.toml", project.join("nebula.toml")).unwrap();
    symlink("..data/scale.wat", project.join("scale.wat")).unwrap();
    let server = Server::start(&Nebula::built(), &project, &["--watch"]).unwrap();
    for (version, answer, before) in [("2", "20", "10"), ("3", "30", "20")] {
        swap(version);
        wait_for_change(&server, "/api/scale/1", answer, before);
        server.wait_for_log(&format!("only-in-{} is no longer in nebula.toml", version.parse::<u8>().unwrap() - 1));
    }
}

#[test]
fn a_function_that_is_removed_from_the_configuration_is_still_served_and_the_log_says_so() {
    let (project, server) = serve_and_watch();
    project.write("nebula.toml", "");
    server.wait_for_log("scale is no longer in nebula.toml, but the store still has it, and it is served as before");
    wait_for_change(&server, "/api/scale/1", "10", "10");
}

#[test]
fn a_configuration_that_grants_a_missing_folder_is_read_once_the_folder_exists() {
    let (project, server) = serve_and_watch();
    project.write(
        "nebula.toml",
        "[functions.scale]\nsource = \"more.wat\"\ndirs = [{ host = \"data\", guest = \"/data\" }]\n",
    );
    server.wait_for_log("the configuration stays as it is");
    project.write("more.wat", scale(20));
    fs::create_dir(project.join("data")).unwrap();
    wait_for_change(&server, "/api/scale/1", "20", "10");
}

#[test]
fn files_are_polled_if_the_option_poll_is_given() {
    let project = Project::new([]);
    project.write("f.src", scale(10));
    project.write("nebula.toml", "[functions.scale]\nsource = \"f.wat\"\nbuild = \"cp f.src f.wat\"\n");
    let server = Server::start(&Nebula::built(), &project, &["--watch", "--poll=100ms"]).unwrap();
    project.write("f.src", scale(20));
    wait_for_change(&server, "/api/scale/1", "20", "10");
}
